//! The log's contract, and the assignment's, on brokers that run. They start with `scripts/servers up kafka`.

mod kafka {
    mod assignment;
    mod brokers;
    mod log;
}
