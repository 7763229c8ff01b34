-- A payment of the sandbox, as its rule keeps it.
CREATE TABLE payments_sandbox (
    transaction_id TEXT  PRIMARY KEY,
    payment        JSONB NOT NULL
);
