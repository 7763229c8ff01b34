-- An event may begin at another time; nothing else of it changes.

DROP TRIGGER events_never_change;

CREATE TRIGGER events_change_by_moves BEFORE UPDATE ON events
WHEN NEW.event_id <> OLD.event_id
    OR json_remove(NEW.event, '$.startsAt', '$.moves') <> json_remove(OLD.event, '$.startsAt', '$.moves')
    OR coalesce(json_array_length(NEW.event, '$.moves'), 0)
        <> coalesce(json_array_length(OLD.event, '$.moves'), 0) + 1
BEGIN
    SELECT raise(ABORT, 'of an event nothing but its start changes');
END;
