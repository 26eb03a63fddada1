-- A tag on a link.
CREATE TABLE IF NOT EXISTS link_tags (
  link_id  BINARY(16)  NOT NULL,
  tag_id   BINARY(16)  NOT NULL,
  PRIMARY KEY (link_id, tag_id),
  KEY link_tags_tag (tag_id, link_id),
  CONSTRAINT link_tags_link FOREIGN KEY (link_id) REFERENCES links (id) ON DELETE CASCADE,
  CONSTRAINT link_tags_tag FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
) ENGINE=InnoDB;
