-- Endpoints that are in trouble take turns by when they were tried last, from one run of the sender to the next.
ALTER TABLE webhook_endpoints
  ADD COLUMN IF NOT EXISTS doubted_at DATETIME(6) NULL COMMENT 'the last attempt, where it failed or was slow' AFTER is_slow;
