-- What a look-up of an address answered, so that it is not asked for again: misses too.
CREATE TABLE IF NOT EXISTS geoip_answers (
  network     VARBINARY(8)  NOT NULL COMMENT 'an IPv4 address, or the first 64 bits of an IPv6 one',
  source      VARCHAR(255)  NOT NULL COMMENT 'the databases that knew something, or the host of the provider',
  generation  BIGINT        NOT NULL COMMENT 'of the databases that were asked; 0 for a provider',
  is_found    BOOLEAN       NOT NULL,
  answer      VARCHAR(6000) NOT NULL COMMENT 'JSON; what the source knew',
  asked_at    DATETIME(6)   NOT NULL,
  expires_at  DATETIME(6)   NOT NULL,
  PRIMARY KEY (network, generation),
  KEY geoip_answers_age (expires_at)
) ENGINE=InnoDB;
