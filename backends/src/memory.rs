//! The ports in memory: what the simulator and the tests run on, and (the hold table) what an embedded Weir sells with.
//!
//! Each is a handle: its clones share one store, so whoever keeps a clone over a simulated restart keeps what the port
//! promises to keep. They need no runtime, except for a read of the log with patience, which waits on tokio's clock.

mod accounts;
mod assignment;
mod catalog;
mod desk;
mod holds;
mod ledger;
mod log;
mod mailroom;
mod payments;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use accounts::MemoryRefreshFamilies;
pub use assignment::SoleWorker;
pub use catalog::MemoryCatalog;
pub use desk::MemoryDesk;
pub use holds::MemoryHolds;
pub use ledger::MemoryLedger;
pub use log::{Lanes, MemoryLog};
pub use mailroom::MemoryMailroom;
pub use payments::MemoryPayments;

/// Locks `mutex`. A panic under it is a bug that has been reported where it happened; whoever comes later goes on with
/// what is there rather than panic as well.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store's handle, opened again and again.
    fn kept<P: Clone>(port: P) -> impl AsyncFn() -> P {
        async move || port.clone()
    }

    mod log {
        booking_core::log_contract!(
            #[tokio::test]
            super::kept(super::MemoryLog::default())
        );
    }

    mod log_of_many_lanes {
        booking_core::log_contract!(
            #[tokio::test]
            super::kept(super::MemoryLog::new(super::Lanes { line: 3, keyed: 4, replies: 2 },))
        );
    }

    mod desk {
        booking_core::desk_contract!(
            #[tokio::test]
            super::kept((super::MemoryDesk::default(), super::MemoryLog::default()),)
        );
    }

    mod holds {
        booking_core::holds_contract!(
            #[tokio::test]
            super::kept(super::MemoryHolds::default())
        );
    }

    mod ledger {
        booking_core::ledger_contract!(
            #[tokio::test]
            super::kept(super::MemoryLedger::default())
        );
    }

    mod catalog {
        booking_core::catalog_contract!(
            #[tokio::test]
            super::kept(super::MemoryCatalog::default())
        );
    }

    mod changes {
        booking_core::changes_contract!(
            #[tokio::test]
            super::kept(super::MemoryCatalog::default())
        );
    }

    mod accounts {
        booking_core::accounts_contract!(
            #[tokio::test]
            super::kept(super::MemoryRefreshFamilies::default())
        );
    }

    mod mailroom {
        booking_core::mailroom_contract!(
            #[tokio::test]
            super::kept(super::MemoryMailroom::default())
        );
    }

    mod payments {
        booking_core::payments_contract!(
            #[tokio::test]
            super::kept(super::MemoryPayments::default())
        );
        booking_core::sandbox_contract!(
            #[tokio::test]
            super::kept(super::MemoryPayments::default())
        );
    }
}
