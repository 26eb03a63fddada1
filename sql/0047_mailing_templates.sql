-- What a mailing can be begun with.
CREATE TABLE IF NOT EXISTS mailing_templates (
  id            BINARY(16)    NOT NULL,
  account_id    BINARY(16)    NOT NULL,
  name          VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_as_ci NOT NULL,
  subject       VARCHAR(255)  NOT NULL,
  preview_text  VARCHAR(255)  NULL,
  html_body     MEDIUMTEXT    NOT NULL,
  text_body     MEDIUMTEXT    NULL,
  from_name     VARCHAR(128)  NULL,
  from_email    VARCHAR(254)  NULL,
  reply_to      VARCHAR(254)  NULL,
  track_opens   BOOLEAN       NOT NULL DEFAULT FALSE,
  track_clicks  BOOLEAN       NOT NULL DEFAULT FALSE,
  version       INT           NOT NULL DEFAULT 1,
  created_at    DATETIME(6)   NOT NULL,
  updated_at    DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY mailing_templates_name (account_id, name),
  CONSTRAINT mailing_templates_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB;
