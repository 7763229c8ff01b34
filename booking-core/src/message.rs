//! What travels through the log between the gateway and the workers, as JSON.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    booking::{Booking, CheckIn, CheckedIn},
    catalog::{Event, Move, Venue},
    digest::Digest,
    id::{BookingId, EventId, SessionId, TransactionId, UserId},
    mail::Contact,
    money::Money,
    rehousing::{Obstacle, Rehouse},
    sale::SalePolicy,
    seats::{SeatId, SeatIndex},
    time::Timestamp,
};

/// Whom to answer: the gateway's lane of `weir.replies`, and which of its questions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplyTo {
    /// The gateway, by its name.
    pub gateway: String,
    /// Its question.
    pub correlation: String,
}

/// A record of `weir.sales`: the event has a sale, with this policy as it was laid down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleAnnounced {
    /// Of which event; the log's key.
    pub event_id: EventId,
    /// Its policy. The state log alone says what holds now.
    pub policy: SalePolicy,
}

/// A command on `weir.bookings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCommand {
    /// Whom to answer.
    pub reply_to: ReplyTo,
    /// From then on nobody waits: a worker discards it.
    pub deadline: Timestamp,
    /// W3C trace context, passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Of which event; the log's key.
    pub event: EventId,
    /// Which booking.
    pub booking: BookingId,
    /// Whose.
    pub user: UserId,
    /// What to do.
    pub act: BookingAct,
}

/// What to do with a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum BookingAct {
    /// Hold seats.
    #[serde(rename_all = "camelCase")]
    Hold {
        /// Under which admission.
        session: SessionId,
        /// The most seats the admission allows.
        max_seats: u32,
        /// Which seats.
        wanted: Wanted,
        /// SHA-256 of the request.
        fingerprint: Digest,
    },
    /// Extend a hold, once, by what the sale's policy says.
    Extend,
    /// Give held seats back.
    Release,
    /// Pay and confirm.
    #[serde(rename_all = "camelCase")]
    Confirm {
        /// The payment.
        transaction: TransactionId,
        /// What the client believes it costs, in minor units.
        amount: i64,
        /// Where its buyer is to be reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<Contact>,
    },
    /// The provider says that so much is set aside for it: confirm it with that as its buyer would, or give it back.
    #[serde(rename_all = "camelCase")]
    Paid {
        /// The payment.
        transaction: TransactionId,
        /// How much it is, as the provider says.
        amount: Money,
    },
    /// Give up seats that are booked.
    #[serde(rename_all = "camelCase")]
    Cancel {
        /// Which; none: all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seats: Vec<SeatId>,
        /// What the client believes is given back for them, in minor units; `None`: whatever it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund: Option<i64>,
    },
    /// See to a payment or refund that is stuck.
    #[serde(rename_all = "camelCase")]
    SeeTo {
        /// The payment.
        transaction: TransactionId,
        /// Of which of the booking's refunds; 0: of the payment itself.
        refund: u32,
        /// How it was resolved outside; `None`: ask the provider once more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resolved: Option<String>,
        /// The operator key's name.
        actor: String,
        /// The command's id, for the audit trail.
        command: String,
    },
    /// Let in who shows these tickets of the command's event; whose they are does not matter.
    #[serde(rename_all = "camelCase")]
    CheckIn {
        /// What was scanned, in order; of bookings that need not be the command's.
        scans: Vec<CheckIn>,
    },
    /// Revoke the booking's ticket for a seat, or make it good again.
    #[serde(rename_all = "camelCase")]
    RevokeTicket {
        /// Which seat.
        seat: SeatIndex,
        /// Why; `None`: it is good again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The operator key's name.
        actor: String,
        /// The command's id, for the audit trail.
        command: String,
    },
}

/// Which seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wanted {
    /// These.
    Seats(Vec<SeatId>),
    /// As good ones as there are.
    #[serde(rename_all = "camelCase")]
    BestAvailable {
        /// How many.
        count: u32,
        /// Only of this category.
        category: Option<String>,
    },
}

