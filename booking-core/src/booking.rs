//! A booking's life: held → confirmed → cancelled, or held → expired or released.

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    id::{BookingId, EventId, SessionId, TicketId, TransactionId, UserId},
    money::Money,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

mod door;
mod extend;
mod judge;
mod life;
mod rehouse;
mod telling;
mod trail;

pub use door::{
    CheckIn, CheckedIn, DoorBooking, DoorCounts, GateEntry, Revocation, RevokeTicket, TicketMark,
    cancels_a_seat_inside, judge_check_in, judge_revocation,
};
pub use extend::{ExtendHold, Extended, judge_extend};
pub use judge::{
    SeatsFor, Standings, given_up, judge_cancel, judge_claim, judge_confirm, judge_expiry, judge_release, payment_act,
    settles_earlier,
};
pub use life::{BookingEvent, Step, TRANSITIONS, outbox_kind, seat_status, step};
pub use rehouse::{
    Begun, Carry, EventHall, HallChange, Housing, REHOUSED, REST_MS, ToCarry, judge_begin, judge_carry, rests_until,
    seats_called,
};
pub use telling::{MOVED, TELL_AGAIN_MS, Telling};
pub use trail::open_since;

/// Where a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BookingState {
    /// Its seats are held until the deadline. Shown as `reserved`.
    #[serde(rename = "reserved")]
    Held,
    /// Its seats are sold.
    Confirmed,
    /// It was confirmed and then cancelled.
    Cancelled,
    /// Its hold ran out.
    Expired,
    /// Its owner gave the seats back.
    Released,
}

/// A booking as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are the public contract's")]
pub struct Booking {
    /// Its id, made from the user and the idempotency key: see [`booking_id`].
    pub booking_id: BookingId,
    /// Of which event.
    pub event_id: EventId,
    /// Whose.
    pub user_id: UserId,
    /// Under which admission.
    pub session: SessionId,
    /// Its seats, in the order asked; without those in `cancelled_seats`. Of a cancelled booking: the last it had.
    pub seats: Vec<SeatIndex>,
    /// Seats that its owner cancelled while keeping others, in the order cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled_seats: Vec<SeatIndex>,
    /// Its seats, cancelled ones included, that have another place than was bought, because their event went to another
    /// hall: which it is, and which was bought. See [`Self::bought`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bought_as: Vec<(SeatIndex, SeatIndex)>,
    /// Where it stands.
    pub state: BookingState,
    /// What it cost, with the seats that were cancelled since.
    pub total: Money,
    /// When the hold runs out, or ran out.
    pub expires_at: Timestamp,
    /// Whether the hold was extended, which happens once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extended: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was confirmed, cancelled, released or marked expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// What paid for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionId>,
    /// What is given back for the seats cancelled so far, in minor units; the trail of payment acts says how far that
    /// got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<i64>,
    /// SHA-256 of the request that made it: the same idempotency key with another request is refused.
    pub fingerprint: Digest,
}

/// The booking that `user`'s request with `idempotency_key` makes: the same on every gateway, before and after a crash.
pub fn booking_id(user: &UserId, idempotency_key: &str) -> BookingId {
    let digest = Digest::of(&[b"weir/booking/v1", user.as_str().as_bytes(), &[0], idempotency_key.as_bytes()]);
    BookingId::from_bytes(first_16(&digest))
}

/// The ticket of one seat of a booking, which is named by what it was bought as ([`Booking::bought`]).
pub fn ticket_id(booking: &BookingId, seat: SeatIndex) -> TicketId {
    let digest = Digest::of(&[b"weir/ticket/v1", booking.as_str().as_bytes(), &[0], &seat.0.to_le_bytes()]);
    TicketId::from_bytes(first_16(&digest))
}

fn first_16(digest: &Digest) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    bytes
}

/// A claim of seats, chosen and priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSeats {
    /// The booking to make.
    pub booking: BookingId,
    /// Of which event.
    pub event: EventId,
    /// Whose.
    pub user: UserId,
    /// Under which admission.
    pub session: SessionId,
    /// Which; at least one, none twice.
    pub seats: Vec<SeatIndex>,
    /// What they cost.
    pub total: Money,
    /// The hold's deadline.
    pub until: Timestamp,
    /// The most seats of live holds and bookings of this session, and of this user in this event.
    pub max_seats: u32,
    /// SHA-256 of the request.
    pub fingerprint: Digest,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most claims are held, so that a box would be one more allocation each")]
pub enum Claimed {
    /// Held, now or by an earlier try of the same request; in whatever state it is by now.
    Held(Booking),
    /// The idempotency key belongs to another request.
    KeyReused,
    /// These seats are taken.
    Unavailable(Vec<SeatIndex>),
    /// It would exceed the limit of seats.
    TooManySeats,
    /// The session has a confirmed booking: its admission is over.
    SessionOver,
    /// The event does not take place.
    CalledOff,
    /// Its seats are of another hall than the event is in, or it is about to go to another: worth repeating.
    Resting,
}

/// A confirmation whose payment is authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmSeats {
    /// Which booking.
    pub booking: BookingId,
    /// Whose it must be.
    pub user: UserId,
    /// What pays for it.
    pub transaction: TransactionId,
}

/// What became of a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "what was asked for is named as it was asked for")]
pub enum Confirmed {
    /// Confirmed, now or earlier.
    Confirmed(Booking),
    /// The hold had run out and somebody has one of its seats, or it had been given back or cancelled.
    Gone(Booking),
    /// There is no such booking of this user.
    Unknown,
}

