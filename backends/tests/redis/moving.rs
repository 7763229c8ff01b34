//! An event's slot moves to another node, key by key, while visitors come in and take seats.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use backends::redis::{RedisDesk, RedisHolds, RedisSettings};
use booking_core::{
    desk::{Admit, AdmitRequest},
    holds::{Grant, SeatClaim, Want},
    id::EventId,
    line::Place,
    ports::{PortError, desk::Desk as _, holds::Holds as _},
    seats::SeatIndex,
    time::Timestamp,
};
use redis::{aio::MultiplexedConnection, cmd};

use crate::{connect, settings};

/// How long something may take: a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two steps of the move, for visitors to come in between.
const PAUSE: Duration = Duration::from_millis(300);

fn now() -> Timestamp {
    Timestamp::from_millis(1_777_629_600_000)
}

/// A primary, and a connection to it past the cluster's client.
struct Primary {
    id: String,
    host: String,
    port: u16,
    connection: MultiplexedConnection,
}

impl Primary {
    async fn all(settings: &RedisSettings) -> Vec<Self> {
        let mut first = to(&settings.nodes[0]).await;
        let nodes: String = cmd("CLUSTER").arg("NODES").query_async(&mut first).await.unwrap();
        let mut primaries = Vec::new();
        for line in nodes.lines() {
            // id host:port@bus flags …
            let words: Vec<&str> = line.split(' ').collect();
            if !words[2].contains("master") || words[2].contains("fail") {
                continue;
            }
            let (host, port) = words[1].split('@').next().unwrap().rsplit_once(':').unwrap();
            let connection = to(&format!("redis://{host}:{port}")).await;
            let (id, host, port) = (words[0].to_owned(), host.to_owned(), port.parse().unwrap());
            primaries.push(Self { id, host, port, connection });
        }
        primaries
    }

    async fn keys(&mut self, slot: u16) -> Vec<String> {
        let mut ask = cmd("CLUSTER");
        ask.arg("GETKEYSINSLOT").arg(slot).arg(100).query_async(&mut self.connection).await.unwrap()
    }

    async fn set_slot(&mut self, slot: u16, what: &str, node: &str) {
        let mut set = cmd("CLUSTER");
        set.arg("SETSLOT").arg(slot).arg(what).arg(node).exec_async(&mut self.connection).await.unwrap();
    }
}

