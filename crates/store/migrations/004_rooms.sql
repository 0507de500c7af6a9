-- Rooms that somebody has registered. `flags` as the hub counts them.
CREATE TABLE room (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  founder TEXT NOT NULL,
  made_ms INTEGER NOT NULL,
  topic TEXT,
  topic_by TEXT,
  topic_ms INTEGER,
  flags INTEGER NOT NULL,
  key TEXT,
  member_limit INTEGER,
  slow_s INTEGER
);

-- `list`: 1 bans, 2 ban exceptions, 3 invitation exceptions.
CREATE TABLE room_mask (
  room INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
  list INTEGER NOT NULL,
  mask TEXT NOT NULL,
  made_by TEXT NOT NULL,
  made_ms INTEGER NOT NULL
);
CREATE INDEX room_mask_by_room ON room_mask (room);

-- What accounts are in a room, as the hub counts ranks.
CREATE TABLE room_rank (
  room INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
  account TEXT NOT NULL,
  ranks INTEGER NOT NULL,
  PRIMARY KEY (room, account)
) WITHOUT ROWID;
