-- A link leads to an address or to a file of its account; and it may have QR codes.
ALTER TABLE links
  MODIFY COLUMN destination_url VARCHAR(2048) NULL,
  ADD COLUMN IF NOT EXISTS file_id BINARY(16) NULL AFTER destination_url,
  ADD COLUMN IF NOT EXISTS qrcode_count INT NOT NULL DEFAULT 0
    COMMENT 'never too small: a link without QR codes is read without looking for them' AFTER tag_count,
  ADD COLUMN IF NOT EXISTS last_qrcode_mark INT NOT NULL DEFAULT 0
    COMMENT 'marks are not given twice, since printed codes live on' AFTER qrcode_count,
  ADD KEY IF NOT EXISTS links_file (account_id, file_id),
  ADD CONSTRAINT links_file FOREIGN KEY IF NOT EXISTS (account_id, file_id) REFERENCES files (account_id, id),
  ADD CONSTRAINT IF NOT EXISTS links_target CHECK ((destination_url IS NULL) <> (file_id IS NULL));
