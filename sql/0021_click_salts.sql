CREATE TABLE IF NOT EXISTS click_salts (
  day DATETIME NOT NULL COMMENT 'start of the UTC day',
  salt BINARY(32) NOT NULL COMMENT 'random',
  PRIMARY KEY (day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT 'A row is the key of a day''s visitor digests; deleted after two days, so that none can be computed again.';
