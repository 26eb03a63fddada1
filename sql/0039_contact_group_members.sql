-- A contact in a group. Who has not confirmed yet, where the group asks for it, gets no mailings of the group.
CREATE TABLE IF NOT EXISTS contact_group_members (
  group_id      BINARY(16)   NOT NULL,
  contact_id    BINARY(16)   NOT NULL,
  status        ENUM('pending', 'confirmed') CHARACTER SET ascii NOT NULL,
  added_at      DATETIME(6)  NOT NULL,
  confirmed_at  DATETIME(6)  NULL,
  PRIMARY KEY (group_id, contact_id),
  KEY contact_group_members_contact (contact_id, group_id),
  CONSTRAINT contact_group_members_group FOREIGN KEY (group_id) REFERENCES contact_groups (id) ON DELETE CASCADE,
  CONSTRAINT contact_group_members_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
