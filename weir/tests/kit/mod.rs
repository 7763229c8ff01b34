//! What the end-to-end tests share: the built executable on ports of its own, and visitors and an operator over HTTP.

#![allow(dead_code, unused_imports, reason = "each test file uses its part of the kit")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) mod begun;
mod cluster;
pub(crate) mod edges;
pub(crate) mod endpoint;
pub(crate) mod hall;
pub(crate) mod life;
pub(crate) mod mass;
pub(crate) mod post_office;
pub(crate) mod servers;
pub(crate) mod way;

pub(crate) use cluster::{Cluster, on_postgres, variable};

/// How long a start, a stop or a state may take before the test gives up: a bound against hanging, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The executable under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_weir"))
}

/// A running `weir` with a data folder that outlives it.
pub(crate) struct Weir {
    child: Child,
    complaints: Option<JoinHandle<String>>,
    pub(crate) public: String,
    pub(crate) admin: String,
}

impl Weir {
    /// Starts it on `data` and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with settings, each `key=value`.
    pub(crate) fn start_with(data: &Path, settings: &[&str]) -> Self {
        Self::launch(None, data, settings, &[])
    }

    /// Starts `role`, or everything, on `data` with settings and variables, and waits until it says where it listens.
    pub(crate) fn launch(role: Option<&str>, data: &Path, settings: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.args(role).envs(variables.iter().copied());
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]).arg(data);
        for setting in LIMITS_OFF.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let has_gateway = role.is_none_or(|role| role == "gateway");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir starts");
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (found, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(Ok(line)) = lines.next() {
                let _ = found.send(line);
            }
        });
        let complaints = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let (mut public, mut admin) = (None, None);
        while (has_gateway && public.is_none()) || admin.is_none() {
            let Ok(line) = line.recv_timeout(PATIENCE) else {
                let _ = child.kill();
                panic!("weir did not become ready: {}", complaints.join().unwrap());
            };
            for word in line.split_whitespace().filter(|word| word.starts_with("http://")) {
                let address = word.trim_end_matches(['/', ',', ';', '.']).to_owned();
                if line.starts_with("admin") { admin = Some(address) } else { public = Some(address) }
            }
        }
        Self { child, complaints: Some(complaints), public: public.unwrap_or_default(), admin: admin.unwrap() }
    }

    /// Ends it as a power cut would: SIGKILL, no drain.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it can be waited for");
    }

    /// Ends it by SIGTERM and answers its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let code = self.child.wait().expect("it can be waited for").code();
        if code != Some(0) {
            let said = self.complaints.take().map(|thread| thread.join().unwrap());
            eprintln!("weir ended with {code:?} and said: {}", said.unwrap_or_default());
        }
        code
    }

    /// Stops it from doing anything, as a machine that hangs, or lets it go on.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap().success());
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One machine plays the whole crowd, so the limits by address would stop it.
const LIMITS_OFF: &[&str] = &[
    "gateway.guests_per_minute=1000000",
    "gateway.address_requests_per_minute=10000000",
    "gateway.requests_per_minute=100000",
    "gateway.reserves_per_minute=100000",
];

/// Makes an operator key in `data` and answers it.
pub(crate) fn operator_key(data: &Path, role: &str) -> String {
    let output = Command::new(binary())
        .args(["operator-key", "add", "--name", &format!("test-{role}"), "--role", role, "--data"])
        .arg(data)
        .output()
        .expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().last().expect("the key is printed").to_owned()
}

/// An empty folder of the test's own.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// The path of the data folder inside a temporary one.
pub(crate) fn data(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("data")
}

/// An answer: its status and its JSON (`null` where it has none).
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Answer {
    /// The body of an answer that must have `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// That it is a refusal with this status and this `urn:weir:` slug.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, slug: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.body["type"], format!("urn:weir:{slug}"), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
    }
}

/// Speaks to a running Weir.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { http, base: base.to_owned() }
    }

    /// The gateway's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request; an error means that no whole answer came.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        Ok(Answer { status, body, headers })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await.expect("an answer")
    }

    /// A request with an operator's key.
    pub(crate) async fn operate(&self, key: &str, method: Method, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {key}");
        let body = (method != Method::GET).then_some(body);
        self.send(method, path, &[("authorization", &bearer)], body).await.expect("an answer")
    }
}

