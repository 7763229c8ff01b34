//! Reconciliation: whether what is kept in several places agrees, and what is to be done where it does not.
//!
//! Who has which seat stands in the ledger twice (with the bookings, and seat by seat) and once more in the hold table;
//! where money stands is in the ledger's trail and in the provider's books. Each look compares them. While a sale runs
//! they differ for moments; only what two looks some seconds apart agree on is a [`SeatDifference`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use crate::{
    booking::{Booking, BookingState, PaymentAct, PaymentStatus, PaymentStep, open_since},
    holds::SeatClaim,
    id::{BookingId, EventId, TransactionId},
    ports::payments::PaymentStanding,
    seats::{SeatIndex, SeatSet},
};

/// Something about an event's seats that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeatDifference {
    /// Several live bookings have the seat (invariant 1). A person has to see to it.
    DoubleSold {
        /// Which seat.
        seat: SeatIndex,
        /// Whose it is, by id.
        bookings: Vec<BookingId>,
    },
    /// The booking has the seat, and the ledger's record of the seat names another or nobody. A person has to see to it.
    NotItsOwn {
        /// Which seat.
        seat: SeatIndex,
        /// Who should have it.
        booking: BookingId,
        /// Who has it.
        owner: Option<BookingId>,
    },
    /// The hold table keeps the seat from sale, and nobody has it in the ledger: the table is rebuilt from the ledger.
    KeptFromSale {
        /// Which seat.
        seat: SeatIndex,
    },
    /// Somebody has the seat in the ledger, and the hold table does not know: the table is rebuilt from the ledger.
    UnknownToTheTable {
        /// Which seat.
        seat: SeatIndex,
    },
}

impl SeatDifference {
    /// Whether rebuilding the hold table from the ledger mends it.
    pub fn is_of_the_table(&self) -> bool {
        matches!(self, Self::KeptFromSale { .. } | Self::UnknownToTheTable { .. })
    }
}

impl fmt::Display for SeatDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleSold { seat, bookings } => {
                let bookings: Vec<_> = bookings.iter().map(BookingId::as_str).collect();
                write!(f, "seat {} is sold to {}", seat.0, bookings.join(" and "))
            }
            Self::NotItsOwn { seat, booking, owner: Some(owner) } => {
                write!(f, "seat {} is {booking}'s, and is recorded as {owner}'s", seat.0)
            }
            Self::NotItsOwn { seat, booking, owner: None } => {
                write!(f, "seat {} is {booking}'s, and is recorded as nobody's", seat.0)
            }
            Self::KeptFromSale { seat } => write!(f, "seat {} is free, and the hold table keeps it from sale", seat.0),
            Self::UnknownToTheTable { seat } => {
                write!(f, "seat {} is taken, and the hold table has it as free", seat.0)
            }
        }
    }
}

/// What one look at an event's seats finds: `claims` as its bookings say, `owners` as its seats say, `table` as the hold
/// table says, if it is ready.
pub fn compare_seats(
    claims: &[SeatClaim],
    owners: &[(SeatIndex, BookingId)],
    table: Option<&SeatSet>,
) -> BTreeSet<SeatDifference> {
    let mut of_seat: BTreeMap<SeatIndex, BTreeSet<&BookingId>> = BTreeMap::new();
    for claim in claims {
        for seat in &claim.seats {
            of_seat.entry(*seat).or_default().insert(&claim.booking);
        }
    }
    let owners: HashMap<SeatIndex, &BookingId> = owners.iter().map(|(seat, owner)| (*seat, owner)).collect();
    let mut found = BTreeSet::new();
    for (seat, bookings) in &of_seat {
        if bookings.len() > 1 {
            let bookings = bookings.iter().map(|booking| (*booking).clone()).collect();
            found.insert(SeatDifference::DoubleSold { seat: *seat, bookings });
        } else if let Some(booking) = bookings.first().filter(|booking| owners.get(seat) != Some(*booking)) {
            let owner = owners.get(seat).map(|owner| (*owner).clone());
            found.insert(SeatDifference::NotItsOwn { seat: *seat, booking: (*booking).clone(), owner });
        }
        if table.is_some_and(|table| !table.contains(*seat)) {
            found.insert(SeatDifference::UnknownToTheTable { seat: *seat });
        }
    }
    let kept = table.into_iter().flat_map(SeatSet::iter).filter(|seat| !of_seat.contains_key(seat));
    found.extend(kept.map(|seat| SeatDifference::KeptFromSale { seat }));
    found
}

/// What is wrong with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentDifference {
    /// The booking is confirmed with it and nobody has taken it: it is taken.
    NotTaken,
    /// It is recorded as given back and is still set aside: it is released.
    StillSetAside,
    /// It was taken, and no booking is confirmed with it: a person has to see to it.
    TakenForNothing,
    /// The booking is confirmed with it, and the provider will not give it any more: a person has to see to it.
    Lost {
        /// As the provider has it; `None`: not at all.
        status: Option<PaymentStatus>,
    },
    /// The provider has another amount than is recorded: a person has to see to it.
    OtherAmount {
        /// As recorded, in minor units.
        recorded: i64,
        /// As the provider has it.
        provider: i64,
    },
    /// The provider gave back another amount than is recorded: a person has to see to it.
    OtherRefund {
        /// As recorded, in minor units.
        recorded: i64,
        /// As the provider has it.
        provider: i64,
    },
}

