-- An alias outlives the contact that the other went into: mails to the one are still found by it, and their reader can
-- unsubscribe. It goes with its account.
ALTER TABLE contact_aliases
  DROP FOREIGN KEY IF EXISTS contact_aliases_contact,
  ADD CONSTRAINT contact_aliases_account FOREIGN KEY IF NOT EXISTS (account_id) REFERENCES accounts (id)
    ON DELETE CASCADE;
