//! Random lines: what holds whatever happens.

use proptest::prelude::*;

use super::*;

/// What happens next to a random line.
#[derive(Debug, Clone)]
enum Happening {
    Join(u8),
    Batch,
    Call(u8),
    Later(u32),
    Rate(u32),
    Pause(bool),
    SoldOut(bool),
    TakeOver,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => any::<u8>().prop_map(Happening::Join),
        3 => Just(Happening::Batch),
        4 => any::<u8>().prop_map(Happening::Call),
        3 => (0_u32..200_000).prop_map(Happening::Later),
        1 => (1_u32..600_000).prop_map(Happening::Rate),
        1 => any::<bool>().prop_map(Happening::Pause),
        1 => any::<bool>().prop_map(Happening::SoldOut),
        1 => Just(Happening::TakeOver),
    ]
}

fn happen(line: &mut TestLine, what: &Happening) {
    match what {
        Happening::Join(more) => (0..*more % 20).for_each(|_| _ = line.join()),
        Happening::Batch => line.close_batch(),
        Happening::Call(more) => {
            let more = u64::from(*more % 8).min(line.state.waiting());
            if more > 0 {
                line.call(more);
            }
        }
        Happening::Later(ms) => line.now += i64::from(*ms),
        Happening::Rate(rate_per_minute) => line.say(StateKind::RateSet { rate_per_minute: *rate_per_minute }),
        Happening::Pause(true) => line.say(StateKind::Paused),
        Happening::Pause(false) => line.say(StateKind::Resumed),
        Happening::SoldOut(true) => line.say(StateKind::SoldOut),
        Happening::SoldOut(false) => line.say(StateKind::Reopened),
        Happening::TakeOver => line.say(StateKind::Owned { owner: format!("keeper-{}", line.state.epoch() + 1) }),
    }
}

fn position(state: &LineState, rank: u64) -> u64 {
    (rank + 1).saturating_sub(state.served()).max(1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_position_never_rises_and_nobody_is_called_before_a_lower_rank(
        lanes in 1_u16..5,
        lobby in 0_u64..40,
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut line = TestLine::drawn(lanes, lobby);
        let mut positions: Vec<u64> = Vec::new();
        for what in &happenings {
            happen(&mut line, what);
            let state = &line.state;
            let now = at(line.now);
            // Invariant 4.
            for (rank, before) in (0..).zip(&positions) {
                prop_assert!(position(state, rank) <= *before, "rank {rank} fell back");
            }
            positions = (0..state.drawn()).map(|rank| position(state, rank)).collect();
            // Invariant 5: the called ranks are the lowest, and an earlier rank's turn is never behind a later one's.
            let stage = |rank| match state.turn(rank, now) {
                Turn::Over => 0,
                Turn::Open { last: true, .. } => 1,
                Turn::Between { .. } => 2,
                Turn::Open { last: false, .. } => 3,
                Turn::NotYet => 4,
            };
            let stages: Vec<u8> = (0..state.drawn()).map(stage).collect();
            prop_assert!(stages.is_sorted(), "{stages:?}");
        }
    }

    #[test]
    fn every_place_of_a_batch_gets_a_rank_of_its_own(
        lanes in 1_u16..6,
        lobby in 0_u64..60,
        later in prop::collection::vec(0_u64..30, 0..5),
    ) {
        let mut line = TestLine::drawn(lanes, lobby);
        for joins in later {
            (0..joins).for_each(|_| _ = line.join());
            line.close_batch();
        }
        let mut ranks: Vec<u64> = line.places().map(|place| line.state.ranked(place).unwrap().rank).collect();
        ranks.sort_unstable();
        prop_assert_eq!(ranks, (0..line.state.drawn()).collect::<Vec<_>>());
    }

    #[test]
    fn duplicated_early_and_forged_deliveries_end_in_the_same_state(
        happenings in prop::collection::vec(happening(), 1..40),
        strays in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
    ) {
        let mut line = TestLine::drawn(2, 10);
        for what in &happenings {
            happen(&mut line, what);
        }
        // Before each record, some others of the same log, late or early, and some of an epoch that is over.
        let mut delivered = LineState::new(event());
        for (at_record, text) in line.texts.iter().enumerate() {
            for (_, stray) in strays.iter().filter(|(before, _)| before.index(line.texts.len()) == at_record) {
                let stray = stray.get(&line.texts);
                if stray != text {
                    prop_assert!(!delivered.apply(stray).is_accepted());
                }
                if delivered.epoch() > 1 {
                    let old = StateRecord { epoch: delivered.epoch() - 1, ..delivered.next(StateKind::Paused, at(line.now)) };
                    prop_assert!(!delivered.apply(&old.text()).is_accepted());
                }
            }
            prop_assert!(delivered.apply(text).is_accepted());
            prop_assert!(!delivered.apply(text).is_accepted());
        }
        prop_assert_eq!(shown(&delivered), shown(&line.state));
    }
}
