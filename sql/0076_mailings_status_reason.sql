-- Why a sender paused or gave up the mailing by itself; NULL else.
ALTER TABLE mailings
  ADD COLUMN IF NOT EXISTS status_reason VARCHAR(512) NULL;
