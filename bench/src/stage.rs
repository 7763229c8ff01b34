//! What a measurement is played on: a data folder with an operator, halls, sales, guests and full lines.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context as _, Result, ensure};
use backends::sqlite::{LogSettings, SqliteLog};
use booking_core::{
    id::{EventId, UserId},
    line::entry::{JoinRecord, entry_of},
    ports::log::{Log as _, Topic},
    time::Timestamp,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Options,
    client::{Client, ask_each, text},
    load::request,
    process::{Role, Weir},
};

/// How many appends are under way while a line is filled: below what the log lets wait.
const APPENDS_AT_ONCE: usize = 8_192;
/// The seats of one row of the hall.
const ROW: usize = 100;

/// A data folder of its own, removed when dropped.
pub(crate) struct Stage {
    folder: TempDir,
    program: PathBuf,
    /// `Bearer` and an operator's key.
    pub(crate) operator: String,
    /// Where its stores are, if not in the folder.
    settings: Vec<String>,
}

/// What a measurement wants of its sale.
pub(crate) struct Sale {
    /// Seats of its hall.
    pub(crate) seats: usize,
    /// In how many milliseconds the lobby is drawn.
    pub(crate) opens_in_ms: i64,
    /// How many visitors are called a minute.
    pub(crate) rate_per_minute: u32,
}

impl Default for Sale {
    fn default() -> Self {
        Self { seats: 1_000, opens_in_ms: 2_000, rate_per_minute: 1 }
    }
}

impl Stage {
    /// An empty data folder with an operator's key.
    ///
    /// # Errors
    /// If the folder or the key can't be made.
    pub(crate) async fn new(options: &Options) -> Result<Self> {
        Self::with(options, Vec::new()).await
    }

