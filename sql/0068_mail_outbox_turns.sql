-- What waits is walked in its order, whatever was sent or given up before.
ALTER TABLE mail_outbox
  ADD KEY IF NOT EXISTS mail_outbox_turns (sent_at, failed_at, turn, id),
  DROP KEY IF EXISTS mail_outbox_waiting;
