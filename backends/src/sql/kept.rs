//! What seldom or never changes, kept in memory once it was read.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a thing that may change is taken for what it was.
const FRESH: Duration = Duration::from_secs(1);

/// Things kept in memory by id; beyond the limit any one of them is forgotten.
pub(crate) struct Kept<K, T> {
    max: usize,
    things: Mutex<HashMap<K, (Arc<T>, Instant)>>,
}

impl<K: Clone + Eq + Hash, T> Kept<K, T> {
    /// Keeps `max` things at most.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, things: Mutex::default() }
    }

    fn things(&self) -> std::sync::MutexGuard<'_, HashMap<K, (Arc<T>, Instant)>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing, if it is kept, however long.
    pub(crate) fn get(&self, id: &K) -> Option<Arc<T>> {
        self.things().get(id).map(|(thing, _)| Arc::clone(thing))
    }

    /// The thing, if it was read within the last second.
    pub(crate) fn get_fresh(&self, id: &K) -> Option<Arc<T>> {
        self.things().get(id).filter(|(_, read_at)| read_at.elapsed() < FRESH).map(|(thing, _)| Arc::clone(thing))
    }

    /// Keeps a thing that was read.
    pub(crate) fn keep(&self, id: &K, thing: Arc<T>) -> Arc<T> {
        let mut things = self.things();
        if things.len() >= self.max && !things.contains_key(id) {
            let any = things.keys().next().cloned();
            any.and_then(|any| things.remove(&any));
        }
        things.insert(id.clone(), (Arc::clone(&thing), Instant::now()));
        thing
    }

    /// Forgets a thing that was changed.
    pub(crate) fn forget(&self, id: &K) {
        self.things().remove(id);
    }
}
