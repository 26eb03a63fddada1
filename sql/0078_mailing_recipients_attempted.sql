-- When the message was tried for the last time, whatever came of it.
ALTER TABLE mailing_recipients
  ADD COLUMN IF NOT EXISTS attempted_at DATETIME(6) NULL;
