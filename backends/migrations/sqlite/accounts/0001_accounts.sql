PRAGMA application_id = 0x57616363; -- 'Wacc'

-- A family of refresh tokens; `next` is the serial that works next, NULL where none ever will.
CREATE TABLE families (
    family     BLOB    PRIMARY KEY CHECK (length(family) = 16),
    next       INTEGER,
    expires_at INTEGER NOT NULL -- milliseconds since 1970; from then on it may be forgotten
) STRICT, WITHOUT ROWID;

CREATE INDEX families_by_end ON families (expires_at);
