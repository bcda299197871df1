-- +goose Up
CREATE TABLE tasks (
  id       TEXT PRIMARY KEY,
  n        INTEGER NOT NULL UNIQUE, -- order of creation
  seq      INTEGER NOT NULL,        -- of the last event
  head     TEXT NOT NULL,           -- hash of the last event
  glance   BLOB NOT NULL,           -- taskRow as JSON
  appended INTEGER NOT NULL         -- nanoseconds since 1970, when the last event was stored
) STRICT;

CREATE TABLE events (
  task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  seq  INTEGER NOT NULL,
  body BLOB NOT NULL, -- canonical bytes; the next event's prev is their hash
  UNIQUE (task, seq)
) STRICT;

CREATE TABLE blob_refs (
  hash TEXT NOT NULL,
  task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  PRIMARY KEY (hash, task)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_refs_task ON blob_refs (task);

-- +goose Down
DROP TABLE blob_refs;
DROP TABLE events;
DROP TABLE tasks;
