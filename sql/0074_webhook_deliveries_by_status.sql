-- Deliveries of one status are listed from the newest on without a look at the others.
ALTER TABLE webhook_deliveries
  ADD KEY IF NOT EXISTS webhook_deliveries_status (endpoint_id, status, id);
