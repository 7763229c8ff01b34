//! Confirming the seats of what is paid.

use booking_core::{
    booking::{ConfirmSeats, Confirmed, SeatChanges},
    message::{Outcome, Refusal},
    ports::ledger::Ledger,
    time::Timestamp,
};

use super::{Judged, verdict::Verdict};
use crate::{Gauges, outward};

/// Confirms, in one verb, the seats of everything whose payment is authorised; answers the new verdicts and what changed
/// on the seat maps.
pub(super) async fn confirm(
    ledger: &dyn Ledger,
    gauges: &Gauges,
    mut judged: Vec<Judged>,
    now: Timestamp,
) -> (Vec<Judged>, Vec<SeatChanges>) {
    let paid: Vec<usize> = (0..judged.len()).filter(|at| matches!(judged[*at].verdict, Verdict::Paid(_))).collect();
    if paid.is_empty() {
        return (judged, Vec::new());
    }
    let asks: Vec<ConfirmSeats> = paid
        .iter()
        .map(|at| ConfirmSeats {
            booking: judged[*at].command.booking.clone(),
            user: judged[*at].command.user.clone(),
            transaction: judged[*at].payment.transaction.clone(),
        })
        .collect();
    let applied = match ledger.confirm(&asks, now).await {
        Ok(applied) => applied,
        Err(error) => {
            // Perhaps confirmed, perhaps not: whoever repeats learns it, and the payment is settled in any case.
            for at in paid {
                judged[at].verdict = Verdict::Answer(outward::unavailable(&error));
            }
            return (judged, Vec::new());
        }
    };
    for (at, answer) in paid.into_iter().zip(applied.answers) {
        let judged = &mut judged[at];
        let Verdict::Paid(held) = &judged.verdict else { continue };
        judged.verdict = match answer {
            Confirmed::Confirmed(booking) => {
                gauges.confirmed_total.add(1);
                Verdict::ConfirmedNow(booking)
            }
            Confirmed::Gone(booking) => Verdict::GiveBack(booking, Outcome::Refused(Refusal::HoldExpired)),
            Confirmed::Unknown => Verdict::GiveBack(held.clone(), Outcome::Refused(Refusal::NotFound)),
        };
    }
    (judged, applied.seats)
}
