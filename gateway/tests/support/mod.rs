//! A whole gateway over memory backends, with a line that the test itself keeps.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

mod keeper;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use backends::memory::{
    MemoryCatalog, MemoryDesk, MemoryHolds, MemoryLedger, MemoryLog, MemoryPayments, MemoryRefreshFamilies,
};
use booking_core::{
    catalog::{Event, Location, Venue},
    digest::Digest,
    line::place_token::{PlaceKey, PlaceKeys},
    money::Money,
    ports::{
        catalog::Catalog as _,
        clock::{Clock, Entropy},
        log::Log,
        payments::{Notice, NoticeRefused, PaymentNotices},
        search::Search,
    },
    sale::SalePolicy,
    time::Timestamp,
};
use gateway::{AccessKeys, Gateway, Keys, OperatorKey, OperatorKeys, Parts, Role, Settings, SigningKeys};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A clock that runs from a fixed moment and can be put forward.
pub struct TestClock {
    started: Instant,
    ahead_ms: AtomicI64,
}

/// When every test begins.
pub const BEGINNING_MS: i64 = 1_777_629_600_000;

impl TestClock {
    pub fn forward(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(BEGINNING_MS + elapsed + self.ahead_ms.load(Ordering::Relaxed))
    }
}

/// Bytes that differ each time; a test needs no more.
pub struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        for (at, chunk) in bytes.chunks_mut(32).enumerate() {
            let digest = Digest::of(&[b"test entropy", &number.to_le_bytes(), &[u8::try_from(at).unwrap()]]);
            chunk.copy_from_slice(&digest.0[..chunk.len()]);
        }
    }
}

/// Notices whose signature is a word that says how they are to be taken.
pub struct TestNotices;

impl PaymentNotices for TestNotices {
    fn signature_header(&self) -> &'static str {
        "notice-signature"
    }

    fn read(&self, signature: &str, body: &[u8], _: Timestamp) -> Result<Option<Notice>, NoticeRefused> {
        match signature {
            "good" => {}
            "old" => return Err(NoticeRefused::Stale),
            _ => return Err(NoticeRefused::Forged),
        }
        let body: Value = serde_json::from_slice(body).map_err(|_| NoticeRefused::Unreadable)?;
        let of = |name: &str| body[name].as_str();
        let (Some(booking), Some(transaction)) = (of("booking"), of("transaction")) else { return Ok(None) };
        let amount = Money { amount: body["amount"].as_i64().unwrap(), currency: "EUR".parse().unwrap() };
        let (booking, transaction) = (booking.parse().unwrap(), transaction.parse().unwrap());
        Ok(Some(Notice { booking, transaction, amount }))
    }
}

pub const ACCESS_SECRET: [u8; 32] = [11; 32];
pub const ADMISSION_SEED: [u8; 32] = [13; 32];
pub const TICKET_SEED: [u8; 32] = [17; 32];
pub const ADMIN_KEY: &str = "weir_op_admin";
pub const OPERATOR_KEY: &str = "weir_op_operator";
pub const VIEWER_KEY: &str = "weir_op_viewer";
pub const DOOR_KEY: &str = "weir_op_door";

fn keys() -> Keys {
    let operator = |name: &str, role, key: &str| OperatorKey {
        name: name.to_owned(),
        role,
        sha256: Digest::of(&[key.as_bytes()]),
    };
    Keys {
        access: AccessKeys::new(("access-1".to_owned(), ACCESS_SECRET), Vec::new()),
        place: PlaceKeys::new(PlaceKey::new(1, &[12; 32]), Vec::new()),
        admission: SigningKeys::new(("admission-1".to_owned(), ADMISSION_SEED), Vec::new()),
        tickets: SigningKeys::new(("ticket-1".to_owned(), TICKET_SEED), Vec::new()),
        operators: OperatorKeys::new(vec![
            operator("ada", Role::Admin, ADMIN_KEY),
            operator("oskar", Role::Operator, OPERATOR_KEY),
            operator("vera", Role::Viewer, VIEWER_KEY),
            operator("dora", Role::Door, DOOR_KEY),
        ]),
    }
}

/// Settings under which no limit is met by chance.
pub fn roomy() -> Settings {
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        admin_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: "http://weir.test".to_owned(),
        requests_per_minute: 100_000,
        reserves_per_minute: 100_000,
        guests_per_minute: 100_000,
        address_requests_per_minute: 100_000,
        drain_seconds: 2,
        ..Settings::default()
    }
}

