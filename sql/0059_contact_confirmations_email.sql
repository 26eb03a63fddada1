-- A token confirms for the address that it was mailed to: when the contact gets another one, it is worth nothing.
ALTER TABLE contact_confirmations
  ADD COLUMN IF NOT EXISTS email_key VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT ''
    COMMENT 'lower case' AFTER contact_id;
