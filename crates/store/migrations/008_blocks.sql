-- What was said, in blocks: what one history had within a moment, one event after the other (`block.rs`). `first`: the id
-- of the first, when the block was made; it keeps that when the event goes. `last`, `count`: of those that are there.
CREATE TABLE block (
  first INTEGER PRIMARY KEY,
  history INTEGER NOT NULL,
  last INTEGER NOT NULL,
  count INTEGER NOT NULL,
  events BLOB NOT NULL
);
CREATE INDEX block_by_history ON block (history);

-- Where that was said whose words are entered: of all blocks whose `first` is no more than `words_upto`.
CREATE TABLE said (
  event INTEGER PRIMARY KEY,
  history INTEGER NOT NULL
);
INSERT INTO said SELECT id, history FROM event
  WHERE kind <= 4 AND id <= (SELECT value FROM note WHERE key = 'words_upto') ORDER BY id;
UPDATE note SET value = max(value, (SELECT ifnull(max(id), 0) FROM event)) WHERE key = 'last_event';

-- As before, but two faces may look the same: who has one is remembered, and not looked for in an index of everything.
CREATE TABLE looks (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  nick TEXT NOT NULL,
  username TEXT NOT NULL,
  host TEXT NOT NULL,
  account TEXT NOT NULL,
  dialect TEXT NOT NULL,
  bot INTEGER NOT NULL
);
INSERT INTO looks SELECT id, name, nick, username, host, account, dialect, bot FROM face ORDER BY id;
