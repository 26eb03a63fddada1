-- Why a sender paused a mailing by itself; NULL where a person did.
ALTER TABLE mailings
  ADD COLUMN IF NOT EXISTS paused_reason VARCHAR(512) NULL;
