-- A deleted endpoint is hidden at once; the sender takes it away, with the log of its deliveries.
ALTER TABLE webhook_endpoints
  ADD COLUMN IF NOT EXISTS deleted_at DATETIME(6) NULL;