/// A small hall: rows `A`, `B` … of `seats` seats each, in one category that costs 45.00.
pub(crate) fn venue(rows: usize, seats: usize) -> Value {
    let rows: Vec<Value> = (0..rows)
        .map(|row| {
            let name = ('A'..='Z').nth(row).expect("26 rows at most").to_string();
            let seats: Vec<Value> = (1..=seats)
                .map(|seat| {
                    json!({"seatId": format!("{name}-{seat}"), "number": seat.to_string(), "category": "Floor", "x": seat, "y": row})
                })
                .collect();
            json!({"name": name, "seats": seats})
        })
        .collect();
    json!({
        "name": "The Mill", "address": "1 Weir Lane", "location": "Millbrook",
        "categories": [{"name": "Floor", "color": "#336699"}],
        "sections": [{"name": "Hall", "rows": rows}],
    })
}

/// A moment `ms` from now, as RFC 3339.
pub(crate) fn from_now(ms: i64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    booking_core::time::Timestamp::from_millis(i64::try_from(now).unwrap() + ms).to_string()
}

/// What a sale of a test looks like.
pub(crate) struct SaleOf {
    pub(crate) rows: usize,
    pub(crate) seats: usize,
    pub(crate) opens_in_ms: i64,
    pub(crate) rate_per_minute: u32,
    pub(crate) max_active: u32,
    pub(crate) hold_seconds: u32,
    pub(crate) extend_seconds: u32,
    pub(crate) batch_ms: u32,
}

impl Default for SaleOf {
    fn default() -> Self {
        Self {
            rows: 10,
            seats: 20,
            opens_in_ms: 1_500,
            rate_per_minute: 60_000,
            max_active: 10_000,
            hold_seconds: 120,
            extend_seconds: 0,
            batch_ms: 1_000,
        }
    }
}

/// Sets up a venue, an event and a sale whose lobby is open, and answers the event's id.
pub(crate) async fn open_sale(client: &Client, key: &str, sale: &SaleOf) -> String {
    let venue =
        client.operate(key, Method::POST, "/v1/operator/venues", &venue(sale.rows, sale.seats)).await.expect(201);
    let event = json!({
        "title": "The Sluices, live", "description": "One night only.", "venueId": venue["venueId"],
        "startsAt": from_now(30 * 86_400_000), "currency": "EUR", "prices": {"Floor": 4_500},
    });
    let event = client.operate(key, Method::POST, "/v1/operator/events", &event).await.expect(201);
    let id = event["eventId"].as_str().unwrap().to_owned();
    let policy = json!({
        "lobbyOpensAt": from_now(-1_000), "opensAt": from_now(sale.opens_in_ms), "closesAt": from_now(6 * 3_600_000),
        "ratePerMinute": sale.rate_per_minute, "maxActive": sale.max_active, "turnSeconds": 60, "sessionSeconds": 600,
        "holdSeconds": sale.hold_seconds, "extendSeconds": sale.extend_seconds, "maxSeats": 4, "batchMs": sale.batch_ms,
    });
    let made = client.operate(key, Method::PUT, &format!("/v1/operator/events/{id}/sale"), &policy).await.expect(200);
    assert_eq!(made["commitment"].as_str().map(str::len), Some(64), "{made}");
    id
}

/// A visitor: a guest with their tokens.
pub(crate) struct Visitor {
    client: Client,
    pub(crate) event: String,
    pub(crate) user: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) place: String,
    pub(crate) admission: String,
}

impl Visitor {
    /// A new guest.
    pub(crate) async fn arrive(client: &Client, event: &str) -> Result<Self, reqwest::Error> {
        let guest = client.send(Method::POST, "/v1/users/guest", &[], Some(&json!({}))).await?.expect(201);
        let text = |name: &str| guest[name].as_str().unwrap().to_owned();
        Ok(Self {
            client: client.clone(),
            event: event.to_owned(),
            user: text("userId"),
            access: text("accessToken"),
            refresh: text("refreshToken"),
            place: String::new(),
            admission: String::new(),
        })
    }

    /// The same visitor speaking to another Weir, or to the same one after a restart.
    pub(crate) fn at(&mut self, client: &Client) {
        self.client = client.clone();
    }

