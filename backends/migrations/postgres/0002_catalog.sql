-- The catalog: venues and events. JSON as it was written, not JSONB: nothing here asks for a part of it.

CREATE TABLE venues (
    venue_id TEXT PRIMARY KEY,
    venue    JSON NOT NULL
);

CREATE TABLE events (
    event_id  TEXT   PRIMARY KEY,
    starts_at BIGINT NOT NULL, -- milliseconds since 1970
    event     JSON   NOT NULL
);

-- Ids in the order of their bytes, as every backend lists them.
CREATE INDEX events_by_start ON events (starts_at, event_id COLLATE "C");

CREATE TRIGGER venues_never_change BEFORE UPDATE ON venues FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('a venue never changes under its id');
CREATE TRIGGER events_never_change BEFORE UPDATE ON events FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('an event never changes under its id');
