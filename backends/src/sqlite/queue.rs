//! What waits to be written; bounded.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use booking_core::ports::PortResult;
use tokio::sync::Notify;

use super::error::unavailable;

/// The most acts of one transaction.
const MAX_GROUP_ACTS: usize = 16_384;
/// From this many bytes on, the next act waits for the next transaction.
const MAX_GROUP_BYTES: usize = 8 << 20;
/// The most bytes that wait.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Something to write.
pub(super) trait Act: Send + 'static {
    /// About how many bytes it takes while it waits.
    fn bytes(&self) -> usize;
}

/// Acts that wait to be written; bounded.
pub(super) struct Queue<A> {
    port: &'static str,
    max_acts: usize,
    waiting: Mutex<Waiting<A>>,
    arrived: Notify,
}

struct Waiting<A> {
    acts: Vec<A>,
    bytes: usize,
    /// Places kept for acts that are still being decided.
    reserved: usize,
    closed: bool,
}

impl<A: Act> Queue<A> {
    /// A queue that at most `max_acts` wait in.
    pub(super) fn new(port: &'static str, max_acts: usize) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { acts: Vec::new(), bytes: 0, reserved: 0, closed: false });
        Arc::new(Self { port, max_acts, waiting, arrived: Notify::new() })
    }

    /// Adds `act`; refused where the queue is full or closed.
    pub(super) fn push(&self, act: A) -> PortResult<()> {
        let bytes = act.bytes();
        let mut waiting = self.lock();
        self.check_room(&waiting, bytes)?;
        self.add(&mut waiting, act, bytes);
        Ok(())
    }

    /// Keeps a place for an act that is still to be decided; refused where the queue is full or closed.
    pub(super) fn reserve(&self) -> PortResult<Reserved<'_, A>> {
        let mut waiting = self.lock();
        self.check_room(&waiting, 0)?;
        waiting.reserved += 1;
        Ok(Reserved(self))
    }

    fn check_room(&self, waiting: &Waiting<A>, bytes: usize) -> PortResult<()> {
        if waiting.closed {
            return Err(unavailable(self.port, "it is closed"));
        }
        if waiting.acts.len() + waiting.reserved >= self.max_acts || waiting.bytes + bytes > MAX_WAITING_BYTES {
            return Err(unavailable(self.port, "too many writes are waiting"));
        }
        Ok(())
    }

    fn add(&self, waiting: &mut Waiting<A>, act: A, bytes: usize) {
        waiting.bytes += bytes;
        waiting.acts.push(act);
        if waiting.acts.len() == 1 {
            self.arrived.notify_one();
        }
    }

    /// Takes no more; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// The next group; `None` when it is closed and empty.
    pub(super) async fn take(&self) -> Option<Vec<A>> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.acts.is_empty() {
                    return Some(waiting.next_group());
                }
                if waiting.closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Closes it and drops what waits, which tells whoever waits for an answer.
    pub(super) fn abandon(&self) {
        self.close();
        let abandoned = mem::take(&mut self.lock().acts);
        drop(abandoned);
    }

    /// The port whose writes these are.
    pub(super) fn port(&self) -> &'static str {
        self.port
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<A>> {
        // Nothing in here panics halfway through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, free again where it is not filled.
pub(super) struct Reserved<'q, A: Act>(&'q Queue<A>);

impl<A: Act> Reserved<'_, A> {
    /// Adds `act`; gives it back where the queue was closed meanwhile.
    pub(super) fn fill(self, act: A) -> Result<(), A> {
        let bytes = act.bytes();
        let mut waiting = self.0.lock();
        if waiting.closed {
            return Err(act);
        }
        self.0.add(&mut waiting, act, bytes);
        Ok(())
    }
}

impl<A: Act> Drop for Reserved<'_, A> {
    fn drop(&mut self) {
        self.0.lock().reserved -= 1;
    }
}

impl<A: Act> Waiting<A> {
    fn next_group(&mut self) -> Vec<A> {
        if self.acts.len() <= MAX_GROUP_ACTS && self.bytes <= MAX_GROUP_BYTES {
            self.bytes = 0;
            // The next group is likely to be as large.
            let room = Vec::with_capacity(self.acts.len());
            return mem::replace(&mut self.acts, room);
        }
        let mut bytes = 0;
        let mut count = 0;
        for act in self.acts.iter().take(MAX_GROUP_ACTS) {
            if count > 0 && bytes + act.bytes() > MAX_GROUP_BYTES {
                break;
            }
            bytes += act.bytes();
            count += 1;
        }
        self.bytes -= bytes;
        let rest = self.acts.split_off(count);
        mem::replace(&mut self.acts, rest)
    }
}
