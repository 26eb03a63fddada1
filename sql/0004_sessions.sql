-- A log-in that still holds: a cookie session of the web UI, or a family of refresh tokens of the API.
CREATE TABLE IF NOT EXISTS sessions (
  id            BINARY(16)   NOT NULL,
  account_id    BINARY(16)   NOT NULL,
  cookie_digest BINARY(32)   NULL COMMENT 'SHA-256 of the cookie; NULL for a session of tokens',
  created_at    DATETIME(6)  NOT NULL,
  expires_at    DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY sessions_cookie (cookie_digest),
  KEY sessions_account (account_id),
  KEY sessions_expiry (expires_at),
  CONSTRAINT sessions_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
