PRAGMA application_id = 0x576C6467; -- 'Wldg'

-- A booking, from its hold on. Times are milliseconds since 1970.
CREATE TABLE bookings (
    number         INTEGER PRIMARY KEY, -- in the order made
    booking_id     TEXT    NOT NULL UNIQUE,
    event_id       TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    session        TEXT    NOT NULL,
    seats          TEXT    NOT NULL CHECK (json_array_length(seats) > 0), -- indices, in the order asked
    state          TEXT    NOT NULL CHECK (state IN ('held', 'confirmed', 'cancelled', 'expired', 'released')),
    amount         INTEGER NOT NULL CHECK (amount >= 0), -- minor units
    currency       TEXT    NOT NULL,
    expires_at     INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    settled_at     INTEGER,
    transaction_id TEXT,
    refund         INTEGER,
    fingerprint    BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    max_seats      INTEGER NOT NULL, -- of the claim that made it
    CHECK ((state = 'held') = (settled_at IS NULL)),
    CHECK (state <> 'confirmed' OR transaction_id IS NOT NULL)
) STRICT;

CREATE INDEX bookings_of_a_session ON bookings (session) WHERE state IN ('held', 'confirmed', 'cancelled');
CREATE INDEX bookings_of_a_user ON bookings (user_id, number);
CREATE INDEX bookings_with_seats ON bookings (event_id, state, expires_at) WHERE state IN ('held', 'confirmed');
CREATE INDEX bookings_by_deadline ON bookings (expires_at, booking_id) WHERE state = 'held';

CREATE TRIGGER bookings_stay_sold BEFORE UPDATE OF state ON bookings
WHEN OLD.state = 'confirmed' AND NEW.state NOT IN ('confirmed', 'cancelled')
BEGIN
    SELECT raise(ABORT, 'invariant 3: a confirmed booking can only be cancelled');
END;

CREATE TRIGGER bookings_stay BEFORE DELETE ON bookings
BEGIN
    SELECT raise(ABORT, 'invariant 3: a booking is never deleted');
END;

-- Who has a seat. Invariant 1: one row a seat. A hold that ran out keeps its rows until somebody takes the seat or it
-- is marked as expired. `claimed_at` is the latest moment that the transaction knew.
CREATE TABLE seat_claims (
    event_id   TEXT    NOT NULL,
    seat       INTEGER NOT NULL CHECK (seat >= 0),
    booking_id TEXT    NOT NULL REFERENCES bookings (booking_id),
    booked     INTEGER NOT NULL CHECK (booked IN (0, 1)),
    claimed_at INTEGER NOT NULL,
    PRIMARY KEY (event_id, seat)
) STRICT, WITHOUT ROWID;

CREATE INDEX seat_claims_of_a_booking ON seat_claims (booking_id);

CREATE TRIGGER seats_are_taken_over_when_free BEFORE UPDATE OF booking_id ON seat_claims
WHEN OLD.booking_id <> NEW.booking_id AND EXISTS (
    SELECT 1 FROM bookings
    WHERE booking_id = OLD.booking_id
        AND (state = 'confirmed' OR (state = 'held' AND expires_at > NEW.claimed_at)))
BEGIN
    SELECT raise(ABORT, 'invariant 1: the seat belongs to a live hold or a booking');
END;

CREATE TRIGGER seats_stay_booked BEFORE DELETE ON seat_claims
WHEN EXISTS (SELECT 1 FROM bookings WHERE booking_id = OLD.booking_id AND state = 'confirmed')
BEGIN
    SELECT raise(ABORT, 'invariant 3: the seat is booked');
END;

-- How often an event's seats changed, and how many are booked.
CREATE TABLE event_versions (
    event_id TEXT    PRIMARY KEY,
    version  INTEGER NOT NULL,
    booked   INTEGER NOT NULL CHECK (booked >= 0)
) STRICT, WITHOUT ROWID;

-- What the world outside is still to be told. Each change of a booking writes one row, after its seats.
CREATE TABLE outbox (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    booking_id TEXT    NOT NULL,
    booking    TEXT    NOT NULL, -- as it was after the change, as JSON
    at         INTEGER NOT NULL,
    written_at INTEGER NOT NULL  -- the latest moment that the transaction knew
) STRICT;

CREATE TRIGGER bookings_have_all_their_seats BEFORE INSERT ON outbox
WHEN EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.booking_id = NEW.booking_id
        AND (b.state = 'confirmed' OR (b.state = 'held' AND b.expires_at > NEW.written_at))
        AND json_array_length(b.seats) <> (SELECT count(*) FROM seat_claims c WHERE c.booking_id = b.booking_id))
BEGIN
    SELECT raise(ABORT, 'invariant 2: a hold or booking is all its seats or none');
END;

-- What was done about money, append-only.
CREATE TABLE payment_acts (
    number         INTEGER PRIMARY KEY,
    booking_id     TEXT    NOT NULL,
    transaction_id TEXT    NOT NULL,
    step           TEXT    NOT NULL,
    amount         INTEGER NOT NULL,
    currency       TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    UNIQUE (booking_id, transaction_id, step)
) STRICT;

CREATE TRIGGER payment_acts_never_change BEFORE UPDATE ON payment_acts
BEGIN
    SELECT raise(ABORT, 'payment acts are append-only');
END;

CREATE TRIGGER payment_acts_stay BEFORE DELETE ON payment_acts
BEGIN
    SELECT raise(ABORT, 'payment acts are append-only');
END;

-- The payments that were asked for and have no end yet, kept by the two triggers below: `number` is the act that asked.
CREATE TABLE unsettled_payments (
    booking_id     TEXT    NOT NULL,
    transaction_id TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    number         INTEGER NOT NULL REFERENCES payment_acts (number),
    PRIMARY KEY (booking_id, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX unsettled_payments_by_age ON unsettled_payments (at, number);

CREATE TRIGGER payments_begin AFTER INSERT ON payment_acts
WHEN NEW.step = 'asked' AND NOT EXISTS (
    SELECT 1 FROM payment_acts
    WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id
        AND step IN ('declined', 'captured', 'voided'))
BEGIN
    INSERT INTO unsettled_payments (booking_id, transaction_id, at, number)
    VALUES (NEW.booking_id, NEW.transaction_id, NEW.at, NEW.number);
END;

CREATE TRIGGER payments_end AFTER INSERT ON payment_acts
WHEN NEW.step IN ('declined', 'captured', 'voided')
BEGIN
    DELETE FROM unsettled_payments WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id;
END;

-- What operators did, append-only.
CREATE TABLE audit (
    number   INTEGER PRIMARY KEY,
    event_id TEXT    NOT NULL,
    command  TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    action   TEXT    NOT NULL,
    before   TEXT    NOT NULL, -- JSON
    after    TEXT    NOT NULL, -- JSON
    UNIQUE (event_id, command)
) STRICT;

CREATE INDEX audit_of_an_event ON audit (event_id, number);

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit trail is append-only');
END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit trail is append-only');
END;

-- The last link of each event's seed chain: a secret until the draw reveals it.
CREATE TABLE chain_ends (
    event_id  TEXT PRIMARY KEY,
    chain_end BLOB NOT NULL CHECK (length(chain_end) = 32)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER chain_ends_never_change BEFORE UPDATE ON chain_ends
BEGIN
    SELECT raise(ABORT, 'the end of a seed chain never changes');
END;
