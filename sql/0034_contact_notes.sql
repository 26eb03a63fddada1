-- What an account has noted about a contact, for itself.
CREATE TABLE IF NOT EXISTS contact_notes (
  id          BINARY(16)   NOT NULL,
  contact_id  BINARY(16)   NOT NULL,
  body        TEXT         NOT NULL,
  created_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (id),
  KEY contact_notes_contact (contact_id, id),
  CONSTRAINT contact_notes_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
