-- What a recipient did with the message, small enough to be counted over an index that holds only those who did
-- something: 1 opened, 2 clicked, 4 unsubscribed.
ALTER TABLE mailing_recipients
  ADD COLUMN IF NOT EXISTS reactions TINYINT AS (
    (opened_at IS NOT NULL) + 2 * (clicked_at IS NOT NULL) + 4 * (unsubscribed_at IS NOT NULL)) PERSISTENT,
  ADD KEY IF NOT EXISTS mailing_recipients_reactions (mailing_id, reactions);
