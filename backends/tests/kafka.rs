//! The contract suites on kafka.
