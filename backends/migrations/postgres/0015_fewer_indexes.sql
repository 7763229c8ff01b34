-- What a confirmation costs: a booking's row goes into each index anew, whatever changed of it.

-- Bookings are counted on by their user and their id, never by their number alone.
ALTER TABLE bookings DROP CONSTRAINT bookings_number_key;

-- Holds are looked for by their event and deadline. What is booked, by its seats or by the version that doors have of it.
DROP INDEX bookings_with_seats;
CREATE INDEX bookings_held ON bookings (event_id, expires_at) WHERE state = 'held';

-- Only payments under way are in it: they are soon sorted.
DROP INDEX unsettled_payments_by_age;

-- A booking that is confirmed stays on its page.
ALTER TABLE bookings SET (fillfactor = 60);

-- Who writes many at once gives them their versions, too; nobody else has to think of it.
DROP TRIGGER doors_hear_of_bookings ON bookings;

CREATE TRIGGER doors_hear_of_bookings BEFORE UPDATE OF state, seats ON bookings FOR EACH ROW
    WHEN (NEW.state IN ('confirmed', 'cancelled') AND (NEW.state <> OLD.state OR NEW.seats <> OLD.seats)
        AND NEW.door_version IS NOT DISTINCT FROM OLD.door_version)
    EXECUTE FUNCTION weir_doors_hear_of_bookings();
