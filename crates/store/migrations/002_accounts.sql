-- Names that belong to somebody.

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  since_ms INTEGER NOT NULL,
  hash TEXT NOT NULL,
  scram_salt BLOB NOT NULL,
  scram_iterations INTEGER NOT NULL,
  scram_stored_key BLOB NOT NULL,
  scram_server_key BLOB NOT NULL
);

-- Certificates that are as good as the password: SHA-256.
CREATE TABLE certificate (
  fingerprint BLOB PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE
) WITHOUT ROWID;

-- Passwords for single programs: SHA-256 of something random.
CREATE TABLE app_password (
  account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  label TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (account, label)
) WITHOUT ROWID;

-- Up to which event each device of an account's owner has been shown what happens at a place (a history's key; @: all
-- private messages). One that is being shown it: the greatest number.
CREATE TABLE seen (
  account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  device TEXT NOT NULL,
  place TEXT NOT NULL,
  event INTEGER NOT NULL,
  PRIMARY KEY (account, device, place)
) WITHOUT ROWID;

-- Up to when an account's owner has read what was said somewhere: milliseconds since 1970.
CREATE TABLE marker (
  account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  place TEXT NOT NULL,
  read_ms INTEGER NOT NULL,
  PRIMARY KEY (account, place)
) WITHOUT ROWID;

-- What the server knows and nobody else may.
CREATE TABLE secret (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO secret VALUES ('server', randomblob(32));
