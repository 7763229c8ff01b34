//! A small world for the workers' tests: the ports in memory, a clock that stands still, visitors, and the invariants.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]

pub mod crew;
pub mod faults;
pub mod hooks;
pub mod invariants;
pub mod letters;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use backends::memory::{
    Lanes, MemoryCatalog, MemoryDesk, MemoryHolds, MemoryLedger, MemoryLog, MemoryMailroom, MemoryPayments, SoleWorker,
};
use booking_core::{
    booking::booking_id,
    catalog::{Event, Venue},
    desk::{Admit, AdmitRequest},
    digest::Digest,
    id::{BookingId, EventId, SessionId, TransactionId, UserId},
    line::{
        Place,
        entry::{JoinRecord, entry_of},
        state::LineState,
    },
    mail::Contact,
    message::{self, BookingAct, BookingCommand, OperatorAct, OperatorCommand, Outcome, Reply, ReplyTo, Wanted},
    money::Money,
    ports::{
        catalog::Catalog as _,
        clock::{Clock, Entropy},
        desk::Desk as _,
        log::{Log as _, Topic, lane_of},
        payments::{SandboxOutcome, SandboxPayments as _},
    },
    sale::SalePolicy,
    time::Timestamp,
};
use hooks::Listener;
use letters::{PlainLetters, PostBox};
use queue_worker::{Endpoint, Mail, Parts, Settings};
use serde_json::json;

/// When the world begins.
pub const START: i64 = 1_777_629_600_000;
/// When the line opens, in milliseconds after the start.
pub const OPENS: i64 = 10_000;

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

/// A clock that moves when it is told to.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes that differ each time, and are the same in each run.
#[derive(Debug, Default)]
pub struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let digest = Digest::of(&[b"test entropy", &number.to_be_bytes()]);
            byte.copy_from_slice(&digest.0[..byte.len()]);
        }
    }
}

pub struct World {
    pub log: MemoryLog,
    pub desk: MemoryDesk,
    pub holds: MemoryHolds,
    pub ledger: MemoryLedger,
    pub catalog: MemoryCatalog,
    pub payments: MemoryPayments,
    pub mailroom: MemoryMailroom,
    pub post: PostBox,
    pub listener: Listener,
    pub clock: Arc<TestClock>,
    pub entropy: Arc<TestEntropy>,
    pub event: EventId,
    asked: AtomicU64,
}

pub fn venue(rows: u32, seats_in_row: u32) -> Venue {
    let seat = |row: u32, number: u32| {
        json!({ "seatId": format!("{row}-{number}"), "number": number.to_string(), "category": "stalls",
                "x": number, "y": row })
    };
    let row = |row: u32| {
        let seats: Vec<_> = (1..=seats_in_row).map(|number| seat(row, number)).collect();
        json!({ "name": row.to_string(), "seats": seats })
    };
    let rows: Vec<_> = (1..=rows).map(row).collect();
    let seat_map = json!({ "categories": [{ "name": "stalls", "color": "#336699" }],
                           "sections": [{ "name": "Hall", "rows": rows }] });
    serde_json::from_value(json!({
        "venueId": "venue_1", "name": "Hall", "address": "Am Wehr 1", "location": { "city": "Köln" },
        "seatMap": seat_map,
    }))
    .expect("a venue")
}

pub fn show() -> Event {
    Event {
        event_id: "evt_1".parse().expect("an id"),
        title: "A show".to_owned(),
        description: String::new(),
        performers: Vec::new(),
        category: None,
        language: None,
        thumbnail: None,
        venue_id: "venue_1".parse().expect("an id"),
        starts_at: at(86_400_000),
        currency: "EUR".parse().expect("a currency"),
        prices: BTreeMap::from([("stalls".to_owned(), 1_000)]),
        refund_policy: booking_core::refund::RefundPolicy::default(),
        moves: Vec::new(),
        halls: Vec::new(),
    }
}

pub fn policy() -> SalePolicy {
    SalePolicy {
        lobby_opens_at: at(0),
        opens_at: at(OPENS),
        closes_at: at(3_600_000),
        rate_per_minute: 600,
        max_active: 1_000,
        turn_seconds: 30,
        session_seconds: 600,
        hold_seconds: 60,
        extend_seconds: 20,
        max_seats: 4,
        batch_ms: 1_000,
        orphans_allowed: true,
    }
}

pub fn settings() -> Settings {
    Settings {
        patience_ms: 0,
        chain_length: 1_024,
        settle_after_ms: 5_000,
        settle_every_ms: 1_000,
        ..Settings::default()
    }
}

pub fn user(number: u64) -> UserId {
    format!("user_{number}").parse().expect("an id")
}

pub fn session(number: u64) -> SessionId {
    format!("session_{number}").parse().expect("an id")
}

