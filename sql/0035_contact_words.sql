-- A word by which a contact is found: of the names, the company, the e-mail address, the digits of a telephone number;
-- in lower case and without accents. The search is a range of the primary key.
CREATE TABLE IF NOT EXISTS contact_words (
  account_id  BINARY(16)   NOT NULL,
  word        VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  contact_id  BINARY(16)   NOT NULL,
  PRIMARY KEY (account_id, word, contact_id),
  KEY contact_words_contact (contact_id, word),
  CONSTRAINT contact_words_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
