//! Several processes that write at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use backends::postgres::PostgresLedger;
use booking_core::{
    booking::{ClaimSeats, Claimed, ConfirmSeats, Confirmed, OutboxRow, PaymentAct, PaymentStep, Release},
    ports::ledger::{Ledger as _, LedgerReader as _},
};
use futures_util::future::join_all;
use sqlx::PgConnection;

use super::support::{Schema, at, claim, confirm, euros};

const HANDLES: u32 = 3;
const TASKS: u32 = 4;
const ROUNDS: u32 = 12;

/// What a live booking may never share or lack, asked of the tables themselves.
async fn assert_invariants(other: &mut PgConnection) {
    let shared: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
            SELECT 1 FROM bookings b, unnest(b.seats) AS seat WHERE b.state = 'confirmed'
            GROUP BY b.event_id, seat HAVING count(*) > 1) AS twice",
    )
    .fetch_one(&mut *other)
    .await
    .unwrap();
    assert_eq!(shared, 0, "invariant 1");
    let lacking: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM bookings b WHERE b.state = 'confirmed' AND cardinality(b.seats) <> (
            SELECT count(*) FROM seat_claims c WHERE c.booking_id = b.booking_id AND c.until IS NULL)",
    )
    .fetch_one(&mut *other)
    .await
    .unwrap();
    assert_eq!(lacking, 0, "invariant 2");
    let too_many: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
            SELECT 1 FROM bookings WHERE state = 'confirmed' GROUP BY event_id, user_id
            HAVING sum(cardinality(seats)) > 4) AS users",
    )
    .fetch_one(&mut *other)
    .await
    .unwrap();
    assert_eq!(too_many, 0, "the limit of seats");
}

/// A claim in one of two events, by one of a few users, of seats that others want, too.
fn contested(number: u32, late: bool) -> ClaimSeats {
    let seat = number * 7 % 30;
    let who = number % 9;
    ClaimSeats {
        event: format!("evt_{}", number % 2).parse().unwrap(),
        user: format!("user_{who}").parse().unwrap(),
        until: at(if late { 120_000 } else { 60_000 }),
        max_seats: 4,
        ..claim(number, &[seat, (seat + 11) % 30])
    }
}

async fn sell(ledger: PostgresLedger, task: u32) -> Vec<(String, u64)> {
    let mut versions = Vec::new();
    for round in 0..ROUNDS {
        let first = (task * ROUNDS + round) * 5;
        let late = round > ROUNDS / 2;
        let now = at(if late { 60_000 } else { i64::from(round) });
        // Each batch is of both events, in another order than its neighbour's.
        let mut batch: Vec<_> = (first..first + 5).map(|number| contested(number, late)).collect();
        if task.is_multiple_of(2) {
            batch.reverse();
        }
        let claimed = ledger.claim_seats(&batch, now).await.expect("claims");
        let pays = |claim: &ClaimSeats| ConfirmSeats { user: claim.user.clone(), ..confirm(number_of(claim)) };
        let asks: Vec<_> = batch.iter().step_by(2).map(pays).collect();
        let confirmed = ledger.confirm(&asks, now).await.expect("confirmations");
        let gives_back = |claim: &ClaimSeats| Release { booking: claim.booking.clone(), user: claim.user.clone() };
        let released = ledger.release(&[gives_back(&batch[1])], now).await.expect("a release");
        let expired = ledger.expire(now, 3).await.expect("expired");
        for changes in [claimed.seats, confirmed.seats, released.seats, expired.seats].into_iter().flatten() {
            versions.push((changes.event_id.to_string(), changes.version));
        }
    }
    versions
}

fn number_of(claim: &ClaimSeats) -> u32 {
    claim.booking.as_str().trim_start_matches("booking_").parse().unwrap()
}

