//! A great sale that is over, and what becomes of it when its event is called off.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use backends::{
    postgres::{
        PostgresCatalog, PostgresDatabase, PostgresLedger, PostgresMailroom, PostgresSandbox, PostgresSettings,
    },
    sqlite::{SqliteCatalog, SqliteLedger, SqliteMailroom, SqliteSandbox},
};
use booking_core::{
    booking::{
        Booking, BookingState, ClaimSeats, Claimed, ConfirmSeats, Confirmed, PaymentAct, PaymentStep, booking_id,
    },
    catalog::{Event, Venue},
    digest::Digest,
    id::{BookingId, EventId, TransactionId, UserId},
    mail::Contact,
    money::Money,
    ports::{
        catalog::Catalog,
        ledger::Ledger,
        mailroom::Mailroom,
        payments::{SandboxOutcome, SandboxPayments},
    },
    seats::SeatIndex,
    time::Timestamp,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, from_now, post_office::PostOffice};

/// Bookings, of a seat each.
pub(crate) const BOOKINGS: u32 = 50_000;
/// What is left, as [`left_at_most`] counts it, when the processes are killed: thrice while bookings are being cancelled,
/// twice while money is being given back.
pub(crate) const KILLED_AT: [u64; 5] = [95_000, 80_000, 65_000, 40_000, 15_000];
/// Letters on their way at once.
const LETTERS_AT_ONCE: usize = 64;
/// Bookings written or looked at together.
const BATCH: u32 = 500;
/// What a seat costs, in minor units.
const PRICE: i64 = 4_500;
/// How long the whole refund may take: a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(900);

/// The stores of an installation that has no process running, or whose processes share them.
pub(crate) struct Stores {
    pub(crate) ledger: Box<dyn Ledger>,
    pub(crate) catalog: Box<dyn Catalog>,
    pub(crate) payments: Box<dyn SandboxPayments>,
    pub(crate) mailroom: Box<dyn Mailroom>,
}

impl Stores {
    /// Those of a data folder.
    pub(crate) async fn of_folder(data: &std::path::Path) -> Self {
        Self {
            ledger: Box::new(SqliteLedger::open(&data.join("ledger.db")).await.unwrap()),
            catalog: Box::new(SqliteCatalog::open(&data.join("catalog.db")).await.unwrap()),
            payments: Box::new(SqliteSandbox::open(&data.join("payments.db")).await.unwrap()),
            mailroom: Box::new(SqliteMailroom::open(&data.join("mail.db")).await.unwrap()),
        }
    }

    /// Those of a schema.
    pub(crate) async fn of_schema(url: &str, schema: &str) -> Self {
        let settings =
            PostgresSettings { url: url.to_owned(), schema: schema.to_owned(), ..PostgresSettings::default() };
        let database = PostgresDatabase::open(settings).await.unwrap();
        database.migrate().await.unwrap();
        Self {
            ledger: Box::new(PostgresLedger::new(database.clone())),
            catalog: Box::new(PostgresCatalog::new(database.clone())),
            payments: Box::new(PostgresSandbox::new(database.clone())),
            mailroom: Box::new(PostgresMailroom::new(database)),
        }
    }

    /// An event whose every seat was booked by somebody else and paid for, of which everybody was told.
    pub(crate) async fn sell_out(&self) -> EventId {
        let (venue, event) = show();
        self.catalog.put_venue(&venue).await.unwrap();
        self.catalog.put_event(&event).await.unwrap();
        for numbers in batches() {
            self.sell(&event.event_id, numbers).await;
            let told: Vec<u64> = self.ledger.outbox(4_096).await.unwrap().iter().map(|row| row.number).collect();
            self.ledger.outbox_published(&told).await.unwrap();
        }
        assert!(self.ledger.outbox(1).await.unwrap().is_empty());
        event.event_id
    }

    async fn sell(&self, event: &EventId, numbers: Range<u32>) {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let claims: Vec<ClaimSeats> = numbers
            .clone()
            .map(|number| ClaimSeats {
                booking: booking_id(&user(number), "mass"),
                event: event.clone(),
                user: user(number),
                session: format!("session_{number}").parse().unwrap(),
                seats: vec![SeatIndex(number)],
                total: price(),
                until: now.plus_seconds(60),
                max_seats: 4,
                fingerprint: Digest::of(&[b"mass"]),
            })
            .collect();
        let held = self.ledger.claim_seats(&claims, now).await.unwrap();
        assert!(held.answers.iter().all(|answer| matches!(answer, Claimed::Held(_))));
        let paid = claims.iter().zip(numbers.clone()).map(|(claim, number)| async move {
            let transaction = transaction(number);
            self.payments.create(&transaction, price(), SandboxOutcome::Approve).await.unwrap();
            self.payments.authorise(&claim.booking, &transaction, price()).await.unwrap();
            self.payments.capture(&claim.booking, &transaction).await.unwrap();
            self.record(&claim.booking, number, PaymentStep::Asked, now).await;
        });
        join_all(paid).await;
        let confirms: Vec<ConfirmSeats> = claims
            .iter()
            .zip(numbers.clone())
            .map(|(claim, number)| ConfirmSeats {
                booking: claim.booking.clone(),
                user: claim.user.clone(),
                transaction: transaction(number),
            })
            .collect();
        let confirmed = self.ledger.confirm(&confirms, now).await.unwrap();
        assert!(confirmed.answers.iter().all(|answer| matches!(answer, Confirmed::Confirmed(_))));
        let contacts: Vec<_> = claims.iter().map(|claim| (claim.booking.clone(), contact(&claim.user))).collect();
        self.mailroom.remember(&contacts, from_now(0).parse().unwrap()).await.unwrap();
        let bookings = claims.iter().zip(numbers);
        join_all(bookings.map(|(claim, number)| self.record(&claim.booking, number, PaymentStep::Captured, now))).await;
    }