/// A gateway and what stands behind it.
pub struct World {
    pub log: Arc<MemoryLog>,
    pub desk: Arc<MemoryDesk>,
    pub holds: Arc<MemoryHolds>,
    pub ledger: Arc<MemoryLedger>,
    pub catalog: Arc<MemoryCatalog>,
    pub payments: Arc<MemoryPayments>,
    search: Option<Arc<dyn Search>>,
    pub refresh: Arc<MemoryRefreshFamilies>,
    pub clock: Arc<TestClock>,
    pub entropy: Arc<TestEntropy>,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub http: Client,
    pub stop: CancellationToken,
    running: Mutex<Option<JoinHandle<()>>>,
}

/// A guest.
#[derive(Debug, Clone)]
pub struct Guest {
    pub user: String,
    pub token: String,
    pub refresh: String,
}

impl World {
    pub async fn new() -> Self {
        Self::with(roomy()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::with_notices(settings, Some(Arc::new(TestNotices))).await
    }

    pub async fn with_notices(settings: Settings, notices: Option<Arc<dyn PaymentNotices>>) -> Self {
        Self::with_parts(settings, notices, None).await
    }

    /// A gateway that searches in `search`.
    pub async fn searching(search: Arc<dyn Search>) -> Self {
        Self::with_parts(roomy(), None, Some(search)).await
    }

    async fn with_parts(
        settings: Settings,
        notices: Option<Arc<dyn PaymentNotices>>,
        search: Option<Arc<dyn Search>>,
    ) -> Self {
        // Refused where another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let log = Arc::new(MemoryLog::default());
        let desk = Arc::new(MemoryDesk::default());
        let ledger = Arc::new(MemoryLedger::default());
        let catalog = Arc::new(MemoryCatalog::default());
        let payments = Arc::new(MemoryPayments::default());
        let clock = Arc::new(TestClock { started: Instant::now(), ahead_ms: AtomicI64::new(0) });
        let entropy = Arc::new(TestEntropy(AtomicU64::new(0)));
        let refresh = Arc::new(MemoryRefreshFamilies::default());
        let parts = Parts {
            log: log.clone(),
            desk: desk.clone(),
            ledger: ledger.clone(),
            catalog: catalog.clone(),
            search: search.clone(),
            refresh: refresh.clone(),
            sandbox: Some(payments.clone()),
            notices,
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let gateway = Gateway::bind(parts, keys(), settings).await.unwrap();
        let (public, admin) = (gateway.public_addr(), gateway.admin_addr());
        let stop = CancellationToken::new();
        let running = tokio::spawn(gateway.run(stop.clone()));
        Self {
            log,
            desk,
            holds: Arc::default(),
            ledger,
            catalog,
            payments,
            search,
            refresh,
            clock,
            entropy,
            public,
            admin,
            http: Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            stop,
            running: Mutex::new(Some(running)),
        }
    }

    /// Stops the gateway and waits until it has drained.
    pub async fn drain(&self) {
        self.stop.cancel();
        let running = self.running.lock().unwrap().take();
        if let Some(running) = running {
            running.await.unwrap();
        }
    }

    /// The same world after its gateway ended and another began, which reads `log`.
    pub async fn begun_anew(mut self, log: Arc<dyn Log>) -> Self {
        self.drain().await;
        let parts = Parts {
            log,
            desk: self.desk.clone(),
            ledger: self.ledger.clone(),
            catalog: self.catalog.clone(),
            refresh: self.refresh.clone(),
            sandbox: Some(self.payments.clone()),
            notices: None,
            search: self.search.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        };
        let gateway = Gateway::bind(parts, keys(), roomy()).await.unwrap();
        (self.public, self.admin) = (gateway.public_addr(), gateway.admin_addr());
        self.stop = CancellationToken::new();
        *self.running.lock().unwrap() = Some(tokio::spawn(gateway.run(self.stop.clone())));
        self
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.public))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub async fn guest(&self) -> Guest {
        let answer = self.post("/v1/users/guest").send().await.unwrap();
        let (status, body) = read(answer).await;
        assert_eq!(status, 201, "{body}");
        Guest { user: text(&body["userId"]), token: text(&body["accessToken"]), refresh: text(&body["refreshToken"]) }
    }

    /// Joins, and answers the status and the place view.
    pub async fn join(&self, event: &str, guest: &Guest) -> (u16, Value) {
        let path = format!("/v1/events/{event}/line");
        read(self.post(&path).bearer_auth(&guest.token).send().await.unwrap()).await
    }

    pub async fn place(&self, event: &str, token: &str) -> (u16, Value) {
        let path = format!("/v1/events/{event}/line/place");
        read(self.get(&path).header("Weir-Place", token).send().await.unwrap()).await
    }

    pub async fn claim(&self, event: &str, guest: &Guest, token: &str) -> (u16, Value) {
        let path = format!("/v1/events/{event}/line/claim");
        read(self.post(&path).bearer_auth(&guest.token).header("Weir-Place", token).send().await.unwrap()).await
    }

    /// An event with a hall of two rows of ten seats, straight in the catalog.
    pub async fn hall(&self, event: &str) {
        let venue: Venue = Venue {
            venue_id: "venue_hall".parse().unwrap(),
            name: "Town Hall".to_owned(),
            nicknames: Vec::new(),
            address: "1 Market Square".to_owned(),
            location: Location { city: "Ghent".to_owned(), point: None },
            seat_map: serde_json::from_value(hall_map()).unwrap(),
        };
        self.catalog.put_venue(&venue).await.unwrap();
        let event = Event {
            event_id: event.parse().unwrap(),
            title: "A <b>loud</b> evening".to_owned(),
            description: "Music.".to_owned(),
            performers: Vec::new(),
            category: None,
            language: None,
            thumbnail: None,
            venue_id: venue.venue_id,
            starts_at: self.now().plus_seconds(86_400),
            currency: "EUR".parse().unwrap(),
            prices: [("stalls".to_owned(), 2_500)].into(),
            refund_policy: booking_core::refund::RefundPolicy::default(),
            moves: Vec::new(),
            halls: Vec::new(),
        };
        self.catalog.put_event(&event).await.unwrap();
    }

    /// A policy whose lobby is open and which opens in `opens_in_ms`.
    pub fn policy(&self, opens_in_ms: i64) -> SalePolicy {
        let now = self.now();
        SalePolicy {
            lobby_opens_at: now.plus_millis(-1_000),
            opens_at: now.plus_millis(opens_in_ms),
            closes_at: now.plus_seconds(3_600),
            rate_per_minute: 600,
            max_active: 100,
            turn_seconds: 60,
            session_seconds: 600,
            hold_seconds: 300,
            extend_seconds: 0,
            max_seats: 4,
            batch_ms: 1_000,
            orphans_allowed: true,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An admission token with these claims, by the gateway's own key.
pub fn admission(claims: &booking_core::admission::AdmissionClaims) -> String {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
    header.typ = Some("admission+jwt".to_owned());
    header.kid = Some("admission-1".to_owned());
    let head = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let key = jsonwebtoken::EncodingKey::from_ed_der(&[&head[..], &ADMISSION_SEED].concat());
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// The hall: two rows of ten.
pub fn hall_map() -> Value {
    let row = |name: &str, y: u32| {
        let seats: Vec<_> = (1..=10)
            .map(|number| {
                json!({ "seatId": format!("{name}-{number}"), "number": number.to_string(), "category": "stalls",
                        "x": f64::from(number), "y": f64::from(y) })
            })
            .collect();
        json!({ "name": name, "seats": seats })
    };
    json!({
        "categories": [{ "name": "stalls", "color": "#3366cc" }],
        "sections": [{ "name": "Main", "rows": [row("A", 1), row("B", 2)] }],
    })
}

/// The status and the JSON body of an answer; null without one.
pub async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The stable part of a refusal's type.
pub fn slug(body: &Value) -> &str {
    body["type"].as_str().unwrap_or("").trim_start_matches("urn:weir:")
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Waits, five seconds at most, until `is_so`.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads a stream of server-sent events.
pub struct Events {
    answer: reqwest::Response,
    buffer: String,
}

impl Events {
    pub async fn open(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, buffer: String::new() }
    }

    /// The next piece, raw; `None`: the stream has ended.
    pub async fn piece(&mut self) -> Option<String> {
        loop {
            if let Some((piece, rest)) = self.buffer.split_once("\n\n") {
                let (piece, rest) = (piece.to_owned(), rest.to_owned());
                self.buffer = rest;
                return Some(piece);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(5), self.answer.chunk()).await;
            let chunk = chunk.expect("a piece within five seconds").unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event: its name and its data.
    pub async fn event(&mut self) -> (String, Value) {
        loop {
            let piece = self.piece().await.expect("the stream goes on");
            let field = |name: &str| piece.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if let (Some(event), Some(data)) = (field("event: "), field("data: ")) {
                return (event, serde_json::from_str(&data).unwrap());
            }
        }
    }
}