pub fn transaction(number: u64) -> TransactionId {
    format!("txn_{number}").parse().expect("an id")
}

/// The booking of user `number`'s request `key`.
pub fn booking(number: u64, key: &str) -> BookingId {
    booking_id(&user(number), key)
}

/// Where user `number` is to be reached.
pub fn contact(number: u64) -> Contact {
    Contact { email: format!("user{number}@example.org").parse().expect("an address") }
}

/// Seats by name.
pub fn seats(names: &[&str]) -> Wanted {
    Wanted::Seats(names.iter().map(|name| name.parse().expect("a seat id")).collect())
}

/// Follows the line as a gateway does.
pub struct LineReader {
    next: u64,
    state: LineState,
}

impl LineReader {
    pub fn new(world: &World) -> Self {
        Self { next: 0, state: LineState::new(world.event.clone()) }
    }

    pub async fn read(&mut self, world: &World) -> &LineState {
        let topic = Topic::State(world.event.clone());
        for entry in world.log.read(&topic, 0, self.next, usize::MAX, Duration::ZERO).await.expect("a read") {
            self.state.apply(&entry.payload);
            self.next = entry.offset + 1;
        }
        &self.state
    }
}

/// Follows the answers as a gateway does. One lane.
#[derive(Default)]
pub struct AnswerReader {
    next: u64,
    pub answers: BTreeMap<String, Outcome>,
}

impl AnswerReader {
    pub async fn read(&mut self, world: &World) {
        for entry in world.log.read(&Topic::Replies, 0, self.next, usize::MAX, Duration::ZERO).await.expect("a read") {
            let reply: Reply = message::decode(&entry.payload).expect("a reply");
            self.answers.entry(reply.to.correlation).or_insert(reply.outcome);
            self.next = entry.offset + 1;
        }
    }
}

impl World {
    /// A world with a hall of so many seats and a show in it, and no sale. The line has three lanes.
    pub async fn new(rows: u32, seats_in_row: u32) -> Self {
        Self::with_lanes(rows, seats_in_row, Lanes { line: 3, keyed: 1, replies: 1 }).await
    }

    pub async fn with_lanes(rows: u32, seats_in_row: u32, lanes: Lanes) -> Self {
        let world = Self {
            log: MemoryLog::new(lanes),
            desk: MemoryDesk::default(),
            holds: MemoryHolds::default(),
            ledger: MemoryLedger::default(),
            catalog: MemoryCatalog::default(),
            payments: MemoryPayments::default(),
            mailroom: MemoryMailroom::default(),
            post: PostBox::default(),
            listener: Listener::default(),
            clock: Arc::default(),
            entropy: Arc::default(),
            event: show().event_id,
            asked: AtomicU64::new(0),
        };
        world.catalog.put_venue(&venue(rows, seats_in_row)).await.expect("put");
        world.catalog.put_event(&show()).await.expect("put");
        world
    }

    pub fn parts(&self) -> Parts {
        Parts {
            log: Arc::new(self.log.clone()),
            assignment: Arc::new(SoleWorker::new(Arc::new(self.log.clone()))),
            desk: Arc::new(self.desk.clone()),
            holds: Arc::new(self.holds.clone()),
            ledger: Arc::new(self.ledger.clone()),
            catalog: Arc::new(self.catalog.clone()),
            payments: Arc::new(self.payments.clone()),
            mail: Some(Mail {
                mailroom: Arc::new(self.mailroom.clone()),
                letters: Arc::new(PlainLetters),
                post: Arc::new(self.post.clone()),
            }),
            endpoints: vec![self.endpoint()],
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::clone(&self.entropy) as _,
        }
    }

    /// Who is told of bookings.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { name: "shop".parse().expect("a name"), hook: Arc::new(self.listener.clone()) }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the clock, in milliseconds after the start.
    pub fn set_clock(&self, ms: i64) {
        self.clock.0.store(ms, Ordering::SeqCst);
    }

    fn ask(&self) -> ReplyTo {
        let correlation = self.asked.fetch_add(1, Ordering::SeqCst).to_string();
        ReplyTo { gateway: "gateway".to_owned(), correlation }
    }

    /// Sends an operator's command and answers its question's name.
    pub async fn command(&self, id: &str, act: OperatorAct) -> String {
        let reply_to = self.ask();
        let correlation = reply_to.correlation.clone();
        let key = self.event.to_string();
        let lanes = self.log.lanes(&Topic::Commands).await.expect("lanes");
        let lane = lane_of(&key, lanes);
        let command = OperatorCommand {
            id: id.to_owned(),
            reply_to,
            deadline: self.now().plus_millis(15_000),
            actor: "box office".to_owned(),
            key,
            act,
        };
        self.log.append(&Topic::Commands, lane, message::encode(&command)).await.expect("sent");
        correlation
    }

