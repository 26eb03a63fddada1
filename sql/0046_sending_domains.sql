-- A domain that mail comes from, with the keys that sign it (DKIM, RFC 6376 and RFC 8463).
CREATE TABLE IF NOT EXISTS sending_domains (
  id                BINARY(16)       NOT NULL,
  account_id        BINARY(16)       NULL COMMENT 'whose it is; NULL for the operator''s own, which all may use',
  domain            VARCHAR(253)     CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL COMMENT 'A-labels',
  rsa_selector      VARCHAR(63)      CHARACTER SET ascii NOT NULL,
  rsa_key           VARBINARY(4096)  NOT NULL COMMENT 'PKCS #8, sealed',
  rsa_public        VARCHAR(1024)    CHARACTER SET ascii NOT NULL COMMENT 'what DNS has in p=, base64',
  ed25519_selector  VARCHAR(63)      CHARACTER SET ascii NOT NULL,
  ed25519_key       VARBINARY(512)   NOT NULL COMMENT 'PKCS #8, sealed',
  ed25519_public    VARCHAR(128)     CHARACTER SET ascii NOT NULL COMMENT 'what DNS has in p=, base64',
  verified_at       DATETIME(6)      NULL COMMENT 'when DNS had a key of this row',
  checked_at        DATETIME(6)      NULL,
  has_spf           BOOLEAN          NULL COMMENT 'as of checked_at',
  has_dmarc         BOOLEAN          NULL,
  version           INT              NOT NULL DEFAULT 1,
  created_at        DATETIME(6)      NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY sending_domains_domain (account_id, domain),
  KEY sending_domains_by_domain (domain),
  CONSTRAINT sending_domains_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