/// A command on `weir.commands`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorCommand {
    /// Its id: doing it twice is doing it once.
    pub id: String,
    /// Whom to answer.
    pub reply_to: ReplyTo,
    /// From then on nobody waits: a worker discards it.
    pub deadline: Timestamp,
    /// The operator key's name.
    pub actor: String,
    /// The log's key: the event, or the venue.
    pub key: String,
    /// What to do.
    pub act: OperatorAct,
}

/// What an operator wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum OperatorAct {
    /// Add a venue.
    #[serde(rename_all = "camelCase")]
    PutVenue {
        /// It.
        venue: Box<Venue>,
    },
    /// Add an event.
    #[serde(rename_all = "camelCase")]
    PutEvent {
        /// It.
        event: Box<Event>,
    },
    /// Open a line, or change its policy before its lobby opens.
    #[serde(rename_all = "camelCase")]
    Configure {
        /// Of which event.
        event: EventId,
        /// The policy.
        policy: SalePolicy,
    },
    /// Steer a running sale; what is absent stays.
    #[serde(rename_all = "camelCase")]
    Steer {
        /// Of which event.
        event: EventId,
        /// Admissions a minute.
        rate_per_minute: Option<u32>,
        /// The most admissions alive at once.
        max_active: Option<u32>,
        /// Whether calling and admitting rest.
        paused: Option<bool>,
        /// Only if the sale's version is still this.
        if_version: Option<u64>,
    },
    /// Call the event off: every booking is cancelled, and its whole price given back.
    #[serde(rename_all = "camelCase")]
    CallOff {
        /// Which.
        event: EventId,
        /// Why, for those who have tickets.
        reason: String,
    },
    /// Let the event begin at another time; bookings stand.
    #[serde(rename_all = "camelCase")]
    Move {
        /// Which.
        event: EventId,
        /// When, and why.
        wanted: Move,
    },
    /// Have the event in another hall; bookings stand, each in its new place.
    #[serde(rename_all = "camelCase")]
    Rehouse {
        /// Which.
        event: EventId,
        /// Where to, and why.
        wanted: Rehouse,
    },
    /// End an admission.
    #[serde(rename_all = "camelCase")]
    Revoke {
        /// Of which event.
        event: EventId,
        /// Which.
        session: SessionId,
    },
}

/// An answer on `weir.replies`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// To whom.
    pub to: ReplyTo,
    /// What.
    pub outcome: Outcome,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "of")]
