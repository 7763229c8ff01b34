//! How long one hold takes when little else goes on: over HTTP, through the log, the hold table and the ledger, back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::json;
use tokio::time::sleep;

use super::{Installation, Servers, joins::Raw};
use crate::{
    Options,
    client::{ask_each, text},
    joins::RawLog as _,
    load::{Connection, request},
    stage::{Sale, guests, join_request, ranked, seat_id},
    table::{Row, progress},
};

/// Visitors, each with one hold.
const VISITORS: usize = 1_000;
/// Holds before the first that counts.
const WARM_UP: usize = 50;
/// The pause before each.
const PAUSE: Duration = Duration::from_millis(5);
/// The size of an append to compare with: about that of a hold's command and of its answer.
const APPEND_BYTES: usize = 600;
/// How long 99 of 100 may take, in milliseconds.
const MOST_MS: f64 = 25.0;

/// Measures holds one after the other, and between them appends to a topic that nobody reads.
///
/// # Errors
/// If one is refused, or not answered at once.
pub(super) async fn measure(options: &Options, servers: &Servers) -> Result<Vec<Row>> {
    let installation = Installation::new(options, servers).await?;
    let (gateway, worker) = (installation.gateway().await?, installation.worker().await?);
    let to = gateway.public;
    let sale = Sale { seats: VISITORS, opens_in_ms: 500, rate_per_minute: 60_000 };
    let event = installation.open_sale(&gateway, &sale).await?;
    progress(format_args!("cluster: {VISITORS} visitors come in"));
    let guests = guests(to, VISITORS).await?;
    let joins = guests.iter().map(|guest| join_request(&event, guest)).collect();
    let places: Vec<String> =
        ask_each(to, joins).await?.iter().map(|view| text(view, "placeToken")).collect::<Result<_>>()?;
    let places = ranked(to, &event, places).await?;
    let mut connection = Connection::open(to).await?;
    let raw = Raw::make(servers, &installation.name).await?;
    let (mut holds, mut appends) = (Vec::with_capacity(VISITORS), Vec::with_capacity(VISITORS));
    for (number, (guest, place)) in guests.iter().zip(&places).enumerate() {
        let fields = [("authorization", guest.as_str()), ("weir-place", place)];
        let claim = request("POST", &format!("/v1/events/{event}/line/claim"), &fields, "");
        let admission = loop {
            let answer = connection.exchange_whole(&claim).await?;
            if answer.status == 200 {
                break text(&serde_json::from_str(&answer.body)?, "admissionToken")?;
            }
            // Their turn comes.
            ensure!(answer.status == 409, "a claim was refused with {}: {}", answer.status, answer.body);
            sleep(Duration::from_millis(50)).await;
        };
        let body = json!({"eventId": event, "seats": [seat_id(number)]}).to_string();
        let fields = [("authorization", guest.as_str()), ("weir-admission", &admission), ("idempotency-key", "bench")];
        let reserve = request("POST", "/v1/bookings/reserve", &fields, &body);
        sleep(PAUSE).await;
        let begun = Instant::now();
        raw.append(number as u64, Bytes::from_static(&[0; APPEND_BYTES])).await?;
        appends.push(since(begun));
        sleep(PAUSE).await;
        let begun = Instant::now();
        let answer = connection.exchange_whole(&reserve).await?;
        holds.push(since(begun));
        ensure!(answer.status == 201, "a hold was answered with {}: {}", answer.status, answer.body);
    }
    drop(worker);
    let hold = Spread::of(holds.split_off(WARM_UP)).context("no holds")?;
    let append = Spread::of(appends.split_off(WARM_UP)).context("no appends")?;
    Ok(vec![
        Row::limited(
            format_args!("the round trip of a hold, one at a time: 99 of 100 (median {:.1} ms)", hold.median),
            format_args!("{:.1} ms", hold.late),
            format_args!("below {MOST_MS:.0} ms"),
            hold.late < MOST_MS,
        ),
        Row::plain(
            format_args!(
                "an append of the same size, of which it has two, between the holds: 99 of 100 (median {:.1} ms)",
                append.median
            ),
            format_args!("{:.1} ms", append.late),
        ),
    ])
}

/// In milliseconds.
fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}

/// How long something took, in milliseconds.
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// What 99 of 100 did not exceed.
    pub(crate) late: f64,
}

impl Spread {
    /// `None`: there is nothing.
    pub(crate) fn of(mut took: Vec<f64>) -> Option<Self> {
        took.sort_by(f64::total_cmp);
        let of_100 = |share: usize| took.get((took.len() * share).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { median: of_100(50)?, late: of_100(99)? })
    }
}
