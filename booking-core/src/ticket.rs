//! Tickets: what the token of one booked seat says.
//!
//! The token is a JWT signed with Ed25519 (RFC 8037), of a type of its own ([`TYP`]), so that no other token is taken
//! for one. A door checks it with the public keys alone, offline; whether the seat was cancelled since, only Weir knows.

use serde::{Deserialize, Serialize};

use crate::{
    admission::audience,
    booking::{Booking, BookingState, ticket_id},
    id::{BookingId, EventId, TicketId},
    seats::{SeatId, SeatIndex},
};

/// The token's `typ`.
pub const TYP: &str = "ticket+jwt";

/// What a ticket says. The same ticket always says the same, so that its code never changes, unless its event goes to
/// another hall: then it has the new seat's name, under the same id, and the code from before is as good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClaims {
    /// Who issued it.
    pub iss: String,
    /// For which event, as [`audience`] writes it.
    pub aud: String,
    /// The ticket.
    pub sub: TicketId,
    /// The booking.
    pub bkg: BookingId,
    /// The seat.
    pub seat: SeatId,
    /// What the seat was bought as, where it has another place by now, because the event went to another hall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num: Option<SeatIndex>,
}

impl TicketClaims {
    /// The ticket of the seat `index`, which the map calls `seat`; `None` where `booking` does not have it, or is not
    /// confirmed.
    pub fn of(issuer: &str, booking: &Booking, index: SeatIndex, seat: &SeatId) -> Option<Self> {
        let bought = booking.bought(index);
        let has_it = booking.state == BookingState::Confirmed && booking.seats.contains(&index);
        has_it.then(|| Self {
            iss: issuer.to_owned(),
            aud: audience(&booking.event_id),
            sub: ticket_id(&booking.booking_id, bought),
            bkg: booking.booking_id.clone(),
            seat: seat.clone(),
            num: (bought != index).then_some(bought),
        })
    }

    /// Whether it is for `event`.
    pub fn is_for(&self, event: &EventId) -> bool {
        self.aud == audience(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, money::Money, time::Timestamp};

    fn booking(state: BookingState) -> Booking {
        Booking {
            booking_id: "booking_1".parse().unwrap(),
            event_id: "evt_1".parse().unwrap(),
            user_id: "user_1".parse().unwrap(),
            session: "session_1".parse().unwrap(),
            seats: vec![SeatIndex(3)],
            cancelled_seats: vec![SeatIndex(4)],
            bought_as: Vec::new(),
            state,
            total: Money { amount: 500, currency: "EUR".parse().unwrap() },
            expires_at: Timestamp::default(),
            extended: false,
            created_at: Timestamp::default(),
            settled_at: None,
            transaction: None,
            refund: None,
            fingerprint: Digest::ZERO,
        }
    }

    #[test]
    fn a_seat_has_a_ticket_while_it_is_booked() {
        let seat: SeatId = "A-1".parse().unwrap();
        let of = |state, index| TicketClaims::of("https://weir.example", &booking(state), SeatIndex(index), &seat);
        let ticket = of(BookingState::Confirmed, 3).expect("it is booked");
        assert_eq!(of(BookingState::Confirmed, 3).as_ref(), Some(&ticket), "the same ever after");
        assert!(ticket.is_for(&"evt_1".parse().unwrap()) && !ticket.is_for(&"evt_2".parse().unwrap()));
        assert_eq!(of(BookingState::Confirmed, 4), None, "cancelled");
        assert_eq!(of(BookingState::Confirmed, 5), None, "never was its own");
        for state in [BookingState::Held, BookingState::Cancelled, BookingState::Expired, BookingState::Released] {
            assert_eq!(of(state, 3), None, "{state:?}");
        }
    }
}
