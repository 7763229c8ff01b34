//! Connections and servers that are lost, others in the way, limits that are reached.

use std::{collections::BTreeSet, time::Duration};

use backends::postgres::{PostgresDatabase, PostgresLedger, PostgresSettings};
use booking_core::{
    booking::{BookingState, Claimed, Confirmed},
    ports::{
        PortError, PortResult,
        ledger::{Applied, Ledger as _, LedgerReader as _},
    },
    seats::SeatIndex,
};
use sqlx::{Connection as _, Executor as _, postgres::PgConnectOptions};

use super::{
    proxy::{Next, Proxy},
    support::{Schema, at, claim, confirm, url},
};

/// The address of the server itself, and a URL of the same database by way of `address`.
fn through(address: &str) -> (String, String) {
    let options: PgConnectOptions = url().parse().unwrap();
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let (user, database) = (options.get_username(), options.get_database().unwrap_or("postgres"));
    (server, format!("postgres://{user}@{address}/{database}"))
}

async fn proxied(schema: &Schema) -> (Proxy, PostgresLedger) {
    let proxy = Proxy::before(through("").0).await;
    let url = through(&proxy.address.to_string()).1;
    let database = schema.database_with(|settings| settings.url = url).await;
    (proxy, PostgresLedger::new(database))
}

fn unavailable<T: std::fmt::Debug>(result: PortResult<T>, what: &str) {
    match result {
        Err(PortError::Unavailable { reason, .. }) if reason.contains(what) => {}
        other => panic!("not unavailable because of '{what}': {other:?}"),
    }
}

fn all_held(applied: &Applied<Claimed>) -> bool {
    applied.answers.iter().all(|answer| matches!(answer, Claimed::Held(_)))
}

#[tokio::test]
async fn a_commit_that_was_not_answered_is_found_and_not_done_again() {
    let schema = Schema::new();
    let (proxy, ledger) = proxied(&schema).await;
    let mut followed = 0;
    let faults = [Next::IsNotAnswered, Next::IsLost, Next::Passes, Next::IsNotAnsweredAndRollbackLost];
    for (number, next) in (0..).zip(faults) {
        proxy.next_commit(next);
        let held = ledger.claim_seats(&[claim(number, &[2 * number, 2 * number + 1])], at(0)).await.unwrap();
        assert!(proxy.has_struck() && all_held(&held), "{next:?}: {held:?}");
        proxy.next_commit(next);
        let confirmed = ledger.confirm(&[confirm(number)], at(1)).await.unwrap();
        assert!(proxy.has_struck());
        assert!(matches!(confirmed.answers[..], [Confirmed::Confirmed(_)]), "{next:?}: {confirmed:?}");
        for changes in held.seats.iter().chain(&confirmed.seats) {
            followed += 1;
            assert_eq!(
                (changes.version, changes.changes.len()),
                (followed, 2),
                "{next:?}: no change is told twice or lost"
            );
        }
    }
    assert_eq!(followed, 8);
    assert_eq!(ledger.outbox(100).await.unwrap().len(), 8, "each change is written once");
}

#[tokio::test]
async fn a_commit_that_is_never_answered_is_given_up_and_its_verb_may_be_repeated() {
    let schema = Schema::new();
    let proxy = Proxy::before(through("").0).await;
    let url = through(&proxy.address.to_string()).1;
    let database = schema
        .database_with(|settings| {
            settings.url = url;
            settings.connections = 1;
            settings.try_timeout = Duration::from_secs(3);
        })
        .await;
    let ledger = PostgresLedger::new(database);
    ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap();
    proxy.next_commit(Next::IsNeverAnswered);
    unavailable(ledger.claim_seats(&[claim(2, &[2])], at(0)).await, "took too long");
    let held = ledger.claim_seats(&[claim(2, &[2])], at(0)).await.expect("its connection was thrown away");
    assert!(all_held(&held), "it is the booking that was made: {held:?}");
    assert_eq!(ledger.outbox(100).await.unwrap().len(), 2, "and was made once");
}

