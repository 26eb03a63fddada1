-- An API key: the key itself is shown once and kept as a digest.
CREATE TABLE IF NOT EXISTS api_keys (
  id            BINARY(16)    NOT NULL,
  account_id    BINARY(16)    NOT NULL,
  name          VARCHAR(255)  NOT NULL,
  prefix        VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what is shown to tell keys apart',
  digest        BINARY(32)    NOT NULL COMMENT 'SHA-256 of the key',
  scopes        VARCHAR(512)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'names with commas between; empty: full access',
  expires_at    DATETIME(6)   NULL,
  last_used_at  DATETIME(6)   NULL COMMENT 'to the minute',
  revoked_at    DATETIME(6)   NULL,
  version       INT           NOT NULL DEFAULT 1,
  created_at    DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY api_keys_digest (digest),
  KEY api_keys_account (account_id, id),
  CONSTRAINT api_keys_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
