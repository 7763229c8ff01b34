//! What comes after the seats: the answers, and taking the money or giving it back.

use std::collections::BTreeMap;

use booking_core::{
    booking::{Booking, SeatChanges},
    holds::Settle,
    id::EventId,
    message::{Outcome, Refusal},
    money::Money,
    ports::PortResult,
    time::Timestamp,
};
use futures_util::future::{join, join_all, join3};

use super::{
    Finished, Judged, money,
    verdict::{Payment, Verdict},
};
use crate::{Gauges, Parts, outward};

/// What becomes of a payment.
enum End {
    Take(Booking),
    SeeTaken(Booking),
    GiveBack(Booking, Payment),
    GiveBackTold(Booking, Payment, Money),
}

/// Answers, tells the screens, and takes or gives back the money of each.
///
/// # Errors
/// If the log fails.
pub(super) async fn finish(
    parts: &Parts,
    gauges: &Gauges,
    judged: Vec<Judged>,
    changes: &[SeatChanges],
    now: Timestamp,
) -> PortResult<Vec<Finished>> {
    let mut booked: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
    let mut ends = Vec::with_capacity(judged.len());
    let mut finished = Vec::with_capacity(judged.len());
    let mut replies = Vec::with_capacity(judged.len());
    for Judged { offset, command, payment, verdict } in judged {
        let is_new = matches!(verdict, Verdict::ConfirmedNow(_));
        let outcome = match verdict {
            Verdict::Answer(outcome) => outcome,
            Verdict::GiveBack(booking, outcome) => {
                ends.push(End::GiveBack(booking, payment));
                outcome
            }
            Verdict::GiveBackTold(booking, amount) => {
                ends.push(End::GiveBackTold(booking, payment, amount));
                Outcome::Done
            }
            Verdict::Paid(booking) | Verdict::Confirmed(booking) | Verdict::ConfirmedNow(booking) => {
                let settle = Settle::Booked(booking.booking_id.clone());
                booked.entry(booking.event_id.clone()).or_default().push(settle);
                let is_its_own = booking.transaction.as_ref() == Some(&payment.transaction);
                ends.push(match is_its_own {
                    true if is_new => End::Take(booking.clone()),
                    true => End::SeeTaken(booking.clone()),
                    false => End::GiveBack(booking.clone(), payment),
                });
                Outcome::Booking(Box::new(booking))
            }
        };
        if matches!(outcome, Outcome::Refused(Refusal::PaymentDeclined { .. })) {
            gauges.declined_total.add(1);
        }
        finished.push(Finished { offset, booking: Some(command.booking) });
        replies.push((command.reply_to, outcome));
    }
    let log = &*parts.log;
    // A batch that was confirmed later must not be told earlier, or live maps would see a gap. And what is confirmed
    // stays so: nobody waits for the provider to take the money.
    let told = join(outward::publish_seats(log, changes), outward::reply(log, replies));
    let settled = join_all(ends.iter().map(|end| bring_to_its_end(parts, gauges, end, now)));
    let (((), told), _, ()) = join3(told, settled, tell_holds(parts, booked)).await;
    told?;
    Ok(finished)
}

async fn bring_to_its_end(parts: &Parts, gauges: &Gauges, end: &End, now: Timestamp) {
    let (booking, done) = match end {
        End::Take(booking) => (booking, money::take(parts, booking, now).await),
        End::SeeTaken(booking) => (booking, money::see_taken(parts, booking, now).await),
        End::GiveBack(booking, payment) => {
            let given_back = money::give_back(parts, booking, &payment.transaction, now).await;
            (booking, given_back.map(|given_back| gauges.voided_total.add(usize::from(given_back))))
        }
        End::GiveBackTold(booking, payment, amount) => {
            let given_back = money::void(parts, booking, &payment.transaction, *amount, now).await;
            (booking, given_back.map(|given_back| gauges.voided_total.add(usize::from(given_back))))
        }
    };
    if let Err(error) = done {
        gauges.unsettled_total.add(1);
        tracing::warn!(%error, booking = %booking.booking_id, "its payment is to be settled later");
    }
}

/// Tells the hold table what is booked.
async fn tell_holds(parts: &Parts, booked: BTreeMap<EventId, Vec<Settle>>) {
    for (event, settles) in booked {
        if let Err(error) = parts.holds.settle(&event, &settles).await {
            tracing::warn!(%error, %event, "the hold table did not hear of bookings; the ledger knows them");
        }
    }
}
