-- Waiting deliveries are found endpoint by endpoint (webhook_deliveries_due), whatever waits for any one of them. While
-- a sender has a delivery in hand its due_at is the end of the lease.
ALTER TABLE webhook_deliveries
  ADD COLUMN IF NOT EXISTS attempts_before INT NOT NULL DEFAULT 0 COMMENT 'when it was asked for once more' AFTER attempts,
  ADD COLUMN IF NOT EXISTS is_asked_for BOOLEAN NOT NULL DEFAULT FALSE
    COMMENT 'a test or a redelivery: goes out, once, to a disabled endpoint too' AFTER attempts_before,
  DROP KEY IF EXISTS webhook_deliveries_waiting,
  ADD KEY IF NOT EXISTS webhook_deliveries_leases (endpoint_id, leased_until);
