PRAGMA application_id = 0x57636174; -- 'Wcat'

CREATE TABLE venues (
    venue_id TEXT PRIMARY KEY,
    venue    TEXT NOT NULL -- as JSON
) STRICT;

CREATE TABLE events (
    event_id  TEXT    PRIMARY KEY,
    starts_at INTEGER NOT NULL, -- milliseconds since 1970
    event     TEXT    NOT NULL  -- as JSON
) STRICT;

CREATE INDEX events_by_start ON events (starts_at, event_id);

CREATE TRIGGER venues_never_change BEFORE UPDATE ON venues
BEGIN
    SELECT raise(ABORT, 'a venue never changes under its id');
END;

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN
    SELECT raise(ABORT, 'an event never changes under its id');
END;
