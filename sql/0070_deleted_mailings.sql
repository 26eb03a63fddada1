-- A mailing that was deleted after messages of it may have gone out: who has one can still unsubscribe and complain.
CREATE TABLE IF NOT EXISTS deleted_mailings (
  mark        BINARY(5)     NOT NULL COMMENT 'what the mailing had, and signed addresses name',
  account_id  BINARY(16)    NOT NULL,
  from_name   VARCHAR(128)  NULL,
  deleted_at  DATETIME(6)   NOT NULL,
  PRIMARY KEY (mark),
  KEY deleted_mailings_account (account_id),
  CONSTRAINT deleted_mailings_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
