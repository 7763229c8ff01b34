//! Live seat maps: a snapshot of the ledger, then the versioned changes from `weir.seats`, shared by all listeners.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use booking_core::{
    booking::{Booking, SeatChanges},
    catalog::{Event, Venue},
    id::{EventId, VenueId},
    message,
    ports::log::Topic,
    seats::SeatStatus,
};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    problem::{Problem, nothing_here},
    sse,
};

/// The most maps kept; beyond that a map is worked out anew for each request.
const MAX_MAPS: usize = 10_000;
/// Changes kept of each event, so that a stream that broke off goes on where it was.
const MAX_DELTAS: usize = 512;
/// How many records of `weir.seats` are read at once.
const READ_AT_ONCE: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(250);
/// How long an event is taken for what it was, in milliseconds: it may be moved, or go to another hall.
const FRESH_MS: i64 = 1_000;
/// How long a request waits for the event to be read again; it goes on with what is known.
const LOOK: Duration = Duration::from_millis(250);

/// One event's live map.
pub(crate) struct LiveMap {
    event_id: EventId,
    /// The event, and when it was read or is being read, in milliseconds.
    event: ArcSwap<Event>,
    read_at: AtomicI64,
    /// Its venue, numbered on from those that it was in before; and how many those were.
    pub(crate) venue: Arc<Venue>,
    halls: usize,
    /// Whether the event is in another hall by now: whoever listens has to come again.
    over: AtomicBool,
    now: RwLock<Statuses>,
    version: watch::Sender<u64>,
    /// Held while a snapshot is read, so that one at a time is.
    reading: tokio::sync::Mutex<()>,
}

struct Statuses {
    version: u64,
    by_seat: Vec<SeatStatus>,
    left: u64,
    /// The latest changes, each as the piece that is sent to every listener.
    deltas: VecDeque<(u64, Bytes)>,
}

/// The map alone, small.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    /// Rises with every change.
    pub(crate) version: u64,
    /// The hall: with another, the event's seats have to be read anew.
    #[schema(value_type = String)]
    pub(crate) venue_id: VenueId,
    /// One letter a seat, in seat order: `a` available, `r` reserved, `b` booked.
    pub(crate) statuses: String,
}

#[derive(Serialize)]
struct Delta<'a> {
    version: u64,
    changes: Vec<(&'a str, SeatStatus)>,
}

impl LiveMap {
    /// Whether it is of the hall that the event is in.
    fn is_of_its_hall(&self) -> bool {
        self.event().halls.len() == self.halls
    }

    fn statuses(&self) -> std::sync::RwLockReadGuard<'_, Statuses> {
        self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event, as it was a second ago.
    pub(crate) fn event(&self) -> Arc<Event> {
        self.event.load_full()
    }

    /// Reads the event again where it was not for a while: one request a second does.
    async fn refresh(&self, app: &App) {
        let (now, read_at) = (app.parts.clock.now().as_millis(), self.read_at.load(Ordering::Relaxed));
        if (0..FRESH_MS).contains(&now.saturating_sub(read_at))
            || self.read_at.compare_exchange(read_at, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        match tokio::time::timeout(LOOK, app.parts.catalog.event(&self.event_id)).await {
            Ok(Ok(Some(event))) => self.event.store(event),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(%error, event = %self.event_id, "an event can't be read again"),
            Err(_) => tracing::debug!(event = %self.event_id, "an event is not read again in time"),
        }
    }

    /// The map as it is.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.statuses();
        let venue_id = self.venue.venue_id.clone();
        Snapshot {
            version: now.version,
            venue_id,
            statuses: now.by_seat.iter().map(|status| status.letter()).collect(),
        }
    }

    /// Its version.
    pub(crate) fn version(&self) -> u64 {
        self.statuses().version
    }

    /// What each seat is, in seat order.
    pub(crate) fn by_seat(&self) -> Vec<SeatStatus> {
        self.statuses().by_seat.clone()
    }

    /// Seats that are available.
    pub(crate) fn left(&self) -> u64 {
        self.statuses().left
    }

