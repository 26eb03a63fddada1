CREATE TABLE IF NOT EXISTS click_visitors (
  day DATETIME NOT NULL COMMENT 'start of the UTC day',
  link_id BINARY(16) NOT NULL,
  visitor BIGINT NOT NULL COMMENT 'as in clicks',
  PRIMARY KEY (day, link_id, visitor)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT 'A row says that a visitor was on a link on a day; purged after two days.';
