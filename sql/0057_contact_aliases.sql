-- A contact that went into another one: who follows a link in a mail to the one is the other now.
CREATE TABLE IF NOT EXISTS contact_aliases (
  id          BINARY(16)   NOT NULL COMMENT 'what the contact was that is gone',
  account_id  BINARY(16)   NOT NULL,
  contact_id  BINARY(16)   NOT NULL COMMENT 'into which it went',
  created_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  KEY contact_aliases_contact (contact_id),
  CONSTRAINT contact_aliases_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
