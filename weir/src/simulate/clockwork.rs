//! A clock that stands still until everybody waits, and the tasks that wait on it: all in one thread, in an order that
//! the tasks alone decide, so that a seed replays exactly.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use booking_core::time::Timestamp;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The true time of a simulation, which parts may see shifted. Its clones share it.
#[derive(Clone)]
pub(super) struct Clockwork(Arc<Mutex<Timers>>);

struct Timers {
    now: Timestamp,
    set: u64,
    waiting: BTreeMap<(Timestamp, u64), Waker>,
}

impl Clockwork {
    pub(super) fn starting_at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Timers { now, set: 0, waiting: BTreeMap::new() })))
    }

    pub(super) fn now(&self) -> Timestamp {
        locked(&self.0).now
    }

    /// Waits so many milliseconds, at least one.
    pub(super) fn sleep(&self, ms: i64) -> Sleep {
        Sleep { clock: self.clone(), until: self.now().plus_millis(ms.max(1)), is_set: false }
    }

    /// Goes on to the next moment that anybody waits for, and wakes them. False: nobody waits.
    fn advance(&self) -> bool {
        let due = {
            let mut timers = locked(&self.0);
            let Some(((at, _), _)) = timers.waiting.first_key_value() else { return false };
            let now = timers.now.max(*at);
            timers.now = now;
            let later = timers.waiting.split_off(&(now.plus_millis(1), 0));
            std::mem::replace(&mut timers.waiting, later)
        };
        due.into_values().for_each(Waker::wake);
        true
    }
}

/// A wait for a moment.
pub(super) struct Sleep {
    clock: Clockwork,
    until: Timestamp,
    is_set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = locked(&self.clock.0);
        if timers.now >= self.until {
            return Poll::Ready(());
        }
        if !self.is_set {
            timers.set += 1;
            let key = (self.until, timers.set);
            timers.waiting.insert(key, context.waker().clone());
            drop(timers);
            self.is_set = true;
        }
        Poll::Pending
    }
}

/// What a task is woken by.
struct Awake {
    task: usize,
    is_queued: AtomicBool,
    queue: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            locked(&self.queue).push_back(self.task);
        }
    }
}

struct Task {
    work: Pin<Box<dyn Future<Output = ()>>>,
    awake: Arc<Awake>,
}

/// The tasks of one simulation.
pub(super) struct Tasks {
    clock: Clockwork,
    tasks: Vec<Option<Task>>,
    queue: Arc<Mutex<VecDeque<usize>>>,
}

impl Tasks {
    pub(super) fn on(clock: Clockwork) -> Self {
        Self { clock, tasks: Vec::new(), queue: Arc::default() }
    }

    /// Adds a task; it starts when the tasks run.
    pub(super) fn spawn(&mut self, work: impl Future<Output = ()> + 'static) {
        let task = self.tasks.len();
        let awake = Arc::new(Awake { task, is_queued: AtomicBool::new(false), queue: Arc::clone(&self.queue) });
        Arc::clone(&awake).wake();
        self.tasks.push(Some(Task { work: Box::pin(work), awake }));
    }

    /// Runs one task until it waits; where all wait, time goes on first. False: nothing will ever happen again.
    pub(super) fn turn(&mut self) -> bool {
        let next = loop {
            if let Some(next) = locked(&self.queue).pop_front() {
                break next;
            }
            if !self.clock.advance() {
                return false;
            }
        };
        let Some(task) = &mut self.tasks[next] else { return true };
        task.awake.is_queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task.awake));
        if task.work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks[next] = None;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    #[test]
    fn time_goes_on_only_when_everybody_waits_and_wakes_in_order() {
        let clock = Clockwork::starting_at(Timestamp::from_millis(0));
        let mut tasks = Tasks::on(clock.clone());
        let seen = Rc::new(RefCell::new(Vec::new()));
        for (name, waits) in [("a", [30, 30]), ("b", [20, 50])] {
            let (clock, seen) = (clock.clone(), Rc::clone(&seen));
            tasks.spawn(async move {
                for ms in waits {
                    clock.sleep(ms).await;
                    seen.borrow_mut().push((name, clock.now().as_millis()));
                }
            });
        }
        while tasks.turn() {}
        assert_eq!(*seen.borrow(), [("b", 20), ("a", 30), ("a", 60), ("b", 70)]);
    }
}
