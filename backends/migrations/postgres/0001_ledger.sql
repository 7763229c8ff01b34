-- The ledger. Times are milliseconds since 1970; amounts are minor units.

-- What a check below says, with the SQLSTATE of a constraint that was broken.
CREATE FUNCTION weir_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- An event's seats: how often they changed, and how many are booked. Whoever changes a booking locks its event's row
-- first, and several in the order of their ids: so an event's changes come one after the other, and no two of them
-- wait for each other.
CREATE TABLE event_versions (
    event_id TEXT   PRIMARY KEY,
    version  BIGINT NOT NULL CHECK (version >= 0),
    booked   BIGINT NOT NULL CHECK (booked >= 0)
) WITH (fillfactor = 50);

-- A booking, from its hold on.
CREATE TABLE bookings (
    number         BIGINT   GENERATED ALWAYS AS IDENTITY UNIQUE, -- in the order made
    booking_id     TEXT     PRIMARY KEY,
    event_id       TEXT     NOT NULL REFERENCES event_versions (event_id),
    user_id        TEXT     NOT NULL,
    session        TEXT     NOT NULL,
    seats          BIGINT[] NOT NULL CHECK (cardinality(seats) > 0), -- indices, in the order asked
    state          TEXT     NOT NULL CHECK (state IN ('held', 'confirmed', 'cancelled', 'expired', 'released')),
    amount         BIGINT   NOT NULL CHECK (amount >= 0),
    currency       TEXT     NOT NULL,
    expires_at     BIGINT   NOT NULL,
    created_at     BIGINT   NOT NULL,
    settled_at     BIGINT,
    transaction_id TEXT,
    refund         BIGINT,
    fingerprint    BYTEA    NOT NULL CHECK (length(fingerprint) = 32),
    max_seats      BIGINT   NOT NULL, -- of the claim that made it
    CHECK ((state = 'held') = (settled_at IS NULL)),
    CHECK (state <> 'confirmed' OR transaction_id IS NOT NULL)
);

CREATE INDEX bookings_of_a_session ON bookings (session) WHERE state IN ('held', 'confirmed', 'cancelled');
CREATE INDEX bookings_of_a_user ON bookings (user_id, number);
CREATE INDEX bookings_with_seats ON bookings (event_id, state, expires_at) WHERE state IN ('held', 'confirmed');
CREATE INDEX bookings_by_deadline ON bookings (expires_at, booking_id) WHERE state = 'held';

CREATE TRIGGER bookings_stay_sold BEFORE UPDATE OF state ON bookings FOR EACH ROW
    WHEN (OLD.state = 'confirmed' AND NEW.state NOT IN ('confirmed', 'cancelled'))
    EXECUTE FUNCTION weir_refuse('invariant 3: a confirmed booking can only be cancelled');
CREATE TRIGGER bookings_stay BEFORE DELETE ON bookings FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('invariant 3: a booking is never deleted');
CREATE TRIGGER bookings_stay_all BEFORE TRUNCATE ON bookings
    EXECUTE FUNCTION weir_refuse('invariant 3: a booking is never deleted');

-- Who has a seat. Invariant 1: one row a seat. `until` is the hold's deadline, NULL where the seat is booked; a hold
-- that ran out keeps its rows until somebody takes the seat or it is marked as expired. `claimed_at` is the moment of
-- the claim.
CREATE TABLE seat_claims (
    event_id   TEXT   NOT NULL,
    seat       BIGINT NOT NULL CHECK (seat >= 0),
    booking_id TEXT   NOT NULL REFERENCES bookings (booking_id),
    until      BIGINT,
    claimed_at BIGINT NOT NULL,
    PRIMARY KEY (event_id, seat)
);

CREATE TRIGGER seats_are_taken_over_when_free BEFORE UPDATE ON seat_claims FOR EACH ROW
    WHEN (OLD.booking_id <> NEW.booking_id AND (OLD.until IS NULL OR OLD.until > NEW.claimed_at))
    EXECUTE FUNCTION weir_refuse('invariant 1: the seat belongs to a live hold or a booking');
CREATE TRIGGER seats_stay_all BEFORE TRUNCATE ON seat_claims
    EXECUTE FUNCTION weir_refuse('invariant 3: seats are given up one by one');

