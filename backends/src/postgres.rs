//! The ledger, the catalog and the accounts on Postgres.
