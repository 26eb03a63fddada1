-- How often a secret was guessed wrongly for one subject (an account, a client, a link's password) of late.
CREATE TABLE IF NOT EXISTS attempts (
  subject        BINARY(32)   NOT NULL COMMENT 'keyed digest of what is guarded; holds no address in the clear',
  failures       INT          NOT NULL,
  last_failed_at DATETIME(6)  NOT NULL,
  blocked_until  DATETIME(6)  NOT NULL,
  PRIMARY KEY (subject),
  KEY attempts_age (last_failed_at)
) ENGINE=InnoDB;
