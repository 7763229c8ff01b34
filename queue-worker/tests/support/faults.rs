//! Ports that fail when they are told to: at one call, before it is done or after, and from then on or once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use booking_core::{
    booking::{
        AuditEntry, Begun, Booking, CalledOff, CancelSeats, Cancelled, Carry, CheckIn, CheckedIn, ClaimSeats, Claimed,
        ConfirmSeats, Confirmed, DoorBooking, DoorCounts, ExtendHold, Extended, HallChange, Housing, OutboxRow,
        PaymentAct, Release, Released, Revocation, RevokeTicket, Telling, ToCarry, Totals,
    },
    catalog::{Event, Moved, Rehoused, Venue},
    digest::Digest,
    holds::{Grant, SeatClaim, Settle, Want},
    id::{BookingId, EventId, HookId, LetterId, SessionId, TransactionId, UserId, VenueId},
    line::Place,
    mail::{Contact, Letter, Message, Sending},
    money::Money,
    ports::{
        PortError, PortResult,
        catalog::{Catalog, CatalogReader, Put},
        desk::{Admit, AdmitRequest, Change, Counts, Desk, Ended, Standing},
        holds::Holds,
        hook::{Handed, Hook},
        ledger::{Applied, Ledger, LedgerReader, SeatStates},
        log::{Entry, Lane, Log, Topic},
        mailroom::{Due, Letters, Mailroom, RefusedLetter, Settled},
        payments::{Authorisation, PaymentStanding, Payments, Refund, Refunded},
        post::Post,
    },
    seats::{SeatIndex, SeatSet},
    time::Timestamp,
};
use bytes::Bytes;
use queue_worker::{Endpoint, Mail, Parts};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call is done, and never calls again.
    DiesBefore,
    /// The process dies after the call is done, and never learns of it.
    DiesAfter,
    /// The call is not done and fails; the next ones go well.
    FailsBefore,
    /// The call is done and fails all the same; the next ones go well.
    FailsAfter,
}

/// When a fault strikes, and whether it has.
#[derive(Debug, Default)]
pub struct Faults {
    calls: AtomicU64,
    at: Option<(u64, Fault)>,
    struck: AtomicBool,
}

enum Fate {
    Goes,
    Fails { done: bool },
}

impl Faults {
    pub fn never() -> Arc<Self> {
        Arc::default()
    }

    /// Strikes at call number `call`, from 0.
    pub fn at(call: u64, fault: Fault) -> Arc<Self> {
        Arc::new(Self { at: Some((call, fault)), ..Self::default() })
    }

    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }

    fn next(&self) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.at {
            Some((at, fault)) if call == at => {
                self.struck.store(true, Ordering::SeqCst);
                Fate::Fails { done: matches!(fault, Fault::DiesAfter | Fault::FailsAfter) }
            }
            Some((at, Fault::DiesBefore | Fault::DiesAfter)) if call > at => Fate::Fails { done: false },
            _ => Fate::Goes,
        }
    }

    async fn guard<T>(&self, call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        match self.next() {
            Fate::Goes => call.await,
            Fate::Fails { done } => {
                if done {
                    call.await?;
                }
                Err(PortError::Unavailable { port: "test", reason: "a fault".to_owned() })
            }
        }
    }
}

struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    faults: Arc<Faults>,
}

/// The same parts behind `faults`.
pub fn behind(parts: &Parts, faults: &Arc<Faults>) -> Parts {
    let faults = || Arc::clone(faults);
    Parts {
        log: Arc::new(Faulty { inner: Arc::clone(&parts.log), faults: faults() }),
        assignment: Arc::clone(&parts.assignment),
        desk: Arc::new(Faulty { inner: Arc::clone(&parts.desk), faults: faults() }),
        holds: Arc::new(Faulty { inner: Arc::clone(&parts.holds), faults: faults() }),
        ledger: Arc::new(Faulty { inner: Arc::clone(&parts.ledger), faults: faults() }),
        catalog: Arc::new(Faulty { inner: Arc::clone(&parts.catalog), faults: faults() }),
        payments: Arc::new(Faulty { inner: Arc::clone(&parts.payments), faults: faults() }),
        mail: parts.mail.as_ref().map(|mail| Mail {
            mailroom: Arc::new(Faulty { inner: Arc::clone(&mail.mailroom), faults: faults() }),
            letters: Arc::clone(&mail.letters),
            post: Arc::new(Faulty { inner: Arc::clone(&mail.post), faults: faults() }),
        }),
        endpoints: (parts.endpoints.iter())
            .map(|endpoint| Endpoint {
                name: endpoint.name.clone(),
                hook: Arc::new(Faulty { inner: Arc::clone(&endpoint.hook), faults: faults() }),
            })
            .collect(),
        clock: Arc::clone(&parts.clock),
        entropy: Arc::clone(&parts.entropy),
    }
}

