//! The contract suites on redis.
