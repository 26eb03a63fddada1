-- A file of an account. Its bytes are in the state directory, below files/, under its id; the row is made when
-- they are there, and taken away before they are.
CREATE TABLE IF NOT EXISTS files (
  id            BINARY(16)    NOT NULL,
  account_id    BINARY(16)    NOT NULL,
  name          VARCHAR(255)  NOT NULL,
  content_type  VARCHAR(127)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'by content, not by name',
  size          BIGINT        NOT NULL COMMENT 'bytes',
  sha256        BINARY(32)    NOT NULL,
  version       INT           NOT NULL DEFAULT 1,
  created_at    DATETIME(6)   NOT NULL,
  updated_at    DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY files_account (account_id, id),
  CONSTRAINT files_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
