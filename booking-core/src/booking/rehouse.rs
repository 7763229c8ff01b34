//! Bookings of an event that goes to another hall.
//!
//! A seat is named for ever by the index that it was bought as: tickets, what a door knows of them, and whoever cancels
//! name it so, whatever place it has by now.

use serde::{Deserialize, Serialize};

use super::{Booking, BookingState};
use crate::{
    catalog::{Rehoused, Venue},
    id::{BookingId, EventId},
    rehousing::SeatNames,
    seats::{SeatIndex, SeatMap},
    time::Timestamp,
};

/// The outbox's word for a booking whose event went to another hall.
pub const REHOUSED: &str = "booking.rehoused";

/// For how long after the last live hold, in milliseconds, an event that could not go to another hall because of it
/// makes no new ones: time to look at the preview once more, and to repeat the request.
pub const REST_MS: i64 = 120_000;

/// A change of hall as the ledger keeps it: enough to carry the bookings over, whoever comes after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HallChange {
    /// The change.
    pub rehoused: Rehoused,
    /// Where sold seats go that don't keep their id.
    #[serde(default, skip_serializing_if = "SeatNames::is_empty")]
    pub seats: SeatNames,
    /// The operator key's name, for the audit trail.
    pub actor: String,
}

/// What became of the wish to begin a change of hall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "what was asked for is named as it was asked for")]
pub enum Begun {
    /// It is begun, now or by this very command earlier.
    Begun,
    /// Seats of the event, or its hall, changed since it was worked out.
    Changed,
    /// Another change is not carried to its end.
    Another,
    /// There are live holds; new ones are refused until [`REST_MS`] after the last of them.
    Held {
        /// How many.
        holds: u64,
        /// When the last of them runs out.
        until: Timestamp,
    },
}

/// In which hall an event is, as a ledger keeps it; by default, as before its first change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventHall {
    /// The first seat of the hall that it is in.
    pub first_seat: u32,
    /// The latest change.
    pub change: Option<HallChange>,
    /// Whether bookings are still carried over.
    pub carries: bool,
    /// Until when no holds are made, so that a change can begin.
    pub rests_until: Option<Timestamp>,
}

/// How far the latest change of an event's hall got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Housing {
    /// The change.
    pub change: HallChange,
    /// Confirmed bookings with seats of a hall before.
    pub left: u64,
    /// Whether it is done, and seats of the new hall can be had.
    pub is_done: bool,
}

/// Bookings that are to be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToCarry {
    /// Of which event.
    pub event: EventId,
    /// The change.
    pub change: HallChange,
    /// Confirmed bookings with seats of a hall before. None: the change can be ended.
    pub bookings: Vec<Booking>,
}

/// A booking to be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// Which.
    pub booking: BookingId,
    /// From each of its seats to the one in the new hall.
    pub ways: Vec<(SeatIndex, SeatIndex)>,
    /// Whether its owner is to be told: a [`REHOUSED`] row of the outbox.
    pub is_told: bool,
}

impl HallChange {
    /// How `booking` goes from the hall `old` to `new`, which is numbered on from it ([`Venue::after`]). `None` where one of
    /// its seats has nowhere to go, which was ruled out before the change began.
    ///
    /// Its owner is to be told where a seat has another id, or the hall another name or address.
    pub fn carry(&self, booking: &Booking, old: &Venue, new: &Venue) -> Option<Carry> {
        let mut is_told = (&old.name, &old.address, &old.location) != (&new.name, &new.address, &new.location);
        let mut ways = Vec::with_capacity(booking.seats.len());
        for from in booking.seats.iter().filter(|seat| seat.0 < self.rehoused.first_seat) {
            let seat = &new.seat_map.seat(*from)?.seat_id;
            let to = self.seats.get(seat).unwrap_or(seat);
            is_told |= seat != to;
            ways.push((*from, new.seat_map.index_of(to)?));
        }
        Some(Carry { booking: booking.booking_id.clone(), ways, is_told })
    }
}

