CREATE TABLE IF NOT EXISTS click_buckets (
  subject BINARY(16) NOT NULL COMMENT 'a link''s or an account''s id',
  start DATETIME NOT NULL COMMENT 'of a quarter of an hour, UTC',
  clicks BIGINT NOT NULL COMMENT 'without bots',
  unique_clicks BIGINT NOT NULL COMMENT 'first of a visitor on a link on a UTC day',
  bot_clicks BIGINT NOT NULL,
  PRIMARY KEY (subject, start)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT 'A row counts the clicks on a link, or on all links of an account, in a quarter of an hour.';
