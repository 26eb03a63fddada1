-- What an account has made in a calendar month (UTC), counted against its plan.
CREATE TABLE IF NOT EXISTS usage_months (
  account_id  BINARY(16)  NOT NULL,
  month       DATE        NOT NULL COMMENT 'its first day',
  links       INT         NOT NULL DEFAULT 0,
  qrcodes     INT         NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, month),
  CONSTRAINT usage_months_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