#[tokio::test]
async fn a_verb_that_nobody_waits_for_any_more_keeps_no_connection() {
    let schema = Schema::new();
    let proxy = Proxy::before(through("").0).await;
    let url = through(&proxy.address.to_string()).1;
    let database = schema
        .database_with(|settings| {
            settings.url = url;
            settings.connections = 1;
        })
        .await;
    let ledger = PostgresLedger::new(database);
    proxy.next_commit(Next::IsNeverAnswered);
    let abandoned = [claim(1, &[1])];
    tokio::time::timeout(Duration::from_secs(2), ledger.claim_seats(&abandoned, at(0))).await.unwrap_err();
    let started = std::time::Instant::now();
    assert!(all_held(&ledger.claim_seats(&abandoned, at(0)).await.unwrap()));
    assert!(started.elapsed() < Duration::from_secs(10), "the only place in the pool is free: {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_lose_nothing_acknowledged_and_double_nothing() {
    let schema = Schema::new();
    let database = schema.database_with(|settings| settings.retries = 30).await;
    let ledger = PostgresLedger::new(database);
    let mut killer = schema.intruder().await;
    let name = format!("weir {}", schema.0);
    let until = tokio::time::Instant::now() + Duration::from_secs(3);
    let killing = tokio::spawn(async move {
        let mut killed = 0;
        while tokio::time::Instant::now() < until {
            // Slower than a connection comes about, on a busy machine, too.
            tokio::time::sleep(Duration::from_millis(40)).await;
            let victims: Vec<bool> = sqlx::query_scalar(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = $1 ORDER BY random() LIMIT 1",
            )
            .bind(&name)
            .fetch_all(&mut killer)
            .await
            .unwrap();
            killed += victims.len();
        }
        killed
    });
    let sell = |task: u32, ledger: PostgresLedger| async move {
        let (mut acknowledged, mut versions, mut round) = (Vec::new(), Vec::new(), 0);
        while tokio::time::Instant::now() < until {
            let first = task * 100_000 + round * 4;
            round += 1;
            let batch: Vec<_> = (first..first + 4).map(|number| claim(number, &[2 * number, 2 * number + 1])).collect();
            let held = ledger.claim_seats(&batch, at(0)).await.expect("it is tried again");
            assert!(all_held(&held), "{held:?}");
            let confirmed = ledger.confirm(&[confirm(first)], at(1)).await.expect("it is tried again");
            assert!(matches!(confirmed.answers[..], [Confirmed::Confirmed(_)]));
            acknowledged.extend(first..first + 4);
            versions.extend(held.seats.iter().chain(&confirmed.seats).map(|changes| changes.version));
        }
        (acknowledged, versions)
    };
    let tasks: Vec<_> = (0..3).map(|task| tokio::spawn(sell(task, ledger.clone()))).collect();
    let (mut acknowledged, mut versions) = (Vec::new(), BTreeSet::new());
    for task in tasks {
        let (of_task, seen) = task.await.expect("a task");
        acknowledged.extend(of_task);
        for version in seen {
            assert!(versions.insert(version), "version {version} is one change's");
        }
    }
    assert!(killing.await.unwrap() >= 10);
    let states = ledger.seat_states(&claim(0, &[]).event).await.unwrap();
    assert_eq!(versions, (1..=states.version).collect(), "every change was told to who made it");
    assert_eq!(states.taken.len(), 2 * acknowledged.len(), "invariants 1 to 3");
    for number in &acknowledged {
        let stored = ledger.booking(&claim(*number, &[]).booking).await.unwrap().expect("invariant 3");
        let state = if number % 4 == 0 { BookingState::Confirmed } else { BookingState::Held };
        assert_eq!(stored.state, state, "booking {number}");
    }
    let told = ledger.outbox(1_000_000).await.unwrap().len();
    assert_eq!(told, acknowledged.len() + acknowledged.len() / 4, "each change is told once");
}

#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let schema = Schema::new();
    let ledger = schema.ledger().await;
    ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap();
    let mut other = schema.intruder().await;
    // The wrong way round: the booking first, then its event.
    other.execute("BEGIN; SELECT 1 FROM bookings WHERE booking_id = 'booking_1' FOR UPDATE").await.unwrap();
    let confirming = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.confirm(&[confirm(1)], at(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.execute("SELECT 1 FROM event_versions FOR UPDATE").await.expect("who came first is the victim");
    other.execute("COMMIT").await.unwrap();
    let confirmed = confirming.await.unwrap().expect("it is tried again");
    assert!(matches!(confirmed.answers[..], [Confirmed::Confirmed(_)]));
}

/// Makes the first `times` writes of a booking fail as a serialization failure does; a sequence forgets no rollback.
async fn fail_writes(schema: &Schema, times: u32) {
    let sql = format!(
        "CREATE SEQUENCE writes;
         CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('writes') <= {times} THEN
                 RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER fail BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    schema.intruder().await.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
}

#[tokio::test]
async fn a_serialization_failure_is_tried_again_a_few_times() {
    let schema = Schema::new();
    let ledger = schema.ledger().await;
    fail_writes(&schema, 5).await;
    let held = ledger.claim_seats(&[claim(1, &[1])], at(0)).await.expect("the sixth try");
    assert!(all_held(&held));
    let schema = Schema::new();
    let ledger = schema.ledger().await;
    fail_writes(&schema, 1_000).await;
    unavailable(ledger.claim_seats(&[claim(1, &[1])], at(0)).await, "could not serialize");
}

#[tokio::test]
async fn a_busy_pool_and_a_kept_lock_say_so() {
    let schema = Schema::new();
    let database = schema
        .database_with(|settings| {
            settings.connections = 1;
            settings.acquire_timeout = Duration::from_secs(1);
            settings.lock_timeout = Duration::from_secs(3);
        })
        .await;
    let ledger = PostgresLedger::new(database);
    ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap();
    let mut other = schema.intruder().await;
    other.execute("BEGIN; SELECT 1 FROM event_versions FOR UPDATE").await.unwrap();
    let (two, three) = ([claim(2, &[2])], [claim(3, &[3])]);
    let (waiting, crowded) = tokio::join!(ledger.claim_seats(&two, at(0)), ledger.claim_seats(&three, at(0)));
    unavailable(waiting, "keeps a lock too long");
    unavailable(crowded, "all 1 connections are busy");
    other.execute("ROLLBACK").await.unwrap();
    assert!(all_held(&ledger.claim_seats(&two, at(0)).await.unwrap()), "it opens again by itself");
}

type Limit = fn(&mut PostgresSettings);

#[tokio::test]
async fn a_statement_or_a_try_that_takes_too_long_is_given_up() {
    let schema = Schema::new();
    let limits: [(Limit, &str); 2] = [
        (|settings| settings.statement_timeout = Duration::from_secs(2), "a statement took too long"),
        (|settings| settings.try_timeout = Duration::from_secs(2), "Postgres took too long"),
    ];
    schema.ledger().await.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap();
    for (number, (limit, why)) in (2..).zip(limits) {
        let ledger = PostgresLedger::new(schema.database_with(limit).await);
        let mut other = schema.intruder().await;
        other.execute("BEGIN; SELECT 1 FROM event_versions FOR UPDATE").await.unwrap();
        unavailable(ledger.claim_seats(&[claim(number, &[number])], at(0)).await, why);
        other.close().await.unwrap();
        let held = ledger.claim_seats(&[claim(number, &[number])], at(0)).await.unwrap();
        assert!(all_held(&held));
    }
}

#[tokio::test]
async fn the_first_server_that_accepts_writes_is_used() {
    let schema = Schema::new();
    let (server, _) = through("");
    let direct = through(&server).1;
    let read_only = format!("{direct}?options=-c%20default_transaction_read_only%3Don");
    let nobody = through("127.0.0.1:1").1;
    let ledger = PostgresLedger::new(
        schema.database_with(|settings| settings.url = format!("{nobody},{read_only},{direct}")).await,
    );
    assert!(all_held(&ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap()));
    let settings = PostgresSettings { url: format!("{nobody},{read_only}"), ..schema.settings() };
    unavailable(PostgresDatabase::open(settings).await, "it is read-only");
}

#[tokio::test]
async fn when_the_server_is_lost_the_next_one_takes_over() {
    let schema = Schema::new();
    let proxy = Proxy::before(through("").0).await;
    let first = through(&proxy.address.to_string()).1;
    let second = through(&through("").0).1;
    let database = schema.database_with(|settings| settings.url = format!("{first},{second}")).await;
    let ledger = PostgresLedger::new(database);
    assert!(all_held(&ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap()));
    drop(proxy);
    assert!(all_held(&ledger.claim_seats(&[claim(2, &[2])], at(1)).await.expect("by way of the other")));
    let states = ledger.seat_states(&claim(1, &[]).event).await.unwrap();
    assert_eq!(states.taken.iter().map(|(seat, _)| *seat).collect::<BTreeSet<_>>(), [1, 2].map(SeatIndex).into());
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_at_once_and_found_again() {
    let schema = Schema::new();
    let server = through("").0;
    let proxy = Proxy::before(server.clone()).await;
    let (address, url) = (proxy.address, through(&proxy.address.to_string()).1);
    let database = schema
        .database_with(|settings| {
            settings.url = url;
            settings.retries = 2;
        })
        .await;
    let ledger = PostgresLedger::new(database);
    ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap();
    drop(proxy);
    let started = std::time::Instant::now();
    unavailable(ledger.claim_seats(&[claim(2, &[2])], at(0)).await, "no Postgres accepts writes");
    assert!(started.elapsed() < Duration::from_secs(8), "not after the pool's patience: {:?}", started.elapsed());
    let _proxy = Proxy::at(address, server).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(all_held(&ledger.claim_seats(&[claim(2, &[2])], at(0)).await.expect("it is back")));
}
