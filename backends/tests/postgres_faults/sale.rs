//! A sale that goes on whatever becomes of the servers, and what must be true of it afterwards.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use backends::postgres::{PostgresDatabase, PostgresLedger, PostgresSettings};
use booking_core::{
    booking::{BookingState, Claimed, Confirmed},
    ports::{
        PortError, PortResult,
        ledger::{Ledger as _, LedgerReader as _},
    },
};
use tokio::task::JoinHandle;

use super::support::{Schema, at, claim, confirm};

const SELLERS: u32 = 3;
/// How long a seller repeats one verb: far longer than a failover takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that a verb may take, whatever becomes of the servers: the tries that may follow on one another.
pub(crate) const LONGEST: Duration = Duration::from_secs(15);

/// Limits short enough for a test to reach them.
pub(crate) fn impatient(schema: &Schema, urls: String) -> PostgresSettings {
    PostgresSettings {
        url: urls,
        connections: 6,
        connect_timeout: Duration::from_secs(1),
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_secs(2),
        lock_timeout: Duration::from_secs(1),
        try_timeout: Duration::from_secs(2),
        ..schema.settings()
    }
}

pub(crate) async fn ledger(schema: &Schema, urls: String) -> PostgresLedger {
    let database = PostgresDatabase::open(impatient(schema, urls)).await.expect("a database");
    database.migrate().await.expect("the schema");
    PostgresLedger::new(database)
}

pub(crate) struct Sale {
    over: Arc<AtomicBool>,
    sold: Arc<AtomicU32>,
    sellers: Vec<JoinHandle<Sold>>,
}

/// What a seller was answered.
#[derive(Default)]
struct Sold {
    held: Vec<u32>,
    confirmed: Vec<u32>,
    versions: Vec<u64>,
    longest: Duration,
}

impl Sale {
    pub(crate) fn open(ledger: &PostgresLedger) -> Self {
        let (over, sold) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let seller = |number| tokio::spawn(sell(ledger.clone(), number, Arc::clone(&over), Arc::clone(&sold)));
        let sellers = (0..SELLERS).map(seller).collect();
        Self { over, sold, sellers }
    }

    /// Waits until so many more were held that some of them were asked for from now on.
    pub(crate) async fn goes_on(&self) {
        let wanted = self.sold.load(Ordering::SeqCst) + 5 * SELLERS;
        let began = Instant::now();
        while self.sold.load(Ordering::SeqCst) < wanted {
            assert!(began.elapsed() < PATIENCE, "the sale stands still");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the sale, and looks into `ledger` for all that was answered, and for nothing twice.
    pub(crate) async fn end(self, ledger: &PostgresLedger) {
        self.over.store(true, Ordering::SeqCst);
        let mut all = Sold::default();
        for seller in self.sellers {
            let sold = seller.await.expect("a seller");
            all.held.extend(sold.held);
            all.confirmed.extend(sold.confirmed);
            all.versions.extend(sold.versions);
            all.longest = all.longest.max(sold.longest);
        }
        let told: BTreeSet<u64> = all.versions.iter().copied().collect();
        assert_eq!(told.len(), all.versions.len(), "a version is one change's");
        for number in &all.held {
            let stored = ledger.booking(&claim(*number, &[]).booking).await.unwrap().expect("invariant 3");
            let state = if all.confirmed.contains(number) { BookingState::Confirmed } else { BookingState::Held };
            assert_eq!(stored.state, state, "booking {number}: invariant 3");
        }
        let states = ledger.seat_states(&claim(0, &[]).event).await.unwrap();
        assert_eq!(states.taken.len(), 2 * all.held.len(), "invariants 1 and 2");
        let outbox = ledger.outbox(1_000_000).await.unwrap();
        assert_eq!(outbox.len(), all.held.len() + all.confirmed.len(), "each change is told once");
        assert!(all.longest < LONGEST, "every verb is answered in time: {:?}", all.longest);
    }
}

async fn sell(ledger: PostgresLedger, seller: u32, over: Arc<AtomicBool>, sold: Arc<AtomicU32>) -> Sold {
    let mut mine = Sold::default();
    for number in (seller * 100_000..).take_while(|_| !over.load(Ordering::SeqCst)) {
        let claims = [claim(number, &[2 * number, 2 * number + 1])];
        let held = repeat(&mut mine.longest, || ledger.claim_seats(&claims, at(0))).await;
        assert!(matches!(held.answers[..], [Claimed::Held(_)]), "{held:?}");
        mine.held.push(number);
        mine.versions.extend(held.seats.iter().map(|changes| changes.version));
        sold.fetch_add(1, Ordering::SeqCst);
        if number % 2 == 0 {
            let asks = [confirm(number)];
            let confirmed = repeat(&mut mine.longest, || ledger.confirm(&asks, at(1))).await;
            assert!(matches!(confirmed.answers[..], [Confirmed::Confirmed(_)]), "{confirmed:?}");
            mine.confirmed.push(number);
            mine.versions.extend(confirmed.seats.iter().map(|changes| changes.version));
        }
    }
    mine
}

/// Asks until there is an answer, as a worker does: unavailable is worth repeating, and nothing else is to be heard.
async fn repeat<T, F>(longest: &mut Duration, ask: impl Fn() -> F) -> T
where
    F: Future<Output = PortResult<T>>,
{
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = ask().await;
        *longest = (*longest).max(asked.elapsed());
        match answer {
            Ok(answer) => return answer,
            Err(PortError::Unavailable { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
