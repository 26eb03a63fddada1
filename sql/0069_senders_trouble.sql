-- Why a run could not hand over mail.
ALTER TABLE senders
  ADD COLUMN IF NOT EXISTS trouble VARCHAR(500) NULL COMMENT 'what was wrong with the mail server at last; NULL where nothing was'
  AFTER sent;
