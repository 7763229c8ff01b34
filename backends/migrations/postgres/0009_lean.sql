-- What a change of a booking costs beside the change itself.

-- A row of the outbox is known by its entry, and forgotten by it: no second write to number it.
ALTER TABLE outbox DROP COLUMN number;
DROP TABLE outbox_numbers;

-- JSON that only its reader looks into.
ALTER TABLE outbox ALTER COLUMN booking TYPE TEXT;

-- A claim that becomes a booking stays on its page, and its key's entry with it.
ALTER TABLE seat_claims SET (fillfactor = 80);

-- What a door has of a booking is as old as the booking's version: the last of its event's that were given. It rises with
-- each change that a door must hear of; whoever makes one has locked the event's row, so that none turns up below a
-- version that was read.
ALTER TABLE bookings ADD COLUMN door_version BIGINT;

UPDATE bookings b SET door_version = d.number FROM door_changes d WHERE d.booking_id = b.booking_id;

DROP TRIGGER doors_hear_of_bookings ON bookings;
DROP FUNCTION weir_doors_hear_of_bookings();
DROP TABLE door_changes;

ALTER SEQUENCE door_versions OWNED BY bookings.door_version;
CREATE UNIQUE INDEX bookings_by_door_version ON bookings (event_id, door_version) WHERE door_version IS NOT NULL;

CREATE FUNCTION weir_doors_hear_of_bookings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.door_version := nextval('door_versions');
    RETURN NEW;
END $$;

CREATE TRIGGER doors_hear_of_bookings BEFORE UPDATE OF state, seats ON bookings FOR EACH ROW
    WHEN (NEW.state IN ('confirmed', 'cancelled') AND (NEW.state <> OLD.state OR NEW.seats <> OLD.seats))
    EXECUTE FUNCTION weir_doors_hear_of_bookings();

CREATE OR REPLACE FUNCTION weir_doors_hear_of_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bookings SET door_version = nextval('door_versions') WHERE booking_id = NEW.booking_id;
    RETURN NULL;
END $$;

-- Acts are found by their booking.
ALTER TABLE payment_acts DROP CONSTRAINT payment_acts_pkey;
