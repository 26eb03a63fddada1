-- A mailed permission to set a new password: used once, or until it expires.
CREATE TABLE IF NOT EXISTS password_resets (
  digest      BINARY(32)   NOT NULL COMMENT 'SHA-256 of the token in the mail',
  account_id  BINARY(16)   NOT NULL,
  expires_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (digest),
  KEY password_resets_account (account_id),
  KEY password_resets_expiry (expires_at),
  CONSTRAINT password_resets_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
