PRAGMA application_id = 0x57706179; -- 'Wpay'

-- The sandbox's payments.
CREATE TABLE payments (
    transaction_id TEXT PRIMARY KEY,
    payment        TEXT NOT NULL -- as JSON
) STRICT, WITHOUT ROWID;