pub enum Outcome {
    /// The booking as it stands: held, released or confirmed as asked.
    Booking(Box<Booking>),
    /// It is in the state log, whose version is this: the sale's steering is as asked.
    Steered {
        /// The sale's version.
        version: u64,
    },
    /// What became of each scan, in order.
    CheckedIn(Vec<CheckedIn>),
    /// Done.
    Done,
    /// Not done, and why.
    Refused(Refusal),
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Refusal {
    /// There is no such thing, or not for this user.
    #[error("there is no such thing here")]
    NotFound,
    /// Seats that are taken.
    #[error("some of the seats are taken")]
    SeatsUnavailable {
        /// Which.
        unavailable: Vec<SeatId>,
    },
    /// The choice would leave a single empty seat.
    #[error("this choice would leave a single empty seat beside it; another choice in the row would not")]
    OrphanSeat {
        /// The seats it would leave.
        orphans: Vec<SeatId>,
    },
    /// More seats than allowed.
    #[error("this is more seats than the {max_seats} allowed")]
    #[serde(rename_all = "camelCase")]
    TooManySeats {
        /// How many are allowed.
        max_seats: u32,
    },
    /// Seats or a category that the venue does not have.
    #[error("the venue has no seat or category '{name}'")]
    UnknownSeat {
        /// The first of them.
        name: String,
    },
    /// The same seat twice.
    #[error("seat '{name}' is named twice")]
    DuplicateSeat {
        /// Which.
        name: String,
    },
    /// The idempotency key belongs to another request.
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    /// The admission is over, revoked, or was spent on a booking.
    #[error("the admission is over")]
    AdmissionOver,
    /// Nothing is sold any more.
    #[error("the sale has ended")]
    SaleEnded,
    /// The event has begun.
    #[error("the event has begun")]
    EventOver,
    /// The event does not take place.
    #[error("the event was called off")]
    CalledOff,
    /// It is on its way to another hall; worth repeating.
    #[error("the event is going to another hall; try again in some seconds")]
    Rehousing,
    /// What a change of hall would come to is not what was looked at.
    #[error("what was sold or where it would go is no longer what the preview showed; look at it again")]
    PlanChanged,
    /// Sold seats that would not stay valid, or what else stands in the way of a change of hall.
    #[error("not every sold seat would stay valid; nothing was changed")]
    #[serde(rename_all = "camelCase")]
    Obstacles {
        /// The first of them.
        obstacles: Vec<Obstacle>,
        /// How many there are.
        in_all: usize,
    },
    /// Live holds stand in the way of a change of hall.
    #[error(
        "{holds} live holds are in the way, the last until {until}; no new ones are made until some time after that: look at the preview again then"
    )]
    SeatsHeld {
        /// How many.
        holds: u64,
        /// When the last of them runs out.
        until: Timestamp,
    },
    /// The sale's policy has no time to add to a hold.
    #[error("holds of this sale can't be extended")]
    NotExtendable,
    /// The hold ran out, or was given back.
    #[error("the hold has run out")]
    HoldExpired,
    /// The provider declined.
    #[error("the payment was declined: {reason}")]
    PaymentDeclined {
        /// For the buyer.
        #[serde(rename = "why")]
        reason: String,
    },
    /// The amount is not what the booking costs.
    #[error("the booking costs {due} in minor units, the payment is of {paid}")]
    AmountMismatch {
        /// What it costs.
        due: i64,
        /// What was offered.
        paid: i64,
    },
    /// The booking is not in a state that allows it.
    #[error("the booking is no longer reserved")]
    NotReserved,
    /// The booking is not in a state that allows it.
    #[error("the booking is not confirmed")]
    NotConfirmed,
    /// Somebody was let in with one of the tickets.
    #[error("somebody was let in with a ticket of these seats; nothing was cancelled")]
    TicketUsed,
    /// The client was told another amount.
    #[error("{refund} in minor units would be given back now; nothing was cancelled")]
    RefundChanged {
        /// What it is now.
        refund: i64,
    },
    /// Nothing is stuck about this payment or refund.
    #[error("nothing is stuck there")]
    NotStuck,
    /// The provider refuses still.
    #[error("it is still stuck: {why}")]
    StillStuck {
        /// In the provider's words.
        why: String,
    },
    /// The id is taken by something else.
    #[error("the id is taken by something else")]
    Conflict,
    /// The sale changed since the version named.
    #[error("the sale has changed since; its version is now {version}")]
    VersionMismatch {
        /// The version now.
        version: u64,
    },
    /// A setting is out of its limits, or can't change any more.
    #[error("{detail}")]
    Invalid {
        /// Which, and what to do.
        detail: String,
    },
    /// Worth repeating.
    #[error("{detail}")]
    Unavailable {
        /// What is not there.
        detail: String,
    },
}

/// A message as it goes into the log.
pub fn encode(message: &impl Serialize) -> bytes::Bytes {
    serde_json::to_vec(message).expect("messages are plain data with text keys").into()
}

/// A message as it comes from the log.
///
/// # Errors
/// If it is not one: written by somebody else, or by a version that knows more.
pub fn decode<M: DeserializeOwned>(payload: &[u8]) -> Result<M, serde_json::Error> {
    serde_json::from_slice(payload)
}
