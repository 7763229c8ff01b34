//! Holds that were asked for before.

use booking_core::{
    message::{Outcome, Refusal},
    ports::{PortResult, ledger::LedgerReader},
};
use futures_util::future::try_join_all;

use super::hold::Hold;

/// The answers to holds whose bookings the ledger knows already; `None`: it does not.
pub(super) async fn known<'a, L: LedgerReader + ?Sized>(
    ledger: &L,
    holds: impl Iterator<Item = &'a Hold>,
) -> PortResult<Vec<Option<Outcome>>> {
    try_join_all(holds.map(|hold| async move {
        let earlier = ledger.booking(&hold.booking).await?;
        Ok(earlier.map(|earlier| {
            let same = earlier.fingerprint == hold.fingerprint
                && earlier.user_id == hold.user
                && earlier.event_id == hold.event;
            if same { Outcome::Booking(Box::new(earlier)) } else { Outcome::Refused(Refusal::KeyReused) }
        }))
    }))
    .await
}
