-- A telephone number of a contact.
CREATE TABLE IF NOT EXISTS contact_phones (
  id          BINARY(16)   NOT NULL,
  contact_id  BINARY(16)   NOT NULL,
  label       VARCHAR(64)  NULL,
  number      VARCHAR(64)  NOT NULL,
  PRIMARY KEY (id),
  KEY contact_phones_contact (contact_id, id),
  CONSTRAINT contact_phones_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
