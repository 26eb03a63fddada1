CREATE TABLE IF NOT EXISTS link_click_totals (
  link_id BINARY(16) NOT NULL,
  clicks BIGINT NOT NULL COMMENT 'without bots',
  last_clicked_at DATETIME(6) NOT NULL COMMENT 'by no bot, UTC',
  PRIMARY KEY (link_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT 'A row is what a link shows of its clicks, apart from links so that loading does not touch these.';
