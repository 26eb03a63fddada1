-- A contact who was taken from a mailing's recipients, and is not to come back by a group or a tag.
CREATE TABLE IF NOT EXISTS mailing_exclusions (
  mailing_id  BINARY(16)  NOT NULL,
  contact_id  BINARY(16)  NOT NULL,
  PRIMARY KEY (mailing_id, contact_id),
  CONSTRAINT mailing_exclusions_mailing FOREIGN KEY (mailing_id) REFERENCES mailings (id) ON DELETE CASCADE
) ENGINE=InnoDB;
