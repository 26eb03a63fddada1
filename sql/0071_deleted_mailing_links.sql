-- Where the links of a deleted mailing lead: mails outlive it.
CREATE TABLE IF NOT EXISTS deleted_mailing_links (
  mark      BINARY(5)      NOT NULL,
  position  INT            NOT NULL,
  url       VARCHAR(2048)  NOT NULL,
  PRIMARY KEY (mark, position),
  CONSTRAINT deleted_mailing_links_mailing FOREIGN KEY (mark) REFERENCES deleted_mailings (mark) ON DELETE CASCADE
) ENGINE=InnoDB;
