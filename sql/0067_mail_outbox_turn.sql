-- Of many messages that are queued together the later ones wait behind the first ones of others.
ALTER TABLE mail_outbox
  ADD COLUMN IF NOT EXISTS turn INT NOT NULL DEFAULT 0 COMMENT '0 for what is queued singly' AFTER body;
