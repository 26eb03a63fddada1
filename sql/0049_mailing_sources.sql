-- A group or a tag whose contacts a mailing goes to: those whom it has when the sending begins.
CREATE TABLE IF NOT EXISTS mailing_sources (
  mailing_id  BINARY(16)  NOT NULL,
  kind        ENUM('group', 'tag') CHARACTER SET ascii NOT NULL,
  source_id   BINARY(16)  NOT NULL,
  PRIMARY KEY (mailing_id, kind, source_id),
  CONSTRAINT mailing_sources_mailing FOREIGN KEY (mailing_id) REFERENCES mailings (id) ON DELETE CASCADE
) ENGINE=InnoDB;
