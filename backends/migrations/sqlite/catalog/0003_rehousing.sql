-- An event may begin at another time, or be in another hall, one change at a time; nothing else of it changes.

DROP TRIGGER events_change_by_moves;

CREATE TRIGGER events_change_step_by_step BEFORE UPDATE ON events
WHEN NEW.event_id <> OLD.event_id
    OR json_remove(NEW.event, '$.startsAt', '$.moves', '$.venueId', '$.halls')
        <> json_remove(OLD.event, '$.startsAt', '$.moves', '$.venueId', '$.halls')
    OR coalesce(json_array_length(NEW.event, '$.moves'), 0) + coalesce(json_array_length(NEW.event, '$.halls'), 0)
        <> coalesce(json_array_length(OLD.event, '$.moves'), 0) + coalesce(json_array_length(OLD.event, '$.halls'), 0) + 1
BEGIN
    SELECT raise(ABORT, 'of an event nothing but its start and its hall changes');
END;
