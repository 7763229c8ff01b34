//! The door: who is let in, and with which ticket no longer. What comes in together is one verb of the ledger an event.

use std::collections::BTreeMap;

use booking_core::{
    booking::{AuditEntry, CheckIn, Revocation, RevokeTicket, ticket_id},
    id::EventId,
    message::{BookingAct, BookingCommand, Outcome, Refusal, ReplyTo},
    ports::PortResult,
    seats::SeatIndex,
    time::Timestamp,
};
use serde_json::json;

use super::Finished;
use crate::{Gauges, Parts, outward};

/// The most scans of one verb, unless a single command has more.
const MAX_SCANS: usize = 2_000;

/// Scans that wait for those before them to be written: of no more commands than are worked on at once.
#[derive(Default)]
pub(super) struct Scans(Vec<(u64, BookingCommand)>);

impl Scans {
    pub(super) fn push(&mut self, offset: u64, command: BookingCommand) {
        self.0.push((offset, command));
    }

    /// The next batch, in the order they came; empty where none waits.
    pub(super) fn take(&mut self) -> Vec<(u64, BookingCommand)> {
        let mut scans = 0;
        let fit = self.0.iter().take_while(|(_, command)| {
            scans += asked(command).len();
            scans <= MAX_SCANS
        });
        let fit = fit.count().max(1).min(self.0.len());
        self.0.drain(..fit).collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn asked(command: &BookingCommand) -> &[CheckIn] {
    if let BookingAct::CheckIn { scans } = &command.act { scans } else { &[] }
}

/// Checks in what `commands` ask for, and answers each.
///
/// # Errors
/// If the log fails.
pub(super) async fn check_in(
    parts: &Parts,
    gauges: &Gauges,
    commands: Vec<(u64, BookingCommand)>,
) -> PortResult<Vec<Finished>> {
    let mut by_event: BTreeMap<&EventId, Vec<&BookingCommand>> = BTreeMap::new();
    for (_, command) in &commands {
        by_event.entry(&command.event).or_default().push(command);
    }
    let mut replies: Vec<(ReplyTo, Outcome)> = Vec::with_capacity(commands.len());
    for (event, commands) in by_event {
        let batch: Vec<CheckIn> = commands.iter().flat_map(|command| asked(command)).cloned().collect();
        let answers = parts.ledger.check_in(event, &batch).await;
        gauges.scans_total.add(batch.len());
        gauges.scan_batches_total.add(1);
        let mut answers = answers.map(Vec::into_iter);
        replies.extend(commands.into_iter().map(|command| {
            let outcome = match &mut answers {
                Ok(answers) => Outcome::CheckedIn(answers.take(asked(command).len()).collect()),
                Err(error) => outward::unavailable(error),
            };
            (command.reply_to.clone(), outcome)
        }));
    }
    outward::reply(&*parts.log, replies).await?;
    Ok(commands.into_iter().map(|(offset, _)| Finished { offset, booking: None }).collect())
}

/// Revokes a ticket or makes it good again, notes it in the audit trail, and answers.
///
/// # Errors
/// If the log fails.
pub(super) async fn revoke(
    parts: &Parts,
    command: &BookingCommand,
    seat: SeatIndex,
    why: Option<&String>,
    (actor, id): (&str, &str),
    now: Timestamp,
) -> PortResult<()> {
    let revoke = async {
        let ask = RevokeTicket { booking: command.booking.clone(), seat, why: why.cloned() };
        let answers = parts.ledger.revoke_tickets(&command.event, &[ask]).await?;
        if answers != [Revocation::Done] {
            return Ok(Outcome::Refused(Refusal::NotFound));
        }
        // Behind it: a crash in between repeats both.
        let entry = AuditEntry {
            number: 0,
            command: id.to_owned(),
            event_id: command.event.clone(),
            actor: actor.to_owned(),
            at: now,
            action: if why.is_some() { "revoke a ticket" } else { "make a ticket good again" }.to_owned(),
            before: json!({"ticketId": ticket_id(&command.booking, seat), "bookingId": command.booking}),
            after: json!({ "revoked": why }),
        };
        parts.ledger.record_audit(&entry).await?;
        Ok(Outcome::Done)
    };
    let outcome = revoke.await.unwrap_or_else(|error| outward::unavailable(&error));
    outward::reply(&*parts.log, vec![(command.reply_to.clone(), outcome)]).await
}