/// What becomes of the wish to begin `change`, and the hall to write. It was worked out when the event's seats were at
/// `version`, and they are at `stands`. `holds`: how many live holds there are, and when the last of them runs out.
pub fn judge_begin(
    hall: &EventHall,
    change: &HallChange,
    (version, stands): (u64, u64),
    holds: Option<(u64, Timestamp)>,
) -> (Begun, Option<EventHall>) {
    let latest = hall.change.as_ref().map(|latest| &latest.rehoused);
    if latest.is_some_and(|latest| latest.command == change.rehoused.command) {
        return (Begun::Begun, None);
    }
    if hall.carries {
        return (Begun::Another, None);
    }
    if stands != version || latest.map_or(0, |latest| latest.number) + 1 != change.rehoused.number {
        return (Begun::Changed, None);
    }
    if let Some((holds, until)) = holds {
        let resting = EventHall { rests_until: Some(rests_until(until)), ..hall.clone() };
        return (Begun::Held { holds, until }, Some(resting));
    }
    let first_seat = change.rehoused.first_seat;
    (Begun::Begun, Some(EventHall { first_seat, change: Some(change.clone()), carries: true, rests_until: None }))
}

/// What becomes of `booking` by `ways`; `None`: nothing, because it has none of those seats (any more).
pub fn judge_carry(booking: &Booking, ways: &[(SeatIndex, SeatIndex)]) -> Option<Booking> {
    let way = |seat: &SeatIndex| ways.iter().find(|(from, _)| from == seat).map(|(_, to)| *to);
    if booking.state != BookingState::Confirmed || !booking.seats.iter().any(|seat| way(seat).is_some()) {
        return None;
    }
    let mut after = booking.clone();
    after.bought_as.retain(|(now, _)| !booking.seats.contains(now) || way(now).is_none());
    for seat in &mut after.seats {
        if let Some(to) = way(seat) {
            after.bought_as.push((to, booking.bought(*seat)));
            *seat = to;
        }
    }
    Some(after)
}

/// Until when an event makes no new holds, where one that lasts `until` then kept it from going to another hall.
pub fn rests_until(until: Timestamp) -> Timestamp {
    until.plus_millis(REST_MS)
}

impl Booking {
    /// What `seat`, one of its own, was bought as: by that its ticket is named, and its price.
    pub fn bought(&self, seat: SeatIndex) -> SeatIndex {
        self.bought_as.iter().find(|(now, _)| *now == seat).map_or(seat, |(_, bought)| *bought)
    }

    /// Its seats, as they were bought.
    pub fn bought_seats(&self) -> Vec<SeatIndex> {
        self.seats.iter().map(|seat| self.bought(*seat)).collect()
    }

    /// Its seat that was bought as `bought`, and is not cancelled.
    pub fn seat_bought_as(&self, bought: SeatIndex) -> Option<SeatIndex> {
        self.seats.iter().copied().find(|seat| self.bought(*seat) == bought)
    }

    /// Whether `map`, or a hall before it, has all its seats; not so where whoever has the map has not heard yet of the hall
    /// that the event is in.
    pub fn is_known_to(&self, map: &SeatMap) -> bool {
        self.seats.iter().all(|seat| seat.0 < map.end())
    }

    /// Whether all its seats are of the hall that begins with `first_seat`.
    pub fn is_of_hall(&self, first_seat: u32) -> bool {
        self.seats.iter().all(|seat| seat.0 >= first_seat)
    }
}

