//! The ledger in one SQLite file.
//!
//! Writes that wait together are one transaction: what they name is read in a few statements, they are decided one
//! after the other by the shared rules ([`booking_core::booking`]), and what changed is written in a few statements.
//! The schema's keys and triggers hold invariants 1, 2 and 3 once more: a transaction that would break one fails.

use std::{path::Path, sync::Arc};

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
use sqlx::SqlitePool;

use super::{
    database::{Database, Schema},
    group::Scribe,
    queue::Queue,
};
use acts::{Act, Writer};

mod acts;
mod door;
mod load;
mod moved;
mod read;
mod rehouse;
mod rows;
mod store;
mod trails;

const PORT: &str = "ledger";

static SCHEMA: Schema = Schema {
    port: PORT,
    application_id: 0x576C_6467,
    steps: &[
        ("ledger", include_str!("../../migrations/sqlite/ledger/0001_ledger.sql")),
        ("cancellation", include_str!("../../migrations/sqlite/ledger/0002_cancellation.sql")),
        ("moved", include_str!("../../migrations/sqlite/ledger/0003_moved.sql")),
        ("doors", include_str!("../../migrations/sqlite/ledger/0004_doors.sql")),
        ("rehousing", include_str!("../../migrations/sqlite/ledger/0005_rehousing.sql")),
        ("extended", include_str!("../../migrations/sqlite/ledger/0006_extended.sql")),
        ("told", include_str!("../../migrations/sqlite/ledger/0007_told.sql")),
    ],
};

/// The most verbs that wait to be written; one more is answered as unavailable.
const MAX_WAITING: usize = 16_384;

/// The ledger. A clone is the same ledger; when the last one is dropped, what waits is still written.
#[derive(Clone)]
pub struct SqliteLedger(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    scribe: Scribe<Act>,
}

impl SqliteLedger {
    /// Opens the ledger in the file at `path`, made where it is missing; its folder must exist. Must be called on a
    /// Tokio runtime, which the writer then runs on.
    ///
    /// # Errors
    /// `Unavailable`: the folder or the file can't be written, the disk is full, another process has it, or a newer
    /// version wrote it. `Damaged`: the file is corrupt or no ledger.
    pub async fn open(path: &Path) -> PortResult<Self> {
        let (database, connection) = Database::open(path, &SCHEMA).await?;
        let database = Arc::new(database);
        let queue = Queue::new(PORT, MAX_WAITING);
        let scribe = Scribe::new(Arc::clone(&database), connection, queue, Writer);
        Ok(Self(Arc::new(Shared { database, scribe })))
    }

    /// Writes what waits, and ends: every later write is refused.
    pub async fn close(&self) {
        self.0.scribe.close().await;
    }

    fn readers(&self) -> &SqlitePool {
        self.0.database.readers()
    }

    async fn ask<T>(&self, act: impl FnOnce(super::group::Reply<T>) -> Act) -> PortResult<T> {
        self.0.scribe.ask(act).await
    }
}

#[async_trait]
impl LedgerReader for SqliteLedger {
    async fn booking(&self, booking: &BookingId) -> PortResult<Option<Booking>> {
        self.0.database.answer(read::booking(self.readers(), booking).await)
    }

    async fn bookings_of(&self, user: &UserId, before: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        self.0.database.answer(read::bookings_of(self.readers(), user, before, max).await)
    }

    async fn seat_states(&self, event: &EventId) -> PortResult<SeatStates> {
        self.0.database.answer(read::seat_states(self.readers(), event).await)
    }

    async fn live_claims(&self, event: &EventId, now: Timestamp) -> PortResult<Vec<SeatClaim>> {
        self.0.database.answer(read::live_claims(self.readers(), event, now).await)
    }

    async fn called_off(&self, event: &EventId) -> PortResult<Option<CalledOff>> {
        self.0.database.answer(read::called_off(self.readers(), event).await)
    }

    async fn telling(&self, event: &EventId) -> PortResult<Option<Telling>> {
        self.0.database.answer(moved::telling(self.readers(), event).await)
    }

    async fn housing(&self, event: &EventId) -> PortResult<Option<Housing>> {
        self.0.database.answer(rehouse::housing(self.readers(), event).await)
    }

    async fn refunds_left(&self, event: &EventId) -> PortResult<u64> {
        self.0.database.answer(read::refunds_left(self.readers(), event).await)
    }

    async fn totals(&self, event: &EventId, now: Timestamp) -> PortResult<Totals> {
        self.0.database.answer(read::totals(self.readers(), event, now).await)
    }

    async fn door_bookings(&self, event: &EventId, since: u64, max: usize) -> PortResult<Vec<DoorBooking>> {
        self.0.database.answer(door::bookings(self.readers(), event, since, max).await)
    }

    async fn door_counts(&self, event: &EventId) -> PortResult<DoorCounts> {
        self.0.database.answer(door::counts(self.readers(), event).await)
    }

    async fn audit_trail(&self, event: &EventId, before: Option<u64>, max: usize) -> PortResult<Vec<AuditEntry>> {
        self.0.database.answer(read::audit_trail(self.readers(), event, before, max).await)
    }

    async fn all_bookings(&self, after: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        self.0.database.answer(read::all_bookings(self.readers(), after, max).await)
    }

    async fn seat_owners(&self, event: &EventId) -> PortResult<Vec<(SeatIndex, BookingId)>> {
        self.0.database.answer(read::seat_owners(self.readers(), event).await)
    }

