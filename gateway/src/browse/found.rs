//! Asking the index: what is popular from memory, each search once however many ask, and without the index a plain list
//! from the catalog.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use booking_core::{
    ports::{PortError, PortResult},
    search::{Document, Found, Hit, Query, Suggestion, Term},
    time::Timestamp,
};
use moka::future::Cache;

use crate::{app::App, problem::Problem};

/// How long an answer is good while the index does not change.
const KEPT: Duration = Duration::from_mins(5);
/// About how many bytes of answers are kept; those that are asked for least go first.
const MAX_KEPT_BYTES: u64 = 64 << 20;
/// The most lists of suggestions that are kept.
const MAX_SUGGESTED: u64 = 10_000;
/// How long it is taken for known whether the index has changed, in milliseconds.
const STATE_MS: i64 = 200;
/// How long the index may take to answer; the catalog has what is left of the whole, which is less than 300 ms.
const INDEX_PATIENCE: Duration = Duration::from_millis(190);
const PATIENCE: Duration = Duration::from_millis(280);
/// How long a plain list is kept: without the index, everybody who searches asks the catalog.
const PLAIN_KEPT: Duration = Duration::from_secs(1);
/// After how many failures in a row the index is left alone, and for how long, in milliseconds.
const FAILURES: u32 = 3;
const REST_MS: i64 = 3_000;
/// The most events of a plain list, over all its pages.
const MAX_PLAIN: usize = 1_000;

/// An answer, and whether it is of the index rather than a plain list.
pub(crate) struct Answered {
    pub(crate) found: Arc<Found>,
    pub(crate) is_plain: bool,
}

/// From when a plain list goes, until when, behind how many events, and how many it has.
type Listed = (Timestamp, Option<Timestamp>, usize, usize);

/// What the gateway remembers of searches.
pub(crate) struct Searches {
    found: Cache<(u64, String), Arc<Found>>,
    plain: Cache<Listed, Arc<Found>>,
    /// The same for longer, for when the catalog does not answer either.
    plain_before: Cache<Listed, Arc<Found>>,
    suggested: Cache<(u64, String), Arc<Vec<Suggestion>>>,
    state: AtomicU64,
    /// When the state was asked for, in milliseconds.
    state_at: AtomicI64,
    failures: AtomicU32,
    rests_until: AtomicI64,
}

impl Default for Searches {
    fn default() -> Self {
        let weigh = |found: &Arc<Found>| {
            let bytes = |hit: &Hit| 512 + hit.document.title.len() + hit.document.description.len();
            u32::try_from(1_024 + found.hits.iter().map(bytes).sum::<usize>()).unwrap_or(u32::MAX)
        };
        let found = Cache::builder().max_capacity(MAX_KEPT_BYTES).weigher(move |_, found| weigh(found));
        let found = found.time_to_live(KEPT).build();
        let [plain, plain_before] = [PLAIN_KEPT, KEPT].map(|kept| {
            let plain = Cache::builder().max_capacity(MAX_KEPT_BYTES).weigher(move |_, found| weigh(found));
            plain.time_to_live(kept).build()
        });
        let suggested = Cache::builder().max_capacity(MAX_SUGGESTED).time_to_live(KEPT).build();
        let (state, state_at) = (AtomicU64::new(0), AtomicI64::new(i64::MIN));
        let (failures, rests_until) = (AtomicU32::new(0), AtomicI64::new(i64::MIN));
        Self { found, plain, plain_before, suggested, state, state_at, failures, rests_until }
    }
}