async fn to(node: &str) -> MultiplexedConnection {
    redis::Client::open(node).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// What visitors were told.
#[derive(Default)]
struct Told {
    admitted: BTreeMap<u32, AdmitRequest>,
    granted: Vec<SeatClaim>,
    rebuilds: u32,
}

struct Crowd {
    is_over: Arc<AtomicBool>,
    served: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<Told>,
}

impl Crowd {
    fn start(settings: &RedisSettings, event: &EventId) -> Self {
        let (is_over, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (settings, event, over, counted) =
            (settings.clone(), event.clone(), Arc::clone(&is_over), Arc::clone(&served));
        let task = tokio::spawn(async move {
            let cluster = connect(&settings).await;
            let (desk, holds) = (RedisDesk::new(cluster.clone()), RedisHolds::new(cluster));
            let mut told = Told::default();
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let request = AdmitRequest {
                    user: format!("user_{number}").parse().unwrap(),
                    place: Place { lane: 0, offset: number.into() },
                    rank: number.into(),
                    session: format!("session_{number}").parse().unwrap(),
                    rate_per_minute: 600_000,
                    max_active: 100_000,
                    session_seconds: 600,
                };
                repeat(|| desk.claim_place(&event, &request.user, request.place, None)).await;
                let at = now().plus_millis(i64::from(number) * 10);
                let admitted = repeat(|| desk.admit(&event, &request, at)).await;
                assert!(matches!(&admitted, Admit::Admitted { session, .. } if *session == request.session));
                told.admitted.insert(number, request);
                let claim = take(&holds, &event, number, &mut told).await;
                told.granted.push(claim);
                counted.fetch_add(1, Ordering::SeqCst);
            }
            told
        });
        Self { is_over, served, task }
    }

    /// Waits until so many more were served.
    async fn goes_on(&self) {
        let wanted = self.served.load(Ordering::SeqCst) + 50;
        let served = async {
            while self.served.load(Ordering::SeqCst) < wanted {
                assert!(!self.task.is_finished(), "the crowd is gone");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, served).await.expect("it goes on");
    }

    async fn end(self) -> Told {
        self.is_over.store(true, Ordering::SeqCst);
        self.task.await.expect("a crowd")
    }
}

/// Takes a seat, as the pool does: a table that is not ready is rebuilt of what was granted.
async fn take(holds: &RedisHolds, event: &EventId, number: u32, told: &mut Told) -> SeatClaim {
    let until = now().plus_millis(6_000_000);
    let want = Want { booking: format!("booking_{number}").parse().unwrap(), seats: vec![SeatIndex(number)], until };
    loop {
        let wants = std::slice::from_ref(&want);
        match repeat(|| holds.hold(event, wants, now())).await[..] {
            [Grant::Granted] => break,
            [Grant::NotReady] => {
                told.rebuilds += 1;
                repeat(|| holds.rebuild(event, &told.granted)).await;
            }
            ref other => panic!("{other:?}"),
        }
    }
    SeatClaim { booking: want.booking, seats: want.seats, until: Some(until) }
}

/// Asks until it is answered.
async fn repeat<T, R: Future<Output = Result<T, PortError>>>(ask: impl Fn() -> R) -> T {
    let answered = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(PortError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_while_visitors_come_in_loses_nothing() {
    let settings = settings();
    // A slot of its own: what earlier runs left in theirs stays where it is.
    let event: EventId = format!("evt_{}", hex::encode(rand::random::<[u8; 8]>())).parse().unwrap();
    let mut primaries = Primary::all(&settings).await;
    let key = format!("{}{{{event}}}:", settings.key_prefix);
    let slot: u16 = cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut primaries[0].connection).await.unwrap();
    let crowd = Crowd::start(&settings, &event);
    crowd.goes_on().await;

    let mut home = None;
    for (at, primary) in primaries.iter_mut().enumerate() {
        if !primary.keys(slot).await.is_empty() {
            home = Some(at);
        }
    }
    let mut from = primaries.swap_remove(home.expect("a primary has the event"));
    let mut onto = primaries.swap_remove(0);
    onto.set_slot(slot, "IMPORTING", &from.id).await;
    from.set_slot(slot, "MIGRATING", &onto.id).await;
    // While some keys of a verb are here and some there, or nowhere yet, nobody may be served.
    tokio::time::sleep(PAUSE).await;
    for key in from.keys(slot).await {
        let mut migrate = cmd("MIGRATE");
        migrate.arg(&onto.host).arg(onto.port).arg(key).arg(0).arg(5_000);
        migrate.exec_async(&mut from.connection).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(PAUSE).await;
    let id = onto.id.clone();
    for node in [&mut onto, &mut from].into_iter().chain(&mut primaries) {
        node.set_slot(slot, "NODE", &id).await;
    }
    crowd.goes_on().await;
    let told = crowd.end().await;

    let cluster = connect(&settings).await;
    let (desk, holds) = (RedisDesk::new(cluster.clone()), RedisHolds::new(cluster));
    for (number, request) in &told.admitted {
        let place = desk.place_of(&event, &request.user).await.unwrap().expect("a place");
        assert_eq!(place.place, request.place, "of visitor {number}");
        let again = desk.admit(&event, request, now()).await.unwrap();
        assert!(
            matches!(&again, Admit::Admitted { session, .. } if *session == request.session),
            "{number}: {again:?}"
        );
    }
    let counts = desk.counts(&event, 0, now()).await.unwrap();
    assert_eq!(counts.admitted, told.admitted.len() as u64, "each once");
    let taken = holds.taken(&event, now()).await.expect("a table that is whole");
    assert!(told.granted.iter().all(|claim| claim.seats.iter().all(|seat| taken.contains(*seat))));
    assert!(told.rebuilds >= 2, "a table is not trusted on a node where it was not rebuilt");
}
