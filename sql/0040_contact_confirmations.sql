-- A token that was mailed to somebody who is to confirm a membership; gone when it is used.
CREATE TABLE IF NOT EXISTS contact_confirmations (
  digest      BINARY(32)   NOT NULL COMMENT 'SHA-256 of the token',
  group_id    BINARY(16)   NOT NULL,
  contact_id  BINARY(16)   NOT NULL,
  expires_at  DATETIME(6)  NOT NULL,
  created_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (digest),
  KEY contact_confirmations_member (group_id, contact_id),
  KEY contact_confirmations_expiry (expires_at),
  CONSTRAINT contact_confirmations_member FOREIGN KEY (group_id, contact_id)
    REFERENCES contact_group_members (group_id, contact_id) ON DELETE CASCADE
) ENGINE=InnoDB;
