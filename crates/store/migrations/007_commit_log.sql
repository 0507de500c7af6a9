-- What was said comes here by way of a log beside the database, many messages at a time. Up to which event stands in
-- `note`, and by what number the log knows the database that it belongs to.
INSERT INTO note SELECT 'entered_upto', max(value, (SELECT ifnull(max(id), 0) FROM event)) FROM note WHERE key = 'last_event';
INSERT INTO note VALUES ('log', random());

-- As before, but without looking up for each row whether what it refers to is there.
CREATE TABLE entered (
  id INTEGER PRIMARY KEY,
  history INTEGER NOT NULL,
  face INTEGER NOT NULL,
  whom INTEGER,
  kind INTEGER NOT NULL,
  text TEXT NOT NULL,
  tags TEXT,
  seams TEXT
);
INSERT INTO entered SELECT id, history, face, whom, kind, text, tags, seams FROM event ORDER BY id;
DROP TABLE event;
ALTER TABLE entered RENAME TO event;
CREATE INDEX event_by_history ON event (history, id);
