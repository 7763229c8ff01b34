-- The mailroom. Where buyers are to be reached, and the letters that are to be sent.

CREATE TABLE contacts (
    booking_id TEXT   PRIMARY KEY,
    contact    TEXT   NOT NULL, -- as JSON
    noted_at   BIGINT NOT NULL
);

CREATE INDEX contacts_by_age ON contacts (noted_at);

-- One that waits has its text as JSON and the moment it waits for; of one that was settled only the id is kept, and why it
-- was refused.
CREATE SEQUENCE letter_numbers;

CREATE TABLE letters (
    number     BIGINT NOT NULL, -- in the order posted
    letter_id  TEXT   PRIMARY KEY,
    booking_id TEXT   NOT NULL,
    posted_at  BIGINT NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    letter     TEXT,
    due_at     BIGINT,
    settled_at BIGINT,
    refused    TEXT,
    CHECK ((letter IS NULL) = (due_at IS NULL) AND (due_at IS NULL) = (settled_at IS NOT NULL)),
    CHECK (refused IS NULL OR settled_at IS NOT NULL)
);

CREATE INDEX letters_due ON letters (due_at, number) WHERE due_at IS NOT NULL;
CREATE INDEX letters_of_a_booking ON letters (booking_id) WHERE due_at IS NOT NULL;
CREATE INDEX letters_settled ON letters (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX letters_refused ON letters (settled_at, number) WHERE refused IS NOT NULL;
