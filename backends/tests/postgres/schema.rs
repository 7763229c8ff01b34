//! The schema: made by whoever comes first, and refusing what would break an invariant, whoever asks.

use backends::postgres::PostgresDatabase;
use booking_core::{
    booking::{
        AuditEntry, CancelSeats, CheckIn, CheckedIn, Claimed, Confirmed, ExtendHold, GateEntry, PaymentAct,
        PaymentStep, Release,
    },
    digest::Digest,
    ports::{
        PortError,
        ledger::{Ledger as _, LedgerReader as _},
    },
    seats::SeatIndex,
};
use futures_util::future::join_all;
use sqlx::{Executor as _, PgConnection};

use super::support::{Schema, at, claim, confirm, euros};

#[tokio::test]
async fn handles_that_migrate_at_once_make_one_schema() {
    let schema = Schema::new();
    let handles = join_all((0..4).map(|_| PostgresDatabase::open(schema.settings()))).await;
    let handles: Vec<_> = handles.into_iter().map(|handle| handle.expect("a database")).collect();
    for migrated in join_all(handles.iter().map(PostgresDatabase::migrate)).await {
        migrated.expect("one does, the others wait");
    }
    let mut other = schema.intruder().await;
    let steps: Vec<(i64, bool)> = sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut other)
        .await
        .unwrap();
    assert!(steps.len() > 1, "{steps:?}");
    assert!(steps.iter().zip(1..).all(|(step, number)| *step == (number, true)), "{steps:?}");
}

#[tokio::test]
async fn what_is_not_migrated_or_too_new_says_what_to_do() {
    let schema = Schema::new();
    let database = PostgresDatabase::open(schema.settings()).await.unwrap();
    let ledger = backends::postgres::PostgresLedger::new(database.clone());
    let error = ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap_err();
    assert!(matches!(&error, PortError::Unavailable { reason, .. } if reason.contains("weir migrate")), "{error}");
    database.migrate().await.unwrap();
    let mut other = schema.intruder().await;
    other.execute("INSERT INTO _sqlx_migrations VALUES (99, 'later', now(), true, '\\x00', 0)").await.unwrap();
    let error = database.migrate().await.unwrap_err().to_string();
    assert!(error.contains("newer weir"), "{error}");
}

async fn refused(connection: &mut PgConnection, sql: &'static str, why: &str) {
    let error = connection.execute(sql).await.expect_err(sql).to_string();
    assert!(error.contains(why), "{sql}: {error}");
}

#[tokio::test]
async fn the_schema_refuses_what_would_break_an_invariant() {
    let schema = Schema::new();
    let ledger = schema.ledger().await;
    let held = ledger.claim_seats(&[claim(1, &[1, 2]), claim(2, &[3, 4])], at(0)).await.unwrap();
    assert!(held.answers.iter().all(|answer| matches!(answer, Claimed::Held(_))));
    let confirmed = ledger.confirm(&[confirm(1)], at(1)).await.unwrap();
    assert!(matches!(confirmed.answers[..], [Confirmed::Confirmed(_)]));
    let act = PaymentAct {
        booking: confirm(1).booking,
        transaction: confirm(1).transaction,
        refund: 0,
        reason: None,
        step: PaymentStep::Captured,
        amount: euros(100),
        at: at(2),
    };
    ledger.record_payment(&act).await.unwrap();
    let entry = AuditEntry {
        number: 0,
        command: "a".to_owned(),
        event_id: "evt_1".parse().unwrap(),
        actor: "box office".to_owned(),
        at: at(3),
        action: "pause".to_owned(),
        before: serde_json::json!(false),
        after: serde_json::json!(true),
    };
    ledger.record_audit(&entry).await.unwrap();
    ledger.chain_end(&entry.event_id, Digest::of(&[b"end"])).await.unwrap();
    let first = GateEntry { gate: "North".to_owned(), scan: "s1".to_owned(), at: at(4) };
    let scan = CheckIn { booking: confirm(1).booking, seat: SeatIndex(1), entry: first };
    assert_eq!(ledger.check_in(&entry.event_id, &[scan]).await.unwrap(), [CheckedIn::In]);
    let mut other = schema.intruder().await;
    for (sql, why) in [
        ("INSERT INTO seat_claims VALUES ('evt_1', 1, 'booking_2', 0, 0)", "duplicate key"),
        ("INSERT INTO seat_claims VALUES ('evt_1', 9, 'booking_9', 0, 0)", "foreign key"),
        ("UPDATE seat_claims SET booking_id = 'booking_2', claimed_at = 9999999 WHERE seat = 1", "invariant 1"),
        ("UPDATE seat_claims SET booking_id = 'booking_1', claimed_at = 1059999 WHERE seat = 3", "invariant 1"),
        ("DELETE FROM seat_claims WHERE seat = 2", "invariant 3"),
        ("TRUNCATE seat_claims", "invariant 3"),
        ("UPDATE bookings SET state = 'released' WHERE booking_id = 'booking_1'", "invariant 3"),
        (
            "UPDATE bookings SET seats = '{1,12}', bought_as = '[[12,7]]' WHERE booking_id = 'booking_1'",
            "invariant 3: a confirmed booking keeps what was bought",
        ),
        ("DELETE FROM bookings", "invariant 3"),
        ("TRUNCATE bookings CASCADE", "invariant 3"),
        ("UPDATE ticket_marks SET gate = 'South'", "invariant 11"),
        ("DELETE FROM ticket_marks", "invariant 11"),
        (
            "INSERT INTO ticket_marks (booking_id, seat, event_id, entered_at, gate, scan)
             VALUES ('booking_2', 3, 'evt_1', 1, 'North', 's2')",
            "invariant 11",
        ),
        ("UPDATE bookings SET state = 'cancelled' WHERE booking_id = 'booking_1'", "invariant 11"),
        ("UPDATE bookings SET seats = '{2}', cancelled_seats = '{1}' WHERE booking_id = 'booking_1'", "invariant 11"),
        ("UPDATE bookings SET state = 'cancelled', settled_at = 1 WHERE booking_id = 'booking_2'", "doors hear"),
        ("UPDATE payment_acts SET amount = 1", "append-only"),
        ("DELETE FROM payment_acts", "append-only"),
        ("TRUNCATE payment_acts", "append-only"),
        ("UPDATE audit SET actor = 'nobody'", "append-only"),
        ("DELETE FROM audit", "append-only"),
        ("UPDATE chain_ends SET chain_end = decode(repeat('00', 32), 'hex')", "never changes"),
    ] {
        refused(&mut other, sql, why).await;
    }
    other.execute("DELETE FROM seat_claims WHERE seat = 4").await.unwrap();
    let row = "INSERT INTO outbox (kind, booking_id, booking, at) VALUES ('booking.held', 'booking_2', '{}', 1000010)";
    refused(&mut other, row, "invariant 2").await;
}

