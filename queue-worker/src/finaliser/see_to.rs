//! What a person decides about a payment or refund that is stuck.

use booking_core::{
    booking::{AuditEntry, Booking, BookingState, PaymentAct, PaymentStep, open_since},
    id::TransactionId,
    message::{BookingCommand, Outcome, Refusal},
    ports::{PortResult, payments::Refunded},
    time::Timestamp,
};
use serde_json::json;

use super::money;
use crate::{Parts, outward};

/// A person's decision.
pub(super) struct Decision {
    pub(super) transaction: TransactionId,
    /// Of which of the booking's refunds; 0: of the payment itself.
    pub(super) refund: u32,
    /// How it was resolved outside; `None`: ask the provider once more.
    pub(super) resolved: Option<String>,
    pub(super) actor: String,
    /// The command's id.
    pub(super) command: String,
}

/// Carries the decision out, notes it in the audit trail, and answers.
///
/// # Errors
/// If the log fails.
pub(super) async fn see_to(
    parts: &Parts,
    command: &BookingCommand,
    decision: &Decision,
    now: Timestamp,
) -> PortResult<()> {
    let outcome = try_see_to(parts, command, decision, now).await.unwrap_or_else(|error| outward::unavailable(&error));
    outward::reply(&*parts.log, vec![(command.reply_to.clone(), outcome)]).await
}

async fn try_see_to(
    parts: &Parts,
    command: &BookingCommand,
    decision: &Decision,
    now: Timestamp,
) -> PortResult<Outcome> {
    let booking = parts.ledger.booking(&command.booking).await?;
    let Some(booking) = booking.filter(|booking| booking.event_id == command.event) else {
        return Ok(Outcome::Refused(Refusal::NotFound));
    };
    let acts = parts.ledger.payment_acts(&booking.booking_id).await?;
    let of_it = || acts.iter().filter(|act| act.transaction == decision.transaction && act.refund == decision.refund);
    let stuck = of_it().find(|act| act.step == PaymentStep::Stuck);
    let Some(stuck) = stuck.filter(|_| open_since(of_it()).is_some()) else {
        // Repeated, or settled in between: what was asked for by this very command is done.
        let trail = parts.ledger.audit_trail(&booking.event_id, None, RECENT).await?;
        let is_done = trail.iter().any(|entry| entry.command == decision.command);
        return Ok(if is_done { Outcome::Done } else { Outcome::Refused(Refusal::NotStuck) });
    };
    // First, so that whoever repeats it after a crash finds it, whatever came of it.
    let entry = AuditEntry {
        number: 0,
        command: decision.command.clone(),
        event_id: booking.event_id.clone(),
        actor: decision.actor.clone(),
        at: now,
        action: if decision.resolved.is_some() { "resolve a stuck payment" } else { "repeat a stuck payment" }
            .to_owned(),
        before: json!({"booking": booking.booking_id, "transaction": decision.transaction, "refund": decision.refund,
            "amount": stuck.amount, "stuck": stuck.reason}),
        after: json!({"resolved": decision.resolved}),
    };
    parts.ledger.record_audit(&entry).await?;
    let Some(how) = &decision.resolved else {
        let refused = repeat(parts, &booking, stuck, now).await?;
        return Ok(refused.map_or(Outcome::Done, |why| Outcome::Refused(Refusal::StillStuck { why })));
    };
    let reason = Some(format!("{how} ({})", decision.actor));
    parts.ledger.record_payment(&PaymentAct { step: PaymentStep::Resolved, at: now, reason, ..stuck.clone() }).await?;
    Ok(Outcome::Done)
}

/// Entries of the audit trail that are looked through for a command that is repeated.
const RECENT: usize = 100;

/// Asks the provider once more. Answers why it refused, if it did.
async fn repeat(parts: &Parts, booking: &Booking, stuck: &PaymentAct, now: Timestamp) -> PortResult<Option<String>> {
    if stuck.refund > 0 {
        return Ok(match money::refund(parts, booking, stuck, now).await? {
            Refunded::Done => None,
            Refunded::Refused(why) => Some(why),
        });
    }
    let pays = booking.transaction.as_ref() == Some(&stuck.transaction);
    if pays && matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled) {
        money::take(parts, booking, now).await?;
    } else {
        money::give_back(parts, booking, &stuck.transaction, now).await?;
    }
    Ok(None)
}
