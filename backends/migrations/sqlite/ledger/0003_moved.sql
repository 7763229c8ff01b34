-- An event's latest move, as JSON, and from when on its bookings are to be told of it; NULL: all are.
ALTER TABLE event_versions ADD COLUMN moved TEXT;
ALTER TABLE event_versions ADD COLUMN tell_at INTEGER;

CREATE INDEX events_to_tell_of ON event_versions (tell_at) WHERE tell_at IS NOT NULL;

-- The latest move, by its number, that the booking was told of.
ALTER TABLE bookings ADD COLUMN moves_told INTEGER NOT NULL DEFAULT 0;
