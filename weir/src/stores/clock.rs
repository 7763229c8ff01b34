//! The time that the processes of a cluster go by: the database's, whatever each machine's own clock says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use backends::postgres::PostgresDatabase;
use booking_core::{
    ports::{PortResult, clock::Clock},
    time::Timestamp,
};
use tokio::task::JoinHandle;

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(5);
/// How often in a row: of the answers the quickest says most.
const LOOKS: u32 = 3;
/// From how far off on an operator is told, in milliseconds: what the rules allow gateways to differ by.
pub(super) const TELL_FROM_MS: i64 = 2_000;

/// The time of a database, carried on by this machine's steady clock between two looks at it.
#[derive(Debug)]
pub(crate) struct DatabaseClock {
    since: Instant,
    /// The database's time at `since`, in milliseconds from the epoch.
    base_ms: AtomicI64,
}

/// What looking at the database's time came to.
#[derive(Debug, Clone, Copy)]
struct Look {
    base_ms: i64,
    /// By how much that may be wrong, either way.
    doubt_ms: i64,
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.base_ms.load(Ordering::Relaxed) + millis(self.since.elapsed()))
    }
}

impl DatabaseClock {
    /// The time of `database`. `own`: this machine's clock, which an operator is told of if it is off.
    ///
    /// # Errors
    /// `Unavailable`: the database does not say.
    pub(crate) async fn of(database: &PostgresDatabase, own: &dyn Clock) -> PortResult<Arc<Self>> {
        let clock = Self { since: Instant::now(), base_ms: AtomicI64::new(0) };
        let look = clock.look(database).await?;
        clock.base_ms.store(look.base_ms, Ordering::Relaxed);
        let ahead_ms = clock.ahead_ms(own);
        if ahead_ms.abs() >= TELL_FROM_MS {
            tracing::warn!(ahead_ms, "this machine's clock is off; the database's time counts. Set it, best by NTP");
        }
        Ok(Arc::new(clock))
    }

    /// How far `own` is ahead of the database, in milliseconds.
    pub(crate) fn ahead_ms(&self, own: &dyn Clock) -> i64 {
        own.now().millis_since(self.now())
    }

    /// Looks at the database's time again and again. Where it is away, the time goes on without it.
    pub(crate) fn follow(self: &Arc<Self>, database: PostgresDatabase) -> JoinHandle<()> {
        let clock = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                match clock.look(&database).await {
                    Ok(look) => clock.correct(look),
                    Err(error) => tracing::debug!(%error, "the time goes on without the database"),
                }
            }
        })
    }

    async fn look(&self, database: &PostgresDatabase) -> PortResult<Look> {
        let mut best: Option<Look> = None;
        for _ in 0..LOOKS {
            let asked = self.since.elapsed();
            let said = database.time().await?;
            let took = self.since.elapsed().saturating_sub(asked);
            // It was read somewhere between the two.
            let base_ms = said.as_millis() - millis(asked + took / 2);
            let look = Look { base_ms, doubt_ms: millis(took / 2) + 1 };
            if best.is_none_or(|best| look.doubt_ms < best.doubt_ms) {
                best = Some(look);
            }
        }
        Ok(best.expect("it was looked at"))
    }

    /// Goes by `look` where what it goes by so far can't be right: a time that is steady is worth more than one that
    /// wavers with every answer's delay.
    fn correct(&self, look: Look) {
        let off_by = look.base_ms - self.base_ms.load(Ordering::Relaxed);
        if off_by.abs() <= look.doubt_ms {
            return;
        }
        if off_by.abs() >= TELL_FROM_MS {
            tracing::warn!(off_by_ms = off_by, "the database's time jumped; was another one promoted?");
        }
        self.base_ms.store(look.base_ms, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> DatabaseClock {
        DatabaseClock { since: Instant::now(), base_ms: AtomicI64::new(1_000_000) }
    }

    #[test]
    fn a_look_that_says_nothing_new_leaves_the_time_as_it_is() {
        let clock = clock();
        clock.correct(Look { base_ms: 1_000_040, doubt_ms: 40 });
        assert_eq!(clock.base_ms.load(Ordering::Relaxed), 1_000_000);
        clock.correct(Look { base_ms: 1_000_041, doubt_ms: 40 });
        assert_eq!(clock.base_ms.load(Ordering::Relaxed), 1_000_041);
        clock.correct(Look { base_ms: 400_000, doubt_ms: 40 });
        assert_eq!(clock.base_ms.load(Ordering::Relaxed), 400_000);
    }

    #[test]
    fn a_clock_that_is_off_is_seen() {
        struct Off(Timestamp);
        impl Clock for Off {
            fn now(&self) -> Timestamp {
                self.0
            }
        }
        let clock = clock();
        let ahead_ms = clock.ahead_ms(&Off(clock.now().plus_millis(600_000)));
        assert!((599_000..=600_000).contains(&ahead_ms), "{ahead_ms}");
    }
}
