//! What the ledger's schema refuses, whoever asks, and how a group fails.

use booking_core::{
    booking::{
        AuditEntry, CancelSeats, CheckIn, CheckedIn, ClaimSeats, Claimed, ConfirmSeats, Confirmed, GateEntry,
        PaymentAct, PaymentStep,
    },
    digest::Digest,
    money::Money,
    ports::ledger::{Ledger as _, LedgerReader as _},
    seats::SeatIndex,
    time::Timestamp,
};
use sqlx::{Executor as _, SqliteConnection};

use super::{SqliteLedger, folder, intruder, open_ledger};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn claim(number: u32, seats: &[u32]) -> ClaimSeats {
    ClaimSeats {
        booking: format!("booking_{number}").parse().unwrap(),
        event: "evt_1".parse().unwrap(),
        user: format!("user_{number}").parse().unwrap(),
        session: format!("session_{number}").parse().unwrap(),
        seats: seats.iter().copied().map(SeatIndex).collect(),
        total: euros(100),
        until: at(60_000),
        max_seats: 6,
        fingerprint: Digest::ZERO,
    }
}

fn confirm(number: u32) -> ConfirmSeats {
    let claim = claim(number, &[]);
    ConfirmSeats { booking: claim.booking, user: claim.user, transaction: format!("txn_{number}").parse().unwrap() }
}

/// Booking 1 has seats 1 and 2 confirmed, booking 2 holds 3 and 4.
async fn a_small_sale(ledger: &SqliteLedger) {
    let held = ledger.claim_seats(&[claim(1, &[1, 2]), claim(2, &[3, 4])], at(0)).await.unwrap();
    assert!(held.answers.iter().all(|answer| matches!(answer, Claimed::Held(_))));
    let confirmed = ledger.confirm(&[confirm(1)], at(1)).await.unwrap();
    assert!(matches!(confirmed.answers[..], [Confirmed::Confirmed(_)]));
}

async fn refused(connection: &mut SqliteConnection, sql: &'static str, why: &str) {
    let error = connection.execute(sql).await.expect_err(sql).to_string();
    assert!(error.contains(why), "{sql}: {error}");
}

#[tokio::test]
async fn the_schema_refuses_what_would_break_an_invariant() {
    let folder = folder();
    let ledger = open_ledger(&folder).await;
    a_small_sale(&ledger).await;
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
    let mut other = intruder(&folder.path().join("ledger.db")).await;
    for (sql, why) in [
        ("INSERT INTO seat_claims VALUES ('evt_1', 1, 'booking_2', 0, 0)", "UNIQUE"),
        ("INSERT INTO seat_claims VALUES ('evt_1', 9, 'booking_9', 0, 0)", "FOREIGN KEY"),
        ("UPDATE seat_claims SET booking_id = 'booking_2', claimed_at = 9999999 WHERE seat = 1", "invariant 1"),
        ("UPDATE seat_claims SET booking_id = 'booking_1', claimed_at = 1059999 WHERE seat = 3", "invariant 1"),
        ("DELETE FROM seat_claims WHERE seat = 2", "invariant 3"),
        ("UPDATE bookings SET state = 'released' WHERE booking_id = 'booking_1'", "invariant 3"),
        (
            "UPDATE bookings SET seats = '[1,12]', bought_as = '[[12,7]]' WHERE booking_id = 'booking_1'",
            "invariant 3: a confirmed booking keeps what was bought",
        ),
        ("DELETE FROM bookings", "invariant 3"),
        ("UPDATE ticket_marks SET gate = 'South'", "invariant 11"),
        ("DELETE FROM ticket_marks", "invariant 11"),
        (
            "INSERT INTO ticket_marks (booking_id, seat, event_id, entered_at, gate, scan)
             VALUES ('booking_2', 3, 'evt_1', 1, 'North', 's2')",
            "invariant 11",
        ),
        ("UPDATE bookings SET state = 'cancelled' WHERE booking_id = 'booking_1'", "invariant 11"),
        ("UPDATE bookings SET seats = '[2]', cancelled_seats = '[1]' WHERE booking_id = 'booking_1'", "invariant 11"),
        ("UPDATE payment_acts SET amount = 1", "append-only"),
        ("DELETE FROM payment_acts", "append-only"),
        ("UPDATE audit SET actor = 'nobody'", "append-only"),
        ("DELETE FROM audit", "append-only"),
        ("UPDATE chain_ends SET chain_end = zeroblob(32)", "never changes"),
    ] {
        refused(&mut other, sql, why).await;
    }
    other.execute("DELETE FROM seat_claims WHERE seat = 4").await.unwrap();
    let row = "INSERT INTO outbox (kind, booking_id, booking, at, written_at)
        VALUES ('booking.held', 'booking_2', '{}', 1000010, 1000010)";
    refused(&mut other, row, "invariant 2").await;
}