/// Publishes until `over`, and then what is left.
async fn relay(ledger: PostgresLedger, over: Arc<AtomicBool>) -> Vec<OutboxRow> {
    let mut published: Vec<OutboxRow> = Vec::new();
    loop {
        let is_over = over.load(Ordering::Acquire);
        let rows = ledger.outbox(7).await.expect("the outbox");
        if rows.is_empty() {
            if is_over {
                return published;
            }
            tokio::task::yield_now().await;
        }
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        published.extend(rows);
        ledger.outbox_published(&numbers).await.expect("noted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_the_same_seats_share_none_and_skip_no_version_and_lose_nothing_of_the_outbox() {
    let schema = Schema::new();
    let mut tasks = Vec::new();
    for handle in 0..HANDLES {
        let ledger = schema.ledger().await;
        tasks.extend((0..TASKS).map(|task| tokio::spawn(sell(ledger.clone(), handle * TASKS + task))));
    }
    let over = Arc::new(AtomicBool::new(false));
    let relay = tokio::spawn(relay(schema.ledger().await, Arc::clone(&over)));
    let mut versions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for of_task in join_all(tasks).await {
        for (event, version) in of_task.expect("a task") {
            assert!(versions.entry(event).or_default().insert(version), "a version is one change's");
        }
    }
    over.store(true, Ordering::Release);
    let published = relay.await.expect("the relay");

    let ledger = schema.ledger().await;
    for (event, versions) in versions {
        let now = ledger.seat_states(&event.parse().unwrap()).await.unwrap().version;
        assert_eq!(versions, (1..=now).collect(), "{event} has every version once");
    }
    let mut other = schema.intruder().await;
    assert_invariants(&mut other).await;
    let mut last: BTreeMap<String, OutboxRow> = BTreeMap::new();
    for row in published {
        let first = row.kind == "booking.held";
        let before = last.insert(row.booking.booking_id.to_string(), row);
        assert_eq!(before.is_none(), first, "a booking's life begins with its hold and is told in order");
    }
    let bookings: i64 = sqlx::query_scalar("SELECT count(*) FROM bookings").fetch_one(&mut other).await.unwrap();
    assert!(bookings > 40, "the sale went on: {bookings}");
    assert_eq!(usize::try_from(bookings).unwrap(), last.len());
    for row in last.values() {
        let stands = ledger.booking(&row.booking.booking_id).await.unwrap().expect("the booking");
        assert_eq!(row.booking, stands, "the last that was told is what stands");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_that_everybody_wants_is_one_bookings() {
    let schema = Schema::new();
    let handles = join_all((0..HANDLES).map(|_| schema.ledger())).await;
    let claims: Vec<_> = (0..40).map(|number| [claim(number, &[number % 4, 9])]).collect();
    let tries = claims.iter().zip(handles.iter().cycle()).map(|(claim, ledger)| ledger.claim_seats(claim, at(0)));
    let is_held = |answers: &[Claimed]| matches!(answers, [Claimed::Held(_)]);
    let held =
        join_all(tries).await.into_iter().filter(|applied| is_held(&applied.as_ref().expect("an answer").answers));
    assert_eq!(held.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_claimed_in_two_events_at_once_is_one_booking() {
    let schema = Schema::new();
    let handles = join_all((0..HANDLES).map(|_| schema.ledger())).await;
    for round in 0..10 {
        let in_event =
            |event: u32| [ClaimSeats { event: format!("evt_{event}").parse().unwrap(), ..claim(round, &[round]) }];
        let claims: Vec<_> = (0..HANDLES).map(in_event).collect();
        let tries = claims.iter().zip(&handles).map(|(claim, ledger)| ledger.claim_seats(claim, at(0)));
        let (mut held, mut reused) = (0, 0);
        for applied in join_all(tries).await {
            match applied.expect("an answer").answers[..] {
                [Claimed::Held(_)] => held += 1,
                [Claimed::KeyReused] => reused += 1,
                ref other => panic!("{other:?}"),
            }
        }
        assert_eq!((held, reused), (1, HANDLES - 1));
    }
}

/// Invariant 9, with a confirmation and a giving back of the same payment at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_confirms_or_is_given_back_also_when_both_come_at_once() {
    let schema = Schema::new();
    let (one, two) = (schema.ledger().await, schema.ledger().await);
    for number in 0..30 {
        one.claim_seats(&[claim(number, &[number])], at(0)).await.unwrap();
        let ask = confirm(number);
        let void = PaymentAct {
            booking: ask.booking.clone(),
            transaction: ask.transaction.clone(),
            refund: 0,
            reason: None,
            step: PaymentStep::VoidDue,
            amount: euros(100),
            at: at(1),
        };
        let asks = [ask];
        let (confirmed, recorded) = tokio::join!(one.confirm(&asks, at(1)), two.record_payment(&void));
        recorded.unwrap();
        let is_confirmed = matches!(confirmed.unwrap().answers[..], [Confirmed::Confirmed(_)]);
        let acts = one.payment_acts(&void.booking).await.unwrap();
        let is_void = acts.iter().any(|act| act.step == PaymentStep::VoidDue);
        assert_ne!(is_confirmed, is_void, "booking {number}: invariant 9");
    }
}