/// Held seats given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Which booking.
    pub booking: BookingId,
    /// Whose it must be.
    pub user: UserId,
}

/// What became of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "what was asked for is named as it was asked for")]
pub enum Released {
    /// Given back, now or earlier, or run out before.
    Released(Booking),
    /// It is confirmed or cancelled; there is nothing to give back.
    NotHeld(Booking),
    /// There is no such booking of this user.
    Unknown,
}

/// Booked seats given up, against some of their price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelSeats {
    /// Which booking.
    pub booking: BookingId,
    /// Whose it must be.
    pub user: UserId,
    /// Which seats, as they were bought ([`Booking::bought`]), and what is given back for each, in minor units. Those that
    /// the booking does not have (any more) don't count.
    pub seats: Vec<(SeatIndex, i64)>,
}

/// What became of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "what was asked for is named as it was asked for")]
pub enum Cancelled {
    /// None of those seats is its own any more, since now or earlier; with the last of them it is cancelled itself.
    Cancelled(Booking),
    /// It never was confirmed.
    NotConfirmed(Booking),
    /// Somebody was let in with one of the seats; nothing was cancelled.
    Used(Booking),
    /// There is no such booking of this user.
    Unknown,
}

/// An event that does not take place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalledOff {
    /// Since when it is known here.
    pub at: Timestamp,
    /// Why, for those who have tickets.
    pub reason: String,
}

/// What live maps should show after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatChanges {
    /// Of which event.
    pub event_id: EventId,
    /// The event's seat version after it: one more than before it.
    pub version: u64,
    /// Seats and what they are now.
    pub changes: Vec<(SeatIndex, SeatStatus)>,
}

/// An event's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Seats in live holds.
    pub held: u64,
    /// Seats booked.
    pub booked: u64,
    /// Sessions with a live hold (not yet a booking).
    pub holding_sessions: u64,
}

/// Where a payment stands at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaymentStatus {
    /// Made, nothing set aside.
    Created,
    /// Set aside.
    Authorised,
    /// Taken.
    Captured,
    /// Given back before it was taken.
    Voided,
    /// Refused.
    Declined,
}

/// What was done about a booking's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaymentStep {
    /// The provider is about to be asked to set the amount aside: written first, so that no money is forgotten
    /// whatever happens next (invariant 9).
    Asked,
    /// The provider set the amount aside, and the booking is confirmed with it: written with the booking.
    Authorised,
    /// The provider refused, or has another amount; nothing is set aside.
    Declined,
    /// The amount was taken.
    Captured,
    /// The amount is to be given back: the seats could not be confirmed, or were with another payment, or it is another
    /// amount than they cost.
    VoidDue,
    /// It was given back.
    Voided,
    /// Some of what was taken is to be given back, because seats were cancelled.
    RefundDue,
    /// It was given back.
    Refunded,
    /// It could not be taken or given back, and a person has to see to it.
    Stuck,
    /// A person saw to it, outside.
    Resolved,
}

impl PaymentStep {
    /// Whether there is something to do about the money from it on.
    pub fn is_begin(self) -> bool {
        matches!(self, Self::Asked | Self::VoidDue | Self::RefundDue)
    }

    /// Whether nothing is left to do about the money after it; [`open_since`] knows the one exception.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Declined | Self::Captured | Self::Voided | Self::Refunded | Self::Resolved)
    }
}

/// One row of the append-only trail of payment acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAct {
    /// For which booking.
    pub booking: BookingId,
    /// From which payment.
    pub transaction: TransactionId,
    /// Of which of the booking's refunds: how many of its seats were cancelled with it. 0: of the payment itself.
    #[serde(default)]
    pub refund: u32,
    /// What was done.
    pub step: PaymentStep,
    /// How much.
    pub amount: Money,
    /// Why it is stuck, or how it was resolved and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl PaymentAct {
    /// Whether `other` is about the same money.
    pub fn is_of_one_with(&self, other: &Self) -> bool {
        (&self.booking, &self.transaction, self.refund) == (&other.booking, &other.transaction, other.refund)
    }
}

/// One row of an event's audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number, rising; 0 when it is to be recorded.
    #[serde(default)]
    pub number: u64,
    /// The command that did it, by its id.
    pub command: String,
    /// Of which event.
    pub event_id: EventId,
    /// Who: the operator key's name.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// What, in the command's words.
    pub action: String,
    /// What was before.
    pub before: serde_json::Value,
    /// What is now.
    pub after: serde_json::Value,
}

/// One row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxRow {
    /// Its number, rising.
    pub number: u64,
    /// What happened: `booking.held`, `booking.extended`, `booking.confirmed`, `booking.released`,
    /// `booking.expired`, `booking.cancelled`, `booking.reduced` where some of its seats were cancelled, [`MOVED`] where its event begins at another time,
    /// [`REHOUSED`] where it is in another hall.
    pub kind: String,
    /// The booking as it is after it.
    pub booking: Booking,
    /// When.
    pub at: Timestamp,
}

impl OutboxRow {
    /// What follows from the row alone, for a purpose of its own: the same whenever it is looked at.
    pub(crate) fn name_for(&self, purpose: &[u8]) -> [u8; 16] {
        first_16(&Digest::of(&[
            purpose,
            self.booking.booking_id.as_str().as_bytes(),
            &[0],
            self.kind.as_bytes(),
            &[0],
            &self.number.to_le_bytes(),
            &self.at.as_millis().to_le_bytes(),
        ]))
    }
}
