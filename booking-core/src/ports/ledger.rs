//! The ledger: whose seats they are. What it says stands; everything else is a copy.
//!
//! Contract (suite: [`contract`]):
//! - Each verb is one transaction, safe to repeat, and what it answered survives a restart (invariant 3).
//! - A seat of an event belongs to at most one live hold or booking (invariant 1); a claim is all its seats or none
//!   (invariant 2). A live hold is one whose deadline is after `now`; a claim takes over seats of holds that are not.
//! - Live holds and bookings of one session, and of one user in one event, never exceed the claim's `max_seats`.
//! - A change of a booking, its seats' new version and its outbox row are written together or not at all.
//! - Seats of a hall that the event is no longer in are nobody's who does not have them: none of them is claimed, and no
//!   hold of them is confirmed.
//! - In a batch, earlier claims come first; of scans of one ticket, the earlier in the batch.
//! - A ticket lets in once, and a seat that is inside is not cancelled unless its event was called off (invariant 11).

use async_trait::async_trait;

use super::PortResult;
use crate::{
    booking::{
        AuditEntry, Begun, Booking, CalledOff, CancelSeats, Cancelled, Carry, CheckIn, CheckedIn, ClaimSeats, Claimed,
        ConfirmSeats, Confirmed, DoorBooking, DoorCounts, ExtendHold, Extended, HallChange, Housing, OutboxRow,
        PaymentAct, Release, Released, Revocation, RevokeTicket, SeatChanges, Telling, ToCarry, Totals,
    },
    catalog::Moved,
    digest::Digest,
    holds::SeatClaim,
    id::{BookingId, EventId, UserId},
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

#[cfg(feature = "contracts")]
pub mod contract;

/// A batch's answers, one each and in order, and what it changed on the seat maps.
#[derive(Debug, Clone, Default)]
pub struct Applied<T> {
    /// One answer for each of the batch.
    pub answers: Vec<T>,
    /// What live maps should show, for each event touched.
    pub seats: Vec<SeatChanges>,
}

/// An event's seats as the ledger has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeatStates {
    /// Rises with every change of the event's seats.
    pub version: u64,
    /// The seats that are not available, by index.
    pub taken: Vec<(SeatIndex, SeatStatus)>,
}

/// Reading the ledger.
#[async_trait]
pub trait LedgerReader: Send + Sync {
    /// A booking, whatever its state.
    async fn booking(&self, booking: &BookingId) -> PortResult<Option<Booking>>;

    /// Up to `max` of a user's bookings, newest first; `before` continues behind that booking.
    async fn bookings_of(&self, user: &UserId, before: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>>;

    /// The event's seats.
    async fn seat_states(&self, event: &EventId) -> PortResult<SeatStates>;

    /// Every claim of the event that is live at `now` or booked: what the hold table is rebuilt from.
    async fn live_claims(&self, event: &EventId, now: Timestamp) -> PortResult<Vec<SeatClaim>>;

    /// Whether and why the event was called off.
    async fn called_off(&self, event: &EventId) -> PortResult<Option<CalledOff>>;

    /// The latest move of the event that was recorded, and how many of its bookings are told of it.
    async fn telling(&self, event: &EventId) -> PortResult<Option<Telling>>;

    /// The latest change of the event's hall that was begun, and how far it got.
    async fn housing(&self, event: &EventId) -> PortResult<Option<Housing>>;

    /// How many refunds of the event's bookings are due and not made, those that are stuck included.
    async fn refunds_left(&self, event: &EventId) -> PortResult<u64>;

    /// Seats held (live at `now`) and booked, and how many sessions hold or have booked.
    async fn totals(&self, event: &EventId, now: Timestamp) -> PortResult<Totals>;

    /// Up to `max` of the event's bookings that are or were confirmed, whose version is above `since`, in its order. Each
    /// once, as it is now: whoever goes on behind the last version misses no change.
    async fn door_bookings(&self, event: &EventId, since: u64, max: usize) -> PortResult<Vec<DoorBooking>>;

    /// How many were let in.
    async fn door_counts(&self, event: &EventId) -> PortResult<DoorCounts>;

    /// Up to `max` entries of the event's audit trail, newest first; `before` continues behind that number.
    async fn audit_trail(&self, event: &EventId, before: Option<u64>, max: usize) -> PortResult<Vec<AuditEntry>>;

    /// Up to `max` bookings of all events, in an order that never changes; `after` continues behind that booking. Those
    /// made meanwhile may be left out.
    async fn all_bookings(&self, after: Option<&BookingId>, max: usize) -> PortResult<Vec<Booking>>;

    /// Who has each of the event's seats, seat by seat. Of a hold that ran out, perhaps still.
    async fn seat_owners(&self, event: &EventId) -> PortResult<Vec<(SeatIndex, BookingId)>>;

    /// The payment acts of a booking, oldest first.
    async fn payment_acts(&self, booking: &BookingId) -> PortResult<Vec<PaymentAct>>;

    /// Up to `max` payments and refunds that are stuck and have no end yet, the longest stuck first: the
    /// [`PaymentStep::Stuck`] of each.
    ///
    /// [`PaymentStep::Stuck`]: crate::booking::PaymentStep::Stuck
    async fn stuck_payments(&self, max: usize) -> PortResult<Vec<PaymentAct>>;
}

/// Reading and writing the ledger.
#[async_trait]
pub trait Ledger: LedgerReader {
    /// Holds seats.
    async fn claim_seats(&self, batch: &[ClaimSeats], now: Timestamp) -> PortResult<Applied<Claimed>>;

