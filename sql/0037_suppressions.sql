-- An address to which an account sends no mailings any more. It outlives the contact: whoever unsubscribed, was deleted
-- and is imported again stays unsubscribed.
CREATE TABLE IF NOT EXISTS suppressions (
  account_id          BINARY(16)    NOT NULL,
  email_key           VARCHAR(254)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'lower case',
  bounced_at          DATETIME(6)   NULL,
  bounce_reason       VARCHAR(512)  NULL,
  unsubscribed_at     DATETIME(6)   NULL,
  unsubscribe_reason  VARCHAR(64)   NULL,
  PRIMARY KEY (account_id, email_key),
  CONSTRAINT suppressions_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