    async fn payment_acts(&self, booking: &BookingId) -> PortResult<Vec<PaymentAct>> {
        self.0.database.answer(read::payment_acts(self.readers(), booking).await)
    }

    async fn stuck_payments(&self, max: usize) -> PortResult<Vec<PaymentAct>> {
        self.0.database.answer(read::stuck_payments(self.readers(), max).await)
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn claim_seats(&self, batch: &[ClaimSeats], now: Timestamp) -> PortResult<Applied<Claimed>> {
        self.ask(|reply| Act::Claim { batch: batch.to_vec(), now, reply }).await
    }

    async fn confirm(&self, batch: &[ConfirmSeats], now: Timestamp) -> PortResult<Applied<Confirmed>> {
        self.ask(|reply| Act::Confirm { batch: batch.to_vec(), now, reply }).await
    }

    async fn extend(&self, batch: &[ExtendHold], now: Timestamp) -> PortResult<Applied<Extended>> {
        self.ask(|reply| Act::Extend { batch: batch.to_vec(), now, reply }).await
    }

    async fn release(&self, batch: &[Release], now: Timestamp) -> PortResult<Applied<Released>> {
        self.ask(|reply| Act::Release { batch: batch.to_vec(), now, reply }).await
    }

    async fn expire(&self, now: Timestamp, max: usize) -> PortResult<Applied<Booking>> {
        self.ask(|reply| Act::Expire { now, max, reply }).await
    }

    async fn check_in(&self, event: &EventId, batch: &[CheckIn]) -> PortResult<Vec<CheckedIn>> {
        let (event, batch) = (event.clone(), batch.to_vec());
        self.ask(|reply| Act::CheckIn { event, batch, reply }).await
    }

    async fn revoke_tickets(&self, event: &EventId, batch: &[RevokeTicket]) -> PortResult<Vec<Revocation>> {
        let (event, batch) = (event.clone(), batch.to_vec());
        self.ask(|reply| Act::Revoke { event, batch, reply }).await
    }

    async fn cancel(&self, batch: &[CancelSeats], now: Timestamp) -> PortResult<Applied<Cancelled>> {
        let batch = batch.to_vec();
        self.ask(|reply| Act::Cancel { batch, now, reply }).await
    }

    async fn call_off(&self, event: &EventId, called_off: &CalledOff) -> PortResult<CalledOff> {
        let (event, called_off) = (event.clone(), called_off.clone());
        self.ask(|reply| Act::CallOff { event, called_off, reply }).await
    }

    async fn bookings_called_off(&self, max: usize) -> PortResult<Vec<Booking>> {
        self.0.database.answer(read::bookings_called_off(self.readers(), max).await)
    }

    async fn record_move(&self, event: &EventId, moved: &Moved) -> PortResult<()> {
        let (event, moved) = (event.clone(), Box::new(moved.clone()));
        self.ask(|reply| Act::Move { event, moved, reply }).await
    }

    async fn tell_moved(&self, max: usize, now: Timestamp) -> PortResult<usize> {
        // Most of the time nobody has to be told, and the writer is left alone.
        if !self.0.database.answer(moved::is_due(self.readers(), now).await)? {
            return Ok(0);
        }
        self.ask(|reply| Act::TellMoved { max, now, reply }).await
    }

    async fn begin_rehousing(
        &self,
        event: &EventId,
        change: &HallChange,
        version: u64,
        now: Timestamp,
    ) -> PortResult<Begun> {
        let (event, change) = (event.clone(), Box::new(change.clone()));
        self.ask(|reply| Act::BeginRehousing { event, change, version, now, reply }).await
    }

    async fn bookings_to_carry(&self, max: usize) -> PortResult<Option<ToCarry>> {
        self.0.database.answer(rehouse::to_carry(self.readers(), max).await)
    }

    async fn carry(&self, batch: &[Carry], now: Timestamp) -> PortResult<Applied<bool>> {
        let batch = batch.to_vec();
        self.ask(|reply| Act::Carry { batch, now, reply }).await
    }

    async fn end_rehousing(&self, event: &EventId, number: u32) -> PortResult<()> {
        let event = event.clone();
        self.ask(|reply| Act::EndRehousing { event, number, reply }).await
    }

    async fn record_payment(&self, act: &PaymentAct) -> PortResult<()> {
        self.ask(|reply| Act::Payment { act: act.clone(), reply }).await
    }

    async fn unsettled_payments(&self, until: Timestamp, max: usize) -> PortResult<Vec<PaymentAct>> {
        self.0.database.answer(read::unsettled_payments(self.readers(), until, max).await)
    }

    async fn record_audit(&self, entry: &AuditEntry) -> PortResult<()> {
        self.ask(|reply| Act::Audit { entry: entry.clone(), reply }).await
    }

    async fn outbox(&self, max: usize) -> PortResult<Vec<OutboxRow>> {
        self.0.database.answer(read::outbox(self.readers(), max).await)
    }

    async fn outbox_published(&self, numbers: &[u64]) -> PortResult<()> {
        self.ask(|reply| Act::Published { numbers: numbers.to_vec(), reply }).await
    }

    async fn chain_end(&self, event: &EventId, candidate: Digest) -> PortResult<Digest> {
        self.ask(|reply| Act::ChainEnd { event: event.clone(), candidate, reply }).await
    }
}
