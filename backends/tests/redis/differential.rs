//! The scripts decide as the rules of booking-core do: the same acts in the same order get the same answers.

use backends::redis::{RedisDesk, RedisHolds};
use booking_core::{
    desk::{AdmitRequest, DeskState, Ended},
    holds::{Grant, HoldTable, SeatClaim, Settle, Want},
    id::{BookingId, EventId, SessionId, UserId},
    line::Place,
    ports::{desk::Desk as _, holds::Holds as _},
    seats::SeatIndex,
    time::Timestamp,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{connect, settings};

const SEEDS: std::ops::Range<u64> = 0..6;
const STEPS: usize = 400;

fn event() -> EventId {
    "evt_diff".parse().unwrap()
}

fn user(number: u32) -> UserId {
    format!("user_{number}").parse().unwrap()
}

fn session(number: usize) -> SessionId {
    format!("session_{number}").parse().unwrap()
}

fn booking(number: u32) -> BookingId {
    format!("booking_{number}").parse().unwrap()
}

fn any<T: Copy>(dice: &mut StdRng, of: &[T]) -> T {
    of[dice.random_range(0..of.len())]
}

fn any_rate(dice: &mut StdRng) -> u32 {
    match dice.random_range(0..5) {
        0 => dice.random_range(0..=2),
        1 => dice.random_range(3..=120),
        2 => dice.random_range(121..=6_000),
        3 => dice.random_range(6_001..=600_000),
        _ => any(dice, &[u32::MAX, 59, 60, 61]),
    }
}

fn any_rank(dice: &mut StdRng) -> u64 {
    match dice.random_range(0..20) {
        0 => any(dice, &[1 << 28, (1 << 28) + 1, u64::MAX]),
        _ => dice.random_range(0..2_000),
    }
}

#[tokio::test]
async fn the_desk_decides_as_its_rule() {
    for seed in SEEDS {
        let mut dice = StdRng::seed_from_u64(seed);
        let (desk, mut rule) = (RedisDesk::new(connect(&settings()).await), DeskState::default());
        let mut now_ms = 1_777_629_600_000_i64;
        for step in 0..STEPS {
            now_ms += match dice.random_range(0..10) {
                0 => dice.random_range(-20_000..20_000),
                1 => dice.random_range(0..90_000),
                2..=5 => dice.random_range(0..2_000),
                _ => 0,
            };
            let (now, who) = (Timestamp::from_millis(now_ms), user(dice.random_range(0..30)));
            let told = format!("seed {seed}, step {step}");
            match dice.random_range(0..20) {
                0..5 => {
                    let own = rule.place_of(&who).map(|standing| standing.place);
                    let place = Place { lane: dice.random_range(0..2), offset: (step as u64) << 40 };
                    let instead_of = any(&mut dice, &[None, own, own, Some(place)]);
                    let asked = any(&mut dice, &[place, place, own.unwrap_or(place)]);
                    let stands = desk.claim_place(&event(), &who, asked, instead_of).await.unwrap();
                    assert_eq!(stands, rule.claim_place(&who, asked, instead_of).0, "{told}");
                }
                5..15 => {
                    let own = rule.place_of(&who).map_or(Place { lane: 0, offset: 0 }, |standing| standing.place);
                    let request = AdmitRequest {
                        user: who,
                        place: any(&mut dice, &[own, own, own, own, Place { lane: 1, offset: 5 }]),
                        rank: any_rank(&mut dice),
                        session: session(step),
                        rate_per_minute: any_rate(&mut dice),
                        max_active: any(&mut dice, &[0, 1, 3, 10, 10, 100, u32::MAX]),
                        session_seconds: any(&mut dice, &[0, 1, 30, 90, 600]),
                    };
                    let answer = desk.admit(&event(), &request, now).await.unwrap();
                    assert_eq!(answer, rule.admit(&request, now).0, "{told}: {request:?}");
                }
                15..17 => {
                    let session = session(dice.random_range(0..=step));
                    let why = any(&mut dice, &[Ended::Booked, Ended::GivenUp, Ended::Revoked]);
                    desk.finish(&event(), &session, why, now).await.unwrap();
                    rule.finish(&session, why, now);
                }
                17 => {
                    desk.give_up(&event(), &who, now).await.unwrap();
                    rule.give_up(&who, now);
                }
                _ => {
                    let from_rank = any_rank(&mut dice);
                    let counts = desk.counts(&event(), from_rank, now).await.unwrap();
                    assert_eq!(counts, rule.counts(from_rank, now), "{told}");
                    let (after, max) = (dice.random_range(0..50), dice.random_range(0..20));
                    let changes = desk.changes(&event(), after, max).await.unwrap();
                    assert_eq!(changes, rule.changes(after, max), "{told}: {max} after {after}");
                }
            }
        }
        for number in 0..30 {
            let standing = desk.place_of(&event(), &user(number)).await.unwrap();
            assert_eq!(standing, rule.place_of(&user(number)), "seed {seed}");
        }
        let changes = desk.changes(&event(), 0, usize::MAX).await.unwrap();
        assert_eq!(changes, rule.changes(0, usize::MAX), "seed {seed}");
        assert!(changes.len() > 20, "seed {seed} did too little: {}", changes.len());
        assert_eq!(desk.changes(&event(), u64::MAX, 5).await.unwrap(), []);
    }
}

fn any_seats(dice: &mut StdRng) -> Vec<SeatIndex> {
    let mut seats: Vec<u32> = (0..dice.random_range(1..4)).map(|_| dice.random_range(0..30)).collect();
    if dice.random_range(0..30) == 0 {
        seats.push(any(dice, &[199_999, 1_000_000, u32::MAX]));
    }
    seats.sort_unstable();
    seats.dedup();
    if dice.random() {
        seats.reverse();
    }
    seats.into_iter().map(SeatIndex).collect()
}

#[tokio::test]
async fn the_hold_table_decides_as_its_rule() {
    for seed in SEEDS {
        let mut dice = StdRng::seed_from_u64(seed);
        let (holds, mut rule) = (RedisHolds::new(connect(&settings()).await), HoldTable::default());
        let mut now_ms = 1_777_629_600_000_i64;
        for step in 0..STEPS {
            now_ms += dice.random_range(-500..2_000);
            let (now, told) = (Timestamp::from_millis(now_ms), format!("seed {seed}, step {step}"));
            match dice.random_range(0..20) {
                0..14 => {
                    let wants: Vec<_> = (0..dice.random_range(1..6))
                        .map(|_| Want {
                            booking: booking(dice.random_range(0..40)),
                            seats: any_seats(&mut dice),
                            until: now.plus_millis(dice.random_range(1..6_000)),
                        })
                        .collect();
                    let expected: Vec<Grant> = wants.iter().map(|want| rule.hold(want, now)).collect();
                    assert_eq!(holds.hold(&event(), &wants, now).await.unwrap(), expected, "{told}: {wants:?}");
                }
                14..19 => {
                    let settles: Vec<_> = (0..dice.random_range(0..4))
                        .map(|_| {
                            let booking = booking(dice.random_range(0..40));
                            match dice.random_range(0..4) {
                                0 => Settle::Booked(booking),
                                1 => Settle::Kept(booking, any_seats(&mut dice)),
                                2 => Settle::Extended(booking, now.plus_millis(dice.random_range(-500..6_000))),
                                _ => Settle::Freed(booking),
                            }
                        })
                        .collect();
                    holds.settle(&event(), &settles).await.unwrap();
                    for settle in &settles {
                        rule.settle(settle);
                    }
                }
                _ => {
                    let claims: Vec<_> = (0..dice.random_range(0..8))
                        .map(|number| SeatClaim {
                            booking: booking(number),
                            seats: any_seats(&mut dice),
                            until: dice.random::<bool>().then(|| now.plus_millis(dice.random_range(-100..5_000))),
                        })
                        .collect();
                    holds.rebuild(&event(), &claims).await.unwrap();
                    rule.rebuild(&claims);
                }
            }
            assert_eq!(holds.is_ready(&event()).await.unwrap(), rule.is_ready(), "{told}");
            if rule.is_ready() {
                assert_eq!(holds.taken(&event(), now).await.unwrap(), rule.taken(now), "{told}");
            }
        }
    }
}

/// A rebuild of many steps, and one claim of more seats than one call of Redis takes at once.
#[tokio::test]
async fn a_large_hall_is_rebuilt_whole() {
    let (holds, mut rule) = (RedisHolds::new(connect(&settings()).await), HoldTable::default());
    let now = Timestamp::from_millis(1_777_629_600_000);
    let mut claims: Vec<_> = (0..6_000)
        .map(|number| SeatClaim {
            booking: booking(number),
            seats: (0..4).map(|seat| SeatIndex(number * 5 + seat)).collect(),
            until: (number % 2 == 0).then(|| now.plus_millis(60_000)),
        })
        .collect();
    let seats = (50_000..60_000).map(SeatIndex).collect();
    claims.push(SeatClaim { booking: booking(9_999), seats, until: None });
    holds.rebuild(&event(), &claims).await.unwrap();
    rule.rebuild(&claims);
    assert_eq!(holds.taken(&event(), now).await.unwrap(), rule.taken(now));
    let wants: Vec<_> = (0..1_500)
        .map(|number| Want {
            booking: booking(20_000 + number),
            seats: vec![SeatIndex(number * 5 + 4), SeatIndex(number * 5 + 5 - number % 2)],
            until: now.plus_millis(60_000),
        })
        .collect();
    let expected: Vec<_> = wants.iter().map(|want| rule.hold(want, now)).collect();
    assert_eq!(holds.hold(&event(), &wants, now).await.unwrap(), expected);
    holds.settle(&event(), &[Settle::Freed(booking(9_999))]).await.unwrap();
    rule.settle(&Settle::Freed(booking(9_999)));
    assert_eq!(holds.taken(&event(), now).await.unwrap(), rule.taken(now));
}
