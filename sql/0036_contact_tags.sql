-- A tag on a contact.
CREATE TABLE IF NOT EXISTS contact_tags (
  contact_id  BINARY(16)  NOT NULL,
  tag_id      BINARY(16)  NOT NULL,
  PRIMARY KEY (contact_id, tag_id),
  KEY contact_tags_tag (tag_id, contact_id),
  CONSTRAINT contact_tags_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE,
  CONSTRAINT contact_tags_tag FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
) ENGINE=InnoDB;
