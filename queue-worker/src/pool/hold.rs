//! A batch of holds: chosen, asked of the hold table, decided by the ledger, undone where the two differ.

use std::collections::BTreeMap;

use booking_core::{
    booking::{Booking, ClaimSeats, Claimed, SeatChanges},
    digest::Digest,
    holds::{Grant, Settle, Want},
    id::{BookingId, EventId, SessionId, UserId},
    message::{Outcome, Refusal, Wanted},
    money::Money,
    ports::PortResult,
    seats::{SeatIndex, SeatSet},
    time::Timestamp,
};

use super::{
    Pool,
    choose::{choose, closed_to, ids_of},
    known::known,
};
use crate::{hall::Hall, outward};

/// How often seats are chosen anew for a wish of the best there are, where others took them meanwhile.
const ROUNDS: usize = 4;

/// A hold as it was asked for.
pub(super) struct Hold {
    pub(super) event: EventId,
    pub(super) booking: BookingId,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) max_seats: u32,
    pub(super) wanted: Wanted,
    pub(super) fingerprint: Digest,
    /// From then on nobody waits for it.
    pub(super) deadline: Timestamp,
}

impl Hold {
    fn is_free_to_choose(&self) -> bool {
        matches!(self.wanted, Wanted::BestAvailable { .. })
    }
}

/// What a hold is answered.
#[derive(Clone)]
pub(super) struct Decided {
    pub(super) outcome: Outcome,
    /// Whether the ledger may know the booking, and then answers otherwise.
    pub(super) unless_known: bool,
}

/// One hold of a batch: its wish, its answer once there is one, and its hall once it was looked up.
struct Asked<'a> {
    hold: &'a Hold,
    hall: Option<Hall>,
    answer: Option<Outcome>,
    /// As [`Decided`] says.
    unless_known: bool,
    /// Whether its seats were chosen again because they were of a hall that the event may have left.
    chose_again: bool,
}

impl Asked<'_> {
    fn refuse(&mut self, refusal: Refusal) {
        self.answer = Some(Outcome::Refused(refusal));
    }

    fn refuse_taken(&mut self, taken: &[SeatIndex]) {
        let unavailable = self.hall.as_ref().map_or_else(Vec::new, |hall| ids_of(&hall.venue.seat_map, taken));
        self.refuse(Refusal::SeatsUnavailable { unavailable });
    }
}

/// Seats chosen for one hold of the batch.
struct Chosen {
    /// Which of the batch.
    of: usize,
    seats: Vec<SeatIndex>,
    total: Money,
    until: Timestamp,
    max_seats: u32,
    /// Whether the hold table granted them; otherwise it was not asked.
    granted: bool,
}

