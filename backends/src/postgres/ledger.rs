//! The ledger on Postgres.
//!
//! A verb that changes bookings is one transaction (`ledger/write.rs`): it locks the rows of the events it is about, so
//! that nobody else changes them meanwhile, reads what it may ask for, decides by the shared rules
//! ([`booking_core::booking`]) and writes what changed in one statement. So one event's changes come one after the
//! other, as its versions have to, and other events' go on beside them. The schema's keys and triggers hold invariants
//! 1, 2 and 3 once more: a transaction that would break one fails.
//!
//! The limit of seats of a session counts all events; two claims of one session in two events at once don't see each
//! other. An admission, and so its session, is of one event.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use booking_core::{
    booking::{
        AuditEntry, Begun, Booking, CalledOff, CancelSeats, Cancelled, Carry, CheckIn, CheckedIn, ClaimSeats, Claimed,
        ConfirmSeats, Confirmed, DoorBooking, DoorCounts, ExtendHold, Extended, HallChange, Housing, OutboxRow,
        PaymentAct, PaymentStep, Release, Released, Revocation, RevokeTicket, Telling, ToCarry, Totals,
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

use super::{database::PostgresDatabase, gather::Gather, tries::ask};
use crate::sql::books::Books;
use needs::Needs;

mod door;
mod load;
mod moved;
mod needs;
mod outbox;
mod payments;
mod read;
mod rehouse;
mod rows;
mod store;
mod trails;
mod write;

const PORT: &str = "ledger";

/// The ledger. A clone is the same ledger.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    database: PostgresDatabase,
    /// A confirmation reads its booking and its payment's acts, and writes several acts one after the other; many
    /// confirmations do so side by side.
    bookings: Gather<BookingId, Option<Booking>>,
    acts_of: Gather<BookingId, Vec<PaymentAct>>,
    acts: Gather<PaymentAct, ()>,
    /// That money was taken is told when everything is done, and nobody waits for it.
    taken: Gather<PaymentAct, ()>,
}

/// How far apart that money was taken is written.
const TAKEN_GAP: Duration = Duration::from_millis(20);

impl PostgresLedger {
    /// The ledger in `database`. Must be called on a Tokio runtime.
    pub fn new(database: PostgresDatabase) -> Self {
        let (reading, looking) = (database.clone(), database.clone());
        let (recording, ending) = (database.clone(), database.clone());
        Self {
            bookings: Gather::new(PORT, move |ids| bookings(reading.clone(), ids)),
            acts_of: Gather::new(PORT, move |bookings| payment_acts(looking.clone(), bookings)),
            acts: Gather::new(PORT, move |acts| record_payments(recording.clone(), acts)),
            taken: Gather::paced(PORT, TAKEN_GAP, move |acts| record_payments(ending.clone(), acts)),
            database,
        }
    }
}

async fn bookings(database: PostgresDatabase, ids: Vec<BookingId>) -> PortResult<Vec<Option<Booking>>> {
    ask!(&database, PORT, connection => read::bookings(connection, &ids))
}

async fn payment_acts(database: PostgresDatabase, bookings: Vec<BookingId>) -> PortResult<Vec<Vec<PaymentAct>>> {
    ask!(&database, PORT, connection => payments::payment_acts(connection, &bookings))
}

/// Records acts: of one payment one after the other, since a statement does not see what it writes itself.
async fn record_payments(database: PostgresDatabase, mut acts: Vec<PaymentAct>) -> PortResult<Vec<()>> {
    let answers = vec![(); acts.len()];
    while !acts.is_empty() {
        let mut payments = HashSet::new();
        let (first, later): (Vec<_>, Vec<_>) =
            acts.into_iter().partition(|act| payments.insert((act.booking.clone(), act.transaction.clone())));
        ask!(&database, PORT, connection => payments::record(connection, &first))?;
        acts = later;
    }
    Ok(answers)
}

#[async_trait]
impl LedgerReader for PostgresLedger {
    async fn booking(&self, booking: &BookingId) -> PortResult<Option<Booking>> {
        self.bookings.ask(booking.clone()).await
    }

    async fn bookings_of(&self, user: &UserId, before: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        ask!(&self.database, PORT, connection => read::bookings_of(connection, user, before, max))
    }

