-- A test of a mailing, on its way to somebody who wants to see it before all do.
CREATE TABLE IF NOT EXISTS mailing_tests (
  id            BINARY(16)    NOT NULL,
  mailing_id    BINARY(16)    NOT NULL,
  account_id    BINARY(16)    NOT NULL,
  recipient     VARCHAR(254)  NOT NULL COMMENT 'the address it goes to',
  contact_id    BINARY(16)    NULL COMMENT 'whose values the placeholders get; NULL for made-up ones',
  attempts      INT           NOT NULL DEFAULT 0,
  leased_until  DATETIME(6)   NULL COMMENT 'a sender works on it until then',
  sent_at       DATETIME(6)   NULL,
  failed_at     DATETIME(6)   NULL COMMENT 'given up',
  smtp_code     SMALLINT      NULL,
  smtp_reply    VARCHAR(512)  NULL,
  created_at    DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  KEY mailing_tests_waiting (sent_at, failed_at, leased_until),
  KEY mailing_tests_account (account_id, created_at),
  CONSTRAINT mailing_tests_mailing FOREIGN KEY (mailing_id) REFERENCES mailings (id) ON DELETE CASCADE,
  CONSTRAINT mailing_tests_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
