-- How many messages went out in a minute: in all, of an account, to a domain.
CREATE TABLE IF NOT EXISTS send_rates (
  subject  VARCHAR(255)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'all, account:<id>, domain:<name>',
  minute   BIGINT        NOT NULL COMMENT 'since 1970',
  taken    INT           NOT NULL DEFAULT 0,
  PRIMARY KEY (subject, minute),
  KEY send_rates_minute (minute)
) ENGINE=InnoDB;