    /// Confirms bookings whose payment is authorised. A hold past its deadline is still confirmed while nobody took
    /// any of its seats, and its session and its user would not have more with it than its claim's `max_seats`. A
    /// payment with a [`PaymentStep::VoidDue`] confirms nothing (invariant 9). Its [`PaymentStep::Authorised`] is recorded
    /// in the same transaction.
    ///
    /// [`PaymentStep::Authorised`]: crate::booking::PaymentStep::Authorised
    /// [`PaymentStep::VoidDue`]: crate::booking::PaymentStep::VoidDue
    async fn confirm(&self, batch: &[ConfirmSeats], now: Timestamp) -> PortResult<Applied<Confirmed>>;

    /// Extends live holds, each once: whoever asks again is told that, with the same booking. Nothing changes on the
    /// seat maps.
    async fn extend(&self, batch: &[ExtendHold], now: Timestamp) -> PortResult<Applied<Extended>>;

    /// Gives held seats back.
    async fn release(&self, batch: &[Release], now: Timestamp) -> PortResult<Applied<Released>>;

    /// Marks up to `max` holds whose deadline has passed as expired, so that screens learn of it.
    async fn expire(&self, now: Timestamp, max: usize) -> PortResult<Applied<Booking>>;

    /// Lets in who shows a ticket of the event for the first time. The same scan again has the same answer.
    async fn check_in(&self, event: &EventId, batch: &[CheckIn]) -> PortResult<Vec<CheckedIn>>;

    /// Revokes tickets of the event, or makes them good again.
    async fn revoke_tickets(&self, event: &EventId, batch: &[RevokeTicket]) -> PortResult<Vec<Revocation>>;

    /// Cancels seats of confirmed bookings; they are free. A seat that somebody was let in with is cancelled only where
    /// its event was called off: otherwise nothing of that cancellation is done ([`Cancelled::Used`]). Where that gives money back, its [`PaymentStep::RefundDue`]
    /// is recorded in the same transaction.
    ///
    /// [`PaymentStep::RefundDue`]: crate::booking::PaymentStep::RefundDue
    async fn cancel(&self, batch: &[CancelSeats], now: Timestamp) -> PortResult<Applied<Cancelled>>;

    /// Calls the event off, unless it was before, and answers as it was called off first. From then on nothing of it is
    /// claimed or confirmed: [`Claimed::CalledOff`], [`Confirmed::Gone`].
    async fn call_off(&self, event: &EventId, called_off: &CalledOff) -> PortResult<CalledOff>;

    /// Up to `max` confirmed bookings of events that were called off, in the order made.
    async fn bookings_called_off(&self, max: usize) -> PortResult<Vec<Booking>>;

