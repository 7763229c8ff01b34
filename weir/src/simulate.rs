//! `weir simulate`: whole sales in one thread, from seeds, with crashes at any call, doubled and delayed messages,
//! clocks that jump and two workers at once; and after every step the ten invariants of the design.
//!
//! The parts are the real ones: core, keeper, pool, finaliser, expiry, relay, the stores in memory; the gateway is one
//! in small ([`gateway`]). A seed replays exactly.

use std::{
    fmt, io,
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{cli::SimulateArgs, failure::Failure, output::say};

mod clockwork;
mod dice;
mod fate;
mod gateway;
mod observer;
mod operator;
mod ports;
mod sale;
mod visitor;
mod workers;
mod world;

use world::Report;

/// Sums over many seeds.
#[derive(Debug, Default)]
struct Sums {
    seeds: u64,
    failed: u64,
    steps: u64,
    crashes: u64,
    joins: u64,
    admissions: u64,
    holds: u64,
    extensions: u64,
    confirmations: u64,
    cancellations: u64,
}

impl Sums {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.steps += report.steps;
        self.crashes += report.crashes;
        self.joins += report.counted.joins;
        self.admissions += report.counted.admissions;
        self.holds += report.counted.holds;
        self.extensions += report.counted.extensions;
        self.confirmations += report.counted.confirmations;
        self.cancellations += report.counted.cancellations;
        self.failed += u64::from(report.broken.is_some());
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, failed, steps, crashes, joins, admissions, holds, extensions, confirmations, cancellations } =
            self;
        write!(
            f,
            "{seeds} seeds, {failed} failed: {steps} steps, {crashes} crashes, {joins} joins, {admissions} admissions, \
             {holds} holds, {extensions} extensions, {confirmations} confirmations, {cancellations} cancellations"
        )
    }
}

/// Runs the seeds asked for, on all cores.
///
/// # Errors
/// [`Failure::Check`] if an invariant did not hold; what and where is printed.
pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let (first, count) = match args.seed {
        Some(seed) => (seed, 1),
        None => (args.from, args.seeds),
    };
    let next = AtomicU64::new(0);
    let sums = Mutex::new(Sums::default());
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let seed = first.wrapping_add(number);
            let report = world::run(seed);
            if args.verbose {
                say(format_args!("seed {seed}: {report:?}"));
            }
            if let Some(broken) = &report.broken {
                say(format_args!("seed {seed}: {broken}\n  again: weir simulate --seed {seed}"));
            }
            sums.lock().unwrap_or_else(PoisonError::into_inner).add(&report);
        }
    };
    thread::scope(|scope| {
        let helpers = cores.min(usize::try_from(count).unwrap_or(usize::MAX)).saturating_sub(1);
        for number in 0..helpers {
            // The calling thread works as well: fewer helpers are slower, nothing else.
            let started: io::Result<_> =
                thread::Builder::new().name(format!("simulate-{number}")).spawn_scoped(scope, work);
            if started.is_err() {
                break;
            }
        }
        work();
    });
    let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&sums);
    if sums.failed == 0 { Ok(()) } else { Err(Failure::Check) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_exactly() {
        for seed in [3, 4] {
            assert_eq!(world::run(seed), world::run(seed));
        }
    }
}
