-- A POST that came with an Idempotency-Key, and what it was answered; kept for 24 hours.
CREATE TABLE IF NOT EXISTS idempotency_keys (
  account_id   BINARY(16)    NOT NULL,
  name         BINARY(32)    NOT NULL COMMENT 'SHA-256 of the key',
  fingerprint  BINARY(32)    NOT NULL COMMENT 'SHA-256 of method, path, query and body',
  owner        BINARY(16)    NOT NULL COMMENT 'the request that runs or ran',
  status       SMALLINT      NULL COMMENT 'NULL while the first request still runs',
  response     MEDIUMBLOB    NULL COMMENT 'header fields and body, sealed: an answer may hold a secret',
  created_at   DATETIME(6)   NOT NULL,
  PRIMARY KEY (account_id, name),
  KEY idempotency_keys_age (created_at),
  CONSTRAINT idempotency_keys_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
