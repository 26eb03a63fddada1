-- What became of the attempts to send a message of the system.
ALTER TABLE mail_outbox
  ADD COLUMN IF NOT EXISTS due_at     DATETIME(6)   NULL COMMENT 'not before then; NULL is at once' AFTER attempts,
  ADD COLUMN IF NOT EXISTS failed_at  DATETIME(6)   NULL COMMENT 'given up' AFTER sent_at,
  ADD COLUMN IF NOT EXISTS smtp_code  SMALLINT      NULL AFTER failed_at,
  ADD COLUMN IF NOT EXISTS smtp_reply VARCHAR(512)  NULL AFTER smtp_code;
