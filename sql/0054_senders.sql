-- A run of the sender. What one that is gone had in hand is told by its journal, on its host.
CREATE TABLE IF NOT EXISTS senders (
  id          BINARY(16)    NOT NULL,
  host        VARCHAR(255)  NOT NULL,
  process     INT           NOT NULL,
  sent        INT           NOT NULL DEFAULT 0 COMMENT 'messages that a server has taken',
  started_at  DATETIME(6)   NOT NULL,
  seen_at     DATETIME(6)   NOT NULL COMMENT 'it was alive then',
  ended_at    DATETIME(6)   NULL,
  PRIMARY KEY (id),
  KEY senders_seen (ended_at, seen_at)
) ENGINE=InnoDB;
