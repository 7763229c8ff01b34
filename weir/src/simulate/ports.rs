//! The ports as one part of a simulation sees them: the stores that all share, its own fate, and the observer who
//! notes what the desk and the ledger were asked and did.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backends::memory::{
    Lanes, MemoryCatalog, MemoryDesk, MemoryHolds, MemoryLedger, MemoryLog, MemoryPayments, SoleWorker,
};
use booking_core::{
    booking::{
        AuditEntry, Begun, Booking, CalledOff, CancelSeats, Cancelled, Carry, CheckIn, CheckedIn, ClaimSeats, Claimed,
        ConfirmSeats, Confirmed, DoorBooking, DoorCounts, ExtendHold, Extended, HallChange, Housing, OutboxRow,
        PaymentAct, Release, Released, Revocation, RevokeTicket, Telling, ToCarry, Totals,
    },
    catalog::{Event, Moved, Rehoused, Venue},
    digest::Digest,
    id::{BookingId, EventId, SessionId, TransactionId, UserId, VenueId},
    line::Place,
    money::Money,
    ports::{
        PortResult,
        catalog::{Catalog, CatalogReader, Put},
        clock::{Clock, Entropy},
        desk::{Admit, AdmitRequest, Change, Counts, Desk, Ended, Standing},
        holds::{Grant, Holds, SeatClaim, Settle, Want},
        ledger::{Applied, Ledger, LedgerReader, SeatStates},
        log::{Entry, Lane, Log, Topic},
        payments::{Authorisation, PaymentStanding, Payments, Refund, Refunded},
    },
    seats::{SeatIndex, SeatSet},
    time::Timestamp,
};
use bytes::Bytes;

use super::{
    fate::{Fate, lost_sight},
    observer::Observer,
};

/// What survives every crash: each is a handle to one store.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) log: MemoryLog,
    pub(super) desk: MemoryDesk,
    pub(super) holds: MemoryHolds,
    pub(super) ledger: MemoryLedger,
    pub(super) catalog: MemoryCatalog,
    pub(super) payments: MemoryPayments,
}

impl Stores {
    pub(super) fn new(lanes: Lanes) -> Self {
        Self {
            log: MemoryLog::new(lanes),
            desk: MemoryDesk::default(),
            holds: MemoryHolds::default(),
            ledger: MemoryLedger::default(),
            catalog: MemoryCatalog::default(),
            payments: MemoryPayments::default(),
        }
    }
}

/// An append that seemed to fail, on its way.
pub(super) type Late = (i64, Topic, Lane, Bytes);

/// The ports of one part.
pub(super) struct Ports {
    pub(super) stores: Stores,
    pub(super) fate: Fate,
    pub(super) observer: Observer,
}

impl Ports {
    /// The same as the parts of `queue-worker` take them.
    pub(super) fn parts(self: &Arc<Self>) -> queue_worker::Parts {
        queue_worker::Parts {
            log: self.clone(),
            assignment: Arc::new(SoleWorker::new(self.clone())),
            desk: self.clone(),
            holds: self.clone(),
            ledger: self.clone(),
            catalog: self.clone(),
            payments: self.clone(),
            mail: None,
            endpoints: Vec::new(),
            clock: self.clone(),
            entropy: self.clone(),
        }
    }

    async fn call<T>(&self, port: &'static str, act: impl Future<Output = PortResult<T>> + Send) -> PortResult<T> {
        self.fate.strike(port).await?;
        let answer = act.await?;
        self.fate.strike(port).await?;
        Ok(answer)
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        self.fate.now()
    }
}

impl Entropy for Ports {
    fn fill(&self, bytes: &mut [u8]) {
        self.fate.heavens().dice.fill(bytes);
    }
}

#[async_trait]
impl Log for Ports {
    async fn lanes(&self, topic: &Topic) -> PortResult<u16> {
        self.call("log", self.stores.log.lanes(topic)).await
    }

    async fn append(&self, topic: &Topic, lane: Lane, payload: Bytes) -> PortResult<u64> {
        let heavens = self.fate.heavens();
        if matches!(topic, Topic::State(_)) {
            self.fate.stall().await;
        }
        if heavens.strikes(heavens.weather.late) {
            let delay = heavens.dice.range(1..=8_000);
            self.observer.send_late((delay, topic.clone(), lane, payload));
            return Err(lost_sight());
        }
        if heavens.strikes(heavens.weather.doubles) {
            self.stores.log.append(topic, lane, payload.clone()).await?;
        }
        self.call("log", self.stores.log.append(topic, lane, payload)).await
    }

