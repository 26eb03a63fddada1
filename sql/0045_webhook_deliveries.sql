-- One event on its way to one endpoint, or there.
CREATE TABLE IF NOT EXISTS webhook_deliveries (
  id            BINARY(16)    NOT NULL,
  endpoint_id   BINARY(16)    NOT NULL,
  event_id      BINARY(16)    NOT NULL,
  status        ENUM('pending', 'delivered', 'failed') CHARACTER SET ascii NOT NULL DEFAULT 'pending',
  attempts      INT           NOT NULL DEFAULT 0,
  due_at        DATETIME(6)   NOT NULL COMMENT 'the next attempt',
  leased_until  DATETIME(6)   NULL COMMENT 'a sender works on it until then',
  status_code   SMALLINT      NULL COMMENT 'of the last answer',
  error         VARCHAR(255)  NULL COMMENT 'why there was no answer, or none that counts',
  response      VARCHAR(1024) NULL COMMENT 'the beginning of the last answer',
  duration_ms   INT           NULL COMMENT 'of the last attempt',
  attempted_at  DATETIME(6)   NULL,
  delivered_at  DATETIME(6)   NULL,
  created_at    DATETIME(6)   NOT NULL,
  PRIMARY KEY (id),
  KEY webhook_deliveries_endpoint (endpoint_id, id),
  KEY webhook_deliveries_due (endpoint_id, status, due_at),
  KEY webhook_deliveries_waiting (status, due_at, endpoint_id),
  KEY webhook_deliveries_event (event_id),
  CONSTRAINT webhook_deliveries_endpoint FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  CONSTRAINT webhook_deliveries_event FOREIGN KEY (event_id) REFERENCES webhook_events (id) ON DELETE CASCADE
) ENGINE=InnoDB;