#[tokio::test]
async fn an_act_that_can_not_be_written_fails_alone() {
    let folder = folder();
    let ledger = open_ledger(&folder).await;
    let (none, good) = ([claim(1, &[])], [claim(2, &[1])]);
    // Both wait before the writer has a turn, and are one transaction.
    let (refused, held) = tokio::join!(ledger.claim_seats(&none, at(0)), ledger.claim_seats(&good, at(0)));
    assert!(refused.is_err(), "a booking without a seat is none");
    assert!(matches!(held.unwrap().answers[..], [Claimed::Held(_)]));
}

#[tokio::test]
async fn verbs_that_share_a_transaction_build_on_one_another() {
    let folder = folder();
    let ledger = open_ledger(&folder).await;
    a_small_sale(&ledger).await;
    let whole = claim(1, &[1, 2]);
    let seats = whole.seats.iter().map(|seat| (*seat, 0)).collect();
    let cancel = [CancelSeats { booking: whole.booking, user: whole.user, seats }];
    let (late, again) = ([ClaimSeats { until: at(90_000), ..claim(3, &[3, 1]) }], [claim(4, &[2])]);
    let confirms = [confirm(2)];
    let (cancelled, expired, late, confirmed, again) = tokio::join!(
        ledger.cancel(&cancel, at(60_000)),
        ledger.expire(at(60_000), 10),
        ledger.claim_seats(&late, at(60_000)),
        ledger.confirm(&confirms, at(60_001)),
        ledger.claim_seats(&again, at(60_002)),
    );
    let versions: Vec<_> = [&cancelled.unwrap().seats, &expired.unwrap().seats, &late.as_ref().unwrap().seats]
        .iter()
        .map(|changes| changes[0].version)
        .collect();
    assert_eq!(versions, [3, 4, 5]);
    assert!(matches!(late.unwrap().answers[..], [Claimed::Held(_)]), "seats cancelled and run out are free");
    assert!(matches!(confirmed.unwrap().answers[..], [Confirmed::Gone(_)]), "invariant 1");
    assert!(matches!(again.unwrap().answers[..], [Claimed::Held(_)]));
    let totals = ledger.totals(&claim(1, &[]).event, at(60_002)).await.unwrap();
    assert_eq!((totals.held, totals.booked, totals.holding_sessions), (2, 0, 1), "the last claim is of the past");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: how long batches take"]
async fn throughput() {
    let folder = folder();
    let ledger = open_ledger(&folder).await;
    for round in 0..3 {
        let claims: Vec<_> = (0..1_000)
            .map(|number| round * 1_000 + number)
            .map(|number| claim(number, &[2 * number, 2 * number + 1]))
            .collect();
        let started = std::time::Instant::now();
        ledger.claim_seats(&claims, at(0)).await.unwrap();
        let held = started.elapsed();
        let started = std::time::Instant::now();
        let confirms: Vec<_> = (0..1_000).map(|number| confirm(round * 1_000 + number)).collect();
        ledger.confirm(&confirms, at(1)).await.unwrap();
        println!("1,000 holds of two seats in {held:?}, confirmed in {:?}", started.elapsed());
    }
    let started = std::time::Instant::now();
    let singles = (10_000..12_000).map(|number| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.claim_seats(&[claim(number, &[number])], at(0)).await.unwrap() })
    });
    futures_util::future::join_all(singles).await;
    println!("2,000 holds by as many callers in {:?}", started.elapsed());
}