    async fn ends(&self, topic: &Topic) -> PortResult<Vec<u64>> {
        self.call("log", self.stores.log.ends(topic)).await
    }

    async fn read(&self, topic: &Topic, lane: Lane, from: u64, max: usize, wait: Duration) -> PortResult<Vec<Entry>> {
        self.call("log", self.stores.log.read(topic, lane, from, max, wait)).await
    }

    async fn committed(&self, group: &str, topic: &Topic, lane: Lane) -> PortResult<u64> {
        self.call("log", self.stores.log.committed(group, topic, lane)).await
    }

    async fn commit(&self, group: &str, topic: &Topic, lane: Lane, next: u64) -> PortResult<()> {
        self.call("log", self.stores.log.commit(group, topic, lane, next)).await
    }
}

#[async_trait]
impl Desk for Ports {
    async fn claim_place(
        &self,
        event: &EventId,
        user: &UserId,
        place: Place,
        instead_of: Option<Place>,
    ) -> PortResult<Place> {
        self.call("desk", async {
            let stands = self.stores.desk.claim_place(event, user, place, instead_of).await?;
            self.observer.placed(user, stands);
            Ok(stands)
        })
        .await
    }

    async fn place_of(&self, event: &EventId, user: &UserId) -> PortResult<Option<Standing>> {
        self.call("desk", self.stores.desk.place_of(event, user)).await
    }

    async fn give_up(&self, event: &EventId, user: &UserId, now: Timestamp) -> PortResult<()> {
        self.call("desk", async {
            self.observer.desk_time(now);
            self.observer.gave_up(user);
            self.stores.desk.give_up(event, user, now).await
        })
        .await
    }

    async fn admit(&self, event: &EventId, request: &AdmitRequest, now: Timestamp) -> PortResult<Admit> {
        self.call("desk", async {
            self.observer.desk_time(now);
            let answer = self.stores.desk.admit(event, request, now).await?;
            self.observer.admitted(request, &answer, now);
            Ok(answer)
        })
        .await
    }

    async fn finish(&self, event: &EventId, session: &SessionId, why: Ended, now: Timestamp) -> PortResult<()> {
        self.call("desk", async {
            self.observer.desk_time(now);
            self.observer.finished(session, why);
            self.stores.desk.finish(event, session, why, now).await
        })
        .await
    }

    async fn counts(&self, event: &EventId, from_rank: u64, now: Timestamp) -> PortResult<Counts> {
        self.call("desk", async {
            self.observer.desk_time(now);
            self.stores.desk.counts(event, from_rank, now).await
        })
        .await
    }

    async fn changes(&self, event: &EventId, after: u64, max: usize) -> PortResult<Vec<Change>> {
        self.call("desk", self.stores.desk.changes(event, after, max)).await
    }
}

#[async_trait]
impl Holds for Ports {
    async fn is_ready(&self, event: &EventId) -> PortResult<bool> {
        self.call("holds", self.stores.holds.is_ready(event)).await
    }

    async fn rebuild(&self, event: &EventId, claims: &[SeatClaim]) -> PortResult<()> {
        self.call("holds", self.stores.holds.rebuild(event, claims)).await
    }

    async fn hold(&self, event: &EventId, wants: &[Want], now: Timestamp) -> PortResult<Vec<Grant>> {
        self.call("holds", self.stores.holds.hold(event, wants, now)).await
    }

    async fn settle(&self, event: &EventId, settles: &[Settle]) -> PortResult<()> {
        self.call("holds", self.stores.holds.settle(event, settles)).await
    }

    async fn taken(&self, event: &EventId, now: Timestamp) -> PortResult<SeatSet> {
        self.call("holds", self.stores.holds.taken(event, now)).await
    }
}

#[async_trait]
impl LedgerReader for Ports {
    async fn booking(&self, booking: &BookingId) -> PortResult<Option<Booking>> {
        self.call("ledger", self.stores.ledger.booking(booking)).await
    }

    async fn bookings_of(&self, user: &UserId, before: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        self.call("ledger", self.stores.ledger.bookings_of(user, before, max)).await
    }

    async fn seat_states(&self, event: &EventId) -> PortResult<SeatStates> {
        self.call("ledger", self.stores.ledger.seat_states(event)).await
    }

    async fn live_claims(&self, event: &EventId, now: Timestamp) -> PortResult<Vec<SeatClaim>> {
        self.call("ledger", self.stores.ledger.live_claims(event, now)).await
    }

