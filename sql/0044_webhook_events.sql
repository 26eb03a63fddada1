-- Something that happened and that an endpoint wants to know: written in the transaction in which it happened.
CREATE TABLE IF NOT EXISTS webhook_events (
  id          BINARY(16)   NOT NULL,
  account_id  BINARY(16)   NOT NULL,
  event       VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  data        MEDIUMTEXT   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'JSON',
  created_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT webhook_events_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
