-- A tenant: whoever registered, with the address and the password to log in.
CREATE TABLE IF NOT EXISTS accounts (
  id             BINARY(16)    NOT NULL,
  email          VARCHAR(254)  NOT NULL COMMENT 'as it was typed; the key compares without regard to case',
  email_key      VARCHAR(254)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'lower case',
  name           VARCHAR(255)  NOT NULL,
  password_hash  VARCHAR(255)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  plan           VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version        INT           NOT NULL DEFAULT 1,
  created_at     DATETIME(6)   NOT NULL,
  updated_at     DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY accounts_email (email_key),
  CONSTRAINT accounts_plan FOREIGN KEY (plan) REFERENCES plans (code)
) ENGINE=InnoDB;
