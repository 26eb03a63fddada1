-- Something that is done only so often over all hosts, as looking into the mailbox of bounces.
CREATE TABLE IF NOT EXISTS rounds (
  name    VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  due_at  DATETIME(6)  NOT NULL COMMENT 'nobody begins it before then',
  PRIMARY KEY (name)
) ENGINE=InnoDB;
