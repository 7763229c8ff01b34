-- Each booking that was written is looked up by its key, whatever the statistics of a table that grows by thousands a
-- second say: OFFSET 0 keeps the conditions on its state from choosing another way to it.
CREATE OR REPLACE FUNCTION weir_bookings_have_all_their_seats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        WITH written AS MATERIALIZED (
            SELECT b.booking_id, b.event_id, b.seats, b.state = 'confirmed' AS is_booked
            FROM told t CROSS JOIN LATERAL (SELECT * FROM bookings WHERE booking_id = t.booking_id OFFSET 0) b
            WHERE b.state = 'confirmed' OR (b.state = 'held' AND b.expires_at > t.at)
        )
        SELECT 1 FROM written w
        WHERE cardinality(w.seats) <> (SELECT count(DISTINCT s.seat) FROM unnest(w.seats) AS s (seat)
            WHERE w.booking_id = (SELECT c.booking_id FROM seat_claims c
                WHERE c.event_id = w.event_id AND c.seat = s.seat AND (c.until IS NULL) = w.is_booked)))
    THEN
        RAISE EXCEPTION 'invariant 2: a hold or booking is all its seats or none'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