/// The seats that `map` and the halls before it call `id`, that of the present hall first.
pub fn seats_called<'a>(map: &'a SeatMap, id: &'a crate::seats::SeatId) -> impl Iterator<Item = SeatIndex> + 'a {
    std::iter::successors(Some(map), |map| map.before().map(|before| &**before)).filter_map(move |map| map.index_of(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, money::Money};

    fn change(command: &str, number: u32, first_seat: u32) -> HallChange {
        let rehoused = Rehoused {
            command: command.to_owned(),
            number,
            at: Timestamp::default(),
            from: "venue_1".parse().unwrap(),
            to: "venue_2".parse().unwrap(),
            first_seat,
            reason: "A reason.".to_owned(),
            fingerprint: Digest::ZERO,
        };
        HallChange { rehoused, seats: SeatNames::new(), actor: "anna".to_owned() }
    }

    fn booking(seats: &[u32], state: BookingState) -> Booking {
        Booking {
            booking_id: "booking_1".parse().unwrap(),
            event_id: "evt_1".parse().unwrap(),
            user_id: "user_1".parse().unwrap(),
            session: "session_1".parse().unwrap(),
            seats: seats.iter().copied().map(SeatIndex).collect(),
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

    fn ways(ways: &[(u32, u32)]) -> Vec<(SeatIndex, SeatIndex)> {
        ways.iter().map(|(from, to)| (SeatIndex(*from), SeatIndex(*to))).collect()
    }

    #[test]
    fn a_change_of_hall_begins_by_what_it_was_worked_out_from_and_once_nobody_holds_seats() {
        let until = Timestamp::from_millis(60_000);
        let before = EventHall::default();
        let resting = EventHall { rests_until: Some(rests_until(until)), ..EventHall::default() };
        let begun = EventHall { first_seat: 10, change: Some(change("c1", 1, 10)), carries: true, rests_until: None };
        let ended = EventHall { carries: false, ..begun.clone() };
        let again = EventHall { first_seat: 20, change: Some(change("c2", 2, 20)), ..begun.clone() };
        let held = Begun::Held { holds: 3, until };
        // hall, what is wanted, version it was worked out by (they are at 7), live holds; answer, what is written
        let table = [
            (&before, change("c1", 1, 10), 7, None, Begun::Begun, Some(&begun)),
            (&resting, change("c1", 1, 10), 7, None, Begun::Begun, Some(&begun)),
            (&ended, change("c2", 2, 20), 7, None, Begun::Begun, Some(&again)),
            (&before, change("c1", 1, 10), 7, Some((3, until)), held, Some(&resting)),
            (&before, change("c1", 1, 10), 6, None, Begun::Changed, None),
            (&before, change("c1", 1, 10), 6, Some((3, until)), Begun::Changed, None),
            (&before, change("c2", 2, 10), 7, None, Begun::Changed, None),
            (&ended, change("c2", 1, 20), 7, None, Begun::Changed, None),
            (&begun, change("c2", 2, 20), 7, None, Begun::Another, None),
            // A try that lost its answer, whatever happened since.
            (&begun, change("c1", 1, 10), 6, None, Begun::Begun, None),
            (&ended, change("c1", 1, 10), 6, Some((3, until)), Begun::Begun, None),
        ];
        for (number, (hall, wanted, version, holds, answer, written)) in table.into_iter().enumerate() {
            let judged = judge_begin(hall, &wanted, (version, 7), holds);
            assert_eq!(judged, (answer, written.cloned()), "row {number}");
        }
    }

    #[test]
    fn a_seat_is_known_by_what_it_was_bought_as_however_often_it_moves() {
        let bought = booking(&[3, 5], BookingState::Confirmed);
        let first = judge_carry(&bought, &ways(&[(3, 15), (5, 10), (4, 11)])).expect("carried");
        assert_eq!(first.seats, [SeatIndex(15), SeatIndex(10)], "in the order asked");
        assert_eq!(judge_carry(&first, &ways(&[(3, 15), (5, 10)])), None, "once");
        let mut reduced = first.clone();
        reduced.cancelled_seats.push(reduced.seats.remove(0));
        let second = judge_carry(&reduced, &ways(&[(15, 21), (10, 20)])).expect("carried");
        assert_eq!((&second.seats[..], second.bought(SeatIndex(20))), (&[SeatIndex(20)][..], SeatIndex(5)));
        assert_eq!(second.bought(SeatIndex(15)), SeatIndex(3), "a cancelled one, too");
        assert_eq!(second.cancelled_seats, [SeatIndex(4), SeatIndex(15)], "which stays where it was");
        assert_eq!(second.seat_bought_as(SeatIndex(5)), Some(SeatIndex(20)));
        assert_eq!(second.seat_bought_as(SeatIndex(3)), None);
    }

    #[test]
    fn nothing_but_a_confirmed_booking_is_carried_over() {
        for state in [BookingState::Held, BookingState::Cancelled, BookingState::Expired, BookingState::Released] {
            assert_eq!(judge_carry(&booking(&[3], state), &ways(&[(3, 15)])), None, "{state:?}");
        }
    }
}
