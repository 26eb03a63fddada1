CREATE TABLE IF NOT EXISTS click_breakdowns (
  subject BINARY(16) NOT NULL COMMENT 'a link''s or an account''s id',
  period TINYINT UNSIGNED NOT NULL COMMENT '0 a quarter of an hour, 1 a UTC day',
  start DATETIME NOT NULL COMMENT 'of the period, UTC',
  dimension TINYINT UNSIGNED NOT NULL COMMENT
    '1 country, 2 city, 3 referrer, 7 source, 8 language, 9-13 utm_source, _medium, _campaign, _term, _content, 14 browser|system|device',
  value VARCHAR(190) NOT NULL,
  clicks BIGINT NOT NULL COMMENT 'without bots',
  PRIMARY KEY (subject, period, start, dimension, value)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT 'A row counts the clicks of a period that had one value in one dimension; the source click has none.';
