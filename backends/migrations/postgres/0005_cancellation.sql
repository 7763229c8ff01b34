-- Seats of a booking that are cancelled while it keeps others, and what is given back for them.

ALTER TABLE bookings ADD COLUMN cancelled_seats BIGINT[] NOT NULL DEFAULT '{}'; -- no longer in `seats`

CREATE TRIGGER bookings_keep_their_seats BEFORE UPDATE OF seats, cancelled_seats ON bookings FOR EACH ROW
    WHEN (OLD.state <> 'confirmed' OR NOT (NEW.seats <@ OLD.seats) OR NEW.seats && NEW.cancelled_seats
        OR NOT ((OLD.seats || OLD.cancelled_seats) <@ (NEW.seats || NEW.cancelled_seats))
        OR NOT (NEW.cancelled_seats <@ (OLD.seats || OLD.cancelled_seats)))
    EXECUTE FUNCTION weir_refuse('invariant 3: seats are cancelled from a confirmed booking, and from nothing else');

CREATE OR REPLACE FUNCTION weir_seat_stays_booked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM bookings
            WHERE booking_id = OLD.booking_id AND state = 'confirmed' AND OLD.seat = ANY (seats))
        AND NOT EXISTS (SELECT 1 FROM seat_claims
            WHERE event_id = OLD.event_id AND seat = OLD.seat AND booking_id = OLD.booking_id)
    THEN
        RAISE EXCEPTION 'invariant 3: the seat is booked' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

-- Of which of the booking's refunds an act is: how many seats were cancelled with it, 0 for the payment itself.
ALTER TABLE payment_acts
    ADD COLUMN refund BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN reason TEXT,
    DROP CONSTRAINT payment_acts_booking_id_transaction_id_step_key,
    ADD UNIQUE (booking_id, transaction_id, refund, step);

-- `stuck` is the act that says so, where there is one: a person has to see to it.
ALTER TABLE unsettled_payments
    ADD COLUMN refund BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN stuck  BIGINT,
    DROP CONSTRAINT unsettled_payments_pkey,
    ADD PRIMARY KEY (booking_id, transaction_id, refund);

CREATE INDEX unsettled_payments_stuck ON unsettled_payments (stuck) WHERE stuck IS NOT NULL;

-- Events that don't take place, with since when and why, as JSON.
ALTER TABLE event_versions ADD COLUMN called_off JSON;

CREATE INDEX events_called_off ON event_versions (event_id) WHERE called_off IS NOT NULL;
