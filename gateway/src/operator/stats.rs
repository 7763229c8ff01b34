//! A sale's numbers for its operator: worked out once a second at most, however many are looking.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use booking_core::{digest::Digest, id::EventId, line::state::Phase, time::Timestamp};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::{app::App, problem::Problem, sales::Sale};

/// How long numbers are good.
const FRESH: Duration = Duration::from_millis(900);

/// A sale, for its operator.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SaleStats {
    #[schema(value_type = String)]
    event_id: EventId,
    #[schema(value_type = String)]
    phase: Phase,
    /// How many have joined.
    joined: u64,
    /// How many have a rank.
    drawn: u64,
    /// How many have been called.
    served: u64,
    /// How many are not called yet.
    waiting: u64,
    /// Admissions alive.
    active: u64,
    /// Admissions ever.
    admitted: u64,
    /// Places whose first turn passed without anybody coming.
    lapsed: u64,
    /// Places given up.
    left: u64,
    /// Seats held.
    held: u64,
    /// Seats booked.
    booked: u64,
    /// Seats that are neither.
    seats_left: Option<u64>,
    rate_per_minute: u32,
    max_active: u32,
    /// Admissions in the last minute.
    observed_rate_per_minute: u64,
    /// The share of those called who came within their first turn; null before any turn has passed.
    show_share: Option<f64>,
    paused: bool,
    /// Rises with every decision about the line; also the `ETag`.
    pub(crate) version: u64,
    /// The seed chain's first link.
    #[schema(value_type = Option<String>)]
    commitment: Option<Digest>,
    #[schema(value_type = String, format = DateTime)]
    server_time: Timestamp,
}

/// The numbers that were worked out last.
#[derive(Default)]
pub(crate) struct StatsCache {
    last: Mutex<Option<(Instant, Arc<SaleStats>)>>,
}

/// The numbers, a second old at most.
///
/// # Errors
/// [unavailable].
pub(crate) async fn shared(app: &App, sale: &Sale) -> Result<Arc<SaleStats>, Problem> {
    let mut last = sale.stats.last.lock().await;
    if let Some((at, stats)) = &*last
        && at.elapsed() < FRESH
        // Numbers from before the last steering would show an operator the old setting, and its old version.
        && stats.version >= sale.line().steered_version()
    {
        return Ok(Arc::clone(stats));
    }
    let stats = Arc::new(fresh(app, sale).await?);
    *last = Some((Instant::now(), Arc::clone(&stats)));
    Ok(stats)
}

/// The numbers as they are now.
///
/// # Errors
/// [unavailable].
pub(crate) async fn fresh(app: &App, sale: &Sale) -> Result<SaleStats, Problem> {
    let now = app.parts.clock.now();
    let passed = sale.line().first_open_rank(now);
    let counts = app.parts.desk.counts(sale.event(), passed, now).await?;
    let totals = app.parts.ledger.totals(sale.event(), now).await?;
    let seats_left = app.seats.left(app, sale.event()).await;
    let came_in_time = counts.came.saturating_sub(counts.came_from_rank).min(passed);
    let line = sale.line();
    let (joined, served) = (sale.joined().max(line.drawn()), line.served());
    #[expect(clippy::cast_precision_loss, reason = "a share of people needs no more than 53 bits")]
    let show_share = (passed > 0).then(|| came_in_time as f64 / passed as f64);
    Ok(SaleStats {
        event_id: sale.event().clone(),
        phase: line.phase(now),
        joined,
        drawn: line.drawn(),
        served,
        waiting: joined - served,
        active: counts.active,
        admitted: counts.admitted,
        lapsed: passed - came_in_time,
        left: counts.left,
        held: totals.held,
        booked: totals.booked,
        seats_left,
        rate_per_minute: line.rate_per_minute(),
        max_active: line.max_active(),
        observed_rate_per_minute: sale.admissions().in_last_minute(now),
        show_share,
        paused: line.is_paused(),
        version: line.version(),
        commitment: line.commitment(),
        server_time: now,
    })
}