    async fn seat_states(&self, event: &EventId) -> PortResult<SeatStates> {
        ask!(&self.database, PORT, connection => read::seat_states(connection, event))
    }

    async fn live_claims(&self, event: &EventId, now: Timestamp) -> PortResult<Vec<SeatClaim>> {
        ask!(&self.database, PORT, connection => read::live_claims(connection, event, now))
    }

    async fn called_off(&self, event: &EventId) -> PortResult<Option<CalledOff>> {
        ask!(&self.database, PORT, connection => trails::called_off(connection, event))
    }

    async fn telling(&self, event: &EventId) -> PortResult<Option<Telling>> {
        ask!(&self.database, PORT, connection => moved::telling(connection, event))
    }

    async fn housing(&self, event: &EventId) -> PortResult<Option<Housing>> {
        ask!(&self.database, PORT, connection => rehouse::housing(connection, event))
    }

    async fn refunds_left(&self, event: &EventId) -> PortResult<u64> {
        ask!(&self.database, PORT, connection => trails::refunds_left(connection, event))
    }

    async fn totals(&self, event: &EventId, now: Timestamp) -> PortResult<Totals> {
        ask!(&self.database, PORT, connection => read::totals(connection, event, now))
    }

    async fn door_bookings(&self, event: &EventId, since: u64, max: usize) -> PortResult<Vec<DoorBooking>> {
        ask!(&self.database, PORT, connection => door::bookings(connection, event, since, max))
    }

    async fn door_counts(&self, event: &EventId) -> PortResult<DoorCounts> {
        ask!(&self.database, PORT, connection => door::counts(connection, event))
    }

    async fn audit_trail(&self, event: &EventId, before: Option<u64>, max: usize) -> PortResult<Vec<AuditEntry>> {
        ask!(&self.database, PORT, connection => trails::audit_trail(connection, event, before, max))
    }

    async fn all_bookings(&self, after: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        ask!(&self.database, PORT, connection => read::all_bookings(connection, after, max))
    }

    async fn seat_owners(&self, event: &EventId) -> PortResult<Vec<(SeatIndex, BookingId)>> {
        ask!(&self.database, PORT, connection => read::seat_owners(connection, event))
    }

    async fn payment_acts(&self, booking: &BookingId) -> PortResult<Vec<PaymentAct>> {
        self.acts_of.ask(booking.clone()).await
    }

