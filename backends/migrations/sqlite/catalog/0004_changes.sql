-- Changes of events, until they are in the log. The number is the change's version, too: of one event it rises.

CREATE TABLE changes (
    number   INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    event_id TEXT    NOT NULL,
    at       INTEGER NOT NULL, -- milliseconds since 1970
    event    TEXT              -- as JSON, as it is from then on; NULL: it is no more
) STRICT;

CREATE TRIGGER events_added AFTER INSERT ON events
BEGIN
    INSERT INTO changes (event_id, at, event)
    VALUES (NEW.event_id, CAST(unixepoch('subsec') * 1000 AS INTEGER), NEW.event);
END;

CREATE TRIGGER events_changed AFTER UPDATE ON events
BEGIN
    INSERT INTO changes (event_id, at, event)
    VALUES (NEW.event_id, CAST(unixepoch('subsec') * 1000 AS INTEGER), NEW.event);
END;

CREATE TRIGGER events_removed AFTER DELETE ON events
BEGIN
    INSERT INTO changes (event_id, at, event)
    VALUES (OLD.event_id, CAST(unixepoch('subsec') * 1000 AS INTEGER), NULL);
END;

-- What was there before is a change, too.
INSERT INTO changes (event_id, at, event)
SELECT event_id, CAST(unixepoch('subsec') * 1000 AS INTEGER), event FROM events ORDER BY starts_at, event_id;