    async fn called_off(&self, event: &EventId) -> PortResult<Option<CalledOff>> {
        self.call("ledger", self.stores.ledger.called_off(event)).await
    }

    async fn telling(&self, event: &EventId) -> PortResult<Option<Telling>> {
        self.call("ledger", self.stores.ledger.telling(event)).await
    }

    async fn housing(&self, event: &EventId) -> PortResult<Option<Housing>> {
        self.call("ledger", self.stores.ledger.housing(event)).await
    }

    async fn refunds_left(&self, event: &EventId) -> PortResult<u64> {
        self.call("ledger", self.stores.ledger.refunds_left(event)).await
    }

    async fn totals(&self, event: &EventId, now: Timestamp) -> PortResult<Totals> {
        self.call("ledger", self.stores.ledger.totals(event, now)).await
    }

    async fn door_bookings(&self, event: &EventId, since: u64, max: usize) -> PortResult<Vec<DoorBooking>> {
        self.call("ledger", self.stores.ledger.door_bookings(event, since, max)).await
    }

    async fn door_counts(&self, event: &EventId) -> PortResult<DoorCounts> {
        self.call("ledger", self.stores.ledger.door_counts(event)).await
    }

    async fn audit_trail(&self, event: &EventId, before: Option<u64>, max: usize) -> PortResult<Vec<AuditEntry>> {
        self.call("ledger", self.stores.ledger.audit_trail(event, before, max)).await
    }

    async fn all_bookings(&self, after: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>> {
        self.call("ledger", self.stores.ledger.all_bookings(after, max)).await
    }

    async fn seat_owners(&self, event: &EventId) -> PortResult<Vec<(SeatIndex, BookingId)>> {
        self.call("ledger", self.stores.ledger.seat_owners(event)).await
    }

    async fn payment_acts(&self, booking: &BookingId) -> PortResult<Vec<PaymentAct>> {
        self.call("ledger", self.stores.ledger.payment_acts(booking)).await
    }

    async fn stuck_payments(&self, max: usize) -> PortResult<Vec<PaymentAct>> {
        self.call("ledger", self.stores.ledger.stuck_payments(max)).await
    }
}

#[async_trait]
impl Ledger for Ports {
    async fn claim_seats(&self, batch: &[ClaimSeats], now: Timestamp) -> PortResult<Applied<Claimed>> {
        self.observer.ledger_time(now);
        self.call("ledger", self.stores.ledger.claim_seats(batch, now)).await
    }

    async fn confirm(&self, batch: &[ConfirmSeats], now: Timestamp) -> PortResult<Applied<Confirmed>> {
        self.observer.ledger_time(now);
        self.call("ledger", self.stores.ledger.confirm(batch, now)).await
    }

    async fn extend(&self, batch: &[ExtendHold], now: Timestamp) -> PortResult<Applied<Extended>> {
        self.observer.ledger_time(now);
        self.call("ledger", self.stores.ledger.extend(batch, now)).await
    }

    async fn release(&self, batch: &[Release], now: Timestamp) -> PortResult<Applied<Released>> {
        self.observer.releasing(batch);
        self.call("ledger", self.stores.ledger.release(batch, now)).await
    }

    async fn expire(&self, now: Timestamp, max: usize) -> PortResult<Applied<Booking>> {
        self.observer.ledger_time(now);
        self.call("ledger", self.stores.ledger.expire(now, max)).await
    }

    async fn check_in(&self, event: &EventId, batch: &[CheckIn]) -> PortResult<Vec<CheckedIn>> {
        self.call("ledger", self.stores.ledger.check_in(event, batch)).await
    }

    async fn revoke_tickets(&self, event: &EventId, batch: &[RevokeTicket]) -> PortResult<Vec<Revocation>> {
        self.call("ledger", self.stores.ledger.revoke_tickets(event, batch)).await
    }

    async fn cancel(&self, batch: &[CancelSeats], now: Timestamp) -> PortResult<Applied<Cancelled>> {
        self.observer.cancelling();
        self.call("ledger", self.stores.ledger.cancel(batch, now)).await
    }

    async fn call_off(&self, event: &EventId, called_off: &CalledOff) -> PortResult<CalledOff> {
        self.observer.cancelling();
        self.call("ledger", self.stores.ledger.call_off(event, called_off)).await
    }

    async fn bookings_called_off(&self, max: usize) -> PortResult<Vec<Booking>> {
        self.call("ledger", self.stores.ledger.bookings_called_off(max)).await
    }

    async fn record_move(&self, event: &EventId, moved: &Moved) -> PortResult<()> {
        self.call("ledger", self.stores.ledger.record_move(event, moved)).await
    }