    async fn stuck_payments(&self, max: usize) -> PortResult<Vec<PaymentAct>> {
        ask!(&self.database, PORT, connection => payments::stuck_payments(connection, max))
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn claim_seats(&self, batch: &[ClaimSeats], now: Timestamp) -> PortResult<Applied<Claimed>> {
        self.write(Needs::of_claims(batch), |books| {
            books.apply(batch, now, |books, claim, touched| Some(books.claim(claim, now, touched)))
        })
        .await
    }

    async fn confirm(&self, batch: &[ConfirmSeats], now: Timestamp) -> PortResult<Applied<Confirmed>> {
        self.write(Needs::of_confirmations(batch, now), |books| {
            books.apply(batch, now, |books, ask, touched| Some(books.confirm(ask, now, touched)))
        })
        .await
    }

    async fn extend(&self, batch: &[ExtendHold], now: Timestamp) -> PortResult<Applied<Extended>> {
        self.write(Needs::of_bookings(batch.iter().map(|ask| &ask.booking)), |books| {
            books.apply(batch, now, |books, ask, touched| Some(books.extend(ask, now, touched)))
        })
        .await
    }

    async fn release(&self, batch: &[Release], now: Timestamp) -> PortResult<Applied<Released>> {
        self.write(Needs::of_bookings(batch.iter().map(|ask| &ask.booking)), |books| {
            books.apply(batch, now, |books, ask, touched| Some(books.release(ask, now, touched)))
        })
        .await
    }

    async fn expire(&self, now: Timestamp, max: usize) -> PortResult<Applied<Booking>> {
        let due = ask!(&self.database, PORT, connection => read::due(connection, now, max))?;
        if due.is_empty() {
            return Ok(Applied { answers: Vec::new(), seats: Vec::new() });
        }
        self.write(Needs::of_bookings(&due), |books| {
            books.apply(&due, now, |books, id, touched| Some(books.expire(id, now, touched)))
        })
        .await
        .map(|applied| Applied { answers: applied.answers.into_iter().flatten().collect(), seats: applied.seats })
    }

    async fn check_in(&self, event: &EventId, batch: &[CheckIn]) -> PortResult<Vec<CheckedIn>> {
        let check_in = |books: &mut Books| Applied {
            answers: batch.iter().map(|ask| books.check_in(event, ask)).collect(),
            seats: Vec::new(),
        };
        let applied = self.write(Needs::of_tickets(batch.iter().map(|ask| &ask.booking)), check_in).await?;
        Ok(applied.answers)
    }

    async fn revoke_tickets(&self, event: &EventId, batch: &[RevokeTicket]) -> PortResult<Vec<Revocation>> {
        let revoke = |books: &mut Books| Applied {
            answers: batch.iter().map(|ask| books.revoke_ticket(event, ask)).collect(),
            seats: Vec::new(),
        };
        let applied = self.write(Needs::of_tickets(batch.iter().map(|ask| &ask.booking)), revoke).await?;
        Ok(applied.answers)
    }

    async fn cancel(&self, batch: &[CancelSeats], now: Timestamp) -> PortResult<Applied<Cancelled>> {
        self.write(Needs::of_tickets(batch.iter().map(|ask| &ask.booking)), |books| {
            books.apply(batch, now, |books, ask, touched| Some(books.cancel(ask, now, touched)))
        })
        .await
    }

    async fn call_off(&self, event: &EventId, called_off: &CalledOff) -> PortResult<CalledOff> {
        ask!(&self.database, PORT, connection => trails::call_off(connection, event, called_off))
    }

    async fn bookings_called_off(&self, max: usize) -> PortResult<Vec<Booking>> {
        ask!(&self.database, PORT, connection => read::bookings_called_off(connection, max))
    }

    async fn record_move(&self, event: &EventId, moved: &Moved) -> PortResult<()> {
        ask!(&self.database, PORT, connection => moved::record(connection, event, moved))
    }

    async fn tell_moved(&self, max: usize, now: Timestamp) -> PortResult<usize> {
        ask!(&self.database, PORT, connection => moved::tell(connection, max, now))
    }

    async fn begin_rehousing(
        &self,
        event: &EventId,
        change: &HallChange,
        version: u64,
        now: Timestamp,
    ) -> PortResult<Begun> {
        ask!(&self.database, PORT, connection => rehouse::begin(connection, event, change, version, now))
    }

    async fn bookings_to_carry(&self, max: usize) -> PortResult<Option<ToCarry>> {
        ask!(&self.database, PORT, connection => rehouse::to_carry(connection, max))
    }

    async fn carry(&self, batch: &[Carry], now: Timestamp) -> PortResult<Applied<bool>> {
        self.write(Needs::of_bookings(batch.iter().map(|ask| &ask.booking)), |books| {
            books.apply(batch, now, |books, ask, touched| Some(books.carry(ask, now, touched)))
        })
        .await
    }

    async fn end_rehousing(&self, event: &EventId, number: u32) -> PortResult<()> {
        ask!(&self.database, PORT, connection => rehouse::end(connection, event, number))
    }

    async fn record_payment(&self, act: &PaymentAct) -> PortResult<()> {
        let gather = if act.step == PaymentStep::Captured { &self.taken } else { &self.acts };
        gather.ask(act.clone()).await
    }

    async fn unsettled_payments(&self, until: Timestamp, max: usize) -> PortResult<Vec<PaymentAct>> {
        ask!(&self.database, PORT, connection => payments::unsettled_payments(connection, until, max))
    }

    async fn record_audit(&self, entry: &AuditEntry) -> PortResult<()> {
        ask!(&self.database, PORT, connection => trails::record_audit(connection, entry))
    }

    async fn outbox(&self, max: usize) -> PortResult<Vec<OutboxRow>> {
        ask!(&self.database, PORT, connection => outbox::read(connection, max))
    }

    async fn outbox_published(&self, numbers: &[u64]) -> PortResult<()> {
        ask!(&self.database, PORT, connection => outbox::published(connection, numbers))
    }

    async fn chain_end(&self, event: &EventId, candidate: Digest) -> PortResult<Digest> {
        ask!(&self.database, PORT, connection => trails::chain_end(connection, event, &candidate))
    }
}
