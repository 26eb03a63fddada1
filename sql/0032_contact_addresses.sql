-- A postal address of a contact.
CREATE TABLE IF NOT EXISTS contact_addresses (
  id           BINARY(16)    NOT NULL,
  contact_id   BINARY(16)    NOT NULL,
  label        VARCHAR(64)   NULL,
  line1        VARCHAR(255)  NULL,
  line2        VARCHAR(255)  NULL,
  city         VARCHAR(255)  NULL,
  region       VARCHAR(255)  NULL,
  postal_code  VARCHAR(32)   NULL,
  country      CHAR(2)       CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'ISO 3166-1 alpha-2',
  PRIMARY KEY (id),
  KEY contact_addresses_contact (contact_id, id),
  CONSTRAINT contact_addresses_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
