-- When an address was last asked to confirm that it belongs into a group. It outlives the membership, so that adding
-- and removing somebody in turn sends no second mail on the same day.
CREATE TABLE IF NOT EXISTS confirmation_mails (
  group_id    BINARY(16)    NOT NULL,
  email_key   VARCHAR(254)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'lower case',
  claimed_by  BINARY(16)    NOT NULL COMMENT 'the request that may send the mail',
  queued_at   DATETIME(6)   NOT NULL,
  PRIMARY KEY (group_id, email_key),
  KEY confirmation_mails_age (queued_at),
  CONSTRAINT confirmation_mails_group FOREIGN KEY (group_id) REFERENCES contact_groups (id) ON DELETE CASCADE
) ENGINE=InnoDB;
