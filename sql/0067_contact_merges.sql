-- Into which contact another was merged: what was mailed to the one that is gone goes on to name it.
CREATE TABLE IF NOT EXISTS contact_merges (
  contact_id  BINARY(16)   NOT NULL COMMENT 'the one that is gone',
  into_id     BINARY(16)   NOT NULL,
  merged_at   DATETIME(6)  NOT NULL,
  PRIMARY KEY (contact_id),
  KEY contact_merges_into (into_id),
  CONSTRAINT contact_merges_into FOREIGN KEY (into_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
