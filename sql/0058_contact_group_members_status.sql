-- Who in a large group has not confirmed yet is counted and listed without looking at those who have.
ALTER TABLE contact_group_members
  ADD KEY IF NOT EXISTS contact_group_members_status (group_id, status, contact_id);