    async fn record(&self, booking: &BookingId, number: u32, step: PaymentStep, at: Timestamp) {
        let (booking, transaction, amount) = (booking.clone(), transaction(number), price());
        let act = PaymentAct { booking, transaction, refund: 0, step, amount, reason: None, at };
        self.ledger.record_payment(&act).await.unwrap();
    }

    /// Asserts that every booking is cancelled, and its money went back once.
    pub(crate) async fn check_refunded(&self) {
        for numbers in batches() {
            join_all(numbers.map(|number| self.check_one(number))).await;
        }
        let letters = self.mailroom.letters().await.unwrap();
        assert!(letters.refused == 0 && letters.waiting <= LETTERS_AT_ONCE as u64, "{letters:?}");
    }

    async fn check_one(&self, number: u32) {
        let id = booking_id(&user(number), "mass");
        let booking: Booking = self.ledger.booking(&id).await.unwrap().expect("it is there");
        assert_eq!((booking.state, booking.refund), (BookingState::Cancelled, Some(PRICE)), "{id}");
        let acts = self.ledger.payment_acts(&id).await.unwrap();
        let steps: Vec<PaymentStep> = acts.iter().map(|act| act.step).collect();
        let expected = [
            PaymentStep::Asked,
            PaymentStep::Authorised,
            PaymentStep::Captured,
            PaymentStep::RefundDue,
            PaymentStep::Refunded,
        ];
        assert_eq!(steps, expected, "{id}");
        let standing = self.payments.standing(&transaction(number)).await.unwrap().expect("it was paid");
        assert_eq!(standing.refunded, PRICE, "{id}: once, and all of it");
    }
}

/// What workers are told.
pub(crate) fn settings(office: &PostOffice) -> Vec<String> {
    let [server, from] = office.settings();
    let at_once = format!("worker.mail_at_once={LETTERS_AT_ONCE}");
    vec!["worker.settle_after_ms=1000".to_owned(), "worker.settle_every_ms=200".to_owned(), at_once, server, from]
}

/// Calls the event off.
pub(crate) async fn call_off(client: &Client, admin: &str, event: &EventId) {
    let path = format!("/v1/operator/events/{event}/call-off");
    let reason = json!({"reason": "The hall is flooded."});
    let called_off = client.operate(admin, Method::POST, &path, &reason).await.expect(200);
    assert_eq!(called_off["reason"], "The hall is flooded.");
}

/// How far it is, once it is at most so far: what is left of both, bookings to cancel and refunds to make.
pub(crate) async fn left_at_most(client: &Client, admin: &str, event: &EventId, most: u64) -> u64 {
    let path = format!("/v1/operator/events/{event}/call-off");
    let started = Instant::now();
    loop {
        let view = client.operate(admin, Method::GET, &path, &Value::Null).await.expect(200);
        let number = |name: &str| view[name].as_u64().unwrap();
        let left = 2 * number("seatsLeft") + number("refundsLeft");
        if left <= most {
            return left;
        }
        assert!(started.elapsed() < PATIENCE, "it does not end: {view}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for the letter of every booking, and asserts that those alone came again that were on their way when the
/// processes were killed.
pub(crate) async fn letters_came(office: &PostOffice) {
    let started = Instant::now();
    while office.letters() < BOOKINGS as usize {
        assert!(started.elapsed() < PATIENCE, "letters are missing: {} came", office.letters());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let copies = office.copies();
    assert_eq!(copies.len(), BOOKINGS as usize, "one letter for each booking");
    let again: usize = copies.values().map(|copies| copies - 1).sum();
    assert!(again <= KILLED_AT.len() * LETTERS_AT_ONCE, "{again} came again");
}

fn batches() -> impl Iterator<Item = Range<u32>> {
    (0..BOOKINGS / BATCH).map(|batch| batch * BATCH..(batch + 1) * BATCH)
}

fn user(number: u32) -> UserId {
    format!("user_{number}").parse().unwrap()
}

fn contact(user: &UserId) -> Contact {
    Contact { email: format!("{user}@example.org").parse().unwrap() }
}

fn transaction(number: u32) -> TransactionId {
    format!("txn_{number}").parse().unwrap()
}

fn price() -> Money {
    Money { amount: PRICE, currency: "EUR".parse().unwrap() }
}

fn show() -> (Venue, Event) {
    const IN_A_ROW: u32 = 100;
    let row = |row: u32| {
        let seat = |seat: u32| json!({"seatId": format!("{row}-{seat}"), "number": seat.to_string(), "category": "Floor", "x": seat, "y": row});
        json!({"name": row.to_string(), "seats": (0..IN_A_ROW).map(seat).collect::<Vec<_>>()})
    };
    let rows: Vec<Value> = (0..BOOKINGS / IN_A_ROW).map(row).collect();
    let venue = serde_json::from_value(json!({
        "venueId": "venue_mass", "name": "The Arena", "address": "1 Weir Lane", "location": {"city": "Millbrook"},
        "seatMap": {"categories": [{"name": "Floor", "color": "#336699"}], "sections": [{"name": "All", "rows": rows}]},
    }));
    let event = serde_json::from_value(json!({
        "eventId": "evt_mass", "title": "A great evening", "description": "", "venueId": "venue_mass",
        "startsAt": from_now(30 * 86_400_000), "currency": "EUR", "prices": {"Floor": PRICE},
    }));
    (venue.unwrap(), event.unwrap())
}
