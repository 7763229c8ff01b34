-- Changes of events, until they are in the log. The number is the change's version, too: of one event it rises, since a
-- row is locked until the change of it is written.

CREATE TABLE event_changes (
    number   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id TEXT   NOT NULL,
    at       BIGINT NOT NULL, -- milliseconds since 1970
    event    JSON             -- as it is from then on; NULL: it is no more
);

CREATE FUNCTION weir_note_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_changes (event_id, at, event)
    VALUES (
        CASE WHEN TG_OP = 'DELETE' THEN OLD.event_id ELSE NEW.event_id END,
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE NEW.event END
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER events_note_changes AFTER INSERT OR UPDATE OR DELETE ON events FOR EACH ROW
    EXECUTE FUNCTION weir_note_event_change();

-- What was there before is a change, too.
INSERT INTO event_changes (event_id, at, event)
SELECT event_id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, event FROM events ORDER BY starts_at;