/// A change of a row whose indexed columns stay as they are writes to none of its indexes (a heap-only tuple).
#[tokio::test]
async fn no_index_of_bookings_has_what_changes_of_one() {
    let schema = Schema::new();
    schema.ledger().await;
    let written_to: Vec<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index i
         WHERE i.indrelid = 'bookings'::regclass AND (i.indpred IS NOT NULL OR EXISTS (
            SELECT 1 FROM unnest(i.indkey::int[]) AS k (number)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE a.attname NOT IN ('booking_id', 'user_id', 'number', 'session')))",
    )
    .fetch_all(&mut schema.intruder().await)
    .await
    .unwrap();
    assert!(written_to.is_empty(), "{written_to:?}");
}

#[tokio::test]
async fn the_lists_of_holds_and_of_what_doors_hear_are_those_of_the_bookings() {
    let schema = Schema::new();
    let ledger = schema.ledger().await;
    let claims: Vec<_> = (1..=6).map(|number| claim(number, &[number])).collect();
    ledger.claim_seats(&claims, at(0)).await.unwrap();
    ledger.confirm(&[confirm(1), confirm(2)], at(1)).await.unwrap();
    let extend = |number| ExtendHold { booking: confirm(number).booking, user: confirm(number).user, by_seconds: 60 };
    ledger.extend(&[extend(3), extend(4)], at(2)).await.unwrap();
    ledger.confirm(&[confirm(4)], at(3)).await.unwrap();
    let release = Release { booking: confirm(5).booking, user: confirm(5).user };
    ledger.release(&[release], at(4)).await.unwrap();
    let cancel = CancelSeats { booking: confirm(2).booking, user: confirm(2).user, seats: vec![(SeatIndex(2), 0)] };
    ledger.cancel(&[cancel], at(5)).await.unwrap();
    let expired = ledger.expire(at(60_000), 10).await.unwrap();
    assert_eq!(expired.answers.iter().map(|booking| booking.booking_id.as_str()).collect::<Vec<_>>(), ["booking_6"]);
    let mut other = schema.intruder().await;
    let holds: Vec<(String, i64)> =
        sqlx::query_as("SELECT booking_id, expires_at FROM holds").fetch_all(&mut other).await.unwrap();
    assert_eq!(holds, [("booking_3".to_owned(), at(120_000).as_millis())]);
    let heard: Vec<String> = ledger
        .door_bookings(&claims[0].event, 0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|heard| heard.booking.booking_id.as_str().to_owned())
        .collect();
    assert_eq!(heard, ["booking_1", "booking_4", "booking_2"], "each once, by its last change");
}

#[tokio::test]
async fn a_verb_that_can_not_be_written_fails_alone() {
    let schema = Schema::new();
    let ledger = schema.ledger().await;
    let (none, good) = ([claim(1, &[])], [claim(2, &[1])]);
    let (refused, held) = tokio::join!(ledger.claim_seats(&none, at(0)), ledger.claim_seats(&good, at(0)));
    assert!(matches!(refused, Err(PortError::Damaged { .. })), "a booking without a seat is none");
    assert!(matches!(held.unwrap().answers[..], [Claimed::Held(_)]));
}
