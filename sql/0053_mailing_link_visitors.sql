-- Who has followed a link of a mailing, the first time.
CREATE TABLE IF NOT EXISTS mailing_link_visitors (
  mailing_id  BINARY(16)   NOT NULL,
  position    INT          NOT NULL,
  contact_id  BINARY(16)   NOT NULL,
  clicked_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (mailing_id, position, contact_id),
  CONSTRAINT mailing_link_visitors_link FOREIGN KEY (mailing_id, position)
    REFERENCES mailing_links (mailing_id, position) ON DELETE CASCADE
) ENGINE=InnoDB;
