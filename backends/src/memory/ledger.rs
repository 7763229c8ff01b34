//! The ledger in memory.

mod books;
mod door;
mod moved;
mod rehouse;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    booking::{
        AuditEntry, Begun, Booking, CalledOff, CancelSeats, Cancelled, Carry, CheckIn, CheckedIn, ClaimSeats, Claimed,
        ConfirmSeats, Confirmed, DoorBooking, DoorCounts, ExtendHold, Extended, HallChange, Housing, OutboxRow,
        PaymentAct, Release, Released, Revocation, RevokeTicket, Telling, ToCarry, Totals,
    },
    catalog::Moved,
    digest::Digest,
    holds::SeatClaim,
    id::{BookingId, EventId, UserId},
    ports::{
        PortResult,
        ledger::{Applied, Ledger, LedgerReader, SeatStates},
    },
    seats::SeatIndex,
    time::Timestamp,
};

use self::books::{Books, Touched};
use super::locked;

/// A ledger in memory; its clones share it. It keeps everything it is told, as a ledger does.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger(Arc<Mutex<Books>>);

impl MemoryLedger {
    /// One transaction: nobody sees the books in between.
    fn apply<T>(&self, act: impl FnOnce(&mut Books, &mut Touched) -> Vec<T>) -> Applied<T> {
        let mut books = locked(&self.0);
        let mut touched = Touched::default();
        let answers = act(&mut books, &mut touched);
        Applied { answers, seats: books.number(touched) }
    }
}

#[async_trait]
impl LedgerReader for MemoryLedger {
    async fn booking(&self, booking: &BookingId) -> PortResult<Option<Booking>> {
        Ok(locked(&self.0).booking(booking).cloned())
    }

    async fn bookings_of(&self, user: &UserId, before: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        Ok(locked(&self.0).bookings_of(user, before, max))
    }

    async fn seat_states(&self, event: &EventId) -> PortResult<SeatStates> {
        Ok(locked(&self.0).seat_states(event))
    }

    async fn live_claims(&self, event: &EventId, now: Timestamp) -> PortResult<Vec<SeatClaim>> {
        Ok(locked(&self.0).live_claims(event, now))
    }

    async fn called_off(&self, event: &EventId) -> PortResult<Option<CalledOff>> {
        Ok(locked(&self.0).called_off(event))
    }

    async fn telling(&self, event: &EventId) -> PortResult<Option<Telling>> {
        Ok(locked(&self.0).telling(event))
    }

    async fn housing(&self, event: &EventId) -> PortResult<Option<Housing>> {
        Ok(locked(&self.0).housing(event))
    }

    async fn refunds_left(&self, event: &EventId) -> PortResult<u64> {
        Ok(locked(&self.0).refunds_left(event))
    }

    async fn totals(&self, event: &EventId, now: Timestamp) -> PortResult<Totals> {
        Ok(locked(&self.0).totals(event, now))
    }

    async fn door_bookings(&self, event: &EventId, since: u64, max: usize) -> PortResult<Vec<DoorBooking>> {
        Ok(locked(&self.0).door_bookings(event, since, max))
    }

    async fn door_counts(&self, event: &EventId) -> PortResult<DoorCounts> {
        Ok(locked(&self.0).door_counts(event))
    }

    async fn audit_trail(&self, event: &EventId, before: Option<u64>, max: usize) -> PortResult<Vec<AuditEntry>> {
        let books = locked(&self.0);
        let trail = books.audit.iter().rev().filter(|entry| entry.event_id == *event);
        Ok(trail.filter(|entry| before.is_none_or(|before| entry.number < before)).take(max).cloned().collect())
    }

    async fn all_bookings(&self, after: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        Ok(locked(&self.0).all_bookings(after, max))
    }

    async fn seat_owners(&self, event: &EventId) -> PortResult<Vec<(SeatIndex, BookingId)>> {
        Ok(locked(&self.0).seat_owners(event))
    }

    async fn payment_acts(&self, booking: &BookingId) -> PortResult<Vec<PaymentAct>> {
        Ok(locked(&self.0).payments.get(booking).cloned().unwrap_or_default())
    }

