PRAGMA application_id = 0x5764736B; -- 'Wdsk'

-- The facts of each event's desk, in the order they came about: `fact` is a DeskFact as JSON.
CREATE TABLE facts (
    event_id TEXT    NOT NULL,
    number   INTEGER NOT NULL CHECK (number >= 0),
    fact     TEXT    NOT NULL,
    PRIMARY KEY (event_id, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER facts_never_change BEFORE UPDATE ON facts
BEGIN
    SELECT raise(ABORT, 'invariant 3: a fact never changes');
END;

CREATE TRIGGER facts_stay BEFORE DELETE ON facts
BEGIN
    SELECT raise(ABORT, 'invariant 3: a fact is never deleted');
END;
