//! The desk's state and its verbs.

use std::collections::{BTreeSet, HashMap, hash_map};

use super::{
    Admit, AdmitRequest, Change, ChangeKind, Counts, DeskFact, Ended, Identity, Standing, came::Came, rate::Rate,
};
use crate::{
    id::{SessionId, UserId},
    line::Place,
    time::Timestamp,
};

/// While the cap is used up, a called visitor is told to come again after at most this long: any session may end early.
const CAP_RETRY_MS: u64 = 1_000;

/// What a place came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Visit {
    /// Given up before any admission.
    Left,
    /// Admitted, once.
    Admitted { session: SessionId, expires_at: Timestamp, ended: Option<Ended> },
}

/// The state of one event's desk. See the port's contract: [`crate::ports::desk`].
///
/// Each verb that changes something answers the [`DeskFact`] to write down beside its answer; without one, nothing
/// that matters later has changed. Everything it keeps is bounded by the number of places in the line: an identity has
/// one entry, a place at most one admission and two changes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DeskState {
    /// The latest moment seen: no verb decides by an earlier one.
    latest: Timestamp,
    rate: Rate,
    places: HashMap<Identity, Place>,
    visits: HashMap<Place, Visit>,
    sessions: HashMap<SessionId, Place>,
    /// The sessions alive at `latest`, soonest to end first.
    active: BTreeSet<(Timestamp, Place)>,
    came: Came,
    admitted: u64,
    left: u64,
    changes: Vec<Change>,
}

impl DeskState {
    /// Gives `user` the place `place`, unless they stand at one already, and answers the place that stands.
    ///
    /// `instead_of` names the place that the caller knows to be over. It is replaced only if it is the one that stands,
    /// has no live admission, and did not end as booked or revoked (invariant 7).
    pub fn claim_place(&mut self, user: &UserId, place: Place, instead_of: Option<Place>) -> (Place, Option<DeskFact>) {
        let identity = Identity::of(user);
        let (stands, fact) = match self.places.get(&identity).copied() {
            None => (place, Some(DeskFact::Placed { identity, place, pinned: false })),
            Some(old) if old == place => (old, None),
            Some(old) if instead_of == Some(old) && self.may_be_replaced(old) => {
                (place, Some(DeskFact::Placed { identity, place, pinned: true }))
            }
            // The log holds an earlier join of theirs that lost the race to this desk. Whoever reads only the log would
            // take it for their place; the fact says otherwise.
            Some(old) if place < old => (old, Some(DeskFact::Placed { identity, place: old, pinned: true })),
            Some(old) => (old, None),
        };
        self.places.insert(identity, stands);
        (stands, fact)
    }

    /// Where `user` stands, if they joined.
    pub fn place_of(&self, user: &UserId) -> Option<Standing> {
        let place = *self.places.get(&Identity::of(user))?;
        Some(Standing { place, ended: self.ended(place) })
    }

    /// Ends `user`'s place, and their admission with it if there is one.
    pub fn give_up(&mut self, user: &UserId, now: Timestamp) -> Option<DeskFact> {
        let now = self.advance(now);
        let place = *self.places.get(&Identity::of(user))?;
        self.end(place, Ended::GivenUp, now)
    }

    /// Admits who has been called, or says why not.
    pub fn admit(&mut self, request: &AdmitRequest, now: Timestamp) -> (Admit, Option<DeskFact>) {
        let now = self.advance(now);
        if self.places.get(&Identity::of(&request.user)) != Some(&request.place) {
            return (Admit::NotTheirPlace, None);
        }
        match self.visits.get(&request.place) {
            Some(Visit::Left) => return (Admit::Over(Some(Ended::GivenUp)), None),
            Some(Visit::Admitted { ended: Some(why), .. }) => return (Admit::Over(Some(*why)), None),
            Some(Visit::Admitted { expires_at, .. }) if *expires_at <= now => return (Admit::Over(None), None),
            Some(Visit::Admitted { session, expires_at, .. }) => {
                return (Admit::Admitted { session: session.clone(), expires_at: *expires_at }, None);
            }
            None => {}
        }
        let wait_ms =
            self.rate.wait_ms(request.rate_per_minute, now).max(self.wait_for_room_ms(request.max_active, now));
        if wait_ms > 0 {
            let fact = self.came.insert(request.rank).then_some(DeskFact::Came { rank: request.rank, at: now });
            return (Admit::Full { retry_after_ms: wait_ms }, fact);
        }
        // A session lives at least a moment, or it would be over before it is answered.
        let expires_at = now.plus_seconds(request.session_seconds.max(1));
        let fact = DeskFact::Admitted {
            place: request.place,
            rank: request.rank,
            session: request.session.clone(),
            at: now,
            expires_at,
            rate_per_minute: request.rate_per_minute,
        };
        self.replay(&fact);
        (Admit::Admitted { session: request.session.clone(), expires_at }, Some(fact))
    }

