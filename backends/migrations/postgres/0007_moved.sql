-- An event's latest move, as JSON, and from when on its bookings are to be told of it; NULL: all are.
ALTER TABLE event_versions
    ADD COLUMN moved   JSON,
    ADD COLUMN tell_at BIGINT;

CREATE INDEX events_to_tell_of ON event_versions (tell_at) WHERE tell_at IS NOT NULL;

-- The latest move, by its number, that the booking was told of.
ALTER TABLE bookings ADD COLUMN moves_told BIGINT NOT NULL DEFAULT 0;

-- An event may begin at another time; nothing else of it changes.
DROP TRIGGER events_never_change ON events;

CREATE TRIGGER events_change_by_moves BEFORE UPDATE ON events FOR EACH ROW
    WHEN (NEW.event_id <> OLD.event_id
        OR NEW.event::jsonb - 'startsAt' - 'moves' <> OLD.event::jsonb - 'startsAt' - 'moves'
        OR jsonb_array_length(coalesce(NEW.event::jsonb -> 'moves', '[]'))
            <> jsonb_array_length(coalesce(OLD.event::jsonb -> 'moves', '[]')) + 1)
    EXECUTE FUNCTION weir_refuse('of an event nothing but its start changes');
