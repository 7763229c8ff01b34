//! One of the servers crashes or hangs, and comes back.

use std::time::{Duration, Instant};

use booking_core::{
    booking::Claimed,
    ports::{
        PortError,
        ledger::{Ledger as _, LedgerReader as _},
    },
};

use super::{
    sale::{LONGEST, Sale, ledger},
    servers::{Servers, must},
    support::{Schema, at, claim},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_crashes_and_comes_back_has_everything_acknowledged() {
    let schema = Schema::new();
    let servers = Servers::take().await;
    let ledger = ledger(&schema, servers.urls()).await;
    let sale = Sale::open(&ledger);
    sale.goes_on().await;
    must("kill", &[servers.primary]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    must("start", &[servers.primary]).await;
    sale.goes_on().await;
    sale.end(&ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_is_unavailable_in_time_and_goes_on_after() {
    let schema = Schema::new();
    let servers = Servers::take().await;
    let ledger = ledger(&schema, servers.urls()).await;
    let sale = Sale::open(&ledger);
    sale.goes_on().await;
    must("stop", &[servers.primary]).await;
    let began = Instant::now();
    let refused = ledger.booking(&claim(0, &[]).booking).await;
    assert!(matches!(refused, Err(PortError::Unavailable { .. })), "{refused:?}");
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    must("cont", &[servers.primary]).await;
    sale.goes_on().await;
    sale.end(&ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_synchronous_standby_nothing_is_acknowledged_and_reading_goes_on() {
    let schema = Schema::new();
    let servers = Servers::take().await;
    let ledger = ledger(&schema, servers.urls()).await;
    ledger.claim_seats(&[claim(1, &[1])], at(0)).await.unwrap();
    must("kill", &[servers.standby]).await;
    let unanswered = ledger.claim_seats(&[claim(2, &[2])], at(0)).await;
    assert!(
        matches!(&unanswered, Err(PortError::Unavailable { reason, .. }) if reason.contains("standby")),
        "{unanswered:?}"
    );
    assert!(ledger.booking(&claim(1, &[]).booking).await.expect("it is read").is_some());
    assert!(ledger.booking(&claim(2, &[]).booking).await.unwrap().is_none(), "a failover would lose it");
    must("start", &[servers.standby]).await;
    let held = ledger.claim_seats(&[claim(2, &[2])], at(0)).await.expect("it is back");
    assert!(matches!(held.answers[..], [Claimed::Held(_)]), "{held:?}");
    assert_eq!(ledger.outbox(10).await.unwrap().len(), 2, "the booking was made once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_crashes_and_comes_back_costs_time_and_nothing_else() {
    let schema = Schema::new();
    let servers = Servers::take().await;
    let ledger = ledger(&schema, servers.urls()).await;
    let sale = Sale::open(&ledger);
    sale.goes_on().await;
    must("kill", &[servers.standby]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    must("start", &[servers.standby]).await;
    sale.goes_on().await;
    sale.end(&ledger).await;
}
