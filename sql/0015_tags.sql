-- A label that an account puts on links (and later on contacts).
CREATE TABLE IF NOT EXISTS tags (
  id          BINARY(16)   NOT NULL,
  account_id  BINARY(16)   NOT NULL,
  name        VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_as_ci NOT NULL,
  color       CHAR(7)      CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT '#rrggbb',
  version     INT          NOT NULL DEFAULT 1,
  created_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY tags_name (account_id, name),
  CONSTRAINT tags_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