impl Searches {
    /// The events that are as `query` wants them; without the index, those of the catalog.
    ///
    /// # Errors
    /// [unavailable]: neither answers.
    pub(crate) async fn find(&self, app: &App, query: &Query, now: Timestamp) -> Result<Answered, Problem> {
        let until = tokio::time::Instant::now() + PATIENCE;
        let of_index = async {
            let state = self.state(app, now).await?;
            let search = app.parts.search.as_ref().ok_or_else(no_index)?;
            let found = self
                .found
                .try_get_with((state, format!("{query:?}")), async { search.search(query).await.map(Arc::new) });
            found.await.map_err(|error: Arc<PortError>| PortError::clone(&error))
        };
        if let Some(found) = self.of_index(app, now, of_index).await {
            return Ok(Answered { found, is_plain: false });
        }
        // Nothing else counts in a plain list.
        let key = (query.from, query.before, query.skipped(), query.page_size);
        let of_catalog = self.plain.try_get_with_by_ref(&key, async { plain(app, query).await.map(Arc::new) });
        let found = match tokio::time::timeout_at(until, of_catalog).await {
            Ok(Ok(found)) => {
                self.plain_before.insert(key, Arc::clone(&found)).await;
                found
            }
            failed => self.plain_before.get(&key).await.ok_or_else(|| match failed {
                Ok(Err(error)) => PortError::clone(&error),
                _ => PortError::Unavailable { port: "catalog", reason: "it takes too long to list events".to_owned() },
            })?,
        };
        Ok(Answered { found, is_plain: true })
    }

    /// Names to go on with; `None`: the index does not answer.
    pub(crate) async fn suggest(&self, app: &App, term: &Term, now: Timestamp) -> Option<Arc<Vec<Suggestion>>> {
        let of_index = async {
            let state = self.state(app, now).await?;
            let search = app.parts.search.as_ref().ok_or_else(no_index)?;
            let from = Query::all(now).from;
            let key = (state, format!("{} {}", from.as_millis(), term.key()));
            let suggested = self.suggested.try_get_with(key, async { search.suggest(term, from).await.map(Arc::new) });
            suggested.await.map_err(|error: Arc<PortError>| PortError::clone(&error))
        };
        self.of_index(app, now, of_index).await
    }

    /// What the index answers in time; `None`: it does not, or is left alone for a while.
    async fn of_index<T>(&self, app: &App, now: Timestamp, asking: impl Future<Output = PortResult<T>>) -> Option<T> {
        if app.parts.search.is_none() || now.as_millis() < self.rests_until.load(Ordering::Relaxed) {
            return None;
        }
        let why = match tokio::time::timeout(INDEX_PATIENCE, asking).await {
            Ok(Ok(answer)) => {
                self.failures.store(0, Ordering::Relaxed);
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", INDEX_PATIENCE.as_millis()),
        };
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
            tracing::warn!(why, "the index is left alone for {REST_MS} ms; searches get a plain list");
            self.rests_until.store(now.plus_millis(REST_MS).as_millis(), Ordering::Relaxed);
            // The next to try decides alone.
            self.failures.store(FAILURES - 1, Ordering::Relaxed);
        }
        None
    }

    /// The index's state, as it was a moment ago.
    async fn state(&self, app: &App, now: Timestamp) -> PortResult<u64> {
        let (now, at) = (now.as_millis(), self.state_at.load(Ordering::Acquire));
        let is_old = !(0..STATE_MS).contains(&now.saturating_sub(at));
        // One asks; the others go by what was so before.
        if is_old && self.state_at.compare_exchange(at, now, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            match app.parts.search.as_ref().ok_or_else(no_index)?.state().await {
                Ok(state) => self.state.store(state, Ordering::Release),
                Err(error) => {
                    self.state_at.store(i64::MIN, Ordering::Release);
                    return Err(error);
                }
            }
        }
        Ok(self.state.load(Ordering::Acquire))
    }
}

fn no_index() -> PortError {
    PortError::Unavailable { port: "search", reason: "there is no index".to_owned() }
}

/// The catalog's events from when the search begins, soonest first; nothing else of it counts but when it ends.
async fn plain(app: &App, query: &Query) -> PortResult<Found> {
    let catalog = &app.parts.catalog;
    let most = (query.skipped() + query.page_size).min(MAX_PLAIN);
    let events = catalog.events(query.from, None, most).await?;
    let events = events.into_iter().filter(|event| query.before.is_none_or(|before| event.starts_at < before));
    let events: Vec<_> = events.collect();
    let total = events.len() as u64;
    let mut hits = Vec::new();
    for event in events.into_iter().skip(query.skipped()) {
        if let Some(venue) = catalog.venue(&event.venue_id).await? {
            hits.push(Hit { document: Document::of(&event, &venue), seats_left: None, score: 0 });
        }
    }
    Ok(Found { total, hits, ..Found::default() })
}
