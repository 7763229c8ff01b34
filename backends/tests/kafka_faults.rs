//! What the log and the assignment do when brokers die or hang. A target of its own, because whatever else ran on these
//! brokers at the same time would fail.

mod kafka {
    mod brokers;
    mod faults;
}
