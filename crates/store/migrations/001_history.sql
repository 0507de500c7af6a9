-- What was said, and where.

-- A room's history, or a conversation's. Events before `begins` belong to an earlier room of the name, whose members
-- had it to themselves. `sealed`: the room is closed to some.
CREATE TABLE history (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  begins INTEGER NOT NULL DEFAULT 0,
  sealed INTEGER NOT NULL DEFAULT 0
);

-- Who takes part in a conversation.
CREATE TABLE party (
  party TEXT NOT NULL,
  history INTEGER NOT NULL REFERENCES history (id),
  PRIMARY KEY (party, history)
) WITHOUT ROWID;

-- People as they looked when they said something. No account: ''.
CREATE TABLE face (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  nick TEXT NOT NULL,
  username TEXT NOT NULL,
  host TEXT NOT NULL,
  account TEXT NOT NULL,
  dialect TEXT NOT NULL,
  bot INTEGER NOT NULL,
  UNIQUE (name, nick, username, host, account, dialect, bot)
);

-- The id is the time, and the hub's order. `kind`: 1 said, 2 said without its dialect's mark for text, 3 notice,
-- 4 action, 5 tags alone, 6 topic. `whom`: the one recipient of something private.
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  history INTEGER NOT NULL REFERENCES history (id),
  face INTEGER NOT NULL REFERENCES face (id),
  whom INTEGER REFERENCES face (id),
  kind INTEGER NOT NULL,
  text TEXT NOT NULL,
  tags TEXT,
  seams TEXT
);
CREATE INDEX event_by_history ON event (history, id);

-- Words of what was said, by the id of the event. Up to which event they are complete stands in `note`.
-- What is deleted is overwritten there too. Whoever deletes has to say which words they were.
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = 'unicode61');
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

-- Whatever there is one of.
CREATE TABLE note (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO note VALUES ('last_event', 0), ('words_upto', 0);
