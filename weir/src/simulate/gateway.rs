//! A gateway in small: it does with the log and the desk what the real one does, in the same order, without HTTP.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use booking_core::{
    booking::Booking,
    desk::{Admit, AdmitRequest, ChangeKind, Ended},
    digest::Digest,
    id::{BookingId, EventId, SessionId, UserId},
    line::{
        Place,
        entry::{JoinRecord, entry_of},
        place::{self, PlaceFacts, PlaceView, Presence},
        state::{LineState, Phase, Turn},
    },
    message::{self, BookingAct, BookingCommand, OperatorAct, OperatorCommand, Outcome, Reply, ReplyTo},
    ports::{
        PortError, PortResult,
        clock::{Clock as _, Entropy as _},
        desk::Desk as _,
        ledger::LedgerReader as _,
        log::{Log as _, Topic, lane_of},
    },
    time::Timestamp,
};

use super::ports::Ports;

/// How long a gateway goes by what it read before, in milliseconds.
const FRESH_MS: i64 = 250;
/// How long a command may take before nobody waits for it, in milliseconds.
const DEADLINE_MS: i64 = 5_000;
const PAGE: usize = 256;

/// A place as its owner's token tells it.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: UserId,
    pub(super) place: Place,
    pub(super) entry: Digest,
    joined_at: Timestamp,
}

/// An admission.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    pub(super) session: SessionId,
    pub(super) until: Timestamp,
    pub(super) max_seats: u32,
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Refused {
    /// A port failed: worth repeating.
    Port,
    /// Nobody answered in time.
    NoAnswer,
    /// Not yet, or not at this moment.
    NotNow,
    /// The place is over.
    Over,
    /// The line has ended.
    Closed,
}

impl From<PortError> for Refused {
    fn from(_: PortError) -> Self {
        Self::Port
    }
}

struct Memory {
    line: LineState,
    next: u64,
    followed_at: Option<Timestamp>,
    presence: BTreeMap<Place, Presence>,
    last_change: u64,
    replies: BTreeMap<String, Outcome>,
    replies_next: Option<u64>,
    next_lane: u16,
}

impl Memory {
    fn new(event: EventId) -> Self {
        Self {
            line: LineState::new(event),
            next: 0,
            followed_at: None,
            presence: BTreeMap::new(),
            last_change: 0,
            replies: BTreeMap::new(),
            replies_next: None,
            next_lane: 0,
        }
    }

    fn note(&mut self, place: Place, presence: Presence) {
        let over = matches!(self.presence.get(&place), Some(Presence::Over(Some(Ended::Booked | Ended::Revoked))));
        if !over {
            self.presence.insert(place, presence);
        }
    }
}

/// One gateway, which loses its memory where its fate strikes.
pub(super) struct Gateway {
    name: String,
    event: EventId,
    ports: Arc<Ports>,
    memory: RefCell<Memory>,
}

impl Gateway {
    pub(super) fn new(number: u32, event: EventId, ports: Arc<Ports>) -> Rc<Self> {
        let memory = RefCell::new(Memory::new(event.clone()));
        Rc::new(Self { name: format!("gateway-{number}"), event, ports, memory })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.now()
    }

    fn restart_if_struck(&self) {
        if self.ports.fate.take_struck() {
            *self.memory.borrow_mut() = Memory::new(self.event.clone());
        }
    }

