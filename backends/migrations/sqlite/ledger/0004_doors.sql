-- Tickets that somebody was let in with, or that were revoked. Invariant 11: one entry a ticket.
CREATE TABLE ticket_marks (
    booking_id TEXT    NOT NULL REFERENCES bookings (booking_id),
    seat       INTEGER NOT NULL CHECK (seat >= 0),
    event_id   TEXT    NOT NULL,
    entered_at INTEGER,
    gate       TEXT,
    scan       TEXT,
    revoked    TEXT, -- why
    PRIMARY KEY (booking_id, seat),
    CHECK ((entered_at IS NULL) = (gate IS NULL) AND (gate IS NULL) = (scan IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_marks_of_an_event ON ticket_marks (event_id, gate);

CREATE TRIGGER entries_never_change BEFORE UPDATE ON ticket_marks
WHEN OLD.entered_at IS NOT NULL
    AND (NEW.entered_at IS NOT OLD.entered_at OR NEW.gate IS NOT OLD.gate OR NEW.scan IS NOT OLD.scan)
BEGIN
    SELECT raise(ABORT, 'invariant 11: a ticket lets in once');
END;

CREATE TRIGGER entries_stay BEFORE DELETE ON ticket_marks
BEGIN
    SELECT raise(ABORT, 'invariant 11: a ticket that was used stays so');
END;

CREATE TRIGGER tickets_let_in_while_booked BEFORE INSERT ON ticket_marks
WHEN NEW.entered_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = NEW.booking_id AND b.event_id = NEW.event_id AND b.state = 'confirmed'
        AND EXISTS (SELECT 1 FROM json_each(b.seats) WHERE value = NEW.seat))
BEGIN
    SELECT raise(ABORT, 'invariant 11: only a booked seat lets in');
END;

CREATE TRIGGER marked_tickets_let_in_while_booked BEFORE UPDATE ON ticket_marks
WHEN NEW.entered_at IS NOT NULL AND OLD.entered_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = NEW.booking_id AND b.event_id = NEW.event_id AND b.state = 'confirmed'
        AND EXISTS (SELECT 1 FROM json_each(b.seats) WHERE value = NEW.seat))
BEGIN
    SELECT raise(ABORT, 'invariant 11: only a booked seat lets in');
END;

CREATE TRIGGER seats_inside_stay BEFORE UPDATE OF state, seats ON bookings
WHEN OLD.state = 'confirmed' AND (NEW.state = 'cancelled' OR NEW.seats <> OLD.seats)
    AND EXISTS (
        SELECT 1 FROM ticket_marks m
        WHERE m.booking_id = OLD.booking_id AND m.entered_at IS NOT NULL
            AND EXISTS (SELECT 1 FROM json_each(OLD.seats) WHERE value = m.seat)
            AND (NEW.state <> 'confirmed' OR NOT EXISTS (SELECT 1 FROM json_each(NEW.seats) WHERE value = m.seat)))
    AND NOT EXISTS (SELECT 1 FROM event_versions WHERE event_id = OLD.event_id AND called_off IS NOT NULL)
BEGIN
    SELECT raise(ABORT, 'invariant 11: a seat that is inside is not cancelled');
END;

-- The bookings that a door has to know, in the order of their last change: each once.
CREATE TABLE door_changes (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id   TEXT NOT NULL,
    booking_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE INDEX door_changes_of_an_event ON door_changes (event_id, number);

INSERT INTO door_changes (event_id, booking_id)
SELECT event_id, booking_id FROM bookings WHERE state IN ('confirmed', 'cancelled') ORDER BY number;

CREATE TRIGGER doors_hear_of_new_bookings AFTER INSERT ON bookings
WHEN NEW.state IN ('confirmed', 'cancelled')
BEGIN
    INSERT INTO door_changes (event_id, booking_id) VALUES (NEW.event_id, NEW.booking_id);
END;

CREATE TRIGGER doors_hear_of_bookings AFTER UPDATE OF state, seats ON bookings
WHEN NEW.state IN ('confirmed', 'cancelled') AND (NEW.state <> OLD.state OR NEW.seats <> OLD.seats)
BEGIN
    DELETE FROM door_changes WHERE booking_id = NEW.booking_id;
    INSERT INTO door_changes (event_id, booking_id) VALUES (NEW.event_id, NEW.booking_id);
END;

CREATE TRIGGER doors_hear_of_new_marks AFTER INSERT ON ticket_marks
BEGIN
    DELETE FROM door_changes WHERE booking_id = NEW.booking_id;
    INSERT INTO door_changes (event_id, booking_id) VALUES (NEW.event_id, NEW.booking_id);
END;

CREATE TRIGGER doors_hear_of_marks AFTER UPDATE ON ticket_marks
BEGIN
    DELETE FROM door_changes WHERE booking_id = NEW.booking_id;
    INSERT INTO door_changes (event_id, booking_id) VALUES (NEW.event_id, NEW.booking_id);
END;
