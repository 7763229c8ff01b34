-- Seats of a booking that are cancelled while it keeps others, and what is given back for them.

ALTER TABLE bookings ADD COLUMN cancelled_seats TEXT NOT NULL DEFAULT '[]'; -- no longer in `seats`

CREATE TRIGGER bookings_keep_their_seats BEFORE UPDATE OF seats, cancelled_seats ON bookings
WHEN (NEW.seats <> OLD.seats OR NEW.cancelled_seats <> OLD.cancelled_seats) AND (OLD.state <> 'confirmed' OR
    (SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(NEW.seats) UNION ALL SELECT value FROM json_each(NEW.cancelled_seats) ORDER BY 1))
    <> (SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(OLD.seats) UNION ALL SELECT value FROM json_each(OLD.cancelled_seats) ORDER BY 1)))
BEGIN
    SELECT raise(ABORT, 'invariant 3: seats are cancelled from a confirmed booking, and from nothing else');
END;

DROP TRIGGER seats_are_taken_over_when_free;

CREATE TRIGGER seats_are_taken_over_when_free BEFORE UPDATE OF booking_id ON seat_claims
WHEN OLD.booking_id <> NEW.booking_id AND EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = OLD.booking_id
        AND (b.state = 'confirmed' OR (b.state = 'held' AND b.expires_at > NEW.claimed_at))
        AND EXISTS (SELECT 1 FROM json_each(b.seats) WHERE value = OLD.seat))
BEGIN
    SELECT raise(ABORT, 'invariant 1: the seat belongs to a live hold or a booking');
END;

DROP TRIGGER seats_stay_booked;

CREATE TRIGGER seats_stay_booked BEFORE DELETE ON seat_claims
WHEN EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = OLD.booking_id AND b.state = 'confirmed'
        AND EXISTS (SELECT 1 FROM json_each(b.seats) WHERE value = OLD.seat))
BEGIN
    SELECT raise(ABORT, 'invariant 3: the seat is booked');
END;

-- The trail of payment acts anew: `refund` is of which of the booking's refunds an act is (how many seats were
-- cancelled with it, 0 for the payment itself), and belongs to what makes an act one.
CREATE TABLE acts_before AS SELECT * FROM payment_acts;

DROP TABLE unsettled_payments;
DROP TABLE payment_acts;

CREATE TABLE payment_acts (
    number         INTEGER PRIMARY KEY,
    booking_id     TEXT    NOT NULL,
    transaction_id TEXT    NOT NULL,
    refund         INTEGER NOT NULL,
    step           TEXT    NOT NULL,
    amount         INTEGER NOT NULL,
    currency       TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    reason         TEXT,
    UNIQUE (booking_id, transaction_id, refund, step)
) STRICT;

CREATE TRIGGER payment_acts_never_change BEFORE UPDATE ON payment_acts
BEGIN
    SELECT raise(ABORT, 'payment acts are append-only');
END;

CREATE TRIGGER payment_acts_stay BEFORE DELETE ON payment_acts
BEGIN
    SELECT raise(ABORT, 'payment acts are append-only');
END;

-- The payments and refunds that began and have no end yet, kept by the triggers below: `number` is the act that began
-- it, `stuck` the one that says that a person has to see to it.
CREATE TABLE unsettled_payments (
    booking_id     TEXT    NOT NULL,
    transaction_id TEXT    NOT NULL,
    refund         INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    number         INTEGER NOT NULL REFERENCES payment_acts (number),
    stuck          INTEGER REFERENCES payment_acts (number),
    PRIMARY KEY (booking_id, transaction_id, refund)
) STRICT, WITHOUT ROWID;

CREATE INDEX unsettled_payments_by_age ON unsettled_payments (at, number);
CREATE INDEX unsettled_payments_stuck ON unsettled_payments (stuck) WHERE stuck IS NOT NULL;

CREATE TRIGGER payments_begin AFTER INSERT ON payment_acts
WHEN NEW.step IN ('asked', 'refundDue') AND NOT EXISTS (
    SELECT 1 FROM payment_acts
    WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund
        AND step IN ('declined', 'captured', 'voided', 'refunded', 'resolved'))
BEGIN
    INSERT INTO unsettled_payments (booking_id, transaction_id, refund, at, number)
    VALUES (NEW.booking_id, NEW.transaction_id, NEW.refund, NEW.at, NEW.number);
END;

CREATE TRIGGER payments_get_stuck AFTER INSERT ON payment_acts
WHEN NEW.step = 'stuck'
BEGIN
    UPDATE unsettled_payments SET stuck = NEW.number
    WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund;
END;

CREATE TRIGGER payments_end AFTER INSERT ON payment_acts
WHEN NEW.step IN ('declined', 'captured', 'voided', 'refunded', 'resolved')
BEGIN
    DELETE FROM unsettled_payments
    WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund;
END;

INSERT INTO payment_acts (number, booking_id, transaction_id, refund, step, amount, currency, at)
SELECT number, booking_id, transaction_id, 0, step, amount, currency, at FROM acts_before ORDER BY number;

DROP TABLE acts_before;

-- Events that don't take place, with since when and why, as JSON.
ALTER TABLE event_versions ADD COLUMN called_off TEXT;

CREATE INDEX events_called_off ON event_versions (event_id) WHERE called_off IS NOT NULL;
