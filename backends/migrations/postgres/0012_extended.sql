-- A hold may be extended, once.
ALTER TABLE bookings ADD COLUMN extended BOOLEAN NOT NULL DEFAULT false;

CREATE TRIGGER holds_are_extended_once BEFORE UPDATE OF expires_at, extended ON bookings FOR EACH ROW
    WHEN ((NEW.expires_at <> OLD.expires_at OR NEW.extended <> OLD.extended)
        AND (OLD.state <> 'held' OR OLD.extended OR NOT NEW.extended OR NEW.expires_at < OLD.expires_at))
    EXECUTE FUNCTION weir_refuse('a hold is extended once, and no deadline comes earlier');