macro_rules! faulty {
    ($port:ident of $inner:ident { $(fn $verb:ident($($name:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $port for Faulty<dyn $inner> {
            $(async fn $verb(&self, $($name: $kind),*) -> PortResult<$answer> {
                self.faults.guard(self.inner.$verb($($name),*)).await
            })*
        }
    };
}

faulty! { Log of Log {
    fn lanes(topic: &Topic) -> u16;
    fn append(topic: &Topic, lane: Lane, payload: Bytes) -> u64;
    fn ends(topic: &Topic) -> Vec<u64>;
    fn read(topic: &Topic, lane: Lane, from: u64, max: usize, patience: std::time::Duration) -> Vec<Entry>;
    fn committed(group: &str, topic: &Topic, lane: Lane) -> u64;
    fn commit(group: &str, topic: &Topic, lane: Lane, next: u64) -> ();
} }

faulty! { Desk of Desk {
    fn claim_place(event: &EventId, user: &UserId, place: Place, instead_of: Option<Place>) -> Place;
    fn place_of(event: &EventId, user: &UserId) -> Option<Standing>;
    fn give_up(event: &EventId, user: &UserId, now: Timestamp) -> ();
    fn admit(event: &EventId, request: &AdmitRequest, now: Timestamp) -> Admit;
    fn finish(event: &EventId, session: &SessionId, why: Ended, now: Timestamp) -> ();
    fn counts(event: &EventId, from_rank: u64, now: Timestamp) -> Counts;
    fn changes(event: &EventId, after: u64, max: usize) -> Vec<Change>;
} }

faulty! { Holds of Holds {
    fn is_ready(event: &EventId) -> bool;
    fn rebuild(event: &EventId, claims: &[SeatClaim]) -> ();
    fn hold(event: &EventId, wants: &[Want], now: Timestamp) -> Vec<Grant>;
    fn settle(event: &EventId, settles: &[Settle]) -> ();
    fn taken(event: &EventId, now: Timestamp) -> SeatSet;
} }

faulty! { LedgerReader of Ledger {
    fn booking(booking: &BookingId) -> Option<Booking>;
    fn bookings_of(user: &UserId, before: Option<&BookingId>, max: usize) -> Vec<Booking>;
    fn seat_states(event: &EventId) -> SeatStates;
    fn totals(event: &EventId, now: Timestamp) -> Totals;
    fn live_claims(event: &EventId, now: Timestamp) -> Vec<SeatClaim>;
    fn called_off(event: &EventId) -> Option<CalledOff>;
    fn telling(event: &EventId) -> Option<Telling>;
    fn housing(event: &EventId) -> Option<Housing>;
    fn refunds_left(event: &EventId) -> u64;
    fn door_bookings(event: &EventId, since: u64, max: usize) -> Vec<DoorBooking>;
    fn door_counts(event: &EventId) -> DoorCounts;
    fn audit_trail(event: &EventId, before: Option<u64>, max: usize) -> Vec<AuditEntry>;
    fn all_bookings(after: Option<&BookingId>, max: usize) -> Vec<Booking>;
    fn seat_owners(event: &EventId) -> Vec<(SeatIndex, BookingId)>;
    fn payment_acts(booking: &BookingId) -> Vec<PaymentAct>;
    fn stuck_payments(max: usize) -> Vec<PaymentAct>;
} }

faulty! { Ledger of Ledger {
    fn claim_seats(batch: &[ClaimSeats], now: Timestamp) -> Applied<Claimed>;
    fn confirm(batch: &[ConfirmSeats], now: Timestamp) -> Applied<Confirmed>;
    fn extend(batch: &[ExtendHold], now: Timestamp) -> Applied<Extended>;
    fn release(batch: &[Release], now: Timestamp) -> Applied<Released>;
    fn expire(now: Timestamp, max: usize) -> Applied<Booking>;
    fn cancel(batch: &[CancelSeats], now: Timestamp) -> Applied<Cancelled>;
    fn check_in(event: &EventId, batch: &[CheckIn]) -> Vec<CheckedIn>;
    fn revoke_tickets(event: &EventId, batch: &[RevokeTicket]) -> Vec<Revocation>;
    fn call_off(event: &EventId, called_off: &CalledOff) -> CalledOff;
    fn bookings_called_off(max: usize) -> Vec<Booking>;
    fn record_move(event: &EventId, moved: &Moved) -> ();
    fn tell_moved(max: usize, now: Timestamp) -> usize;
    fn begin_rehousing(event: &EventId, change: &HallChange, version: u64, now: Timestamp) -> Begun;
    fn bookings_to_carry(max: usize) -> Option<ToCarry>;
    fn carry(batch: &[Carry], now: Timestamp) -> Applied<bool>;
    fn end_rehousing(event: &EventId, number: u32) -> ();
    fn record_payment(act: &PaymentAct) -> ();
    fn unsettled_payments(until: Timestamp, max: usize) -> Vec<PaymentAct>;
    fn record_audit(entry: &AuditEntry) -> ();
    fn outbox(max: usize) -> Vec<OutboxRow>;
    fn outbox_published(numbers: &[u64]) -> ();
    fn chain_end(event: &EventId, candidate: Digest) -> Digest;
} }

faulty! { CatalogReader of Catalog {
    fn venue(venue: &VenueId) -> Option<Arc<Venue>>;
    fn event(event: &EventId) -> Option<Arc<Event>>;
    fn events(from: Timestamp, after: Option<(Timestamp, EventId)>, max: usize) -> Vec<Arc<Event>>;
} }

faulty! { Catalog of Catalog {
    fn put_venue(venue: &Venue) -> Put;
    fn put_event(event: &Event) -> Put;
    fn move_event(event: &EventId, moved: &Moved) -> Put;
    fn rehouse_event(event: &EventId, rehoused: &Rehoused) -> Put;
} }

faulty! { Payments of Payments {
    fn authorise(booking: &BookingId, transaction: &TransactionId, due: Money) -> Authorisation;
    fn capture(booking: &BookingId, transaction: &TransactionId) -> ();
    fn void(booking: &BookingId, transaction: &TransactionId) -> ();
    fn refund(refund: &Refund) -> Refunded;
    fn standing(transaction: &TransactionId) -> Option<PaymentStanding>;
} }

faulty! { Mailroom of Mailroom {
    fn remember(contacts: &[(BookingId, Contact)], now: Timestamp) -> ();
    fn post(letters: &[Letter], now: Timestamp) -> usize;
    fn due(now: Timestamp, max: usize) -> Vec<Due>;
    fn settle(settled: &[(LetterId, Settled)], now: Timestamp) -> ();
    fn refused(max: usize) -> Vec<RefusedLetter>;
    fn letters() -> Letters;
    fn forget(before: Timestamp, max: usize) -> usize;
} }

#[async_trait]
impl Post for Faulty<dyn Post> {
    async fn send(&self, message: &Message) -> Sending {
        let sent = self.faults.guard(async { Ok(self.inner.send(message).await) }).await;
        sent.unwrap_or_else(|error| Sending::Later(error.to_string()))
    }
}

#[async_trait]
impl Hook for Faulty<dyn Hook> {
    async fn hand(&self, id: &HookId, payload: &str, now: Timestamp) -> Handed {
        let handed = self.faults.guard(async { Ok(self.inner.hand(id, payload, now).await) }).await;
        handed.unwrap_or_else(|error| Handed::Later(error.to_string()))
    }
}
