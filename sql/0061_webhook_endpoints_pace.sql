-- How an endpoint has done lately, by which its deliveries are paced and a dead one is found.
ALTER TABLE webhook_endpoints
  ADD COLUMN IF NOT EXISTS failures INT NOT NULL DEFAULT 0 COMMENT 'attempts in a row that failed' AFTER failing_since,
  ADD COLUMN IF NOT EXISTS is_slow BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'the last attempt took seconds' AFTER failures,
  ADD COLUMN IF NOT EXISTS held_until DATETIME(6) NULL COMMENT 'it wants to be left alone until then (Retry-After)' AFTER is_slow;
