-- Which keys of a domain DNS had at the last look: none but those sign.
ALTER TABLE sending_domains
  ADD COLUMN IF NOT EXISTS has_rsa      BOOLEAN  NULL COMMENT 'as of checked_at' AFTER checked_at,
  ADD COLUMN IF NOT EXISTS has_ed25519  BOOLEAN  NULL COMMENT 'as of checked_at' AFTER has_rsa;
