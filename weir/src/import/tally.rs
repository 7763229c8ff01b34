//! What an import has come to so far, and the line about it each second.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const EVERY: Duration = Duration::from_secs(1);

/// A number that is counted up, from whichever task.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an import has come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// What the things are called.
    pub(super) what: &'static str,
    /// How large the files are, in bytes, and how much of them is read.
    pub(super) bytes: u64,
    pub(super) bytes_read: Arc<AtomicU64>,
    pub(super) checked: Count,
    pub(super) passed_over: Count,
    pub(super) added: Count,
    pub(super) there: Count,
    pub(super) refused: Count,
}

impl Tally {
    /// How many are done with.
    fn done(&self) -> u64 {
        self.added.get() + self.there.get() + self.refused.get()
    }

    /// What came of all of them.
    pub(super) fn result(&self) -> String {
        let (what, of) = (self.what, self.checked.get());
        let (added, there, refused) = (self.added.get(), self.there.get(), self.refused.get());
        format!("{of} {what}: {added} added, {there} there already, {refused} refused")
    }

    /// Says each second how far it is, and how fast it goes.
    pub(super) async fn show(&self) -> Infallible {
        let (mut checked_before, mut done_before) = (0, 0);
        loop {
            tokio::time::sleep(EVERY).await;
            let (checked, done) = (self.checked.get(), self.done());
            let (far, more) = if done == 0 {
                let percent = self.bytes_read.load(Ordering::Relaxed) * 100 / self.bytes.max(1);
                (format!("{checked} {} checked, {percent} % of the files", self.what), checked - checked_before)
            } else {
                (format!("{done} of {checked} {}", self.what), done - done_before)
            };
            match more {
                0 => eprintln!("{far}, waiting for Weir"),
                _ => eprintln!("{far}, {more} a second"),
            }
            (checked_before, done_before) = (checked, done);
        }
    }
}
