-- Tickets that somebody was let in with, or that were revoked. Invariant 11: one entry a ticket. Whoever marks one locks
-- its event's row first, as whoever cancels does.
CREATE TABLE ticket_marks (
    booking_id TEXT   NOT NULL REFERENCES bookings (booking_id),
    seat       BIGINT NOT NULL CHECK (seat >= 0),
    event_id   TEXT   NOT NULL,
    entered_at BIGINT,
    gate       TEXT,
    scan       TEXT,
    revoked    TEXT, -- why
    PRIMARY KEY (booking_id, seat),
    CHECK ((entered_at IS NULL) = (gate IS NULL) AND (gate IS NULL) = (scan IS NULL))
);

CREATE INDEX ticket_marks_of_an_event ON ticket_marks (event_id, gate);

CREATE TRIGGER entries_never_change BEFORE UPDATE ON ticket_marks FOR EACH ROW
    WHEN (OLD.entered_at IS NOT NULL
        AND (NEW.entered_at, NEW.gate, NEW.scan) IS DISTINCT FROM (OLD.entered_at, OLD.gate, OLD.scan))
    EXECUTE FUNCTION weir_refuse('invariant 11: a ticket lets in once');
CREATE TRIGGER entries_stay BEFORE DELETE ON ticket_marks FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('invariant 11: a ticket that was used stays so');
CREATE TRIGGER entries_stay_all BEFORE TRUNCATE ON ticket_marks
    EXECUTE FUNCTION weir_refuse('invariant 11: a ticket that was used stays so');

CREATE FUNCTION weir_only_booked_seats_let_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM bookings WHERE booking_id = NEW.booking_id AND event_id = NEW.event_id
        AND state = 'confirmed' AND NEW.seat = ANY (seats))
    THEN
        RAISE EXCEPTION 'invariant 11: only a booked seat lets in' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER tickets_let_in_while_booked BEFORE INSERT ON ticket_marks FOR EACH ROW
    WHEN (NEW.entered_at IS NOT NULL) EXECUTE FUNCTION weir_only_booked_seats_let_in();
CREATE TRIGGER marked_tickets_let_in_while_booked BEFORE UPDATE ON ticket_marks FOR EACH ROW
    WHEN (NEW.entered_at IS NOT NULL AND OLD.entered_at IS NULL) EXECUTE FUNCTION weir_only_booked_seats_let_in();

CREATE FUNCTION weir_seats_inside_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ticket_marks m
            WHERE m.booking_id = OLD.booking_id AND m.entered_at IS NOT NULL AND m.seat = ANY (OLD.seats)
                AND (NEW.state <> 'confirmed' OR m.seat <> ALL (NEW.seats)))
        AND NOT EXISTS (SELECT 1 FROM event_versions WHERE event_id = OLD.event_id AND called_off IS NOT NULL)
    THEN
        RAISE EXCEPTION 'invariant 11: a seat that is inside is not cancelled'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER seats_inside_stay BEFORE UPDATE OF state, seats ON bookings FOR EACH ROW
    WHEN (OLD.state = 'confirmed' AND (NEW.state <> 'confirmed' OR NEW.seats <> OLD.seats))
    EXECUTE FUNCTION weir_seats_inside_stay();

-- The bookings that a door has to know, in the order of their last change: each once. Numbers of one event are given
-- under the event's lock, so none turns up below a number that was read before.
CREATE SEQUENCE door_versions;

CREATE TABLE door_changes (
    booking_id TEXT   PRIMARY KEY,
    event_id   TEXT   NOT NULL,
    number     BIGINT NOT NULL DEFAULT nextval('door_versions')
);

CREATE UNIQUE INDEX door_changes_of_an_event ON door_changes (event_id, number);

INSERT INTO door_changes (booking_id, event_id)
SELECT booking_id, event_id FROM bookings WHERE state IN ('confirmed', 'cancelled') ORDER BY number;

-- Its plan is made once for each connection, perhaps for one row: without nested loops, a thousand rows are not compared
-- with a thousand each.
CREATE FUNCTION weir_doors_hear_of_bookings() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO door_changes AS d (booking_id, event_id)
    SELECT n.booking_id, n.event_id FROM told n JOIN was o ON o.booking_id = n.booking_id
    WHERE n.state IN ('confirmed', 'cancelled') AND (n.state <> o.state OR n.seats <> o.seats)
    ON CONFLICT (booking_id) DO UPDATE SET number = nextval('door_versions');
    RETURN NULL;
END $$;

CREATE TRIGGER doors_hear_of_bookings AFTER UPDATE ON bookings REFERENCING NEW TABLE AS told OLD TABLE AS was
    FOR EACH STATEMENT EXECUTE FUNCTION weir_doors_hear_of_bookings();

CREATE FUNCTION weir_doors_hear_of_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO door_changes AS d (booking_id, event_id) VALUES (NEW.booking_id, NEW.event_id)
    ON CONFLICT (booking_id) DO UPDATE SET number = nextval('door_versions');
    RETURN NULL;
END $$;

CREATE TRIGGER doors_hear_of_marks AFTER INSERT OR UPDATE ON ticket_marks FOR EACH ROW
    EXECUTE FUNCTION weir_doors_hear_of_marks();
