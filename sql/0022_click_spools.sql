CREATE TABLE IF NOT EXISTS click_spools (
  id BINARY(16) NOT NULL COMMENT 'the file''s name',
  position BIGINT NOT NULL COMMENT 'bytes that are loaded',
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT 'A row says how far a spool file is loaded; it changes in the transaction that loads the clicks.';
