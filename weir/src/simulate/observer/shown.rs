//! Invariants 3, 4, 5, 7 and 8, as far as visitors see them.

use std::time::Duration;

use booking_core::{
    desk::Ended,
    digest::Digest,
    id::UserId,
    line::{
        Place,
        entry::JoinRecord,
        place::{PlaceState, PlaceView},
        state::CLOCK_TOLERANCE_MS,
    },
    ports::log::{Log as _, Topic},
};

use super::{Books, Joined, Stores, answer};

/// How far a gateway's clock may be ahead of the true time, in milliseconds.
const CLOCKS_DIFFER_MS: i64 = 1_000;

impl Books {
    /// Invariant 7: a visitor who is told of another place than before has one that is over.
    pub(super) fn told_place(&mut self, user: &UserId, place: Place, entry: Digest) {
        if let Some(before) = self.standing.insert(user.clone(), place)
            && before != place
            && !self.may_be_replaced(before)
        {
            let what = format!("{user} stands at {place:?} and was told to stand at {before:?} before");
            self.break_rule(7, what);
        }
        if !self.joined.iter().any(|joined| joined.place == place) {
            self.counted.joins += 1;
            self.joined.push(Joined { user: user.clone(), place, entry });
        }
    }

    fn may_be_replaced(&self, place: Place) -> bool {
        if let Some(why) = self.over.get(&place) {
            return *why == Ended::GivenUp;
        }
        if let Some(admission) = self.admissions.values().find(|admission| admission.place == place) {
            return admission.until <= self.desk_time.max(self.now.plus_millis(CLOCKS_DIFFER_MS));
        }
        let (turn, now) = (self.line.turn_ms(), self.now.plus_millis(CLOCKS_DIFFER_MS));
        let called = self.line.rank(place).and_then(|rank| self.line.called_for_ms(rank, now));
        called.is_some_and(|since| since >= 3 * turn + CLOCK_TOLERANCE_MS)
    }

    pub(super) fn shown(&mut self, place: Place, view: &PlaceView, before: Option<u64>) {
        if let (Some(position), Some(before)) = (view.position, before)
            && position > before
        {
            self.break_rule(4, format!("{place:?} was shown position {before}, and then {position}"));
        }
        let Some(rank) = view.rank else { return };
        let known = self.ranks.get(&place).copied();
        if known.is_none() {
            self.ranks.insert(place, rank);
        }
        let computed = known.or_else(|| self.line.rank(place));
        if computed != Some(rank) {
            self.break_rule(8, format!("{place:?} was shown rank {rank}, a verifier computes {computed:?}"));
        }
        // Who is in was called; a gateway that begins may hear of it from the desk before it has read so far in the line.
        let served = if view.state == PlaceState::Admitted { self.line.served } else { view.served };
        let is_called = match view.state {
            PlaceState::Called | PlaceState::Admitted | PlaceState::Lapsed => true,
            PlaceState::Waiting => false,
            PlaceState::Lobby | PlaceState::Drawing | PlaceState::Left | PlaceState::Ended => return,
        };
        if is_called != (rank < served) || view.served > self.line.served {
            let what = format!("{place:?} of rank {rank} was shown {:?} with {} called", view.state, view.served);
            self.break_rule(5, what);
        }
        let right = (rank + 1).saturating_sub(view.served).max(1);
        if view.position != Some(right) {
            let what = format!("{place:?} of rank {rank} was shown position {:?}, not {right}", view.position);
            self.break_rule(8, what);
        }
    }

    /// Invariant 3: every join that was acknowledged is in the log, and drawn if its batch is closed.
    pub(super) fn check_joins(&mut self, stores: &Stores) {
        let topic = Topic::Line(self.event.clone());
        let mut lost = None;
        for Joined { user, place, entry } in &self.joined {
            let read = answer(stores.log.read(&topic, place.lane, place.offset, 1, Duration::ZERO));
            let record = read.first().and_then(|entry| JoinRecord::decode(&entry.payload).ok());
            if record.is_none_or(|record| record.user != *user || record.entry != *entry) {
                lost = Some(format!("the join of {user} at {place:?} is not in the log"));
            }
        }
        if let Some(what) = lost {
            self.break_rule(3, what);
        }
        if let Some((user, place)) = self.standing.iter().find(|(user, place)| self.places.get(*user) != Some(*place)) {
            let what = format!("{user} was told to stand at {place:?}, the desk has {:?}", self.places.get(user));
            self.break_rule(3, what);
        }
    }
}
