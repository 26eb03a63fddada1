-- A plan that an operator sells or gives: its limits are edited here. NULL is "without limit".
CREATE TABLE IF NOT EXISTS plans (
  code                 VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name                 VARCHAR(64)  NOT NULL,
  position             INT          NOT NULL COMMENT 'order from the smallest to the largest',
  links_per_month      INT          NULL,
  qrcodes_per_month    INT          NULL,
  requests_per_minute  INT          NULL,
  max_upload_bytes     BIGINT       NOT NULL,
  storage_bytes        BIGINT       NULL,
  has_contacts         BOOLEAN      NOT NULL,
  has_mailings         BOOLEAN      NOT NULL,
  has_organizer        BOOLEAN      NOT NULL,
  has_payments         BOOLEAN      NOT NULL,
  PRIMARY KEY (code),
  UNIQUE KEY plans_position (position)
) ENGINE=InnoDB;
