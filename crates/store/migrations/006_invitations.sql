-- Links that let somebody make an account, and come into a room. Times in milliseconds since 1970; no `until_ms`: it
-- doesn't end; no `made_by`: whoever runs the server made it.
CREATE TABLE invitation (
  digest BLOB PRIMARY KEY,
  made_by TEXT,
  room TEXT,
  made_ms INTEGER NOT NULL,
  until_ms INTEGER,
  uses INTEGER NOT NULL
) WITHOUT ROWID;

-- Which accounts may come into which rooms by an invitation that they have used. A room goes by its history's key.
CREATE TABLE welcome (
  account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  room TEXT NOT NULL,
  PRIMARY KEY (account, room)
) WITHOUT ROWID;
