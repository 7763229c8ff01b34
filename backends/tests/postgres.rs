//! The contract suites on postgres.