    /// The same with settings.
    ///
    /// # Errors
    /// If the folder or the key can't be made.
    pub(crate) async fn with(options: &Options, settings: Vec<String>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir_in(&options.folder)?;
        let mut command = Command::new(&options.weir);
        command.args(["operator-key", "add", "--name", "bench", "--role", "admin", "--data"]);
        let made = command.arg(folder.path().join("data")).output().await?;
        ensure!(made.status.success(), "no operator key: {}", String::from_utf8_lossy(&made.stderr));
        let printed = String::from_utf8(made.stdout)?;
        let key = printed.split_whitespace().last().context("no key was printed")?;
        Ok(Self { program: options.weir.clone(), operator: format!("Bearer {key}"), folder, settings })
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the executable on it.
    ///
    /// # Errors
    /// If it does not become ready.
    pub(crate) async fn start(&self) -> Result<Weir> {
        Weir::start(&self.program, None, &self.data(), &self.settings).await
    }

    /// Starts a part of it.
    ///
    /// # Errors
    /// If it does not become ready.
    pub(crate) async fn start_role(&self, role: Role) -> Result<Weir> {
        Weir::start(&self.program, Some(role), &self.data(), &self.settings).await
    }

    /// Starts all of it in one process, its sandbox's books in the file at `books` wherever the rest is.
    ///
    /// # Errors
    /// If it does not become ready.
    pub(crate) async fn start_with_books(&self, books: &Path) -> Result<Weir> {
        let own = format!("stores.payments=sandbox:{}", books.display());
        let settings: Vec<String> = self.settings.iter().cloned().chain([own]).collect();
        Weir::start(&self.program, None, &self.data(), &settings).await
    }

    /// The books of its own sandbox.
    pub(crate) fn books(&self) -> PathBuf {
        self.data().join("payments.db")
    }

    /// Opens the log while nobody else has it.
    ///
    /// # Errors
    /// If it can't be.
    pub(crate) async fn log(&self) -> Result<SqliteLog> {
        Ok(SqliteLog::open(&self.data().join("log.db"), LogSettings::default()).await?)
    }

    /// Sets a hall, an event and a sale up, whose lobby is open.
    ///
    /// # Errors
    /// If one of them is refused.
    pub(crate) async fn sale(&self, to: SocketAddr, sale: &Sale) -> Result<EventId> {
        let mut client = Client::open(to).await?;
        let operator = [("authorization", self.operator.as_str())];
        let venue = client.ask("POST", "/v1/operator/venues", &operator, &venue(sale.seats)).await?;
        let event = json!({
            "title": "The Sluices, live", "description": "One night only.", "venueId": venue["venueId"],
            "startsAt": from_now(30 * 86_400_000), "currency": "EUR", "prices": {"F": 4_500},
        });
        let event = client.ask("POST", "/v1/operator/events", &operator, &event).await?;
        let id = text(&event, "eventId")?;
        let policy = json!({
            "lobbyOpensAt": from_now(-1_000), "opensAt": from_now(sale.opens_in_ms), "closesAt": from_now(86_400_000),
            "ratePerMinute": sale.rate_per_minute, "maxActive": 100_000, "turnSeconds": 600, "sessionSeconds": 3_600, "holdSeconds": 7_200,
            "maxSeats": 4, "batchMs": 1_000, "orphansAllowed": true,
        });
        client.ask("PUT", &format!("/v1/operator/events/{id}/sale"), &operator, &policy).await?;
        Ok(id.parse()?)
    }

    /// Appends `count` joins of visitors that nobody plays straight to the line's log, while `weir` is stopped.
    ///
    /// # Errors
    /// If an append fails.
    pub(crate) async fn fill(&self, event: &EventId, count: u64) -> Result<()> {
        let log = self.log().await?;
        let topic = Topic::Line(event.clone());
        let lanes = u64::from(log.lanes(&topic).await?);
        let joined_at = now();
        stream::iter(0..count)
            .map(|n| {
                let lane = u16::try_from(n % lanes).expect("a remainder of a u16 fits a u16");
                let payload = join(event, n, joined_at).encode();
                let (log, topic) = (&log, &topic);
                async move { log.append(topic, lane, payload).await }
            })
            .buffer_unordered(APPENDS_AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        log.close().await;
        Ok(())
    }
}

/// The join of an invented visitor.
pub(crate) fn join(event: &EventId, n: u64, joined_at: Timestamp) -> JoinRecord {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    let user = UserId::from_bytes(bytes);
    JoinRecord { entry: entry_of(event, &user, &bytes), user, joined_at }
}

/// Makes `count` guests and answers what each shows: `Bearer` and an access token.
///
/// # Errors
/// If one is refused.
pub(crate) async fn guests(to: SocketAddr, count: usize) -> Result<Vec<String>> {
    let ask = request("POST", "/v1/users/guest", &[], "{}");
    let made = ask_each(to, vec![ask; count]).await?;
    made.iter().map(|guest| Ok(format!("Bearer {}", text(guest, "accessToken")?))).collect()
}

/// A guest's request to join.
pub(crate) fn join_request(event: &EventId, guest: &str) -> Vec<u8> {
    request("POST", &format!("/v1/events/{event}/line"), &[("authorization", guest)], "")
}

/// Lets `count` new guests join, and answers their place tokens.
///
/// # Errors
/// If one is refused.
pub(crate) async fn join_line(to: SocketAddr, event: &EventId, count: usize) -> Result<Vec<String>> {
    let joins = guests(to, count).await?.iter().map(|guest| join_request(event, guest)).collect();
    ask_each(to, joins).await?.iter().map(|view| text(view, "placeToken")).collect()
}

/// A visitor's request about their place; `what`: `place` or `stream`.
pub(crate) fn place_request(event: &EventId, what: &str, token: &str) -> Vec<u8> {
    request("GET", &format!("/v1/events/{event}/line/{what}"), &[("weir-place", token)], "")
}

/// Polls until each of `tokens` has its rank, and answers the tokens that hold it.
///
/// # Errors
/// If a poll is refused.
pub(crate) async fn ranked(to: SocketAddr, event: &EventId, mut tokens: Vec<String>) -> Result<Vec<String>> {
    loop {
        let polls = tokens.iter().map(|token| place_request(event, "place", token)).collect();
        let views = ask_each(to, polls).await?;
        tokens = views.iter().map(|view| text(view, "placeToken")).collect::<Result<_>>()?;
        if views.iter().all(|view| view["rank"].is_u64()) {
            return Ok(tokens);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(since).unwrap_or(i64::MAX))
}

fn from_now(ms: i64) -> String {
    now().plus_millis(ms).to_string()
}

/// The id of seat number `n` of the hall.
pub(crate) fn seat_id(n: usize) -> String {
    format!("{}-{}", n / ROW, n % ROW)
}

/// A hall of one category.
fn venue(seats: usize) -> Value {
    let numbers: Vec<usize> = (0..seats).collect();
    let seat = |n: &usize| json!({"seatId": seat_id(*n), "number": (n % ROW).to_string(), "category": "F", "x": n % ROW, "y": n / ROW});
    let rows = numbers
        .chunks(ROW)
        .enumerate()
        .map(|(row, seats)| json!({"name": row.to_string(), "seats": seats.iter().map(seat).collect::<Vec<_>>()}));
    json!({
        "name": "The Mill", "address": "1 Weir Lane", "location": "Millbrook",
        "categories": [{"name": "F", "color": "#336699"}],
        "sections": [{"name": "Hall", "rows": rows.collect::<Vec<_>>()}],
    })
}
