-- A list of contacts that mailings go to, and that people can subscribe to.
CREATE TABLE IF NOT EXISTS contact_groups (
  id                     BINARY(16)     NOT NULL,
  account_id             BINARY(16)     NOT NULL,
  name                   VARCHAR(255)   CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_as_ci NOT NULL,
  description            VARCHAR(2000)  NULL,
  require_double_opt_in  BOOLEAN        NOT NULL DEFAULT FALSE,
  is_public              BOOLEAN        NOT NULL DEFAULT FALSE COMMENT 'whether strangers can subscribe by its form',
  version                INT            NOT NULL DEFAULT 1,
  created_at             DATETIME(6)    NOT NULL,
  updated_at             DATETIME(6)    NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY contact_groups_name (account_id, name),
  CONSTRAINT contact_groups_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