impl PaymentDifference {
    /// Whether there is one right answer to it, that needs nobody.
    pub fn can_be_mended(&self) -> bool {
        matches!(self, Self::NotTaken | Self::StillSetAside)
    }
}

impl fmt::Display for PaymentDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTaken => f.write_str("its booking is confirmed, and the money was not taken"),
            Self::StillSetAside => f.write_str("it was given back, and the provider still sets it aside"),
            Self::TakenForNothing => f.write_str("the provider took it, and no booking is confirmed with it"),
            Self::Lost { status: Some(status) } => {
                write!(f, "its booking is confirmed, and the provider has it as {status:?}")
            }
            Self::Lost { status: None } => f.write_str("its booking is confirmed, and the provider does not know it"),
            Self::OtherAmount { recorded, provider } => {
                write!(f, "{recorded} in minor units is recorded, and the provider has {provider}")
            }
            Self::OtherRefund { recorded, provider } => {
                write!(f, "{recorded} in minor units is recorded as given back, and the provider gave back {provider}")
            }
        }
    }
}

/// The payments that `acts` of one booking are about, oldest first.
pub fn payments_of(acts: &[PaymentAct]) -> Vec<TransactionId> {
    let mut seen = BTreeSet::new();
    acts.iter().map(|act| &act.transaction).filter(|of| seen.insert(*of)).cloned().collect()
}

/// Compares what `acts` say about the payment `transaction` of `booking` with how it stands at the provider. What is still
/// under way, or was left to a person, does not count. `None`: they agree.
pub fn compare_payment(
    booking: &Booking,
    acts: &[PaymentAct],
    transaction: &TransactionId,
    standing: Option<&PaymentStanding>,
) -> Option<PaymentDifference> {
    let of_it = || acts.iter().filter(|act| act.transaction == *transaction);
    let was = |step| of_it().any(|act| act.refund == 0 && act.step == step);
    if was(PaymentStep::Resolved) || was(PaymentStep::Stuck) {
        return None;
    }
    let pays = booking.transaction.as_ref() == Some(transaction)
        && matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled);
    let status = standing.map(|standing| standing.status);
    // Begun and without an end: whoever settles payments is at it.
    if open_since(of_it().filter(|act| act.refund == 0)).is_some() {
        return None;
    }
    match status {
        _ if !pays => match status? {
            PaymentStatus::Captured => {
                let refunded = standing.is_some_and(|standing| standing.refunded >= standing.amount.amount);
                (!refunded).then_some(PaymentDifference::TakenForNothing)
            }
            PaymentStatus::Authorised => Some(PaymentDifference::StillSetAside),
            PaymentStatus::Created | PaymentStatus::Voided | PaymentStatus::Declined => None,
        },
        Some(PaymentStatus::Authorised) => Some(PaymentDifference::NotTaken),
        Some(PaymentStatus::Captured) if !was(PaymentStep::Captured) => Some(PaymentDifference::NotTaken),
        Some(PaymentStatus::Captured) => compare_amounts(booking, acts, transaction, standing?),
        status => Some(PaymentDifference::Lost { status }),
    }
}

fn compare_amounts(
    booking: &Booking,
    acts: &[PaymentAct],
    transaction: &TransactionId,
    standing: &PaymentStanding,
) -> Option<PaymentDifference> {
    if standing.amount != booking.total {
        return Some(PaymentDifference::OtherAmount {
            recorded: booking.total.amount,
            provider: standing.amount.amount,
        });
    }
    let refunds = || acts.iter().filter(|act| act.transaction == *transaction && act.refund > 0);
    let sum = |step| refunds().filter(|act| act.step == step).map(|act| act.amount.amount).sum::<i64>();
    let (done, due) = (sum(PaymentStep::Refunded), sum(PaymentStep::RefundDue));
    // What is due and not done may or may not be given back already.
    let agrees = (done..=due.max(done)).contains(&standing.refunded);
    (!agrees).then_some(PaymentDifference::OtherRefund { recorded: done, provider: standing.refunded })
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// About an event's seats.
    Seat(EventId, SeatDifference),
    /// About a booking's payment.
    Payment(BookingId, TransactionId, PaymentDifference),
    /// The outbox has rows that nobody published for so many milliseconds: the relay does, once it can.
    Unpublished {
        /// How long the oldest has waited.
        ms: i64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seat(event, difference) => write!(f, "{event}: {difference}"),
            Self::Payment(booking, transaction, difference) => {
                write!(f, "{booking}, payment {transaction}: {difference}")
            }
            Self::Unpublished { ms } => write!(f, "changes wait to be published, the oldest for {} s", ms / 1_000),
        }
    }
}

#[cfg(test)]
mod tests;
