//! One simulated visitor: guest → join → poll → claim → choose → pay → tickets, one request a step.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    character::{Card, Character, Temper},
    notes::{Notes, Outcome},
    world::World,
};
use crate::api::{
    Answer, Api, ApiError, Call, Problem,
    answers::{Admission, Confirmation, Guest, Payment, PlaceState, PlaceView, Reservation},
};

/// How often in a row a visitor tries what is worth repeating, before they go away annoyed.
const PATIENCE: u32 = 30;
/// How often they run for the seats that everybody wants, before they take what Weir offers.
const RUNS: u32 = 3;
/// The pause after an answer that is worth repeating and names none, and between looks at a pending hold.
const PAUSE: Duration = Duration::from_millis(500);

/// When a visitor does the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Soon and before those who only wait: they are inside.
    Inside(Duration),
    /// With everybody else who waits.
    Outside(Duration),
    /// Never.
    Done,
}

#[derive(Debug)]
enum Stage {
    Arriving,
    Joining,
    Waiting,
    Claiming,
    /// `asked`: the request under way, which is repeated word by word until it is answered.
    Choosing {
        admission: String,
        tries: u32,
        asked: Option<Value>,
    },
    Pending {
        admission: String,
        at: String,
        tries: u32,
        asked: Value,
    },
    Paying {
        reservation: Reservation,
        card: Card,
    },
    Confirming {
        reservation: Reservation,
        transaction: String,
        card: Card,
    },
    Releasing {
        booking: String,
    },
    Leaving {
        outcome: Outcome,
    },
}

impl Stage {
    /// What is under way, without what it holds: tokens are never shown.
    const fn name(&self) -> &'static str {
        match self {
            Self::Arriving => "guest",
            Self::Joining => "join",
            Self::Waiting => "poll",
            Self::Claiming => "claim",
            Self::Choosing { .. } => "reserve",
            Self::Pending { .. } => "pending",
            Self::Paying { .. } => "pay",
            Self::Confirming { .. } => "confirm",
            Self::Releasing { .. } => "release",
            Self::Leaving { .. } => "give up",
        }
    }
}

/// One visitor.
#[derive(Debug)]
pub(super) struct Visitor {
    character: Character,
    number: u32,
    stage: Stage,
    access: String,
    place: String,
    max_seats: u32,
    refusals: u32,
    /// Since when nothing but troubles of the server's came back.
    troubled_since: Option<Instant>,
    pub(super) notes: Notes,
    pub(super) outcome: Option<Outcome>,
}

/// What went otherwise than wanted in a step.
enum Trouble {
    Refused(Problem),
    Broken(ApiError),
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        Self::Broken(error)
    }
}

type Step = Result<Next, Trouble>;

