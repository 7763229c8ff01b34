//! An event that goes to another hall: where each sold seat would be, what stands in the way, and what to look at first.
//!
//! Nothing is changed here. What was looked at is named by its fingerprint, so that nothing else is done; how it is done
//! stands in [`crate::booking::HallChange`].

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Event, Venue},
    digest::Digest,
    holds::SeatClaim,
    id::{BookingId, VenueId},
    seats::{SeatId, SeatIndex, SeatMap},
};

/// Where sold seats go that don't keep their id: from an id of the old hall to one of the new.
pub type SeatNames = BTreeMap<SeatId, SeatId>;

/// What an operator wants, having looked at what it would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehouse {
    /// The hall to go to.
    pub venue_id: VenueId,
    /// Where sold seats go that don't keep their id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seats: SeatNames,
    /// Of the plan that was looked at: nothing else is done.
    pub fingerprint: Digest,
    /// Why, for those who have tickets.
    pub reason: String,
}

/// What stands in the way of a change of hall. Each is to be mended by other names, another hall, or a cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "why")]
pub enum Obstacle {
    /// The event is in that hall.
    #[error("the event is in this hall already")]
    SameHall,
    /// The new hall has a category without a price of the event.
    #[error("the event has no price for category '{category}' of the new hall")]
    NoPrice {
        /// Which.
        category: String,
    },
    /// A seat is named that the old hall does not have.
    #[error("the old hall has no seat '{seat}'")]
    UnknownSeat {
        /// Which.
        seat: SeatId,
    },
    /// A sold seat would go to one that the new hall does not have.
    #[error("seat '{seat}' of {booking} would be '{to}', which the new hall does not have")]
    #[serde(rename_all = "camelCase")]
    NoSuchSeat {
        /// Which, in the old hall.
        seat: SeatId,
        /// Whose.
        booking: BookingId,
        /// Where it would go.
        to: SeatId,
    },
    /// Two sold seats would be one.
    #[error("seats '{seat}' of {booking} and '{other}' of {other_booking} would both be '{to}'")]
    #[serde(rename_all = "camelCase")]
    TwoOnOne {
        /// The first, in the old hall's order.
        other: SeatId,
        /// Whose.
        other_booking: BookingId,
        /// The other one.
        seat: SeatId,
        /// Whose.
        booking: BookingId,
        /// Where both would go.
        to: SeatId,
    },
}

/// What is allowed, and to be looked at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "why")]
pub enum Caution {
    /// The new seat costs another price than the old one. What was paid stays.
    #[error("seat '{seat}' of {booking} cost {price}, '{to}' costs {new_price} in minor units")]
    #[serde(rename_all = "camelCase")]
    OtherPrice {
        /// Which, in the old hall.
        seat: SeatId,
        /// Whose.
        booking: BookingId,
        /// Where it goes.
        to: SeatId,
        /// What it costs, in minor units.
        price: i64,
        /// What the new one costs, in minor units.
        new_price: i64,
    },
    /// Two neighbours of one booking would sit apart.
    #[error("seats '{seat}' and '{other}' of {booking} were side by side and would not be")]
    Apart {
        /// The first, in the old hall's order.
        seat: SeatId,
        /// The one beside it.
        other: SeatId,
        /// Whose.
        booking: BookingId,
    },
}

/// A sold seat's way to the new hall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatWay {
    /// Whose it is.
    pub booking: BookingId,
    /// Its index in the old hall.
    pub from: SeatIndex,
    /// Its index in the new hall.
    pub to: SeatIndex,
}

/// A change of hall, worked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehousing {
    /// Where each sold seat goes, in the old hall's order; without those that have nowhere to go.
    pub ways: Vec<SeatWay>,
    /// How many of them keep their seat's id.
    pub same_id: usize,
    /// What stands in the way. Empty: every sold seat stays valid.
    pub obstacles: Vec<Obstacle>,
    /// What is to be looked at.
    pub cautions: Vec<Caution>,
    /// Live holds; there must be none when it is done.
    pub holds: Vec<SeatClaim>,
    /// Names all of it: the halls, the way of each sold seat with its booking and its price, and what stands in the way.
    /// Holds don't count.
    pub fingerprint: Digest,
}

