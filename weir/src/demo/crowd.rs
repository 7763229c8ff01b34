//! The crowd: every visitor's next step in one agenda, a few hundred of them under way at a time.
//!
//! A visitor is a small struct and not a task, so that 100,000 of them wait in little memory. Those who are inside go
//! first: their seconds count.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    character::Character,
    visitor::{Next, Visitor},
    world::World,
};

/// How many requests are under way at once, each on a connection of its own.
pub(super) const CONNECTIONS: usize = 256;

/// Who does the next step when, the earliest first.
#[derive(Default)]
struct Agenda {
    inside: BinaryHeap<Reverse<Due>>,
    outside: BinaryHeap<Reverse<Due>>,
    finished: Vec<Visitor>,
}

struct Due {
    at: Instant,
    visitor: Box<Visitor>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Agenda {
    /// Whoever is due, those inside first; or how long until somebody is.
    fn pop(&mut self, now: Instant) -> Result<Box<Visitor>, Option<Duration>> {
        for queue in [&mut self.inside, &mut self.outside] {
            if let Some(first) = queue.peek()
                && first.0.at <= now
                && let Some(Reverse(due)) = queue.pop()
            {
                return Ok(due.visitor);
            }
        }
        let next = [&self.inside, &self.outside].into_iter().filter_map(|queue| queue.peek()).map(|due| due.0.at).min();
        Err(next.map(|at| at - now))
    }

    fn put(&mut self, visitor: Box<Visitor>, next: Next, now: Instant) {
        match next {
            Next::Inside(after) => self.inside.push(Reverse(Due { at: now + after, visitor })),
            Next::Outside(after) => self.outside.push(Reverse(Due { at: now + after, visitor })),
            Next::Done => self.finished.push(*visitor),
        }
    }
}

/// Sends the crowd and waits until everybody's visit is over, or `stop`. Answers those whose visit is over.
pub(super) async fn send(world: &Arc<World>, characters: Vec<Character>, stop: &CancellationToken) -> Vec<Visitor> {
    let total = characters.len();
    let agenda = Arc::new(Mutex::new(Agenda::default()));
    let changed = Arc::new(Notify::new());
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let begin = Instant::now();
    {
        let mut agenda = lock(&agenda);
        for (number, character) in (0..).zip(characters) {
            let visitor = Box::new(Visitor::new(number, character));
            agenda.put(visitor, Next::Outside(character.arrives), begin);
        }
    }
    loop {
        let slot = tokio::select! {
            slot = slots.clone().acquire_owned() => slot.expect("the slots are never closed"),
            () = stop.cancelled() => break,
        };
        let Some(mut visitor) = next(&agenda, &changed, total, stop).await else {
            break;
        };
        let (world, agenda, changed) = (world.clone(), agenda.clone(), changed.clone());
        tokio::spawn(async move {
            let next = visitor.step(&world).await;
            lock(&agenda).put(visitor, next, Instant::now());
            drop(slot);
            changed.notify_one();
        });
    }
    std::mem::take(&mut lock(&agenda).finished)
}

/// The visitor who is due next, once they are; `None` when everybody's visit is over, or at `stop`.
async fn next(
    agenda: &Mutex<Agenda>,
    changed: &Notify,
    total: usize,
    stop: &CancellationToken,
) -> Option<Box<Visitor>> {
    loop {
        let wait = {
            let mut agenda = lock(agenda);
            if agenda.finished.len() == total {
                return None;
            }
            match agenda.pop(Instant::now()) {
                Ok(visitor) => return Some(visitor),
                // Nobody waits, but some are under way: they say so when they come back.
                Err(wait) => wait.unwrap_or(Duration::from_secs(60)),
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = changed.notified() => {}
            () = stop.cancelled() => return None,
        }
    }
}

fn lock(agenda: &Mutex<Agenda>) -> std::sync::MutexGuard<'_, Agenda> {
    agenda.lock().expect("nobody panics while holding the agenda")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::character;

    fn visitor(number: u32) -> Box<Visitor> {
        let character = character::crowd(1, 1, Duration::ZERO, Duration::ZERO)[0];
        Box::new(Visitor::new(number, character))
    }

    #[test]
    fn who_is_inside_goes_before_who_waited_longer_outside() {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        agenda.put(visitor(1), Next::Outside(Duration::ZERO), now);
        agenda.put(visitor(2), Next::Inside(Duration::from_millis(10)), now);

        let later = now + Duration::from_millis(20);
        assert_eq!(agenda.pop(later).map(|visitor| visitor.number()).ok(), Some(2));
        assert_eq!(agenda.pop(later).map(|visitor| visitor.number()).ok(), Some(1));
        assert!(matches!(agenda.pop(later), Err(None)));
    }

    #[test]
    fn nobody_goes_before_they_are_due() {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        agenda.put(visitor(1), Next::Outside(Duration::from_millis(50)), now);
        assert!(matches!(agenda.pop(now), Err(Some(wait)) if wait == Duration::from_millis(50)));
    }
}
