-- Users that stay when their last device goes.
ALTER TABLE account ADD COLUMN always_on INTEGER NOT NULL DEFAULT 0;

CREATE TABLE presence (
  account INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  username TEXT NOT NULL,
  real_name TEXT NOT NULL
);

CREATE TABLE presence_room (
  account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  room TEXT NOT NULL,
  PRIMARY KEY (account, room)
) WITHOUT ROWID;
