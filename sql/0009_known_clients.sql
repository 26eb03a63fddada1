-- A client from which an account was logged in to lately: failures elsewhere do not lock it out.
CREATE TABLE IF NOT EXISTS known_clients (
  subject     BINARY(32)   NOT NULL COMMENT 'keyed digest of account and client',
  account_id  BINARY(16)   NOT NULL,
  seen_at     DATETIME(6)  NOT NULL,
  PRIMARY KEY (subject),
  KEY known_clients_age (seen_at),
  CONSTRAINT known_clients_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