    /// Reads what is new in the state log and at the desk, unless it did a moment ago.
    async fn follow(&self, wants_all: bool) -> PortResult<()> {
        self.restart_if_struck();
        let now = self.ports.fate.heavens().clock.now();
        let fresh = self.memory.borrow().followed_at.is_some_and(|at| now.millis_since(at) < FRESH_MS);
        if fresh && !wants_all && self.ports.fate.heavens().dice.chance(500) {
            return Ok(());
        }
        let topic = Topic::State(self.event.clone());
        loop {
            let from = self.memory.borrow().next;
            let page = self.ports.read(&topic, 0, from, PAGE, Duration::ZERO).await?;
            if page.is_empty() {
                break;
            }
            let mut memory = self.memory.borrow_mut();
            // Another request may have read on, or a crash have wiped it out, while this one waited.
            if memory.next == from {
                for entry in page {
                    memory.line.apply(&entry.payload);
                    memory.next = entry.offset + 1;
                }
            }
        }
        loop {
            let after = self.memory.borrow().last_change;
            let page = self.ports.changes(&self.event, after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut memory = self.memory.borrow_mut();
            if memory.last_change == after {
                for change in page {
                    memory.last_change = change.number;
                    let presence = match change.what {
                        ChangeKind::Admitted(until) => Presence::Admitted(until),
                        ChangeKind::Ended(why) => Presence::Over(Some(why)),
                    };
                    memory.note(change.place, presence);
                }
            }
        }
        self.memory.borrow_mut().followed_at = Some(now);
        Ok(())
    }

    fn presence(&self, place: Place) -> Presence {
        self.memory.borrow().presence.get(&place).copied().unwrap_or_default()
    }

    pub(super) async fn join(&self, user: &UserId) -> Result<Token, Refused> {
        self.follow(true).await?;
        let now = self.now();
        let standing = self.ports.place_of(&self.event, user).await?;
        let mut instead_of = None;
        if let Some(standing) = standing {
            let token = self.standing_token(user, standing.place).await?;
            let presence = match standing.ended {
                Some(why) => Presence::Over(Some(why)),
                None => self.presence(standing.place),
            };
            let memory = self.memory.borrow();
            let rank = memory.line.ranked(standing.place).map(|ranked| ranked.rank);
            if !place::may_rejoin(&memory.line, rank, presence, now) {
                return Ok(token);
            }
            instead_of = Some(standing.place);
        }
        let lane = {
            let mut memory = self.memory.borrow_mut();
            match memory.line.phase(now) {
                Phase::Scheduled => return Err(Refused::NotNow),
                Phase::Closed => return Err(Refused::Closed),
                Phase::Lobby | Phase::Open | Phase::Paused | Phase::SoldOut => {}
            }
            memory.next_lane = memory.next_lane.wrapping_add(1);
            memory.next_lane % memory.line.lanes().max(1)
        };
        let entry = entry_of(&self.event, user, &self.ports.id_bytes());
        let record = JoinRecord { entry, user: user.clone(), joined_at: now };
        let offset = self.ports.append(&Topic::Line(self.event.clone()), lane, record.encode()).await?;
        let place = Place { lane, offset };
        let stands = self.ports.claim_place(&self.event, user, place, instead_of).await?;
        if stands != place {
            return self.standing_token(user, stands).await;
        }
        Ok(Token { user: user.clone(), place, entry, joined_at: now })
    }

    async fn standing_token(&self, user: &UserId, place: Place) -> Result<Token, Refused> {
        let topic = Topic::Line(self.event.clone());
        let read = self.ports.read(&topic, place.lane, place.offset, 1, Duration::ZERO).await?;
        let record = read.first().and_then(|entry| JoinRecord::decode(&entry.payload).ok());
        if let Some(record) = record.filter(|record| record.user == *user) {
            Ok(Token { user: record.user, place, entry: record.entry, joined_at: record.joined_at })
        } else {
            self.ports.observer.damaged(format!("the join of {user} at {place:?} can't be read"));
            Err(Refused::Closed)
        }
    }

    pub(super) async fn poll(&self, token: &Token, wants_all: bool) -> Result<PlaceView, Refused> {
        self.follow(wants_all).await?;
        let presence = self.presence(token.place);
        let line = &self.memory.borrow().line;
        let facts = PlaceFacts {
            token: String::new(),
            place: token.place,
            entry: token.entry,
            joined_at: token.joined_at,
            ranked: line.ranked(token.place),
            presence,
            crowd: 0,
        };
        Ok(place::view(line, &facts, self.now()))
    }

    /// The same decisions as the real gateway's claim.
    pub(super) async fn claim(&self, token: &Token) -> Result<Admission, Refused> {
        self.follow(false).await?;
        let now = self.now();
        let (request, max_seats) = {
            let line = &self.memory.borrow().line;
            let Some(policy) = line.policy() else { return Err(Refused::NotNow) };
            let rank = line.ranked(token.place).map(|ranked| ranked.rank);
            let is_in = match (self.presence(token.place).at(now), rank) {
                (Presence::Over(_), _) => return Err(Refused::Over),
                (Presence::Admitted(_), Some(_)) => true,
                _ => false,
            };
            let Some(rank) = rank else { return Err(Refused::NotNow) };
            if !is_in {
                match line.phase(now) {
                    Phase::Closed => return Err(Refused::Closed),
                    Phase::SoldOut | Phase::Scheduled | Phase::Lobby => return Err(Refused::NotNow),
                    Phase::Open | Phase::Paused => {}
                }
                match line.turn_at_desk(rank, now) {
                    Turn::NotYet | Turn::Between { .. } => return Err(Refused::NotNow),
                    Turn::Over => return Err(Refused::Over),
                    Turn::Open { .. } if line.is_paused() => return Err(Refused::NotNow),
                    Turn::Open { .. } => {}
                }
            }
            let request = AdmitRequest {
                user: token.user.clone(),
                place: token.place,
                rank,
                session: SessionId::from_bytes(self.ports.id_bytes()),
                rate_per_minute: line.rate_per_minute(),
                max_active: line.max_active(),
                session_seconds: policy.session_seconds,
            };
            (request, policy.max_seats)
        };
        match self.ports.admit(&self.event, &request, now).await? {
            Admit::Admitted { session, expires_at } => {
                if self.memory.borrow().line.is_revoked(&session) {
                    return Err(Refused::Over);
                }
                self.memory.borrow_mut().note(token.place, Presence::Admitted(expires_at));
                Ok(Admission { session, until: expires_at, max_seats })
            }
            Admit::Full { .. } => Err(Refused::NotNow),
            Admit::NotTheirPlace | Admit::Over(_) => Err(Refused::Over),
        }
    }

    pub(super) async fn leave(&self, token: &Token) -> Result<(), Refused> {
        let standing = self.ports.place_of(&self.event, &token.user).await?;
        if standing.is_some_and(|standing| standing.place == token.place && standing.ended.is_none()) {
            self.ports.give_up(&self.event, &token.user, self.now()).await?;
            self.memory.borrow_mut().note(token.place, Presence::Over(Some(Ended::GivenUp)));
        }
        Ok(())
    }

    /// Whether this gateway still takes the admission's token.
    pub(super) fn is_good(&self, admission: &Admission) -> bool {
        !self.memory.borrow().line.is_revoked(&admission.session) && admission.until > self.now()
    }

    pub(super) async fn booking(&self, id: &BookingId) -> Result<Option<Booking>, Refused> {
        Ok(self.ports.booking(id).await?)
    }

    /// Sends a command about a booking and waits for its answer.
    pub(super) async fn ask(&self, booking: &BookingId, user: &UserId, act: BookingAct) -> Result<Outcome, Refused> {
        let (reply_to, deadline) = self.question().await?;
        let command = BookingCommand {
            reply_to: reply_to.clone(),
            deadline,
            traceparent: None,
            event: self.event.clone(),
            booking: booking.clone(),
            user: user.clone(),
            act,
        };
        let lane = lane_of(self.event.as_str(), self.ports.lanes(&Topic::Bookings).await?);
        self.ports.append(&Topic::Bookings, lane, message::encode(&command)).await?;
        self.answer(&reply_to).await
    }

    /// Sends an operator's command and waits for its answer.
    pub(super) async fn command(&self, id: &str, act: OperatorAct) -> Result<Outcome, Refused> {
        let (reply_to, deadline) = self.question().await?;
        let command = OperatorCommand {
            id: id.to_owned(),
            reply_to: reply_to.clone(),
            deadline,
            actor: "operator".to_owned(),
            key: self.event.as_str().to_owned(),
            act,
        };
        let lane = lane_of(self.event.as_str(), self.ports.lanes(&Topic::Commands).await?);
        self.ports.append(&Topic::Commands, lane, message::encode(&command)).await?;
        self.answer(&reply_to).await
    }

    async fn question(&self) -> Result<(ReplyTo, Timestamp), Refused> {
        self.follow(false).await?;
        let correlation = hex::encode(self.ports.id_bytes());
        Ok((ReplyTo { gateway: self.name.clone(), correlation }, self.now().plus_millis(DEADLINE_MS)))
    }

    async fn answer(&self, to: &ReplyTo) -> Result<Outcome, Refused> {
        let heavens = self.ports.fate.heavens().clone();
        let wait_ms = heavens.dice.pick(&[1_500, DEADLINE_MS]);
        let until = heavens.clock.now().plus_millis(wait_ms);
        while heavens.clock.now() < until {
            self.read_replies().await?;
            if let Some(outcome) = self.memory.borrow_mut().replies.remove(&to.correlation) {
                return Ok(outcome);
            }
            heavens.clock.sleep(heavens.dice.range(20..=200)).await;
        }
        Err(Refused::NoAnswer)
    }

    async fn read_replies(&self) -> PortResult<()> {
        self.restart_if_struck();
        let lane = lane_of(&self.name, self.ports.lanes(&Topic::Replies).await?);
        let next = self.memory.borrow().replies_next;
        let from = match next {
            Some(next) => next,
            // What was answered before this gateway began is for nobody.
            None => {
                self.ports.ends(&Topic::Replies).await?.get(usize::from(lane)).map_or(0, |end| end.saturating_sub(8))
            }
        };
        let page = self.ports.read(&Topic::Replies, lane, from, PAGE, Duration::ZERO).await?;
        let mut memory = self.memory.borrow_mut();
        let mut next = memory.replies_next.unwrap_or(from).max(from);
        for entry in page {
            next = next.max(entry.offset + 1);
            if let Ok(reply) = message::decode::<Reply>(&entry.payload)
                && reply.to.gateway == self.name
            {
                memory.replies.insert(reply.to.correlation, reply.outcome);
            }
        }
        memory.replies_next = Some(next);
        Ok(())
    }
}
