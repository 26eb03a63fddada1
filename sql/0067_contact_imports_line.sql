-- In which line of the file an import goes on, for what it says of rows that can't be read.
ALTER TABLE contact_imports
  ADD COLUMN IF NOT EXISTS line INT NOT NULL DEFAULT 1 COMMENT 'of the file, at position' AFTER position;
