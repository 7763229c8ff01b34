-- A hold may be extended, once.
ALTER TABLE bookings ADD COLUMN extended INTEGER NOT NULL DEFAULT 0 CHECK (extended IN (0, 1));

CREATE TRIGGER holds_are_extended_once BEFORE UPDATE OF expires_at, extended ON bookings
WHEN (NEW.expires_at <> OLD.expires_at OR NEW.extended <> OLD.extended)
    AND (OLD.state <> 'held' OR OLD.extended OR NOT NEW.extended OR NEW.expires_at < OLD.expires_at)
BEGIN
    SELECT raise(ABORT, 'a hold is extended once, and no deadline comes earlier');
END;
