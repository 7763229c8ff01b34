-- A family of refresh tokens; `next` is the serial that works next, NULL where none ever will. `act` is the rotation
-- that wrote it last: a rotation that lost its connection knows itself again.
CREATE TABLE families (
    family     BYTEA  PRIMARY KEY CHECK (length(family) = 16),
    next       BIGINT,
    expires_at BIGINT NOT NULL, -- milliseconds since 1970; from then on it may be forgotten
    act        BYTEA  NOT NULL CHECK (length(act) = 16)
);

CREATE INDEX families_by_end ON families (expires_at);