    /// A request as this visitor, with every token they have.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        extra: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let bearer = format!("Bearer {}", self.access);
        let mut headers = vec![("authorization", bearer.as_str())];
        if !self.place.is_empty() {
            headers.push(("weir-place", &self.place));
        }
        if !self.admission.is_empty() {
            headers.push(("weir-admission", &self.admission));
        }
        headers.extend_from_slice(extra);
        self.client.send(method, path, &headers, body).await
    }

    fn line(&self, rest: &str) -> String {
        format!("/v1/events/{}/line{rest}", self.event)
    }

    /// Joins the line; the place view.
    pub(crate) async fn join(&mut self) -> Result<Answer, reqwest::Error> {
        let answer = self.send(Method::POST, &self.line(""), &[], None).await?;
        if let Some(token) = answer.body["placeToken"].as_str() {
            token.clone_into(&mut self.place);
        }
        Ok(answer)
    }

    /// One poll; keeps the newer token.
    pub(crate) async fn poll(&mut self) -> Result<Answer, reqwest::Error> {
        let answer = self.send(Method::GET, &self.line("/place"), &[], None).await?;
        if let Some(token) = answer.body["placeToken"].as_str() {
            token.clone_into(&mut self.place);
        }
        Ok(answer)
    }

    /// Claims the admission.
    pub(crate) async fn claim(&mut self) -> Result<Answer, reqwest::Error> {
        let answer = self.send(Method::POST, &self.line("/claim"), &[], None).await?;
        if let Some(token) = answer.body["admissionToken"].as_str() {
            token.clone_into(&mut self.admission);
        }
        Ok(answer)
    }

    /// Waits until called and comes in.
    pub(crate) async fn come_in(&mut self) -> Value {
        let started = std::time::Instant::now();
        loop {
            assert!(started.elapsed() < PATIENCE, "never called");
            let view = self.poll().await.expect("an answer").expect(200);
            if view["state"] == "called" {
                let answer = self.claim().await.expect("an answer");
                if answer.status == StatusCode::OK {
                    return answer.body;
                }
                answer.refuses(409, "desk-full");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reserves what `wanted` says (`seats` or `bestAvailable`), under an idempotency key.
    pub(crate) async fn reserve(&self, key: &str, wanted: &Value) -> Result<Answer, reqwest::Error> {
        let mut body = wanted.clone();
        body["eventId"] = json!(self.event);
        self.send(Method::POST, "/v1/bookings/reserve", &[("idempotency-key", key)], Some(&body)).await
    }

    /// Makes a payment at the sandbox; its transaction.
    pub(crate) async fn pay(&self, amount: &Value, currency: &Value, outcome: &str) -> Result<String, reqwest::Error> {
        let body = json!({"amount": amount, "currency": currency, "outcome": outcome});
        let made = self.send(Method::POST, "/v1/sandbox/payments", &[], Some(&body)).await?.expect(201);
        Ok(made["transactionId"].as_str().unwrap().to_owned())
    }

    /// Where this visitor gets letters.
    pub(crate) fn address(&self) -> String {
        format!("{}@example.org", self.user)
    }

    /// Confirms a booking by a payment.
    pub(crate) async fn confirm(&self, booking: &Value, transaction: &str) -> Result<Answer, reqwest::Error> {
        self.confirm_with(booking, transaction, &self.address()).await
    }

    /// The same, with letters to `address`.
    pub(crate) async fn confirm_with(
        &self,
        booking: &Value,
        transaction: &str,
        address: &str,
    ) -> Result<Answer, reqwest::Error> {
        let body = json!({
            "bookingId": booking["bookingId"],
            "contact": {"email": address},
            "paymentDetails": {"paymentMethod": "sandbox", "transactionId": transaction, "amount": booking["totalAmount"]},
        });
        self.send(Method::POST, "/v1/bookings/confirm", &[], Some(&body)).await
    }

    /// The hold that was answered as pending, once it is none any more.
    pub(crate) async fn settled(&self, pending: &Value) -> Value {
        let id = pending["bookingId"].as_str().expect("an id");
        let started = std::time::Instant::now();
        loop {
            assert!(started.elapsed() < PATIENCE, "pending for ever");
            let view = self.booking(id).await;
            if view.status == StatusCode::OK && view.body["status"] != "pending" {
                return view.body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A booking as the ledger has it.
    pub(crate) async fn booking(&self, id: &str) -> Answer {
        self.send(Method::GET, &format!("/v1/bookings/{id}"), &[], None).await.expect("an answer")
    }
}
