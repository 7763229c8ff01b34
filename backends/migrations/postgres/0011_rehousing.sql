-- Events that go to another hall. The seats of each are numbered on from those of the halls before: `first_seat` is the
-- first of the present one. `rehousing` is the latest change, as JSON; `carries` as long as bookings are carried over to
-- it. No holds are made before `rests_until`, so that a change can begin.
ALTER TABLE event_versions
    ADD COLUMN first_seat  BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN rehousing   TEXT,
    ADD COLUMN carries     BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN rests_until BIGINT;

CREATE INDEX events_that_carry ON event_versions (event_id) WHERE carries;

-- Seats of a booking that have another place than was bought: pairs of which it is and which was bought, as JSON. Tickets
-- are named by what was bought.
ALTER TABLE bookings ADD COLUMN bought_as TEXT NOT NULL DEFAULT '[]';

-- Seats as they were bought, in the same order.
CREATE FUNCTION weir_bought(seats BIGINT[], bought_as TEXT) RETURNS BIGINT[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF bought_as = '[]' THEN
        RETURN seats;
    END IF;
    RETURN ARRAY(
        SELECT coalesce((SELECT (pair ->> 1)::bigint FROM json_array_elements(bought_as::json) AS p (pair)
            WHERE (pair ->> 0)::bigint = s.seat), s.seat)
        FROM unnest(seats) WITH ORDINALITY AS s (seat, place) ORDER BY s.place);
END $$;

DROP TRIGGER bookings_keep_their_seats ON bookings;

CREATE TRIGGER bookings_keep_their_seats BEFORE UPDATE OF seats, cancelled_seats, bought_as ON bookings FOR EACH ROW
    WHEN (NEW.bought_as = OLD.bought_as
        AND (OLD.state <> 'confirmed' OR NOT (NEW.seats <@ OLD.seats) OR NEW.seats && NEW.cancelled_seats
        OR NOT ((OLD.seats || OLD.cancelled_seats) <@ (NEW.seats || NEW.cancelled_seats))
        OR NOT (NEW.cancelled_seats <@ (OLD.seats || OLD.cancelled_seats))))
    EXECUTE FUNCTION weir_refuse('invariant 3: seats are cancelled from a confirmed booking, and from nothing else');
CREATE TRIGGER bookings_keep_what_was_bought BEFORE UPDATE OF seats, cancelled_seats, bought_as ON bookings FOR EACH ROW
    WHEN (NEW.bought_as <> OLD.bought_as
        AND (OLD.state <> 'confirmed' OR NEW.state <> 'confirmed' OR NEW.cancelled_seats <> OLD.cancelled_seats
        OR weir_bought(NEW.seats, NEW.bought_as) <> weir_bought(OLD.seats, OLD.bought_as)))
    EXECUTE FUNCTION weir_refuse('invariant 3: a confirmed booking keeps what was bought, wherever its seats go');

CREATE OR REPLACE FUNCTION weir_only_booked_seats_let_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM bookings WHERE booking_id = NEW.booking_id AND event_id = NEW.event_id
        AND state = 'confirmed' AND NEW.seat = ANY (weir_bought(seats, bought_as)))
    THEN
        RAISE EXCEPTION 'invariant 11: only a booked seat lets in' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION weir_seats_inside_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ticket_marks m
            WHERE m.booking_id = OLD.booking_id AND m.entered_at IS NOT NULL
                AND m.seat = ANY (weir_bought(OLD.seats, OLD.bought_as))
                AND (NEW.state <> 'confirmed' OR m.seat <> ALL (weir_bought(NEW.seats, NEW.bought_as))))
        AND NOT EXISTS (SELECT 1 FROM event_versions WHERE event_id = OLD.event_id AND called_off IS NOT NULL)
    THEN
        RAISE EXCEPTION 'invariant 11: a seat that is inside is not cancelled'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- An event may begin at another time, or be in another hall, one change at a time; nothing else of it changes.
DROP TRIGGER events_change_by_moves ON events;

CREATE TRIGGER events_change_step_by_step BEFORE UPDATE ON events FOR EACH ROW
    WHEN (NEW.event_id <> OLD.event_id
        OR NEW.event::jsonb - 'startsAt' - 'moves' - 'venueId' - 'halls'
            <> OLD.event::jsonb - 'startsAt' - 'moves' - 'venueId' - 'halls'
        OR jsonb_array_length(coalesce(NEW.event::jsonb -> 'moves', '[]'))
            + jsonb_array_length(coalesce(NEW.event::jsonb -> 'halls', '[]'))
            <> jsonb_array_length(coalesce(OLD.event::jsonb -> 'moves', '[]'))
            + jsonb_array_length(coalesce(OLD.event::jsonb -> 'halls', '[]')) + 1)
    EXECUTE FUNCTION weir_refuse('of an event nothing but its start and its hall changes');
