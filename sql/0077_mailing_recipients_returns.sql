-- A message that came back can be sent again, and then come back again: by the number in the return path a report of the
-- first time is told from one of the second.
ALTER TABLE mailing_recipients
  ADD COLUMN IF NOT EXISTS returns TINYINT UNSIGNED NOT NULL DEFAULT 0
    COMMENT 'how many times it came back and was sent again';
