//! What never changes, kept in memory once it was read.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Things that never change, kept in memory by id; beyond the limit any one of them is forgotten.
pub(crate) struct Kept<K, T> {
    max: usize,
    things: Mutex<HashMap<K, Arc<T>>>,
}

impl<K: Clone + Eq + Hash, T> Kept<K, T> {
    /// Keeps `max` things at most.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, things: Mutex::default() }
    }

    /// The thing, if it is kept.
    pub(crate) fn get(&self, id: &K) -> Option<Arc<T>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Keeps a thing that was read.
    pub(crate) fn keep(&self, id: &K, thing: Arc<T>) -> Arc<T> {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        if things.len() >= self.max {
            let any = things.keys().next().cloned();
            any.and_then(|any| things.remove(&any));
        }
        things.insert(id.clone(), Arc::clone(&thing));
        thing
    }
}
