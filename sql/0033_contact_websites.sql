-- A web address of a contact.
CREATE TABLE IF NOT EXISTS contact_websites (
  id          BINARY(16)     NOT NULL,
  contact_id  BINARY(16)     NOT NULL,
  label       VARCHAR(64)    NULL,
  url         VARCHAR(2048)  NOT NULL,
  PRIMARY KEY (id),
  KEY contact_websites_contact (contact_id, id),
  CONSTRAINT contact_websites_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