impl Rehousing {
    /// How `event` goes from its hall `old` to `new`, which is numbered on from it ([`Venue::after`]). `names`: where seats go that don't keep their id; `claims`: the
    /// live holds and bookings of the event.
    pub fn plan(event: &Event, old: &Venue, new: &Venue, names: &SeatNames, claims: Vec<SeatClaim>) -> Self {
        let (holds, booked): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim.until.is_some());
        let mut obstacles = obstacles_of_the_halls(event, old, new, names);
        let mut sold: Vec<(SeatIndex, BookingId)> = booked
            .into_iter()
            .flat_map(|claim| claim.seats.into_iter().map(move |seat| (seat, claim.booking.clone())))
            .collect();
        sold.sort_unstable();
        let (mut ways, mut cautions, mut same_id) = (Vec::with_capacity(sold.len()), Vec::new(), 0);
        let mut taken: HashMap<SeatIndex, (SeatId, BookingId)> = HashMap::with_capacity(sold.len());
        for (from, booking) in sold {
            // The ledger has no seat that the hall does not have.
            let Some(seat) = old.seat_map.seat(from).map(|seat| seat.seat_id.clone()) else { continue };
            let to = names.get(&seat).unwrap_or(&seat).clone();
            let Some(index) = new.seat_map.index_of(&to) else {
                obstacles.push(Obstacle::NoSuchSeat { seat, booking, to });
                continue;
            };
            if let Some((other, other_booking)) = taken.get(&index).cloned() {
                obstacles.push(Obstacle::TwoOnOne { other, other_booking, seat, booking, to });
                continue;
            }
            same_id += usize::from(seat == to);
            let price = |map: &SeatMap, seat| event.price(map, seat).map(|price| price.amount);
            if let (Some(price), Some(new_price)) = (price(&old.seat_map, from), price(&new.seat_map, index))
                && price != new_price
            {
                let (seat, booking) = (seat.clone(), booking.clone());
                cautions.push(Caution::OtherPrice { seat, booking, to, price, new_price });
            }
            taken.insert(index, (seat, booking.clone()));
            ways.push(SeatWay { booking, from, to: index });
        }
        cautions.extend(apart(&ways, old, new));
        let mut plan = Self { ways, same_id, obstacles, cautions, holds, fingerprint: Digest::ZERO };
        plan.fingerprint = plan.digest(event, old, new);
        plan
    }

    /// Whether every sold seat stays valid.
    pub fn is_possible(&self) -> bool {
        self.obstacles.is_empty()
    }

    fn digest(&self, event: &Event, old: &Venue, new: &Venue) -> Digest {
        let ways: Vec<_> = self.ways.iter().map(|way| (&way.booking, way.from, way.to)).collect();
        let what = (&event.event_id, &old.venue_id, &new.venue_id, ways, &self.obstacles, &self.cautions);
        let text = serde_json::to_vec(&what).expect("a plan is plain data");
        Digest::of(&[b"weir/rehousing/v1", &text])
    }
}

/// What stands in the way whatever was sold.
fn obstacles_of_the_halls(event: &Event, old: &Venue, new: &Venue, names: &SeatNames) -> Vec<Obstacle> {
    let same = (old.venue_id == new.venue_id).then_some(Obstacle::SameHall);
    let categories = new.seat_map.categories().iter().filter(|category| !event.prices.contains_key(&*category.name));
    let unpriced = categories.map(|category| Obstacle::NoPrice { category: category.name.to_string() });
    let unknown = names.keys().filter(|seat| old.seat_map.index_of(seat).is_none());
    same.into_iter().chain(unpriced).chain(unknown.map(|seat| Obstacle::UnknownSeat { seat: seat.clone() })).collect()
}

/// Neighbours of one booking that would not be neighbours any more; `ways` in the old hall's order.
fn apart(ways: &[SeatWay], old: &Venue, new: &Venue) -> Vec<Caution> {
    let beside = |map: &SeatMap, a: SeatIndex, b: SeatIndex| a.0.abs_diff(b.0) == 1 && map.is_joined(a.max(b));
    let pairs = ways.windows(2).filter(|pair| {
        pair[0].booking == pair[1].booking
            && beside(&old.seat_map, pair[0].from, pair[1].from)
            && !beside(&new.seat_map, pair[0].to, pair[1].to)
    });
    let caution = |pair: &[SeatWay]| {
        let id = |at: usize| old.seat_map.seat(pair[at].from).map(|seat| seat.seat_id.clone());
        Some(Caution::Apart { seat: id(0)?, other: id(1)?, booking: pair[0].booking.clone() })
    };
    pairs.filter_map(caution).collect()
}

#[cfg(test)]
mod tests;
