//! The hold table's state and its verbs.

use std::collections::HashMap;

use super::{Grant, SeatClaim, Settle, TABLE_GRACE_MS, Want};
use crate::{
    id::BookingId,
    seats::{MAX_SEATS_OF_AN_EVENT, SeatIndex, SeatSet},
    time::Timestamp,
};

/// Marks a seat that nobody has.
const NOBODY: u32 = u32::MAX;

/// One booking's claim of its seats.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    booking: BookingId,
    /// Rising, none twice.
    seats: Box<[SeatIndex]>,
    /// When the table lets them go; `None`: booked.
    until: Option<Timestamp>,
}

impl Claim {
    fn is_live(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// One event's hold table. See the port's contract: [`crate::ports::holds`].
///
/// Nothing sweeps it: a claim whose deadline has passed keeps its seats until somebody else takes one of them, and loses
/// all of them then. So a payment that comes late still finds its seats to mark as booked. Every claim has at least one
/// seat of its own, so there are never more claims than seats.
#[derive(Debug, Default)]
pub struct HoldTable {
    ready: bool,
    /// Who has each seat: a position in `claims`, or [`NOBODY`].
    seats: Vec<u32>,
    claims: Vec<Option<Claim>>,
    /// Positions in `claims` that are empty.
    vacant: Vec<u32>,
    positions: HashMap<BookingId, u32>,
}

impl HoldTable {
    /// Whether the table may be trusted: it has been rebuilt since it was made.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Replaces the table by `claims`, as the ledger has them, and makes it ready.
    pub fn rebuild(&mut self, claims: &[SeatClaim]) {
        *self = Self { ready: true, ..Self::default() };
        for claim in claims {
            let seats = in_order(&claim.seats);
            if seats.last().is_some_and(|seat| fits(*seat)) {
                self.put(claim.booking.clone(), seats, claim.until.map(with_grace));
            }
        }
    }

    /// Grants `want` all its seats or none. The same booking again: granted what it still has, with the deadline that
    /// it had; with other seats: none of them, whoever has them.
    pub fn hold(&mut self, want: &Want, now: Timestamp) -> Grant {
        if !self.ready {
            return Grant::NotReady;
        }
        let seats = in_order(&want.seats);
        if let Some(claim) = self.claim_of(&want.booking)
            && claim.is_live(now)
        {
            return if claim.seats == seats { Grant::Granted } else { Grant::Taken(want.seats.clone()) };
        }
        let taken: Vec<SeatIndex> =
            want.seats.iter().copied().filter(|seat| !fits(*seat) || self.is_taken(*seat, now)).collect();
        if !taken.is_empty() {
            return Grant::Taken(taken);
        }
        if !seats.is_empty() {
            self.put(want.booking.clone(), seats, Some(with_grace(want.until)));
        }
        Grant::Granted
    }

    /// Ends a hold, or extends it. Of a booking that is not there: nothing.
    pub fn settle(&mut self, settle: &Settle) {
        match settle {
            Settle::Booked(booking) => {
                if let Some(position) = self.positions.get(booking)
                    && let Some(claim) = &mut self.claims[*position as usize]
                {
                    claim.until = None;
                }
            }
            Settle::Extended(booking, until) => {
                if let Some(position) = self.positions.get(booking)
                    && let Some(claim) = &mut self.claims[*position as usize]
                {
                    claim.until = claim.until.map(|had| had.max(with_grace(*until)));
                }
            }
            Settle::Freed(booking) => {
                if let Some(position) = self.positions.get(booking).copied() {
                    self.drop_claim(position);
                }
            }
            Settle::Kept(booking, kept) => {
                let Some(position) = self.positions.get(booking).copied() else { return };
                let Some(claim) = &mut self.claims[position as usize] else { return };
                let (kept, freed): (Vec<SeatIndex>, Vec<SeatIndex>) =
                    claim.seats.iter().partition(|seat| kept.contains(seat));
                if kept.is_empty() {
                    self.drop_claim(position);
                    return;
                }
                claim.seats = kept.into();
                for seat in freed {
                    self.seats[seat.0 as usize] = NOBODY;
                }
            }
        }
    }

    /// Every seat that is held or booked at `now`. The set is as long as the highest seat ever claimed asks for; a seat
    /// beyond it is free.
    pub fn taken(&self, now: Timestamp) -> SeatSet {
        let mut taken = SeatSet::with_len(self.seats.len());
        for claim in self.claims.iter().flatten().filter(|claim| claim.is_live(now)) {
            for seat in &claim.seats {
                taken.insert(*seat);
            }
        }
        taken
    }

    fn claim_of(&self, booking: &BookingId) -> Option<&Claim> {
        self.claims[*self.positions.get(booking)? as usize].as_ref()
    }

    fn is_taken(&self, seat: SeatIndex, now: Timestamp) -> bool {
        let holder = self.seats.get(seat.0 as usize).copied().unwrap_or(NOBODY);
        self.claims.get(holder as usize).and_then(Option::as_ref).is_some_and(|claim| claim.is_live(now))
    }

    /// Gives `seats` to `booking`. Whatever claim still had one of them loses all of its own.
    fn put(&mut self, booking: BookingId, seats: Box<[SeatIndex]>, until: Option<Timestamp>) {
        if let Some(own) = self.positions.get(&booking).copied() {
            self.drop_claim(own);
        }
        let needed = seats.last().map_or(0, |last| last.0 as usize + 1);
        if needed > self.seats.len() {
            self.seats.resize(needed, NOBODY);
        }
        for seat in &seats {
            let holder = self.seats[seat.0 as usize];
            if holder != NOBODY {
                self.drop_claim(holder);
            }
        }
        let position = self.vacant.pop().unwrap_or_else(|| {
            self.claims.push(None);
            u32::try_from(self.claims.len() - 1).expect("there are no more claims than seats")
        });
        for seat in &seats {
            self.seats[seat.0 as usize] = position;
        }
        self.positions.insert(booking.clone(), position);
        self.claims[position as usize] = Some(Claim { booking, seats, until });
    }

    fn drop_claim(&mut self, position: u32) {
        if let Some(claim) = self.claims[position as usize].take() {
            for seat in &claim.seats {
                self.seats[seat.0 as usize] = NOBODY;
            }
            self.positions.remove(&claim.booking);
            self.vacant.push(position);
        }
    }
}

fn in_order(seats: &[SeatIndex]) -> Box<[SeatIndex]> {
    let mut seats = seats.to_vec();
    seats.sort_unstable();
    seats.dedup();
    seats.into()
}

/// Seats with a higher index than any event has are always taken, so that the table's size is bounded.
fn fits(seat: SeatIndex) -> bool {
    (seat.0 as usize) < MAX_SEATS_OF_AN_EVENT
}

fn with_grace(until: Timestamp) -> Timestamp {
    until.plus_millis(TABLE_GRACE_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    fn booking(number: u8) -> BookingId {
        format!("booking_{number}").parse().unwrap()
    }

    #[derive(Debug, Clone)]
    enum Act {
        Hold { booking: u8, seats: Vec<u32>, for_ms: i64 },
        Booked(u8),
        Freed(u8),
        Extended(u8, i64),
        Kept(u8, Vec<u32>),
    }

    fn any_act() -> impl Strategy<Value = Act> {
        let seats = prop::collection::btree_set(0_u32..12, 1..4).prop_map(|set| set.into_iter().rev().collect());
        prop_oneof![
            6 => (0_u8..20, seats, 1_i64..5_000).prop_map(|(booking, seats, for_ms)| Act::Hold { booking, seats, for_ms }),
            1 => (0_u8..20).prop_map(Act::Booked),
            1 => (0_u8..20).prop_map(Act::Freed),
            1 => (0_u8..20, -500_i64..5_000).prop_map(|(booking, for_ms)| Act::Extended(booking, for_ms)),
            1 => (0_u8..20, prop::collection::vec(0_u32..12, 0..4)).prop_map(|(booking, seats)| Act::Kept(booking, seats)),
        ]
    }

    /// The table in plain words: who was granted which seats until when, in the order granted.
    type Model = Vec<(u8, Vec<SeatIndex>, Option<Timestamp>)>;

    fn model_hold(model: &mut Model, want: &Want, number: u8, now: Timestamp) -> Grant {
        let is_live = |until: &Option<Timestamp>| until.is_none_or(|until| until > now);
        let mut sorted = want.seats.clone();
        sorted.sort_unstable();
        if let Some((_, seats, _)) = model.iter().find(|(who, _, until)| *who == number && is_live(until)) {
            return if *seats == sorted { Grant::Granted } else { Grant::Taken(want.seats.clone()) };
        }
        let has = |seat: &SeatIndex| model.iter().any(|(_, seats, until)| is_live(until) && seats.contains(seat));
        let taken: Vec<_> = want.seats.iter().copied().filter(has).collect();
        if !taken.is_empty() {
            return Grant::Taken(taken);
        }
        model.retain(|(who, seats, _)| *who != number && !seats.iter().any(|seat| sorted.contains(seat)));
        model.push((number, sorted, Some(want.until.plus_millis(TABLE_GRACE_MS))));
        Grant::Granted
    }

    proptest! {
        #[test]
        fn the_table_does_what_its_contract_says(acts in prop::collection::vec((any_act(), -500_i64..2_000), 1..80)) {
            let (mut table, mut model, mut now_ms) = (HoldTable::default(), Model::new(), 0);
            table.rebuild(&[]);
            for (act, step) in acts {
                now_ms += step;
                let now = at(now_ms);
                match act {
                    Act::Hold { booking: number, seats, for_ms } => {
                        let seats = seats.into_iter().map(SeatIndex).collect();
                        let want = Want { booking: booking(number), seats, until: now.plus_millis(for_ms) };
                        prop_assert_eq!(table.hold(&want, now), model_hold(&mut model, &want, number, now));
                    }
                    Act::Booked(number) => {
                        table.settle(&Settle::Booked(booking(number)));
                        model.iter_mut().filter(|(who, ..)| *who == number).for_each(|(.., until)| *until = None);
                    }
                    Act::Freed(number) => {
                        table.settle(&Settle::Freed(booking(number)));
                        model.retain(|(who, ..)| *who != number);
                    }
                    Act::Extended(number, for_ms) => {
                        let until = now.plus_millis(for_ms);
                        table.settle(&Settle::Extended(booking(number), until));
                        for (.., had) in model.iter_mut().filter(|(who, ..)| *who == number) {
                            *had = had.map(|had| had.max(until.plus_millis(TABLE_GRACE_MS)));
                        }
                    }
                    Act::Kept(number, kept) => {
                        let kept: Vec<_> = kept.into_iter().map(SeatIndex).collect();
                        table.settle(&Settle::Kept(booking(number), kept.clone()));
                        for (_, seats, _) in model.iter_mut().filter(|(who, ..)| *who == number) {
                            seats.retain(|seat| kept.contains(seat));
                        }
                        model.retain(|(_, seats, _)| !seats.is_empty());
                    }
                }
                let live = model.iter().filter(|(.., until)| until.is_none_or(|until| until > now));
                let mut expected: Vec<_> = live.flat_map(|(_, seats, _)| seats.clone()).collect();
                expected.sort_unstable();
                prop_assert!(expected.windows(2).all(|pair| pair[0] != pair[1]), "invariant 1: {:?}", expected);
                prop_assert_eq!(table.taken(now).iter().collect::<Vec<_>>(), expected);
                prop_assert!(table.positions.len() <= table.seats.len(), "never more claims than seats");
                prop_assert_eq!(table.positions.len() + table.vacant.len(), table.claims.len());
            }
        }
    }
}
