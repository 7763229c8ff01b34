//! Who comes: what each simulated visitor will do, drawn from the seed before the sale begins.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Of a hundred visitors, so many don't come when they are called.
const NO_SHOWS: u32 = 10;
/// So many give their place up while they wait.
const LEAVERS: u32 = 2;
/// So many hold seats and then go away.
const ABANDONERS: u32 = 6;
/// So many come after the opening.
const LATECOMERS: u32 = 12;
/// Of a hundred buyers, so many want the seats that everybody wants.
const WANT_POPULAR: u32 = 45;
/// Of a hundred payments, so many are declined.
const DECLINED: u32 = 6;
/// How long visitors think before they choose, and before they pay, in milliseconds: scaled from minutes to the demo.
const THINKING_MS: std::ops::Range<u32> = 200..1_500;

/// How a visitor's visit goes, as far as it is up to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    /// Wants seats and pays.
    Buyer,
    /// Closes the page once the draw is held, and is called for nothing.
    NoShow,
    /// Gives the place up while waiting.
    Leaver,
    /// Holds seats and closes the page.
    Abandoner,
}

/// How the first payment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    /// Approved.
    Good,
    /// Declined; then another one is approved.
    DeclinedOnce,
    /// Declined; then the seats are given back.
    Declined,
}

/// One visitor's plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Character {
    /// When they come, after the lobby opens.
    pub(super) arrives: Duration,
    /// What they are like.
    pub(super) temper: Temper,
    /// How many seats they want.
    pub(super) seats: u32,
    /// Whether they want exactly the seats that everybody wants.
    pub(super) wants_popular: bool,
    /// How their payment goes.
    pub(super) card: Card,
    /// How long they think before each step, in milliseconds.
    pub(super) thinking_ms: u32,
    /// What decides between equals: which of several good seats, how exactly their polls are timed.
    pub(super) taste: u32,
}

/// The crowd of `visitors` that `seed` makes. Most come while the lobby is open, the rest within `after` of its end.
pub(super) fn crowd(visitors: u32, seed: u64, lobby: Duration, after: Duration) -> Vec<Character> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    (0..visitors).map(|_| draw(&mut dice, lobby, after)).collect()
}

fn draw(dice: &mut ChaCha8Rng, lobby: Duration, after: Duration) -> Character {
    let arrives = if dice.random_range(0..100) < LATECOMERS {
        lobby + after.mul_f64(dice.random())
    } else {
        // Nobody cuts it so fine that a slow answer decides on which side of the opening they are.
        lobby.mul_f64(0.95 * dice.random::<f64>())
    };
    let temper = match dice.random_range(0..100) {
        n if n < NO_SHOWS => Temper::NoShow,
        n if n < NO_SHOWS + LEAVERS => Temper::Leaver,
        n if n < NO_SHOWS + LEAVERS + ABANDONERS => Temper::Abandoner,
        _ => Temper::Buyer,
    };
    let card = match dice.random_range(0..100) {
        n if n < DECLINED / 2 => Card::Declined,
        n if n < DECLINED => Card::DeclinedOnce,
        _ => Card::Good,
    };
    Character {
        arrives,
        temper,
        seats: [1, 2, 2, 2, 2, 3, 4][dice.random_range(0..7)],
        wants_popular: dice.random_range(0..100) < WANT_POPULAR,
        card,
        thinking_ms: dice.random_range(THINKING_MS),
        taste: dice.random(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_crowd_and_another_seed_another() {
        let of = |seed| {
            let crowd = crowd(200, seed, Duration::from_secs(8), Duration::from_secs(3));
            crowd.iter().map(|one| (one.arrives, one.temper, one.taste)).collect::<Vec<_>>()
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn about_one_in_ten_does_not_come_when_called() {
        let crowd = crowd(10_000, 1, Duration::from_secs(8), Duration::from_secs(3));
        let no_shows = crowd.iter().filter(|one| one.temper == Temper::NoShow).count();
        assert!((900..1_100).contains(&no_shows), "{no_shows}");
    }
}
