-- A message of the system itself (password reset, notices), waiting for the sender or sent.
CREATE TABLE IF NOT EXISTS mail_outbox (
  id            BINARY(16)    NOT NULL,
  account_id    BINARY(16)    NULL,
  recipient     VARCHAR(254)  NOT NULL,
  subject       VARCHAR(255)  NOT NULL,
  body          BLOB          NOT NULL COMMENT 'plain text, sealed: it may hold a token; emptied when sent',
  attempts      INT           NOT NULL DEFAULT 0,
  leased_until  DATETIME(6)   NULL COMMENT 'a sender works on it until then',
  sent_at       DATETIME(6)   NULL,
  created_at    DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  KEY mail_outbox_waiting (sent_at, leased_until)
) ENGINE=InnoDB;