    /// Ends an admission. Unknown or ended already: nothing. One that ran out is still noted as ended so, because a
    /// booking may be paid after the admission that made it: the place then shows as booked.
    pub fn finish(&mut self, session: &SessionId, why: Ended, now: Timestamp) -> Option<DeskFact> {
        let now = self.advance(now);
        let place = *self.sessions.get(session)?;
        self.end(place, why, now)
    }

    /// How full it is; `from_rank`: how many of the places with this rank or a higher one have come.
    pub fn counts(&mut self, from_rank: u64, now: Timestamp) -> Counts {
        self.advance(now);
        Counts {
            active: self.active.len() as u64,
            admitted: self.admitted,
            came: self.came.count(),
            came_from_rank: self.came.count_from(from_rank),
            left: self.left,
        }
    }

    /// Up to `max` changes after number `after` (0: from the first), in order.
    pub fn changes(&self, after: u64, max: usize) -> Vec<Change> {
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        self.changes.iter().skip(skip).take(max).copied().collect()
    }

    /// Applies a fact that was written down, or has just been decided.
    pub fn replay(&mut self, fact: &DeskFact) {
        match fact {
            DeskFact::Placed { identity, place, .. } => {
                self.places.insert(*identity, *place);
            }
            DeskFact::Came { rank, at } => {
                self.advance(*at);
                self.came.insert(*rank);
            }
            DeskFact::Admitted { place, rank, session, at, expires_at, rate_per_minute } => {
                self.advance(*at);
                let admitted = Visit::Admitted { session: session.clone(), expires_at: *expires_at, ended: None };
                match self.visits.entry(*place) {
                    // The same fact twice, as after a write whose outcome was unknown.
                    hash_map::Entry::Occupied(_) => return,
                    hash_map::Entry::Vacant(entry) => entry.insert(admitted),
                };
                self.rate.spend(*rate_per_minute, *at);
                self.came.insert(*rank);
                self.sessions.insert(session.clone(), *place);
                self.active.insert((*expires_at, *place));
                self.admitted += 1;
                self.change(*place, ChangeKind::Admitted(*expires_at));
            }
            DeskFact::Ended { place, why, at } => {
                let at = self.advance(*at);
                self.end(*place, *why, at);
            }
        }
    }

    /// Notes a join that the line's log holds, for a desk that rebuilds its places from there: the lowest place of an
    /// identity stands. Facts that are pinned are replayed after the whole line.
    pub fn restore_place(&mut self, user: &UserId, place: Place) {
        self.places.entry(Identity::of(user)).and_modify(|stands| *stands = place.min(*stands)).or_insert(place);
    }

    /// Brings the desk to `now`, or to the latest moment it has seen, and drops the sessions that are over by then.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        while let Some(first) = self.active.first().copied()
            && first.0 <= self.latest
        {
            self.active.remove(&first);
        }
        self.latest
    }

    /// How long until there may be room under the cap; 0: there is.
    fn wait_for_room_ms(&self, max_active: u32, now: Timestamp) -> u64 {
        if (self.active.len() as u64) < u64::from(max_active) {
            return 0;
        }
        let first_ends = self
            .active
            .first()
            .map_or(CAP_RETRY_MS, |(expires_at, _)| u64::try_from(expires_at.millis_since(now)).unwrap_or(0));
        first_ends.clamp(1, CAP_RETRY_MS)
    }

    fn ended(&self, place: Place) -> Option<Ended> {
        match self.visits.get(&place)? {
            Visit::Left => Some(Ended::GivenUp),
            Visit::Admitted { ended, .. } => *ended,
        }
    }

    fn may_be_replaced(&self, place: Place) -> bool {
        match self.visits.get(&place) {
            None | Some(Visit::Left) => true,
            Some(Visit::Admitted { ended: Some(why), .. }) => *why == Ended::GivenUp,
            Some(Visit::Admitted { expires_at, ended: None, .. }) => *expires_at <= self.latest,
        }
    }

    fn end(&mut self, place: Place, why: Ended, at: Timestamp) -> Option<DeskFact> {
        match self.visits.entry(place) {
            hash_map::Entry::Vacant(entry) => {
                entry.insert(Visit::Left);
            }
            hash_map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Visit::Admitted { expires_at, ended: ended @ None, .. } => {
                    *ended = Some(why);
                    self.active.remove(&(*expires_at, place));
                }
                Visit::Left | Visit::Admitted { .. } => return None,
            },
        }
        self.left += u64::from(why == Ended::GivenUp);
        self.change(place, ChangeKind::Ended(why));
        Some(DeskFact::Ended { place, why, at })
    }

    fn change(&mut self, place: Place, what: ChangeKind) {
        self.changes.push(Change { number: self.changes.len() as u64 + 1, place, what });
    }
}
