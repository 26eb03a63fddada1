-- Which events an endpoint wants; `*` is all, also those of later versions.
CREATE TABLE IF NOT EXISTS webhook_subscriptions (
  account_id   BINARY(16)   NOT NULL,
  event        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  endpoint_id  BINARY(16)   NOT NULL,
  PRIMARY KEY (account_id, event, endpoint_id),
  KEY webhook_subscriptions_endpoint (endpoint_id),
  CONSTRAINT webhook_subscriptions_endpoint FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE
) ENGINE=InnoDB;