    async fn tell_moved(&self, max: usize, now: Timestamp) -> PortResult<usize> {
        self.call("ledger", self.stores.ledger.tell_moved(max, now)).await
    }

    async fn begin_rehousing(
        &self,
        event: &EventId,
        change: &HallChange,
        version: u64,
        now: Timestamp,
    ) -> PortResult<Begun> {
        self.call("ledger", self.stores.ledger.begin_rehousing(event, change, version, now)).await
    }

    async fn bookings_to_carry(&self, max: usize) -> PortResult<Option<ToCarry>> {
        self.call("ledger", self.stores.ledger.bookings_to_carry(max)).await
    }

    async fn carry(&self, batch: &[Carry], now: Timestamp) -> PortResult<Applied<bool>> {
        self.call("ledger", self.stores.ledger.carry(batch, now)).await
    }

    async fn end_rehousing(&self, event: &EventId, number: u32) -> PortResult<()> {
        self.call("ledger", self.stores.ledger.end_rehousing(event, number)).await
    }

    async fn record_payment(&self, act: &PaymentAct) -> PortResult<()> {
        self.observer.paying();
        self.call("ledger", self.stores.ledger.record_payment(act)).await
    }

    async fn unsettled_payments(&self, until: Timestamp, max: usize) -> PortResult<Vec<PaymentAct>> {
        self.call("ledger", self.stores.ledger.unsettled_payments(until, max)).await
    }

    async fn record_audit(&self, entry: &AuditEntry) -> PortResult<()> {
        self.call("ledger", self.stores.ledger.record_audit(entry)).await
    }

    async fn outbox(&self, max: usize) -> PortResult<Vec<OutboxRow>> {
        self.call("ledger", self.stores.ledger.outbox(max)).await
    }

    async fn outbox_published(&self, numbers: &[u64]) -> PortResult<()> {
        self.call("ledger", self.stores.ledger.outbox_published(numbers)).await
    }

    async fn chain_end(&self, event: &EventId, candidate: Digest) -> PortResult<Digest> {
        self.call("ledger", self.stores.ledger.chain_end(event, candidate)).await
    }
}

#[async_trait]
impl CatalogReader for Ports {
    async fn venue(&self, venue: &VenueId) -> PortResult<Option<Arc<Venue>>> {
        self.call("catalog", self.stores.catalog.venue(venue)).await
    }

    async fn event(&self, event: &EventId) -> PortResult<Option<Arc<Event>>> {
        self.call("catalog", self.stores.catalog.event(event)).await
    }

    async fn events(
        &self,
        from: Timestamp,
        after: Option<(Timestamp, EventId)>,
        max: usize,
    ) -> PortResult<Vec<Arc<Event>>> {
        self.call("catalog", self.stores.catalog.events(from, after, max)).await
    }
}

#[async_trait]
impl Catalog for Ports {
    async fn put_venue(&self, venue: &Venue) -> PortResult<Put> {
        self.call("catalog", self.stores.catalog.put_venue(venue)).await
    }

    async fn put_event(&self, event: &Event) -> PortResult<Put> {
        self.call("catalog", self.stores.catalog.put_event(event)).await
    }

    async fn move_event(&self, event: &EventId, moved: &Moved) -> PortResult<Put> {
        self.call("catalog", self.stores.catalog.move_event(event, moved)).await
    }

    async fn rehouse_event(&self, event: &EventId, rehoused: &Rehoused) -> PortResult<Put> {
        self.call("catalog", self.stores.catalog.rehouse_event(event, rehoused)).await
    }
}

#[async_trait]
impl Payments for Ports {
    async fn authorise(&self, booking: &BookingId, with: &TransactionId, due: Money) -> PortResult<Authorisation> {
        self.observer.paying();
        self.call("payments", self.stores.payments.authorise(booking, with, due)).await
    }

    async fn capture(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        self.observer.paying();
        self.call("payments", self.stores.payments.capture(booking, transaction)).await
    }

    async fn void(&self, booking: &BookingId, transaction: &TransactionId) -> PortResult<()> {
        self.observer.paying();
        self.call("payments", self.stores.payments.void(booking, transaction)).await
    }

    async fn refund(&self, refund: &Refund) -> PortResult<Refunded> {
        self.observer.paying();
        self.call("payments", self.stores.payments.refund(refund)).await
    }

    async fn standing(&self, transaction: &TransactionId) -> PortResult<Option<PaymentStanding>> {
        self.call("payments", self.stores.payments.standing(transaction)).await
    }
}
