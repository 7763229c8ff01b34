//! What the workers measure of themselves, as plain numbers for whoever exports them.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number, counted or measured.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

macro_rules! gauges {
    ($($prefix:literal { $($(#[doc = $doc:literal])* $name:ident,)* })*) => {
        /// Everything that the workers measure. Counters (`…_total` in [`Gauges::all`]) only rise; the others move.
        #[derive(Debug, Default)]
        pub struct Gauges {
            $($($(#[doc = $doc])* pub $name: Gauge,)*)*
        }

        impl Gauges {
            /// Whether it was told what to serve, even if that is nothing.
            pub fn knows_its_duties(&self) -> bool {
                self.assignments_total.get() > 0
            }

            /// Each number with the name that it is exported by, and what it is.
            pub fn all(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$($(
                    (concat!($prefix, stringify!($name)), concat!($($doc),*).trim_ascii(), self.$name.get()),
                )*)*]
            }
        }
    };
}

gauges! {
    "weir_worker_" {
        /// Lanes and other duties served now.
        duties,
        /// Times that it was told to serve something else than before.
        assignments_total,
        /// Lines kept now.
        lines_kept,
        /// Batches closed and drawn.
        batches_total,
        /// Visitors called.
        called_total,
        /// Operators' commands done.
        commands_total,
        /// Times that a keeper found that another had taken over.
        superseded_total,
        /// Commands of weir.bookings that the hold pool has not taken yet, as of the lane it looked at last.
        pool_waiting,
        /// Hold, extension and release commands being worked on.
        pool_in_flight,
        /// Holds and releases a second that the pool was measured to manage while there were more to do; 0: not measured.
        pool_per_second,
        /// Holds granted.
        holds_granted_total,
        /// Holds refused.
        holds_refused_total,
        /// Holds extended.
        extended_total,
        /// Releases.
        releases_total,
        /// Commands discarded because nobody waited for them any more.
        discarded_total,
        /// Entries of the log that can't be read.
        unreadable_total,
        /// Hold tables rebuilt from the ledger.
        rebuilt_total,
        /// Grants of a hold table that the ledger refused.
        contradicted_total,
        /// Confirmations being worked on, in the lane that was looked at last.
        confirms_in_flight,
        /// Bookings confirmed.
        confirmed_total,
        /// Payments declined.
        declined_total,
        /// Payments given back because their seats could not be confirmed.
        voided_total,
        /// Acts at the payment provider or at the desk that failed and are to be settled later.
        unsettled_total,
        /// Bookings of which seats were cancelled.
        cancelled_total,
        /// Tickets scanned at doors.
        scans_total,
        /// Batches that scans were checked in with.
        scan_batches_total,
        /// Bookings told that their event was moved.
        told_total,
        /// Bookings carried over to another hall.
        carried_total,
        /// Refunds made.
        refunded_total,
        /// Payments and refunds that got stuck: `weir payments stuck` shows those that still are.
        stuck_total,
        /// Payments and refunds that a person has to see to now, up to 1,000.
        stuck,
        /// Holds marked as expired.
        expired_total,
        /// Outbox rows published.
        published_total,
        /// Runs of the reconciler that got to their end.
        reconciled_total,
        /// Differences that the reconciler found.
        differences_total,
        /// Of those, how many it mended.
        mended_total,
        /// Steps that failed.
        failures_total,
        /// Letters that a server took over.
        letters_sent_total,
        /// Letters that can't be sent.
        letters_refused_total,
        /// Letters that wait, as of a few seconds ago.
        letters_waiting,
        /// Buyers whose address could not be kept: they get no letters.
        addresses_lost_total,
        /// Webhooks that an endpoint took.
        webhooks_taken_total,
        /// Tries to deliver a webhook that failed.
        webhooks_failed_total,
        /// Webhooks that were given up.
        webhooks_given_up_total,
        /// Parts made anew after a failure.
        restarts_total,
    }
    "weir_" {
        /// Seats found with two owners. Anything but 0 is a bug (invariant 1).
        double_sold_total,
        /// Payments that a person has to see to: their provider has them otherwise than the ledger, or they are stuck. As of
        /// the last run of the reconciler.
        unreconciled_payments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_name_and_a_meaning() {
        let gauges = Gauges::default();
        gauges.called_total.add(7);
        let all = gauges.all();
        assert!(all.iter().all(|(_, meaning, _)| !meaning.is_empty()));
        assert!(all.iter().any(|(name, ..)| *name == "weir_double_sold_total"));
        assert!(all.contains(&("weir_worker_called_total", "Visitors called.", 7)));
    }
}
