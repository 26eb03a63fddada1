-- A refresh token of a session, used or not. One that comes a second time was stolen: its session ends.
CREATE TABLE IF NOT EXISTS refresh_tokens (
  digest      BINARY(32)   NOT NULL COMMENT 'SHA-256 of the token',
  session_id  BINARY(16)   NOT NULL,
  used_at     DATETIME(6)  NULL,
  PRIMARY KEY (digest),
  KEY refresh_tokens_session (session_id),
  KEY refresh_tokens_used (used_at),
  CONSTRAINT refresh_tokens_session FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
) ENGINE=InnoDB;
