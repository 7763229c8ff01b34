PRAGMA application_id = 0x576C6F67; -- 'Wlog'

-- A lane of a topic. How many a topic has never changes.
CREATE TABLE lanes (
    lane_id INTEGER PRIMARY KEY,
    topic   TEXT    NOT NULL,
    lane    INTEGER NOT NULL CHECK (lane >= 0),
    UNIQUE (topic, lane)
) STRICT;

-- What one commit appended to a lane: `count` entries from offset `base` on. `bytes` is the length of each
-- (4 bytes, little-endian), then each.
CREATE TABLE segments (
    lane_id INTEGER NOT NULL REFERENCES lanes (lane_id),
    base    INTEGER NOT NULL CHECK (base >= 0),
    count   INTEGER NOT NULL CHECK (count > 0),
    bytes   BLOB    NOT NULL,
    PRIMARY KEY (lane_id, base)
) STRICT, WITHOUT ROWID;

-- Invariant 3: an offset, once acknowledged, names that entry for ever.
CREATE TRIGGER segments_follow_one_another BEFORE INSERT ON segments
WHEN NEW.base <> coalesce(
    (SELECT base + count FROM segments WHERE lane_id = NEW.lane_id ORDER BY base DESC LIMIT 1), 0)
BEGIN
    SELECT raise(ABORT, 'invariant 3: a segment must begin where the one before it ends');
END;

CREATE TRIGGER segments_stay BEFORE UPDATE ON segments
BEGIN
    SELECT raise(ABORT, 'invariant 3: a segment never changes');
END;

-- Where a group of readers goes on.
CREATE TABLE notes (
    reader TEXT    NOT NULL,
    topic  TEXT    NOT NULL,
    lane   INTEGER NOT NULL,
    next   INTEGER NOT NULL CHECK (next >= 0),
    PRIMARY KEY (reader, topic, lane)
) STRICT, WITHOUT ROWID;