    /// Records a move of the event; nothing where it, or a later one, was recorded before. From then on
    /// [`Self::tell_moved`] takes its bookings.
    async fn record_move(&self, event: &EventId, moved: &Moved) -> PortResult<()>;

    /// Writes an outbox row [`MOVED`] for up to `max` confirmed bookings of one event that were made for another
    /// start than that of its latest move ([`Moved::booked_until`]) and not told of it, and answers how many. Each is told once for each move. A hold that is confirmed
    /// later is told then.
    ///
    /// [`MOVED`]: crate::booking::MOVED
    async fn tell_moved(&self, max: usize, now: Timestamp) -> PortResult<usize>;

    /// Begins a change of the event's hall, unless there are live holds, another change is not carried to its end, or the
    /// seats' version is not `version` any more, by which it was worked out. From then on nothing of the halls before is
    /// claimed or confirmed, and nothing at all is claimed until [`Self::end_rehousing`]: [`Claimed::Resting`],
    /// [`Confirmed::Gone`]. The same command twice begins it once. Where live holds stand in the way, the event makes no
    /// new ones for a while ([`REST_MS`]).
    ///
    /// [`REST_MS`]: crate::booking::REST_MS
    async fn begin_rehousing(
        &self,
        event: &EventId,
        change: &HallChange,
        version: u64,
        now: Timestamp,
    ) -> PortResult<Begun>;

    /// Up to `max` confirmed bookings with seats of a hall before, of one event whose change is not carried to its end;
    /// none, where it can be ended. `None`: there is no such event.
    async fn bookings_to_carry(&self, max: usize) -> PortResult<Option<ToCarry>>;

    /// Gives confirmed bookings their seats in the new hall, each all at once, and writes an outbox row [`REHOUSED`] for
    /// those to be told; answers of each whether it did. One that has none of these seats (any more) stays as it is: so
    /// each is carried over, and told, once.
    ///
    /// [`REHOUSED`]: crate::booking::REHOUSED
    async fn carry(&self, batch: &[Carry], now: Timestamp) -> PortResult<Applied<bool>>;

    /// Ends the event's change of hall of this number, so that seats can be claimed again. Nothing where a booking still
    /// has a seat of a hall before, or it was ended, or another began.
    async fn end_rehousing(&self, event: &EventId, number: u32) -> PortResult<()>;

    /// Adds to the append-only trail of payment acts. The same step of the same booking, transaction and refund twice is
    /// one row, as it was recorded first. A [`PaymentStep::VoidDue`] of the payment that its booking is confirmed with is
    /// not recorded: whoever is to give money back records that first, and looks whether it stands (invariant 9).
    ///
    /// [`PaymentStep::VoidDue`]: crate::booking::PaymentStep::VoidDue
    async fn record_payment(&self, act: &PaymentAct) -> PortResult<()>;

    /// Up to `max` payments and refunds that [began](crate::booking::PaymentStep::is_begin) at or before `until` and
    /// are [open](crate::booking::open_since), oldest first: the act that began each. What a finaliser
    /// that died, or a provider that did not answer, left behind. Not those that are stuck.
    async fn unsettled_payments(&self, until: Timestamp, max: usize) -> PortResult<Vec<PaymentAct>>;

    /// Adds to the event's audit trail. The same `command` twice is one row.
    async fn record_audit(&self, entry: &AuditEntry) -> PortResult<()>;

    /// Up to `max` outbox rows that are not yet published: those of one event in the order of its changes, whose numbers
    /// rise. Of another event, a row may turn up below a number that was read before.
    async fn outbox(&self, max: usize) -> PortResult<Vec<OutboxRow>>;

    /// Notes that the outbox rows of these numbers are published.
    async fn outbox_published(&self, numbers: &[u64]) -> PortResult<()>;

    /// The last link of the event's seed chain: keeps `candidate` unless one is kept, and answers the kept one. It is
    /// a secret until the draw reveals it.
    async fn chain_end(&self, event: &EventId, candidate: Digest) -> PortResult<Digest>;
}
