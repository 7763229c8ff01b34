//! What the ledger's writer is asked for, and how a group of it is one transaction.

use booking_core::{
    booking::{
        AuditEntry, Begun, Booking, CalledOff, CancelSeats, Cancelled, Carry, CheckIn, CheckedIn, ClaimSeats, Claimed,
        ConfirmSeats, Confirmed, ExtendHold, Extended, HallChange, PaymentAct, Release, Released, Revocation,
        RevokeTicket,
    },
    catalog::Moved,
    digest::Digest,
    id::EventId,
    ports::{PortError, ledger::Applied},
    time::Timestamp,
};
use sqlx::SqliteConnection;

use super::{door, load, load::Needs, store, trails};
use crate::{
    sql::books::Books,
    sqlite::{
        group::{Group, Reply},
        queue,
    },
};

/// What is asked for, and whom to answer.
pub(super) enum Act {
    Claim { batch: Vec<ClaimSeats>, now: Timestamp, reply: Reply<Applied<Claimed>> },
    Confirm { batch: Vec<ConfirmSeats>, now: Timestamp, reply: Reply<Applied<Confirmed>> },
    Extend { batch: Vec<ExtendHold>, now: Timestamp, reply: Reply<Applied<Extended>> },
    Release { batch: Vec<Release>, now: Timestamp, reply: Reply<Applied<Released>> },
    Expire { now: Timestamp, max: usize, reply: Reply<Applied<Booking>> },
    Cancel { batch: Vec<CancelSeats>, now: Timestamp, reply: Reply<Applied<Cancelled>> },
    CheckIn { event: EventId, batch: Vec<CheckIn>, reply: Reply<Vec<CheckedIn>> },
    Revoke { event: EventId, batch: Vec<RevokeTicket>, reply: Reply<Vec<Revocation>> },
    Payment { act: PaymentAct, reply: Reply<()> },
    Audit { entry: AuditEntry, reply: Reply<()> },
    Published { numbers: Vec<u64>, reply: Reply<()> },
    ChainEnd { event: EventId, candidate: Digest, reply: Reply<Digest> },
    CallOff { event: EventId, called_off: CalledOff, reply: Reply<CalledOff> },
    Move { event: EventId, moved: Box<Moved>, reply: Reply<()> },
    TellMoved { max: usize, now: Timestamp, reply: Reply<usize> },
    BeginRehousing { event: EventId, change: Box<HallChange>, version: u64, now: Timestamp, reply: Reply<Begun> },
    Carry { batch: Vec<Carry>, now: Timestamp, reply: Reply<Applied<bool>> },
    EndRehousing { event: EventId, number: u32, reply: Reply<()> },
}

/// What a claim, or anything else of a batch, takes while it waits, in bytes, about.
const ONE_BYTES: usize = 512;

impl queue::Act for Act {
    fn bytes(&self) -> usize {
        ONE_BYTES
            * match self {
                Self::Claim { batch, .. } => 1 + batch.len(),
                Self::Confirm { batch, .. } => 1 + batch.len(),
                Self::Extend { batch, .. } => 1 + batch.len(),
                Self::Release { batch, .. } => 1 + batch.len(),
                Self::Cancel { batch, .. } => 1 + batch.len(),
                Self::CheckIn { batch, .. } => 1 + batch.len(),
                Self::Revoke { batch, .. } => 1 + batch.len(),
                Self::Carry { batch, .. } => 1 + batch.len(),
                Self::BeginRehousing { change, .. } => 2 + change.seats.len(),
                _ => 1,
            }
    }
}

impl Act {
    fn name_needs(&self, needs: &mut Needs) {
        match self {
            Self::Claim { batch, .. } => {
                for claim in batch {
                    needs.bookings.insert(claim.booking.clone());
                    needs.sessions.insert(claim.session.clone());
                    needs.users.insert((claim.user.clone(), claim.event.clone()));
                    needs.seats.extend(claim.seats.iter().map(|seat| (claim.event.clone(), *seat)));
                }
            }
            Self::Confirm { batch, .. } => {
                needs.bookings.extend(batch.iter().map(|ask| ask.booking.clone()));
                needs.confirms.extend(batch.iter().map(|ask| ask.booking.clone()));
            }
            Self::Extend { batch, .. } => needs.bookings.extend(batch.iter().map(|ask| ask.booking.clone())),
            Self::Release { batch, .. } => needs.bookings.extend(batch.iter().map(|ask| ask.booking.clone())),
            Self::Expire { now, max, .. } => {
                let (latest, most) = needs.due.unwrap_or_default();
                needs.due = Some((latest.max(*now), most.saturating_add(*max)));
            }
            Self::Carry { batch, .. } => needs.bookings.extend(batch.iter().map(|ask| ask.booking.clone())),
            Self::Cancel { batch, .. } => needs.tickets(batch.iter().map(|ask| &ask.booking)),
            Self::CheckIn { batch, .. } => needs.tickets(batch.iter().map(|ask| &ask.booking)),
            Self::Revoke { batch, .. } => needs.tickets(batch.iter().map(|ask| &ask.booking)),
            Self::Payment { .. }
            | Self::Audit { .. }
            | Self::Published { .. }
            | Self::ChainEnd { .. }
            | Self::CallOff { .. }
            | Self::Move { .. }
            | Self::TellMoved { .. }
            | Self::BeginRehousing { .. }
            | Self::EndRehousing { .. } => {}
        }
    }

