-- A booking that changes stays on its page, and no index of it is written to again: nothing that changes is in one. What was
-- looked up by such an index has a table of its own, with a row for each of the few that are looked up.

-- Holds. One whose deadline has passed is in it until it is marked as expired.
CREATE TABLE holds (
    event_id   TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    booking_id TEXT   NOT NULL,
    PRIMARY KEY (event_id, expires_at, booking_id)
);

CREATE INDEX holds_by_deadline ON holds (expires_at, booking_id);

INSERT INTO holds (event_id, expires_at, booking_id)
SELECT event_id, expires_at, booking_id FROM bookings WHERE state = 'held';

DROP INDEX bookings_held;
DROP INDEX bookings_by_deadline;

-- What a door has to hear of, in the order of the versions. A row counts as long as its booking has that version.
CREATE TABLE door_changes (
    event_id   TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    booking_id TEXT   NOT NULL,
    PRIMARY KEY (event_id, version)
);

INSERT INTO door_changes (event_id, version, booking_id)
SELECT event_id, door_version, booking_id FROM bookings WHERE door_version IS NOT NULL;

DROP INDEX bookings_by_door_version;

CREATE INDEX bookings_by_session ON bookings (session);
DROP INDEX bookings_of_a_session;

-- What refuses does so after the change: a trigger before it locks each row by a write of its own.
DROP TRIGGER bookings_stay_sold ON bookings;
CREATE TRIGGER bookings_stay_sold AFTER UPDATE OF state ON bookings FOR EACH ROW
    WHEN (OLD.state = 'confirmed' AND NEW.state NOT IN ('confirmed', 'cancelled'))
    EXECUTE FUNCTION weir_refuse('invariant 3: a confirmed booking can only be cancelled');

DROP TRIGGER seats_are_taken_over_when_free ON seat_claims;
CREATE TRIGGER seats_are_taken_over_when_free AFTER UPDATE ON seat_claims FOR EACH ROW
    WHEN (OLD.booking_id <> NEW.booking_id AND (OLD.until IS NULL OR OLD.until > NEW.claimed_at))
    EXECUTE FUNCTION weir_refuse('invariant 1: the seat belongs to a live hold or a booking');

DROP TRIGGER seats_inside_stay ON bookings;
CREATE TRIGGER seats_inside_stay AFTER UPDATE OF state, seats ON bookings FOR EACH ROW
    WHEN (OLD.state = 'confirmed' AND (NEW.state <> 'confirmed' OR NEW.seats <> OLD.seats))
    EXECUTE FUNCTION weir_seats_inside_stay();

DROP TRIGGER bookings_keep_their_seats ON bookings;
CREATE TRIGGER bookings_keep_their_seats AFTER UPDATE OF seats, cancelled_seats, bought_as ON bookings FOR EACH ROW
    WHEN (NEW.bought_as = OLD.bought_as
        AND (OLD.state <> 'confirmed' OR NOT (NEW.seats <@ OLD.seats) OR NEW.seats && NEW.cancelled_seats
        OR NOT ((OLD.seats || OLD.cancelled_seats) <@ (NEW.seats || NEW.cancelled_seats))
        OR NOT (NEW.cancelled_seats <@ (OLD.seats || OLD.cancelled_seats))))
    EXECUTE FUNCTION weir_refuse('invariant 3: seats are cancelled from a confirmed booking, and from nothing else');

DROP TRIGGER bookings_keep_what_was_bought ON bookings;
CREATE TRIGGER bookings_keep_what_was_bought AFTER UPDATE OF seats, cancelled_seats, bought_as ON bookings FOR EACH ROW
    WHEN (NEW.bought_as <> OLD.bought_as
        AND (OLD.state <> 'confirmed' OR NEW.state <> 'confirmed' OR NEW.cancelled_seats <> OLD.cancelled_seats
        OR weir_bought(NEW.seats, NEW.bought_as) <> weir_bought(OLD.seats, OLD.bought_as)))
    EXECUTE FUNCTION weir_refuse('invariant 3: a confirmed booking keeps what was bought, wherever its seats go');

DROP TRIGGER holds_are_extended_once ON bookings;
CREATE TRIGGER holds_are_extended_once AFTER UPDATE OF expires_at, extended ON bookings FOR EACH ROW
    WHEN ((NEW.expires_at <> OLD.expires_at OR NEW.extended <> OLD.extended)
        AND (OLD.state <> 'held' OR OLD.extended OR NOT NEW.extended OR NEW.expires_at < OLD.expires_at))
    EXECUTE FUNCTION weir_refuse('a hold is extended once, and no deadline comes earlier');

-- Whoever changes a booking that doors know gives it a version; nobody may forget it.
DROP TRIGGER doors_hear_of_bookings ON bookings;
DROP FUNCTION weir_doors_hear_of_bookings();
CREATE TRIGGER tell_doors_of_each_change AFTER UPDATE OF state, seats ON bookings FOR EACH ROW
    WHEN (NEW.state IN ('confirmed', 'cancelled') AND (NEW.state <> OLD.state OR NEW.seats <> OLD.seats)
        AND NEW.door_version IS NOT DISTINCT FROM OLD.door_version)
    EXECUTE FUNCTION weir_refuse('doors hear of each change of a booking: it needs a new version');

CREATE OR REPLACE FUNCTION weir_doors_hear_of_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH changed AS (
        UPDATE bookings SET door_version = nextval('door_versions') WHERE booking_id = NEW.booking_id
        RETURNING event_id, door_version, booking_id
    )
    INSERT INTO door_changes (event_id, version, booking_id) SELECT * FROM changed;
    RETURN NULL;
END $$;
