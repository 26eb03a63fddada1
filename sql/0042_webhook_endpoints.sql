-- An address that an account has events sent to.
CREATE TABLE IF NOT EXISTS webhook_endpoints (
  id                     BINARY(16)      NOT NULL,
  account_id             BINARY(16)      NOT NULL,
  url                    VARCHAR(2048)   NOT NULL,
  description            VARCHAR(255)    NULL,
  is_enabled             BOOLEAN         NOT NULL DEFAULT TRUE,
  disabled_reason        VARCHAR(64)     CHARACTER SET ascii NULL COMMENT 'gone (410), failing; NULL where its owner did it',
  failing_since          DATETIME(6)     NULL COMMENT 'no delivery has succeeded since',
  secret                 VARBINARY(512)  NOT NULL COMMENT 'sealed',
  previous_secret        VARBINARY(512)  NULL COMMENT 'sealed; signs along for a day after a rotation',
  previous_secret_until  DATETIME(6)     NULL,
  version                INT             NOT NULL DEFAULT 1,
  created_at             DATETIME(6)     NOT NULL,
  updated_at             DATETIME(6)     NOT NULL,
  PRIMARY KEY (id),
  KEY webhook_endpoints_account (account_id, id),
  CONSTRAINT webhook_endpoints_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
