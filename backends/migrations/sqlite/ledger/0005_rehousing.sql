-- Events that go to another hall. The seats of each are numbered on from those of the halls before: `first_seat` is the
-- first of the present one. `rehousing` is the latest change, as JSON; `carries` as long as bookings are carried over to
-- it. No holds are made before `rests_until`, so that a change can begin.
ALTER TABLE event_versions ADD COLUMN first_seat INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_versions ADD COLUMN rehousing TEXT;
ALTER TABLE event_versions ADD COLUMN carries INTEGER NOT NULL DEFAULT 0 CHECK (carries IN (0, 1));
ALTER TABLE event_versions ADD COLUMN rests_until INTEGER;

CREATE INDEX events_that_carry ON event_versions (event_id) WHERE carries = 1;

-- Seats of a booking that have another place than was bought: pairs of which it is and which was bought. Tickets are named
-- by what was bought.
ALTER TABLE bookings ADD COLUMN bought_as TEXT NOT NULL DEFAULT '[]';

DROP TRIGGER bookings_keep_their_seats;

CREATE TRIGGER bookings_keep_their_seats BEFORE UPDATE OF seats, cancelled_seats, bought_as ON bookings
WHEN NEW.bought_as = OLD.bought_as
    AND (NEW.seats <> OLD.seats OR NEW.cancelled_seats <> OLD.cancelled_seats) AND (OLD.state <> 'confirmed' OR
    (SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(NEW.seats) UNION ALL SELECT value FROM json_each(NEW.cancelled_seats) ORDER BY 1))
    <> (SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(OLD.seats) UNION ALL SELECT value FROM json_each(OLD.cancelled_seats) ORDER BY 1)))
BEGIN
    SELECT raise(ABORT, 'invariant 3: seats are cancelled from a confirmed booking, and from nothing else');
END;

CREATE TRIGGER bookings_keep_what_was_bought BEFORE UPDATE OF bought_as ON bookings
WHEN NEW.bought_as <> OLD.bought_as AND (
    OLD.state <> 'confirmed' OR NEW.state <> 'confirmed' OR NEW.cancelled_seats <> OLD.cancelled_seats
    OR (SELECT json_group_array(bought) FROM (
        SELECT coalesce((SELECT j.value ->> 1 FROM json_each(NEW.bought_as) j WHERE j.value ->> 0 = s.value), s.value)
            AS bought
        FROM json_each(NEW.seats) s ORDER BY 1))
    <> (SELECT json_group_array(bought) FROM (
        SELECT coalesce((SELECT j.value ->> 1 FROM json_each(OLD.bought_as) j WHERE j.value ->> 0 = s.value), s.value)
            AS bought
        FROM json_each(OLD.seats) s ORDER BY 1)))
BEGIN
    SELECT raise(ABORT, 'invariant 3: a confirmed booking keeps what was bought, wherever its seats go');
END;

DROP TRIGGER tickets_let_in_while_booked;
DROP TRIGGER marked_tickets_let_in_while_booked;
DROP TRIGGER seats_inside_stay;

CREATE TRIGGER tickets_let_in_while_booked BEFORE INSERT ON ticket_marks
WHEN NEW.entered_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = NEW.booking_id AND b.event_id = NEW.event_id AND b.state = 'confirmed'
        AND EXISTS (SELECT 1 FROM json_each(b.seats) s WHERE NEW.seat = coalesce(
            (SELECT j.value ->> 1 FROM json_each(b.bought_as) j WHERE j.value ->> 0 = s.value), s.value)))
BEGIN
    SELECT raise(ABORT, 'invariant 11: only a booked seat lets in');
END;

CREATE TRIGGER marked_tickets_let_in_while_booked BEFORE UPDATE ON ticket_marks
WHEN NEW.entered_at IS NOT NULL AND OLD.entered_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = NEW.booking_id AND b.event_id = NEW.event_id AND b.state = 'confirmed'
        AND EXISTS (SELECT 1 FROM json_each(b.seats) s WHERE NEW.seat = coalesce(
            (SELECT j.value ->> 1 FROM json_each(b.bought_as) j WHERE j.value ->> 0 = s.value), s.value)))
BEGIN
    SELECT raise(ABORT, 'invariant 11: only a booked seat lets in');
END;

CREATE TRIGGER seats_inside_stay BEFORE UPDATE OF state, seats ON bookings
WHEN OLD.state = 'confirmed' AND (NEW.state = 'cancelled' OR NEW.seats <> OLD.seats)
    AND EXISTS (
        SELECT 1 FROM ticket_marks m
        WHERE m.booking_id = OLD.booking_id AND m.entered_at IS NOT NULL
            AND EXISTS (SELECT 1 FROM json_each(OLD.seats) s WHERE m.seat = coalesce(
                (SELECT j.value ->> 1 FROM json_each(OLD.bought_as) j WHERE j.value ->> 0 = s.value), s.value))
            AND (NEW.state <> 'confirmed' OR NOT EXISTS (
                SELECT 1 FROM json_each(NEW.seats) s WHERE m.seat = coalesce(
                    (SELECT j.value ->> 1 FROM json_each(NEW.bought_as) j WHERE j.value ->> 0 = s.value), s.value))))
    AND NOT EXISTS (SELECT 1 FROM event_versions WHERE event_id = OLD.event_id AND called_off IS NOT NULL)
BEGIN
    SELECT raise(ABORT, 'invariant 11: a seat that is inside is not cancelled');
END;