    pub fn configure(&self, policy: SalePolicy) -> OperatorAct {
        OperatorAct::Configure { event: self.event.clone(), policy }
    }

    pub fn steer_rate(&self, rate_per_minute: u32) -> OperatorAct {
        OperatorAct::Steer {
            event: self.event.clone(),
            rate_per_minute: Some(rate_per_minute),
            max_active: None,
            paused: None,
            if_version: None,
        }
    }

    /// Sends a booking command of user `number` and answers its question's name.
    pub async fn send(&self, number: u64, booking: &BookingId, act: BookingAct) -> String {
        let reply_to = self.ask();
        let correlation = reply_to.correlation.clone();
        let command = BookingCommand {
            reply_to,
            deadline: self.now().plus_millis(15_000),
            traceparent: None,
            event: self.event.clone(),
            booking: booking.clone(),
            user: user(number),
            act,
        };
        let lanes = self.log.lanes(&Topic::Bookings).await.expect("lanes");
        let lane = lane_of(self.event.as_str(), lanes);
        self.log.append(&Topic::Bookings, lane, message::encode(&command)).await.expect("sent");
        correlation
    }

    pub async fn hold(&self, number: u64, key: &str, wanted: Wanted) -> String {
        let fingerprint = Digest::of(&[format!("{wanted:?}").as_bytes()]);
        let act = BookingAct::Hold { session: session(number), max_seats: 4, wanted, fingerprint };
        self.send(number, &booking(number, key), act).await
    }

    /// Makes a payment of `amount` that goes as `outcome` says.
    pub async fn pay(&self, paid: u64, amount: i64, outcome: SandboxOutcome) {
        let amount = Money { amount, currency: show().currency };
        self.payments.create(&transaction(paid), amount, outcome).await.expect("made");
    }

    pub async fn confirm(&self, number: u64, key: &str, paid: u64, amount: i64) -> String {
        let act = BookingAct::Confirm { transaction: transaction(paid), amount, contact: Some(contact(number)) };
        self.send(number, &booking(number, key), act).await
    }

    /// Every answer so far, by question; the first where there are several.
    pub async fn answers(&self) -> BTreeMap<String, Outcome> {
        let mut answers = BTreeMap::new();
        for lane in 0..self.log.lanes(&Topic::Replies).await.expect("lanes") {
            for entry in self.entries(&Topic::Replies, lane).await {
                let reply: Reply = message::decode(&entry).expect("a reply");
                answers.entry(reply.to.correlation).or_insert(reply.outcome);
            }
        }
        answers
    }

    pub async fn answer(&self, question: &str) -> Option<Outcome> {
        self.answers().await.remove(question)
    }

    pub async fn entries(&self, topic: &Topic, lane: u16) -> Vec<bytes::Bytes> {
        let entries = self.log.read(topic, lane, 0, usize::MAX, Duration::ZERO).await.expect("a read");
        entries.into_iter().map(|entry| entry.payload).collect()
    }

    /// User `number` joins, in one of the lanes by turns.
    pub async fn join(&self, number: u64) -> Place {
        let topic = Topic::Line(self.event.clone());
        let lanes = self.log.lanes(&topic).await.expect("lanes");
        let lane = u16::try_from(number * 7 % u64::from(lanes)).expect("a lane");
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        let entry = entry_of(&self.event, &user(number), &nonce);
        let join = JoinRecord { entry, user: user(number), joined_at: self.now() };
        let offset = self.log.append(&topic, lane, join.encode()).await.expect("joined");
        let place = Place { lane, offset };
        self.desk.claim_place(&self.event, &user(number), place, None).await.expect("placed")
    }

    /// The line as everybody folds it.
    pub async fn line(&self) -> LineState {
        let mut state = LineState::new(self.event.clone());
        for record in self.entries(&Topic::State(self.event.clone()), 0).await {
            state.apply(&record);
        }
        state
    }

    /// User `number` comes to the desk, if they were called.
    pub async fn come(&self, number: u64, place: Place, rank: u64, line: &LineState) -> Option<Admit> {
        if rank >= line.served() {
            return None;
        }
        let request = AdmitRequest {
            user: user(number),
            place,
            rank,
            session: session(number),
            rate_per_minute: line.rate_per_minute(),
            max_active: line.max_active(),
            session_seconds: 600,
        };
        Some(self.desk.admit(&self.event, &request, self.now()).await.expect("an answer"))
    }
}

/// What the provider tells of a payment that it has set aside.
pub fn told(paid: u64, amount: i64) -> BookingAct {
    BookingAct::Paid { transaction: transaction(paid), amount: Money { amount, currency: show().currency } }
}
