-- How many messages in a row servers have refused for what they are: senders count on from there.
ALTER TABLE mailings
  ADD COLUMN IF NOT EXISTS refused_in_a_row SMALLINT UNSIGNED NOT NULL DEFAULT 0;