    async fn stuck_payments(&self, max: usize) -> PortResult<Vec<PaymentAct>> {
        Ok(locked(&self.0).stuck_payments(max))
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn claim_seats(&self, batch: &[ClaimSeats], now: Timestamp) -> PortResult<Applied<Claimed>> {
        Ok(self.apply(|books, touched| batch.iter().map(|claim| books.claim(claim, now, touched)).collect()))
    }

    async fn confirm(&self, batch: &[ConfirmSeats], now: Timestamp) -> PortResult<Applied<Confirmed>> {
        Ok(self.apply(|books, touched| batch.iter().map(|ask| books.confirm(ask, now, touched)).collect()))
    }

    async fn extend(&self, batch: &[ExtendHold], now: Timestamp) -> PortResult<Applied<Extended>> {
        Ok(self.apply(|books, touched| batch.iter().map(|ask| books.extend(ask, now, touched)).collect()))
    }

    async fn release(&self, batch: &[Release], now: Timestamp) -> PortResult<Applied<Released>> {
        Ok(self.apply(|books, touched| batch.iter().map(|ask| books.release(ask, now, touched)).collect()))
    }

    async fn expire(&self, now: Timestamp, max: usize) -> PortResult<Applied<Booking>> {
        Ok(self.apply(|books, touched| books.expire(now, max, touched)))
    }

    async fn check_in(&self, event: &EventId, batch: &[CheckIn]) -> PortResult<Vec<CheckedIn>> {
        let mut books = locked(&self.0);
        Ok(batch.iter().map(|ask| books.check_in(event, ask)).collect())
    }

    async fn revoke_tickets(&self, event: &EventId, batch: &[RevokeTicket]) -> PortResult<Vec<Revocation>> {
        let mut books = locked(&self.0);
        Ok(batch.iter().map(|ask| books.revoke_ticket(event, ask)).collect())
    }

    async fn cancel(&self, batch: &[CancelSeats], now: Timestamp) -> PortResult<Applied<Cancelled>> {
        Ok(self.apply(|books, touched| batch.iter().map(|ask| books.cancel(ask, now, touched)).collect()))
    }

    async fn call_off(&self, event: &EventId, called_off: &CalledOff) -> PortResult<CalledOff> {
        Ok(locked(&self.0).call_off(event, called_off))
    }

    async fn bookings_called_off(&self, max: usize) -> PortResult<Vec<Booking>> {
        Ok(locked(&self.0).bookings_called_off(max))
    }

    async fn record_move(&self, event: &EventId, moved: &Moved) -> PortResult<()> {
        locked(&self.0).record_move(event, moved);
        Ok(())
    }

    async fn tell_moved(&self, max: usize, now: Timestamp) -> PortResult<usize> {
        Ok(locked(&self.0).tell_moved(max, now))
    }

    async fn begin_rehousing(
        &self,
        event: &EventId,
        change: &HallChange,
        version: u64,
        now: Timestamp,
    ) -> PortResult<Begun> {
        Ok(locked(&self.0).begin_rehousing(event, change, version, now))
    }

    async fn bookings_to_carry(&self, max: usize) -> PortResult<Option<ToCarry>> {
        Ok(locked(&self.0).bookings_to_carry(max))
    }

    async fn carry(&self, batch: &[Carry], now: Timestamp) -> PortResult<Applied<bool>> {
        Ok(self.apply(|books, touched| batch.iter().map(|ask| books.carry(ask, now, touched)).collect()))
    }

    async fn end_rehousing(&self, event: &EventId, number: u32) -> PortResult<()> {
        locked(&self.0).end_rehousing(event, number);
        Ok(())
    }

    async fn record_payment(&self, act: &PaymentAct) -> PortResult<()> {
        locked(&self.0).record_payment(act);
        Ok(())
    }

    async fn unsettled_payments(&self, until: Timestamp, max: usize) -> PortResult<Vec<PaymentAct>> {
        Ok(locked(&self.0).unsettled_payments(until, max))
    }

    async fn record_audit(&self, entry: &AuditEntry) -> PortResult<()> {
        let mut books = locked(&self.0);
        if books.audited.insert((entry.event_id.clone(), entry.command.clone())) {
            let number = books.audit.len() as u64 + 1;
            books.audit.push(AuditEntry { number, ..entry.clone() });
        }
        Ok(())
    }

    async fn outbox(&self, max: usize) -> PortResult<Vec<OutboxRow>> {
        Ok(locked(&self.0).outbox.iter().take(max).cloned().collect())
    }

    async fn outbox_published(&self, numbers: &[u64]) -> PortResult<()> {
        let published: HashSet<u64> = numbers.iter().copied().collect();
        locked(&self.0).outbox.retain(|row| !published.contains(&row.number));
        Ok(())
    }

    async fn chain_end(&self, event: &EventId, candidate: Digest) -> PortResult<Digest> {
        Ok(*locked(&self.0).chain_ends.entry(event.clone()).or_insert(candidate))
    }
}