impl Pool {
    /// Decides `holds`, one answer each, in order; what changed on the seat maps is added to `changes`.
    pub(super) async fn hold_batch(
        &mut self,
        holds: &[Hold],
        now: Timestamp,
        changes: &mut Vec<SeatChanges>,
    ) -> Vec<Decided> {
        let asked = |hold| Asked { hold, hall: None, answer: None, unless_known: false, chose_again: false };
        let mut batch: Vec<Asked<'_>> = holds.iter().map(asked).collect();
        for _ in 0..ROUNDS {
            let mut by_event: BTreeMap<&EventId, Vec<usize>> = BTreeMap::new();
            for (of, asked) in batch.iter().enumerate().filter(|(_, asked)| asked.answer.is_none()) {
                by_event.entry(&asked.hold.event).or_default().push(of);
            }
            let mut chosen = Vec::new();
            for (event, which) in by_event {
                chosen.extend(self.choose_seats(event, &which, &mut batch, now).await);
            }
            if !chosen.is_empty() {
                self.claim(chosen, &mut batch, now, changes).await;
            }
            if batch.iter().all(|asked| asked.answer.is_some()) {
                break;
            }
        }
        let none_left = Outcome::Refused(Refusal::SeatsUnavailable { unavailable: Vec::new() });
        let decided = |asked: Asked<'_>| Decided {
            outcome: asked.answer.unwrap_or_else(|| none_left.clone()),
            unless_known: asked.unless_known,
        };
        batch.into_iter().map(decided).collect()
    }

    /// Chooses seats for some holds of one event, and asks the hold table for them. Those that are refused get their
    /// answer; those that lost a seat to somebody else meanwhile and may have others stay without one.
    async fn choose_seats(
        &mut self,
        event: &EventId,
        which: &[usize],
        batch: &mut [Asked<'_>],
        now: Timestamp,
    ) -> Vec<Chosen> {
        match self.try_choose(event, which, batch, now).await {
            Ok(chosen) => chosen,
            Err(error) => {
                for &of in which {
                    batch[of].answer.get_or_insert_with(|| outward::unavailable(&error));
                }
                Vec::new()
            }
        }
    }

    async fn try_choose(
        &mut self,
        event: &EventId,
        which: &[usize],
        batch: &mut [Asked<'_>],
        now: Timestamp,
    ) -> PortResult<Vec<Chosen>> {
        let line = self.folds.now(&*self.parts.log, event).await?;
        let hall = self.halls.get(&*self.parts.catalog, event, now).await?;
        let (Some(policy), Some(hall)) = (line.policy().cloned(), hall) else {
            for &of in which {
                batch[of].refuse(Refusal::NotFound);
            }
            return Ok(Vec::new());
        };
        let closed: Vec<_> = which.iter().map(|&of| closed_to(line, &hall, &batch[of].hold.session, now)).collect();
        for &of in which {
            batch[of].hall = Some(hall.clone());
        }
        // A wish that leaves the choice is looked up first: what was chosen for it before is what it gets.
        let may_be_known = |(&of, closed): (&usize, &Option<Refusal>)| {
            (closed.is_some() || batch[of].hold.is_free_to_choose()).then_some(of)
        };
        let looked_up: Vec<usize> = which.iter().zip(&closed).filter_map(may_be_known).collect();
        let known = known(&*self.parts.ledger, looked_up.iter().map(|&of| batch[of].hold)).await?;
        for (of, answer) in looked_up.into_iter().zip(known) {
            batch[of].answer = answer;
        }
        let mut open = Vec::with_capacity(which.len());
        for (&of, closed) in which.iter().zip(closed) {
            match closed {
                _ if batch[of].answer.is_some() => {}
                Some(refusal) => batch[of].refuse(refusal),
                None => open.push(of),
            }
        }
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let with_table = self.tables.open(&self.parts, &self.gauges, event, now).await;
        let must_see = !policy.orphans_allowed || open.iter().any(|&of| batch[of].hold.is_free_to_choose());
        let mut taken = if must_see { self.taken(event, with_table, now).await? } else { SeatSet::default() };
        let mut chosen = Vec::with_capacity(open.len());
        for of in open {
            let max_seats = batch[of].hold.max_seats.min(policy.max_seats);
            let map = &hall.venue.seat_map;
            match choose(batch[of].hold, map, &taken, max_seats, policy.orphans_allowed) {
                Err(Refusal::UnknownSeat { .. }) if !batch[of].chose_again => self.choose_again(&mut batch[of]),
                Err(refusal) => batch[of].refuse(refusal),
                Ok(seats) => {
                    let Some(total) = hall.event.total(map, &seats) else {
                        batch[of].refuse(Refusal::Invalid { detail: "these seats have no price".to_owned() });
                        continue;
                    };
                    // Whoever comes later in the batch sees them as taken.
                    taken.extend(seats.iter().copied());
                    let until = now.plus_seconds(policy.hold_seconds);
                    chosen.push(Chosen { of, seats, total, until, max_seats, granted: false });
                }
            }
        }
        if with_table { self.ask_table(event, chosen, batch, now).await } else { Ok(chosen) }
    }

    /// Has the seats of `asked`, which its hall or the ledger refused, chosen again in the next round, once: the hall that is
    /// known may be a second old, and the event in another since.
    fn choose_again(&mut self, asked: &mut Asked<'_>) {
        asked.chose_again = true;
        self.halls.forget(&asked.hold.event);
    }

    /// Every seat of `event` that is known to be taken.
    async fn taken(&mut self, event: &EventId, with_table: bool, now: Timestamp) -> PortResult<SeatSet> {
        if with_table {
            match self.parts.holds.taken(event, now).await {
                Ok(taken) => return Ok(taken),
                Err(error) => {
                    tracing::warn!(%error, %event, "the hold table does not tell which seats are taken");
                    self.tables.distrust(event);
                }
            }
        }
        let states = self.parts.ledger.seat_states(event).await?;
        Ok(states.taken.into_iter().map(|(seat, _)| seat).collect())
    }

    /// Keeps what the hold table grants, or does not know about.
    async fn ask_table(
        &mut self,
        event: &EventId,
        chosen: Vec<Chosen>,
        batch: &mut [Asked<'_>],
        now: Timestamp,
    ) -> PortResult<Vec<Chosen>> {
        let want = |chosen: &Chosen| Want {
            booking: batch[chosen.of].hold.booking.clone(),
            seats: chosen.seats.clone(),
            until: chosen.until,
        };
        let wants: Vec<Want> = chosen.iter().map(want).collect();
        let grants = match self.parts.holds.hold(event, &wants, now).await {
            Ok(grants) => grants,
            Err(error) => {
                tracing::warn!(%error, %event, "the ledger decides without the hold table");
                self.tables.distrust(event);
                return Ok(chosen);
            }
        };
        let mut kept = Vec::with_capacity(chosen.len());
        for (mut chosen, grant) in chosen.into_iter().zip(grants) {
            let asked = &mut batch[chosen.of];
            match grant {
                Grant::Granted => {
                    chosen.granted = true;
                    kept.push(chosen);
                }
                Grant::NotReady => {
                    self.tables.distrust(event);
                    kept.push(chosen);
                }
                Grant::Taken(_) if asked.hold.is_free_to_choose() => {}
                Grant::Taken(taken) => {
                    // All of them: perhaps taken by this very booking with other seats.
                    asked.unless_known = taken.len() == chosen.seats.len();
                    asked.refuse_taken(&taken);
                }
            }
        }
        Ok(kept)
    }

    /// Leaves out the holds whose deadline came meanwhile, as to a worker that hung: who asked has been told that they
    /// never were.
    async fn give_up_late(&mut self, chosen: Vec<Chosen>, batch: &mut [Asked<'_>]) -> Vec<Chosen> {
        let now = self.parts.clock.now();
        let (late, chosen): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(|chosen| batch[chosen.of].hold.deadline <= now);
        for late in late {
            let asked = &mut batch[late.of];
            asked.refuse(Refusal::Unavailable { detail: "it took too long; try again".to_owned() });
            self.gauges.discarded_total.add(1);
            let freed = [Settle::Freed(asked.hold.booking.clone())];
            if late.granted
                && let Err(error) = self.parts.holds.settle(&asked.hold.event, &freed).await
            {
                tracing::debug!(%error, "the hold table lets these seats go by their deadline");
            }
        }
        chosen
    }

    /// Claims what was chosen in the ledger, and undoes in the hold table what the ledger does not have.
    async fn claim(
        &mut self,
        chosen: Vec<Chosen>,
        batch: &mut [Asked<'_>],
        now: Timestamp,
        changes: &mut Vec<SeatChanges>,
    ) {
        let chosen = self.give_up_late(chosen, batch).await;
        if chosen.is_empty() {
            return;
        }
        let claims: Vec<ClaimSeats> = chosen.iter().map(|chosen| claim_of(batch[chosen.of].hold, chosen)).collect();
        let applied = match self.parts.ledger.claim_seats(&claims, now).await {
            Ok(applied) => applied,
            Err(error) => {
                for chosen in &chosen {
                    let asked = &mut batch[chosen.of];
                    asked.answer = Some(outward::unavailable(&error));
                    // Whether the ledger has them is not known, so what the table says is not either.
                    self.tables.distrust(&asked.hold.event);
                }
                return;
            }
        };
        changes.extend(applied.seats);
        let mut settles: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
        for (chosen, answer) in chosen.iter().zip(applied.answers) {
            let asked = &mut batch[chosen.of];
            let (event, booking) = (&asked.hold.event, &asked.hold.booking);
            let mut stands = false;
            match answer {
                Claimed::Held(held) => {
                    stands = has_these(&held, &chosen.seats, now);
                    asked.answer = Some(Outcome::Booking(Box::new(held)));
                }
                Claimed::KeyReused => {
                    // The seats may be those of the booking that has the id.
                    self.tables.distrust(event);
                    stands = true;
                    asked.refuse(Refusal::KeyReused);
                }
                Claimed::Unavailable(taken) => {
                    if chosen.granted {
                        self.gauges.contradicted_total.add(1);
                        self.tables.distrust(event);
                    }
                    if !asked.hold.is_free_to_choose() {
                        asked.refuse_taken(&taken);
                    }
                }
                Claimed::TooManySeats => asked.refuse(Refusal::TooManySeats { max_seats: chosen.max_seats }),
                Claimed::SessionOver => asked.refuse(Refusal::AdmissionOver),
                Claimed::CalledOff => asked.refuse(Refusal::CalledOff),
                Claimed::Resting if asked.chose_again => asked.refuse(Refusal::Rehousing),
                Claimed::Resting => self.choose_again(asked),
            }
            if !chosen.granted {
                // The table has not heard of what the ledger decided without it.
                self.tables.distrust(&asked.hold.event);
            } else if !stands {
                settles.entry(asked.hold.event.clone()).or_default().push(Settle::Freed(booking.clone()));
            }
        }
        for (event, settles) in settles {
            if let Err(error) = self.parts.holds.settle(&event, &settles).await {
                tracing::warn!(%error, %event, "the hold table keeps seats that the ledger refused");
                self.tables.distrust(&event);
            }
        }
    }
}

fn claim_of(hold: &Hold, chosen: &Chosen) -> ClaimSeats {
    ClaimSeats {
        booking: hold.booking.clone(),
        event: hold.event.clone(),
        user: hold.user.clone(),
        session: hold.session.clone(),
        seats: chosen.seats.clone(),
        total: chosen.total,
        until: chosen.until,
        max_seats: chosen.max_seats,
        fingerprint: hold.fingerprint,
    }
}

/// Whether `booking` has just these seats now.
fn has_these(booking: &Booking, seats: &[SeatIndex], now: Timestamp) -> bool {
    let sorted = |seats: &[SeatIndex]| {
        let mut seats = seats.to_vec();
        seats.sort_unstable();
        seats
    };
    booking.has_seats(now) && sorted(&booking.seats) == sorted(seats)
}
