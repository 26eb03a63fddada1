-- One contact's message of a mailing, and what became of it. It outlives the contact.
CREATE TABLE IF NOT EXISTS mailing_recipients (
  mailing_id       BINARY(16)    NOT NULL,
  contact_id       BINARY(16)    NOT NULL,
  email            VARCHAR(254)  NOT NULL COMMENT 'to which it went, or will',
  is_explicit      BOOLEAN       NOT NULL DEFAULT FALSE COMMENT 'added by itself, and not by a group or a tag',
  status           ENUM('pending', 'sending', 'sent', 'failed', 'bounced', 'skipped', 'uncertain')
                   CHARACTER SET ascii NOT NULL DEFAULT 'pending',
  attempts         INT           NOT NULL DEFAULT 0,
  due_at           DATETIME(6)   NULL COMMENT 'not before then; NULL is at once',
  claimed_by       BINARY(16)    NULL COMMENT 'the sender that has it in hand, while it is sending',
  smtp_code        SMALLINT      NULL,
  smtp_reply       VARCHAR(512)  NULL,
  skipped_reason   VARCHAR(32)   CHARACTER SET ascii NULL COMMENT 'unsubscribed, bounced, pending, deleted, cancelled, invalid_address',
  sent_at          DATETIME(6)   NULL,
  opened_at        DATETIME(6)   NULL,
  clicked_at       DATETIME(6)   NULL,
  bounced_at       DATETIME(6)   NULL,
  unsubscribed_at  DATETIME(6)   NULL,
  PRIMARY KEY (mailing_id, contact_id),
  KEY mailing_recipients_status (mailing_id, status, due_at),
  KEY mailing_recipients_contact (contact_id, mailing_id),
  CONSTRAINT mailing_recipients_mailing FOREIGN KEY (mailing_id) REFERENCES mailings (id) ON DELETE CASCADE
) ENGINE=InnoDB;