    /// Does what needs the books, and decides its answer.
    fn decide(&mut self, books: &mut Books) {
        match self {
            Self::Claim { batch, now, reply } => {
                reply.set(books.apply(&*batch, *now, |books, claim, touched| Some(books.claim(claim, *now, touched))));
            }
            Self::Confirm { batch, now, reply } => {
                reply.set(books.apply(&*batch, *now, |books, ask, touched| Some(books.confirm(ask, *now, touched))));
            }
            Self::Extend { batch, now, reply } => {
                reply.set(books.apply(&*batch, *now, |books, ask, touched| Some(books.extend(ask, *now, touched))));
            }
            Self::Release { batch, now, reply } => {
                reply.set(books.apply(&*batch, *now, |books, ask, touched| Some(books.release(ask, *now, touched))));
            }
            Self::Expire { now, max, reply } => {
                let mut left = *max;
                let applied = books.apply(books.due.clone(), *now, |books, id, touched| {
                    left = left.checked_sub(1)?;
                    let expired = books.expire(&id, *now, touched);
                    left += usize::from(expired.is_none());
                    expired
                });
                reply.set(applied);
            }
            Self::Cancel { batch, now, reply } => {
                reply.set(books.apply(&*batch, *now, |books, ask, touched| Some(books.cancel(ask, *now, touched))));
            }
            Self::Carry { batch, now, reply } => {
                reply.set(books.apply(&*batch, *now, |books, ask, touched| Some(books.carry(ask, *now, touched))));
            }
            Self::CheckIn { event, batch, reply } => {
                reply.set(batch.iter().map(|ask| books.check_in(event, ask)).collect());
            }
            Self::Revoke { event, batch, reply } => {
                reply.set(batch.iter().map(|ask| books.revoke_ticket(event, ask)).collect());
            }
            Self::Payment { reply, .. } | Self::Audit { reply, .. } | Self::Published { reply, .. } => reply.set(()),
            Self::ChainEnd { .. }
            | Self::CallOff { .. }
            | Self::Move { .. }
            | Self::TellMoved { .. }
            | Self::BeginRehousing { .. }
            | Self::EndRehousing { .. } => {}
        }
    }
}

/// Writes groups of acts.
pub(super) struct Writer;

impl Group for Writer {
    type Act = Act;
    const APART: bool = true;

    async fn write(&mut self, transaction: &mut SqliteConnection, acts: &mut Vec<Act>) -> Result<(), sqlx::Error> {
        let mut needs = Needs::default();
        for act in &*acts {
            act.name_needs(&mut needs);
        }
        let mut books = load::books(transaction, needs).await?;
        for act in &mut *acts {
            act.decide(&mut books);
        }
        store::books(transaction, &books).await?;
        door::marks(transaction, &books).await?;
        trails::payments(transaction, &books.acts).await?;
        trails::record(transaction, acts).await
    }

    fn written(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Claim { reply, .. } => reply.send(),
                Act::Confirm { reply, .. } => reply.send(),
                Act::Extend { reply, .. } => reply.send(),
                Act::Release { reply, .. } => reply.send(),
                Act::Expire { reply, .. } => reply.send(),
                Act::Cancel { reply, .. } => reply.send(),
                Act::CheckIn { reply, .. } => reply.send(),
                Act::Revoke { reply, .. } => reply.send(),
                Act::Payment { reply, .. }
                | Act::Audit { reply, .. }
                | Act::Published { reply, .. }
                | Act::Move { reply, .. }
                | Act::EndRehousing { reply, .. } => reply.send(),
                Act::Carry { reply, .. } => reply.send(),
                Act::BeginRehousing { reply, .. } => reply.send(),
                Act::ChainEnd { reply, .. } => reply.send(),
                Act::CallOff { reply, .. } => reply.send(),
                Act::TellMoved { reply, .. } => reply.send(),
            }
        }
    }

    fn failed(&mut self, acts: Vec<Act>, why: &PortError) {
        for act in acts {
            match act {
                Act::Claim { reply, .. } => reply.fail(why),
                Act::Confirm { reply, .. } => reply.fail(why),
                Act::Extend { reply, .. } => reply.fail(why),
                Act::Release { reply, .. } => reply.fail(why),
                Act::Expire { reply, .. } => reply.fail(why),
                Act::Cancel { reply, .. } => reply.fail(why),
                Act::CheckIn { reply, .. } => reply.fail(why),
                Act::Revoke { reply, .. } => reply.fail(why),
                Act::Payment { reply, .. }
                | Act::Audit { reply, .. }
                | Act::Published { reply, .. }
                | Act::Move { reply, .. }
                | Act::EndRehousing { reply, .. } => {
                    reply.fail(why);
                }
                Act::Carry { reply, .. } => reply.fail(why),
                Act::BeginRehousing { reply, .. } => reply.fail(why),
                Act::ChainEnd { reply, .. } => reply.fail(why),
                Act::CallOff { reply, .. } => reply.fail(why),
                Act::TellMoved { reply, .. } => reply.fail(why),
            }
        }
    }
}
