-- A code of the one public namespace at /{code}, and whose it is. Case is kept, and two codes that differ in
-- case alone are one row. A code that is given up stays its account's for a year, so that nobody else can take
-- over the visitors of a printed link.
CREATE TABLE IF NOT EXISTS public_codes (
  code        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
  kind        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'link, retired, …',
  subject_id  BINARY(16)   NOT NULL,
  account_id  BINARY(16)   NOT NULL,
  changed_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (code),
  KEY public_codes_retired (kind, changed_at),
  KEY public_codes_account (account_id),
  CONSTRAINT public_codes_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
