-- What the files of an account take together, counted against its plan.
CREATE TABLE IF NOT EXISTS account_storage (
  account_id  BINARY(16)  NOT NULL,
  bytes       BIGINT      NOT NULL DEFAULT 0,
  files       INT         NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id),
  CONSTRAINT account_storage_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
