-- A deleted group belongs to nobody: the sender takes it away with its members.
ALTER TABLE contact_groups
  MODIFY account_id BINARY(16) NULL COMMENT 'NULL: it was deleted, and its members are on their way out';