fn wanted<T>(answer: Answer<T>) -> Result<T, Trouble> {
    match answer {
        Answer::Ok(answer) => Ok(answer),
        Answer::Refused(problem) => Err(Trouble::Refused(problem)),
    }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

impl Visitor {
    pub(super) fn new(number: u32, character: Character) -> Self {
        Self {
            character,
            number,
            stage: Stage::Arriving,
            access: String::new(),
            place: String::new(),
            max_seats: 1,
            refusals: 0,
            troubled_since: None,
            notes: Notes::default(),
            outcome: None,
        }
    }

    /// Weir, by the gateway that they stay at, or by all in turn.
    fn api(&self, world: &World) -> Api {
        if world.roams { world.api.clone() } else { world.api.staying(self.number as usize) }
    }

    /// Their number in the crowd, from 0.
    #[cfg(test)]
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Does the next step and says when the one after it is due.
    pub(super) async fn step(&mut self, world: &World) -> Next {
        match self.act(world).await {
            Ok(next) => {
                self.refusals = 0;
                if let Some(since) = self.troubled_since.take() {
                    self.notes.troubled_ms = self.notes.troubled_ms.max(micros(since) / 1_000);
                }
                next
            }
            Err(trouble) => self.bear(world, trouble),
        }
    }

    async fn act(&mut self, world: &World) -> Step {
        match &self.stage {
            Stage::Arriving => self.arrive(world).await,
            Stage::Joining => self.join(world).await,
            Stage::Waiting => self.wait(world).await,
            Stage::Claiming => self.claim(world).await,
            Stage::Choosing { .. } => self.choose(world).await,
            Stage::Pending { .. } => self.look_at_hold(world).await,
            Stage::Paying { .. } => self.pay(world).await,
            Stage::Confirming { .. } => self.confirm(world).await,
            Stage::Releasing { booking } => {
                let call = Call::delete(format!("/v1/bookings/{booking}")).bearer(&self.access);
                wanted(self.api(world).ask::<Value>(call).await?)?;
                Ok(self.leave(Outcome::Left))
            }
            Stage::Leaving { outcome } => {
                let outcome = *outcome;
                self.notes.session_alive_until(world.now());
                let call = Call::delete(world.path("/line/place")).bearer(&self.access).place(&self.place);
                wanted(self.api(world).ask::<Value>(call).await?)?;
                Ok(self.done(world, outcome))
            }
        }
    }

    async fn arrive(&mut self, world: &World) -> Step {
        let guest: Guest = wanted(self.api(world).ask(Call::post("/v1/users/guest", json!({}))).await?)?;
        self.access = guest.access_token;
        self.stage = Stage::Joining;
        Ok(Next::Outside(Duration::ZERO))
    }

    async fn join(&mut self, world: &World) -> Step {
        let call = Call::post(world.path("/line"), json!({})).bearer(&self.access);
        let started = Instant::now();
        let view: PlaceView = wanted(self.api(world).ask(call).await?)?;
        self.notes.join_us = Some(micros(started));
        world.tally.joined();
        Ok(self.read(world, view))
    }

    async fn wait(&mut self, world: &World) -> Step {
        let view = wanted(self.api(world).ask(Call::get(world.path("/line/place")).place(&self.place)).await?)?;
        Ok(self.read(world, view))
    }

    /// Takes in a place view, notes what the check wants to know, and decides what to do.
    fn read(&mut self, world: &World, view: PlaceView) -> Next {
        self.notes.read(&view);
        self.place = view.place_token;
        self.stage = Stage::Waiting;
        let is_drawn = view.rank.is_some();
        match (self.character.temper, view.state) {
            (_, PlaceState::Ended | PlaceState::Left) => self.done(world, Outcome::SoldOut),
            (_, PlaceState::Lapsed) if view.turn.is_none() => self.done(world, Outcome::Lapsed),
            (Temper::NoShow, _) if is_drawn => self.done(world, Outcome::NoShow),
            _ if view.phase.as_deref() == Some("soldOut") => self.done(world, Outcome::SoldOut),
            (Temper::Leaver, PlaceState::Waiting) => self.leave(Outcome::Left),
            _ if is_drawn && !world.wants_more() => self.leave(Outcome::SoldOut),
            (_, PlaceState::Called | PlaceState::Admitted) => {
                self.stage = Stage::Claiming;
                Next::Inside(Duration::ZERO)
            }
            (_, PlaceState::Lapsed) => {
                let until = view.turn.map_or(PAUSE, |turn| turn.opens_at.until(world.now()));
                Next::Outside(until.max(PAUSE))
            }
            _ => {
                // Scattered by a tenth, as the pages scatter theirs.
                let scatter = view.poll_after_ms / 10 * u64::from(self.character.taste % 100) / 100;
                Next::Outside(Duration::from_millis(view.poll_after_ms + scatter))
            }
        }
    }

    async fn claim(&mut self, world: &World) -> Step {
        let call = Call::post(world.path("/line/claim"), json!({})).bearer(&self.access).place(&self.place);
        match self.api(world).ask::<Admission>(call).await? {
            Answer::Ok(admission) => {
                let admitted_at = admission.expires_at.plus_millis(-i64::from(world.session_seconds) * 1_000);
                if self.notes.admitted.is_none() {
                    world.tally.admitted();
                }
                self.notes.admitted = Some((admitted_at, admission.expires_at));
                self.max_seats = admission.max_seats;
                self.stage = Stage::Choosing { admission: admission.admission_token, tries: 0, asked: None };
                Ok(Next::Inside(self.thinking()))
            }
            Answer::Refused(problem) => match problem.slug.as_str() {
                "not-called" | "turn-lapsed" => {
                    self.stage = Stage::Waiting;
                    Ok(Next::Outside(problem.retry_after.unwrap_or(PAUSE)))
                }
                "desk-full" => Ok(Next::Inside(problem.retry_after.unwrap_or(PAUSE))),
                "sold-out" | "sale-ended" | "line-closed" => Ok(self.done(world, Outcome::SoldOut)),
                _ => Err(Trouble::Refused(problem)),
            },
        }
    }

    async fn choose(&mut self, world: &World) -> Step {
        let Stage::Choosing { admission, tries, asked } = &self.stage else {
            unreachable!("the stage is matched by the caller")
        };
        let (admission, tries, asked) = (admission.clone(), *tries, asked.clone());
        if asked.is_none() && !world.wants_more() {
            return Ok(self.leave(Outcome::SoldOut));
        }
        let body = match asked {
            Some(body) => body,
            None => self.wish(world, tries).await?,
        };
        if let Stage::Choosing { asked, .. } = &mut self.stage {
            *asked = Some(body.clone());
        }
        let call = Call::post("/v1/bookings/reserve", body.clone())
            .bearer(&self.access)
            .admission(&admission)
            .idempotency_key(format!("{}-{tries}", self.number));
        let started = Instant::now();
        let (answer, location) = self.api(world).ask_located::<Reservation>(call).await?;
        self.notes.reserve_us.push(micros(started));
        match answer {
            Answer::Ok(reservation) if reservation.status == "pending" => {
                let at = location.unwrap_or_else(|| format!("/v1/bookings/{}", reservation.booking_id));
                self.stage = Stage::Pending { admission, at, tries, asked: body };
                Ok(Next::Inside(PAUSE))
            }
            Answer::Ok(reservation) => Ok(self.held(world, reservation)),
            Answer::Refused(problem) => self.refused_seats(world, problem, admission, tries),
        }
    }

    /// The seats to ask for.
    async fn wish(&self, world: &World, tries: u32) -> Result<Value, ApiError> {
        // Who found nothing for the whole company tries for fewer.
        let count = self.character.seats.min(self.max_seats).saturating_sub(tries.saturating_sub(RUNS)).max(1);
        let taste = (self.character.taste >> (4 * tries.min(7))) as usize;
        let popular = if self.character.wants_popular && tries < RUNS {
            let statuses = world.hall.statuses(&self.api(world), &world.event).await?;
            world.hall.most_wanted(&statuses, count as usize, taste)
        } else {
            None
        };
        Ok(match popular {
            Some(seats) => json!({ "eventId": world.event, "seats": seats }),
            None => json!({ "eventId": world.event, "bestAvailable": { "count": count } }),
        })
    }

    fn refused_seats(&mut self, world: &World, problem: Problem, admission: String, tries: u32) -> Step {
        match problem.slug.as_str() {
            "seats-unavailable" | "orphan-seat" if tries < RUNS + self.character.seats => {
                self.notes.conflicts += u32::from(problem.slug == "seats-unavailable");
                world.tally.conflict();
                self.stage = Stage::Choosing { admission, tries: tries + 1, asked: None };
                Ok(Next::Inside(self.thinking() / 4))
            }
            "seats-unavailable" | "orphan-seat" => Ok(self.leave(Outcome::SoldOut)),
            "sale-ended" | "event-over" | "sold-out" => Ok(self.done(world, Outcome::SoldOut)),
            "admission-required" => Ok(self.done(world, Outcome::Lapsed)),
            _ => Err(Trouble::Refused(problem)),
        }
    }

    async fn look_at_hold(&mut self, world: &World) -> Step {
        let Stage::Pending { admission, at, tries, asked } = &self.stage else {
            unreachable!("the stage is matched by the caller")
        };
        let (admission, tries, asked) = (admission.clone(), *tries, asked.clone());
        let call = Call::get(at.as_str()).bearer(&self.access);
        match self.api(world).ask::<Reservation>(call).await? {
            Answer::Ok(reservation) if reservation.status == "pending" => Ok(Next::Inside(PAUSE)),
            Answer::Ok(reservation) if reservation.status == "reserved" => Ok(self.held(world, reservation)),
            Answer::Ok(_) => Ok(self.leave(Outcome::SoldOut)),
            // Nobody did it in time: it never was.
            Answer::Refused(problem) if problem.status == 404 => {
                self.stage = Stage::Choosing { admission, tries: tries + 1, asked: None };
                Ok(Next::Inside(PAUSE))
            }
            // It could not be done, and nothing was: the request is the thing to repeat, not the look.
            Answer::Refused(problem) if problem.status == 503 => {
                self.stage = Stage::Choosing { admission, tries, asked: Some(asked) };
                Err(Trouble::Refused(problem))
            }
            Answer::Refused(problem) => self.refused_seats(world, problem, admission, tries),
        }
    }

    fn held(&mut self, world: &World, reservation: Reservation) -> Next {
        self.notes.holds += 1;
        if self.character.temper == Temper::Abandoner {
            return self.done(world, Outcome::Left);
        }
        self.stage = Stage::Paying { reservation, card: self.character.card };
        Next::Inside(self.thinking())
    }

    async fn pay(&mut self, world: &World) -> Step {
        let Stage::Paying { reservation, card } = &self.stage else {
            unreachable!("the stage is matched by the caller")
        };
        let outcome = if *card == Card::Good { "approve" } else { "decline" };
        let body = json!({ "amount": reservation.total_amount, "currency": reservation.currency, "outcome": outcome });
        let payment: Payment =
            wanted(self.api(world).ask(Call::post("/v1/sandbox/payments", body).bearer(&self.access)).await?)?;
        if let Stage::Paying { reservation, card } = std::mem::replace(&mut self.stage, Stage::Arriving) {
            self.stage = Stage::Confirming { reservation, transaction: payment.transaction_id, card };
        }
        Ok(Next::Inside(Duration::ZERO))
    }

    async fn confirm(&mut self, world: &World) -> Step {
        let Stage::Confirming { reservation, transaction, card } = &self.stage else {
            unreachable!("the stage is matched by the caller")
        };
        let (booking, card) = (reservation.booking_id.clone(), *card);
        let body = json!({
            "bookingId": booking,
            "paymentDetails": {
                "paymentMethod": "card",
                "transactionId": transaction,
                "amount": reservation.total_amount,
            },
        });
        let sent = world.now();
        match self.api(world).ask::<Confirmation>(Call::post("/v1/bookings/confirm", body).bearer(&self.access)).await?
        {
            Answer::Ok(confirmation) => {
                self.notes.session_alive_until(sent);
                self.notes.tickets = confirmation.tickets.into_iter().map(|ticket| ticket.seat_id).collect();
                self.notes.booking = Some((booking, self.access.clone()));
                world.tally.booked(self.notes.tickets.len());
                Ok(self.done(world, Outcome::Booked))
            }
            Answer::Refused(problem) if problem.slug == "payment-declined" => {
                self.notes.declined += 1;
                world.tally.declined();
                if card == Card::DeclinedOnce
                    && let Stage::Confirming { reservation, .. } = std::mem::replace(&mut self.stage, Stage::Arriving)
                {
                    self.stage = Stage::Paying { reservation, card: Card::Good };
                } else {
                    self.stage = Stage::Releasing { booking };
                }
                Ok(Next::Inside(self.thinking() / 2))
            }
            Answer::Refused(problem) if problem.slug == "hold-expired" => {
                // The answer's time counts: a request may wait for a server until its hold has run out.
                if reservation.expires_at.is_some_and(|at| world.now() < at) {
                    world.write_down(format!("a hold was lost before its time: {booking}"));
                    return Ok(self.done(world, Outcome::Failed));
                }
                Ok(self.leave(Outcome::Left))
            }
            Answer::Refused(problem) => Err(Trouble::Refused(problem)),
        }
    }

    fn thinking(&self) -> Duration {
        Duration::from_millis(self.character.thinking_ms.into())
    }

    /// Next, the visitor gives the place up.
    fn leave(&mut self, outcome: Outcome) -> Next {
        self.stage = Stage::Leaving { outcome };
        Next::Inside(Duration::ZERO)
    }

    fn done(&mut self, world: &World, outcome: Outcome) -> Next {
        self.outcome = Some(outcome);
        world.tally.through();
        Next::Done
    }

    /// Tries again what is worth repeating, for a while; anything else is written down and ends the visit.
    fn bear(&mut self, world: &World, trouble: Trouble) -> Next {
        self.refusals += 1;
        let (is_worth_repeating, pause, text) = match trouble {
            Trouble::Refused(problem) => {
                if problem.status == 503 {
                    self.troubled_since.get_or_insert_with(Instant::now);
                }
                let again = matches!(problem.status, 429 | 503)
                    || matches!(problem.slug.as_str(), "line-not-open" | "request-in-progress");
                (again, problem.retry_after.unwrap_or(PAUSE), problem.to_string())
            }
            Trouble::Broken(error) => {
                self.troubled_since.get_or_insert_with(Instant::now);
                (matches!(error, ApiError::Unreachable { .. }), PAUSE, error.to_string())
            }
        };
        world.tally.refused();
        if is_worth_repeating && self.refusals < PATIENCE {
            return if matches!(self.stage, Stage::Arriving | Stage::Joining | Stage::Waiting) {
                Next::Outside(pause)
            } else {
                Next::Inside(pause)
            };
        }
        if matches!(&self.stage, Stage::Joining) && text.contains("line-closed") {
            return self.done(world, Outcome::SoldOut);
        }
        world.write_down(format!("{}: {text}", self.stage.name()));
        self.done(world, Outcome::Failed)
    }
}