    /// Whether the event is in another hall by now.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Its version, as it rises.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The pieces after `version`, and the version they lead to; `None`: some are forgotten, begin with a snapshot.
    pub(crate) fn after(&self, version: u64) -> Option<(Vec<Bytes>, u64)> {
        let now = self.statuses();
        if version == now.version {
            return Some((Vec::new(), version));
        }
        let first = now.deltas.front()?.0;
        if version + 1 < first || version > now.version {
            return None;
        }
        let pieces = now.deltas.iter().filter(|(number, _)| *number > version).map(|(_, piece)| piece.clone());
        Some((pieces.collect(), now.version))
    }

    /// Takes in a change; false: there is a gap before it, and a snapshot is needed.
    fn apply(&self, changes: &SeatChanges) -> bool {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if changes.version <= now.version {
            return true;
        }
        if changes.version > now.version + 1 {
            return false;
        }
        let (venue, seats) = (&self.venue, self.venue.seat_map.seats());
        let mut shown = Vec::with_capacity(changes.changes.len());
        for (index, status) in &changes.changes {
            // Seats of a hall that the event is no longer in are shown nowhere.
            let Some(at) = venue.seat_map.place(*index) else { continue };
            let (Some(known), Some(seat)) = (now.by_seat.get_mut(at), seats.get(at)) else { continue };
            let before = std::mem::replace(known, *status);
            shown.push((seat.seat_id.as_str(), *status));
            now.left -= u64::from(before == SeatStatus::Available);
            now.left += u64::from(*status == SeatStatus::Available);
        }
        now.version = changes.version;
        let delta = Delta { version: changes.version, changes: shown };
        let piece = sse::event("delta", Some(changes.version), &delta);
        now.deltas.push_back((changes.version, piece));
        if now.deltas.len() > MAX_DELTAS {
            now.deltas.pop_front();
        }
        drop(now);
        self.version.send_replace(changes.version);
        true
    }

    async fn read_again(&self, app: &App) -> Result<(), Problem> {
        let _one_at_a_time = self.reading.lock().await;
        let states = app.parts.ledger.seat_states(&self.event_id).await?;
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if states.version < now.version {
            return Ok(());
        }
        *now = Statuses::of(&self.venue, &states);
        drop(now);
        self.version.send_replace(states.version);
        Ok(())
    }
}

impl Statuses {
    fn of(venue: &Venue, states: &booking_core::ports::ledger::SeatStates) -> Self {
        let mut by_seat = vec![SeatStatus::Available; venue.seat_map.seats().len()];
        for (index, status) in &states.taken {
            if let Some(place) = venue.seat_map.place(*index) {
                by_seat[place] = *status;
            }
        }
        let left = by_seat.iter().filter(|status| **status == SeatStatus::Available).count() as u64;
        Self { version: states.version, by_seat, left, deltas: VecDeque::new() }
    }
}

type Maps = HashMap<Box<str>, Arc<LiveMap>>;

/// The live maps that were asked for.
#[derive(Default)]
pub(crate) struct LiveSeats {
    maps: ArcSwap<Maps>,
    adding: Mutex<()>,
}

impl LiveSeats {
    /// The live map of `event`.
    ///
    /// # Errors
    /// [not-found]; [unavailable].
    pub(crate) async fn get(&self, app: &App, event: &EventId) -> Result<Arc<LiveMap>, Problem> {
        if let Some(map) = self.maps.load().get(event.as_str()) {
            let map = Arc::clone(map);
            map.refresh(app).await;
            if map.is_of_its_hall() {
                return Ok(map);
            }
        }
        let read_at = app.parts.clock.now();
        let found = app.parts.catalog.event(event).await?.ok_or_else(nothing_here)?;
        let venue = app.parts.catalog.hall(&found).await?.ok_or_else(nothing_here)?;
        let halls = found.halls.len();
        let now = Statuses { version: 0, by_seat: Vec::new(), left: 0, deltas: VecDeque::new() };
        let map = Arc::new(LiveMap {
            event_id: event.clone(),
            event: ArcSwap::new(found),
            read_at: AtomicI64::new(read_at.as_millis()),
            venue,
            halls,
            over: AtomicBool::new(false),
            now: RwLock::new(now),
            version: watch::Sender::new(0),
            reading: tokio::sync::Mutex::new(()),
        });
        // First known, then read: a change that comes in between makes a gap, and the map is read once more.
        map.read_again(app).await?;
        let kept = self.keep(event, map);
        kept.read_again(app).await?;
        Ok(kept)
    }