CREATE FUNCTION weir_seat_stays_booked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM bookings WHERE booking_id = OLD.booking_id AND state = 'confirmed')
        AND NOT EXISTS (SELECT 1 FROM seat_claims
            WHERE event_id = OLD.event_id AND seat = OLD.seat AND booking_id = OLD.booking_id)
    THEN
        RAISE EXCEPTION 'invariant 3: the seat is booked' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

-- At the end of the transaction: a cancellation may give up the seats before or after it changes the booking.
CREATE CONSTRAINT TRIGGER seats_stay_booked AFTER DELETE ON seat_claims DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.until IS NULL) EXECUTE FUNCTION weir_seat_stays_booked();

-- What the world outside is still to be told. Each change of a booking writes one row. `entry` is the order of
-- writing, which of two transactions may be another than that of their commits; `number` is given when the row is
-- first read, so that none turns up below a number that was read before.
CREATE TABLE outbox (
    entry      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number     BIGINT UNIQUE,
    kind       TEXT   NOT NULL,
    booking_id TEXT   NOT NULL,
    booking    JSON   NOT NULL, -- as it was after the change
    at         BIGINT NOT NULL
);

CREATE INDEX outbox_without_a_number ON outbox (entry) WHERE number IS NULL;

-- The last number given.
CREATE TABLE outbox_numbers (
    is_only BOOLEAN PRIMARY KEY DEFAULT true CHECK (is_only),
    last    BIGINT  NOT NULL
);

INSERT INTO outbox_numbers (last) VALUES (0);

-- The bookings that were written come first, and each seat is one look by its whole key: left to itself, the planner may
-- count the seats of every booking there is.
CREATE FUNCTION weir_bookings_have_all_their_seats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        WITH written AS MATERIALIZED (
            SELECT b.booking_id, b.event_id, b.seats, b.state = 'confirmed' AS is_booked
            FROM told t JOIN bookings b ON b.booking_id = t.booking_id
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

CREATE TRIGGER bookings_have_all_their_seats AFTER INSERT ON outbox REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION weir_bookings_have_all_their_seats();

-- The transactions of the last minutes, by an id that their writer made: a writer that lost its connection at the
-- commit looks here for what became of it.
CREATE TABLE acts (
    act_id     BYTEA       PRIMARY KEY CHECK (length(act_id) = 16),
    written_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX acts_by_age ON acts (written_at);

-- What was done about money, append-only.
CREATE TABLE payment_acts (
    number         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking_id     TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    step           TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    currency       TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    UNIQUE (booking_id, transaction_id, step)
);

CREATE TRIGGER payment_acts_stay BEFORE UPDATE OR DELETE ON payment_acts FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('payment acts are append-only');
CREATE TRIGGER payment_acts_stay_all BEFORE TRUNCATE ON payment_acts
    EXECUTE FUNCTION weir_refuse('payment acts are append-only');

-- The payments that were asked for and have no end yet: `number` is the act that asked.
CREATE TABLE unsettled_payments (
    booking_id     TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    number         BIGINT NOT NULL,
    PRIMARY KEY (booking_id, transaction_id)
);

CREATE INDEX unsettled_payments_by_age ON unsettled_payments (at, number);

-- What operators did, append-only.
CREATE TABLE audit (
    number   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id TEXT   NOT NULL,
    command  TEXT   NOT NULL,
    actor    TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    action   TEXT   NOT NULL,
    before   JSON   NOT NULL,
    after    JSON   NOT NULL,
    UNIQUE (event_id, command)
);

CREATE INDEX audit_of_an_event ON audit (event_id, number);

CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('the audit trail is append-only');
CREATE TRIGGER audit_stays_all BEFORE TRUNCATE ON audit
    EXECUTE FUNCTION weir_refuse('the audit trail is append-only');

-- The last link of each event's seed chain: a secret until the draw reveals it.
CREATE TABLE chain_ends (
    event_id  TEXT  PRIMARY KEY,
    chain_end BYTEA NOT NULL CHECK (length(chain_end) = 32)
);

CREATE TRIGGER chain_ends_stay BEFORE UPDATE OR DELETE ON chain_ends FOR EACH ROW
    EXECUTE FUNCTION weir_refuse('the end of a seed chain never changes');
CREATE TRIGGER chain_ends_stay_all BEFORE TRUNCATE ON chain_ends
    EXECUTE FUNCTION weir_refuse('the end of a seed chain never changes');
