-- A click that was a scan tells of which QR code, where that is known.
ALTER TABLE clicks ADD COLUMN IF NOT EXISTS qrcode_id BINARY(16) NULL AFTER source;
