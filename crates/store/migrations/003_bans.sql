-- From where nobody may come. Times in milliseconds since 1970; no `until_ms`: for ever.
CREATE TABLE ban (
  net TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  made_ms INTEGER NOT NULL,
  until_ms INTEGER
) WITHOUT ROWID;