    /// The live map of `event`, with the hall that `bookings` of it have their seats in.
    ///
    /// # Errors
    /// [not-found]; [unavailable], also where the event is on its way there.
    pub(crate) async fn of<'a>(
        &self,
        app: &App,
        event: &EventId,
        bookings: impl IntoIterator<Item = &'a Booking> + Clone,
    ) -> Result<Arc<LiveMap>, Problem> {
        let knows = |map: &LiveMap| bookings.clone().into_iter().all(|of| of.is_known_to(&map.venue.seat_map));
        let map = self.get(app, event).await?;
        if knows(&map) {
            return Ok(map);
        }
        self.look_again(event);
        let map = self.get(app, event).await?;
        let unknown = || Problem::unavailable("The event is going to another hall; try again in some seconds.");
        knows(&map).then_some(map).ok_or_else(unknown)
    }

    fn keep(&self, event: &EventId, map: Arc<LiveMap>) -> Arc<LiveMap> {
        let _one_at_a_time = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.maps.load();
        let first = known.get(event.as_str());
        if let Some(first) = first.filter(|first| first.halls >= map.halls) {
            return Arc::clone(first);
        }
        if let Some(before) = first {
            before.over.store(true, Ordering::Relaxed);
            before.version.send_modify(|_| {});
        }
        if known.len() < MAX_MAPS || first.is_some() {
            let mut more = Maps::clone(&known);
            more.insert(event.as_str().into(), Arc::clone(&map));
            self.maps.store(Arc::new(more));
        }
        map
    }

    /// Has the event read again when it is asked for next.
    pub(crate) fn look_again(&self, event: &EventId) {
        if let Some(map) = self.maps.load().get(event.as_str()) {
            map.read_at.store(i64::MIN, Ordering::Relaxed);
        }
    }

    /// Seats left of `event`; `None` where that can't be read.
    pub(crate) async fn left(&self, app: &App, event: &EventId) -> Option<u64> {
        self.get(app, event).await.ok().map(|map| map.left())
    }

    async fn apply(&self, app: &App, payload: &[u8]) {
        let changes = match message::decode::<SeatChanges>(payload) {
            Ok(changes) => changes,
            Err(error) => return tracing::warn!(%error, "a change of seats can't be read"),
        };
        let Some(map) = self.maps.load().get(changes.event_id.as_str()).cloned() else { return };
        let end = map.venue.seat_map.end();
        if changes.changes.iter().any(|(seat, _)| seat.0 >= end) {
            // Seats of a hall that it does not know: the event is on its way there.
            self.look_again(&changes.event_id);
            if let Err(problem) = self.get(app, &changes.event_id).await {
                tracing::warn!(detail = problem.detail(), event = %changes.event_id, "a live map can't be read again");
            }
            return;
        }
        if !map.apply(&changes)
            && let Err(problem) = map.read_again(app).await
        {
            tracing::warn!(detail = problem.detail(), event = %changes.event_id, "a live map can't be read again");
        }
    }
}

/// Follows `weir.seats` until `stop`.
pub(crate) async fn run(app: Arc<App>, tasks: TaskTracker, stop: CancellationToken) {
    let ends = loop {
        match app.parts.log.ends(&Topic::Seats).await {
            Ok(ends) => break ends,
            Err(error) => tracing::warn!(%error, "the changes of seats can't be read"),
        }
        tokio::select! { () = tokio::time::sleep(RETRY) => {}, () = stop.cancelled() => return }
    };
    for (lane, mut from) in (0_u16..).zip(ends) {
        let (app, stop) = (Arc::clone(&app), stop.clone());
        tasks.spawn(async move {
            let following = async {
                loop {
                    match app.parts.log.read(&Topic::Seats, lane, from, READ_AT_ONCE, PATIENCE).await {
                        Ok(entries) => {
                            for entry in entries {
                                from = entry.offset + 1;
                                app.seats.apply(&app, &entry.payload).await;
                            }
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the changes of seats can't be read");
                            tokio::time::sleep(RETRY).await;
                        }
                    }
                }
            };
            tokio::select! { () = following => {}, () = stop.cancelled() => {} }
        });
    }
}
