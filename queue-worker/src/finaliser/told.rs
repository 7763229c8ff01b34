//! What the payment provider tells of money that it has set aside: it pays for the booking it names, or goes back.
//!
//! The provider was told that it is taken note of, and the buyer may be gone: where a port fails, nobody but the finaliser
//! repeats it. Until it is done, or past its deadline, its lane is not noted as done behind it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use booking_core::{
    booking::{Booking, BookingState},
    id::BookingId,
    message::{BookingAct, BookingCommand, Outcome, Refusal},
    money::Money,
    ports::PortResult,
    time::Timestamp,
};
use futures_util::{FutureExt as _, future::join};

use super::{
    Finaliser, Finished, Judged, money,
    verdict::{Payment, Verdict, judge_for},
    work,
};
use crate::{Gauges, Parts, outward, settings::millis};

/// The most doublings of the pause between tries.
const MAX_DOUBLINGS: u32 = 6;

/// What was told and could not be looked into, by its offset: part of what is unfinished, and so never more than may be
/// in flight.
#[derive(Debug, Default)]
pub(super) struct Again(BTreeMap<u64, Put>);

#[derive(Debug)]
struct Put {
    command: BookingCommand,
    failures: u32,
    not_before: Timestamp,
    is_begun: bool,
}

impl Again {
    /// Puts it off for a pause that doubles from `pause_ms`.
    fn put_off(&mut self, offset: u64, command: BookingCommand, pause_ms: i64, now: Timestamp) {
        let put = self.0.entry(offset).or_insert(Put { command, failures: 0, not_before: now, is_begun: false });
        put.not_before = now.plus_millis(pause_ms << put.failures.min(MAX_DOUBLINGS));
        put.failures += 1;
        put.is_begun = false;
    }

    /// The first that is due, of a booking that nobody is working on. It counts as begun from now on.
    fn next_due(&mut self, busy: &HashSet<BookingId>, now: Timestamp) -> Option<(u64, BookingCommand)> {
        let is_due = |put: &Put| !put.is_begun && put.not_before <= now && !busy.contains(&put.command.booking);
        let (offset, put) = self.0.iter_mut().find(|(_, put)| is_due(put))?;
        put.is_begun = true;
        Some((*offset, put.command.clone()))
    }

    /// Forgets what is done.
    pub(super) fn done(&mut self, offset: u64) {
        self.0.remove(&offset);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Judged {
    /// Whether it came to nothing because a port failed, and nobody but the finaliser repeats it.
    pub(super) fn is_to_be_repeated(&self) -> bool {
        matches!(self.command.act, BookingAct::Paid { .. })
            && matches!(self.verdict, Verdict::Answer(Outcome::Refused(Refusal::Unavailable { .. })))
    }
}

impl Finaliser {
    /// Tries it again later.
    pub(super) fn put_off(&mut self, judged: Judged, now: Timestamp) {
        let Judged { offset, command, .. } = judged;
        self.busy.remove(&command.booking);
        self.again.put_off(offset, command, millis(self.settings.settle_every_ms), now);
    }

    /// Begins what was put off and is due.
    pub(super) fn begin_again(&mut self, now: Timestamp) {
        while let Some((offset, command)) = self.again.next_due(&self.busy, now) {
            if command.deadline <= now {
                tracing::error!(booking = %command.booking, "what the provider told could not be looked into in time");
                self.gauges.discarded_total.add(1);
                self.finished(vec![Finished { offset, booking: None }]);
                continue;
            }
            self.busy.insert(command.booking.clone());
            let (parts, gauges) = (self.parts.clone(), Arc::clone(&self.gauges));
            self.working.push(async move { work(&parts, &gauges, offset, command, now).await }.boxed());
        }
    }
}

/// Finds out what is to be done about `amount`, which the provider has set aside for the command's booking.
pub(super) async fn judge(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    payment: &Payment,
    amount: Money,
    now: Timestamp,
) -> Verdict {
    let judged = try_judge_told(parts, gauges, command, payment, amount, now).await;
    judged.unwrap_or_else(|error| {
        tracing::warn!(%error, booking = %command.booking, transaction = %payment.transaction,
            "what the provider told can't be looked into; later");
        Verdict::Answer(outward::unavailable(&error))
    })
}

async fn try_judge_told(
    parts: &Parts,
    gauges: &Gauges,
    command: &BookingCommand,
    payment: &Payment,
    amount: Money,
    now: Timestamp,
) -> PortResult<Verdict> {
    let (booking, acts) =
        join(parts.ledger.booking(&command.booking), parts.ledger.payment_acts(&command.booking)).await;
    let Some(booking) = booking?.filter(|booking| booking.event_id == command.event) else {
        return Ok(Verdict::Answer(Outcome::Refused(Refusal::NotFound)));
    };
    match what_for(&booking, payment, amount) {
        // As its buyer would; what comes too late or second goes back like theirs.
        For::ItsSeats => judge_for(parts, gauges, booking, &acts?, payment, now).await,
        For::WhatItPaid => Ok(Verdict::Answer(Outcome::Booking(Box::new(booking)))),
        For::Nothing => {
            // From here on nothing forgets it: no crash, and no port that fails.
            money::note_told(parts, &booking, &payment.transaction, amount, now).await?;
            Ok(Verdict::GiveBackTold(booking, amount))
        }
    }
}

/// What a payment is for.
enum For {
    /// The booking may be had for it.
    ItsSeats,
    /// The booking was had for it.
    WhatItPaid,
    /// Nothing that is to be had.
    Nothing,
}

fn what_for(booking: &Booking, payment: &Payment, amount: Money) -> For {
    match booking.state {
        BookingState::Confirmed if booking.transaction.as_ref() == Some(&payment.transaction) => For::ItsSeats,
        BookingState::Cancelled if booking.transaction.as_ref() == Some(&payment.transaction) => For::WhatItPaid,
        // A hold that ran out may still be had.
        BookingState::Held | BookingState::Expired if booking.total == amount => For::ItsSeats,
        _ => For::Nothing,
    }
}
