//! The standby is promoted. With synchronous replication it has everything that was acknowledged.

use booking_core::{
    booking::Claimed,
    ports::ledger::{Ledger as _, LedgerReader as _},
};

use super::{
    sale::{self, Sale},
    servers::{Servers, must, url_of},
    support::{Schema, at, claim},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_takes_over_with_everything_acknowledged() {
    let schema = Schema::new();
    let servers = Servers::take().await;
    let ledger = sale::ledger(&schema, servers.urls()).await;
    let selling = Sale::open(&ledger);
    selling.goes_on().await;
    must("kill", &[servers.primary]).await;
    must("promote", &[]).await;
    selling.goes_on().await;
    // The one that crashed comes back as the standby, while the sale goes on.
    must("start", &[servers.primary]).await;
    selling.goes_on().await;
    selling.end(&sale::ledger(&schema, url_of(servers.standby)).await).await;
}

/// A primary that only hung knows nothing of the promotion: it still accepts writes, and never acknowledges them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_was_promoted_over_and_wakes_up_is_left_alone() {
    let schema = Schema::new();
    let servers = Servers::take().await;
    let ledger = sale::ledger(&schema, servers.urls()).await;
    let selling = Sale::open(&ledger);
    selling.goes_on().await;
    must("stop", &[servers.primary]).await;
    must("promote", &[]).await;
    selling.goes_on().await;
    must("cont", &[servers.primary]).await;
    selling.goes_on().await;
    let promoted = sale::ledger(&schema, url_of(servers.standby)).await;
    selling.end(&promoted).await;
    // Who comes now finds two that accept writes; the old one is named first.
    let newcomer = sale::ledger(&schema, servers.urls()).await;
    let late = [claim(999_999, &[999_999])];
    let held = newcomer.claim_seats(&late, at(0)).await.expect("by the new primary");
    assert!(matches!(held.answers[..], [Claimed::Held(_)]), "{held:?}");
    assert!(promoted.booking(&late[0].booking).await.unwrap().is_some());
}
