//! Closing the library's clients away from the runtime's threads.

use std::{ops::Deref, thread};

/// A client that is closed on a thread of its own: closing waits for the library's threads and, where a broker hangs,
/// for their patience, which would hold up everybody on the runtime's thread.
pub(super) struct Aside<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Aside<T> {
    pub(super) fn new(client: T) -> Self {
        Self(Some(client))
    }
}

impl<T: Send + 'static> Deref for Aside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl<T: Send + 'static> Drop for Aside<T> {
    fn drop(&mut self) {
        let client = self.0.take();
        // Where no thread is to be had, the client is dropped here with the closure.
        let _ = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(client));
    }
}
