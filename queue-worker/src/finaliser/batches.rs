//! What is done one batch after the other: while one is at the ledger, the next gathers.

use std::sync::Arc;

use booking_core::time::Timestamp;
use futures_util::FutureExt as _;

use super::{Finaliser, Work, confirm, door};

impl Finaliser {
    /// Begins to confirm what is ready, unless a batch is being confirmed. Answers whether it began.
    pub(super) fn confirm_next(&mut self, now: Timestamp) -> bool {
        if self.is_confirming || self.judged.is_empty() {
            return false;
        }
        self.is_confirming = true;
        let (ledger, gauges) = (Arc::clone(&self.parts.ledger), Arc::clone(&self.gauges));
        let judged = std::mem::take(&mut self.judged);
        let confirm = async move { confirm::confirm(&*ledger, &gauges, judged, now).await };
        self.working.push(confirm.map(|(judged, changes)| Work::Confirmed(judged, changes)).boxed());
        true
    }

    /// The same of what was scanned.
    pub(super) fn check_in_next(&mut self) -> bool {
        if self.is_checking_in {
            return false;
        }
        let scans = self.scans.take();
        self.is_checking_in = !scans.is_empty();
        if self.is_checking_in {
            let (parts, gauges) = (self.parts.clone(), Arc::clone(&self.gauges));
            let check_in = async move { door::check_in(&parts, &gauges, scans).await };
            self.working.push(check_in.map(Work::CheckedIn).boxed());
        }
        self.is_checking_in
    }
}
