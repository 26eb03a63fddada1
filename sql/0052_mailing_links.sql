-- An address that a mailing links to, where its clicks are tracked. What a click leads to is looked up here: a signed
-- address holds a number and no destination.
CREATE TABLE IF NOT EXISTS mailing_links (
  mailing_id  BINARY(16)     NOT NULL,
  position    INT            NOT NULL COMMENT 'from 0, in the order in which they stand first',
  url         VARCHAR(2048)  NOT NULL,
  clicks      INT            NOT NULL DEFAULT 0 COMMENT 'all of them',
  PRIMARY KEY (mailing_id, position),
  CONSTRAINT mailing_links_mailing FOREIGN KEY (mailing_id) REFERENCES mailings (id) ON DELETE CASCADE
) ENGINE=InnoDB;
