//! The desk's promises under whatever order of acts, rates, caps and clocks.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::{Admit, AdmitRequest, DeskFact, DeskState, Ended, rate::Rate};
use crate::{
    id::{SessionId, UserId},
    line::Place,
    time::Timestamp,
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

fn user(number: u32) -> UserId {
    format!("user_{number}").parse().unwrap()
}

fn session(number: usize) -> SessionId {
    format!("session_{number}").parse().unwrap()
}

fn any_rate() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..=120, 1_u32..=6_000, 1_u32..=600_000]
}

#[derive(Debug, Clone)]
enum Act {
    Claim { user: u32, instead_of_own: bool },
    Admit { user: u32, rate: u32, cap: u32, seconds: u32 },
    Finish { session: usize, why: Ended },
    GiveUp { user: u32 },
    Count,
}

fn any_act() -> impl Strategy<Value = Act> {
    let why = prop_oneof![Just(Ended::Booked), Just(Ended::Revoked), Just(Ended::GivenUp)];
    let users = 0_u32..12;
    prop_oneof![
        3 => (users.clone(), any::<bool>()).prop_map(|(user, instead_of_own)| Act::Claim { user, instead_of_own }),
        6 => (users.clone(), any_rate(), 1_u32..5, 1_u32..90)
            .prop_map(|(user, rate, cap, seconds)| Act::Admit { user, rate, cap, seconds }),
        1 => (0_usize..60, why).prop_map(|(session, why)| Act::Finish { session, why }),
        1 => users.prop_map(|user| Act::GiveUp { user }),
        1 => Just(Act::Count),
    ]
}

/// A sale in small: the desk, the clock as it jumps, and what was answered and written down.
#[derive(Default)]
struct Sale {
    desk: DeskState,
    facts: Vec<DeskFact>,
    latest_ms: i64,
    next_offset: u64,
    /// Who was admitted where: session, and until when it lives.
    admitted: HashMap<Place, (u32, SessionId, Timestamp)>,
    ended: Vec<SessionId>,
}

impl Sale {
    fn act(&mut self, number: usize, act: &Act, now_ms: i64) {
        self.latest_ms = self.latest_ms.max(now_ms);
        let (now, latest) = (at(now_ms), at(self.latest_ms));
        let fact = match *act {
            Act::Claim { user: who, instead_of_own } => {
                let own = self.desk.place_of(&user(who)).map(|standing| standing.place);
                let place = Place { lane: 0, offset: self.next_offset };
                self.next_offset += 1;
                let (stands, fact) = self.desk.claim_place(&user(who), place, own.filter(|_| instead_of_own));
                assert_one_place(own, place, stands, instead_of_own);
                fact
            }
            Act::Admit { user: who, rate, cap, seconds } => self.admit(number, who, (rate, cap, seconds), now, latest),
            Act::Finish { session: which, why } => {
                let known = self.admitted.values().any(|(_, admitted, _)| *admitted == session(which));
                self.ended.extend(known.then(|| session(which)));
                self.desk.finish(&session(which), why, now)
            }
            Act::GiveUp { user: who } => {
                let place = self.desk.place_of(&user(who)).map(|standing| standing.place);
                let admitted = place.and_then(|place| self.admitted.get(&place));
                self.ended.extend(admitted.map(|(_, session, _)| session.clone()));
                self.desk.give_up(&user(who), now)
            }
            Act::Count => {
                self.desk.counts(0, now);
                None
            }
        };
        self.facts.extend(fact);
        let alive =
            |(_, session, until): &&(u32, SessionId, Timestamp)| *until > latest && !self.ended.contains(session);
        let mut live_of = BTreeMap::<u32, u32>::new();
        for (who, ..) in self.admitted.values().filter(alive) {
            *live_of.entry(*who).or_default() += 1;
        }
        assert!(live_of.values().all(|live| *live == 1), "invariant 7: {live_of:?}");
        let counts = self.desk.counts(0, now);
        assert_eq!(counts.active, live_of.len() as u64);
        assert_eq!(counts.admitted, self.admitted.len() as u64);
    }

    fn admit(
        &mut self,
        number: usize,
        who: u32,
        (rate, cap, seconds): (u32, u32, u32),
        now: Timestamp,
        latest: Timestamp,
    ) -> Option<DeskFact> {
        let place = self.desk.place_of(&user(who))?.place;
        let request = AdmitRequest {
            user: user(who),
            place,
            rank: place.offset,
            session: session(number),
            rate_per_minute: rate,
            max_active: cap,
            session_seconds: seconds,
        };
        let (answer, fact) = self.desk.admit(&request, now);
        match (answer, self.admitted.get(&place).cloned()) {
            (Admit::Admitted { session, expires_at }, Some((_, first, until))) => {
                assert_eq!((session, expires_at), (first, until), "invariant 7: the same admission");
                assert!(until > latest);
            }
            (Admit::Admitted { session, expires_at }, None) => {
                assert_eq!(expires_at, latest.plus_seconds(seconds), "as long as promised");
                self.admitted.insert(place, (who, session, expires_at));
                assert!(self.desk.counts(0, now).active <= u64::from(cap), "invariant 6");
            }
            (Admit::Full { retry_after_ms }, before) => assert!(retry_after_ms >= 1 && before.is_none()),
            (Admit::Over(_), _) => {}
            (Admit::NotTheirPlace, _) => panic!("it is their place"),
        }
        fact
    }
}

fn assert_one_place(own: Option<Place>, asked: Place, stands: Place, instead_of_own: bool) {
    match own {
        None => assert_eq!(stands, asked),
        Some(own) => assert!(stands == own || instead_of_own && stands == asked, "invariant 7"),
    }
}

proptest! {
    #[test]
    fn no_minute_holds_more_than_the_rate_and_one_seconds_worth(
        per_minute in any_rate(),
        comes in prop::collection::vec((0_i64..20_000, 1_usize..400), 1..60),
    ) {
        let (mut rate, mut moments, mut now) = (Rate::default(), Vec::new(), 0);
        for (gap, crowd) in comes {
            now += gap;
            for _ in 0..crowd {
                if rate.wait_ms(per_minute, at(now)) > 0 {
                    break;
                }
                rate.spend(per_minute, at(now));
                moments.push(now);
            }
        }
        let most = per_minute as usize + per_minute as usize / 60;
        let mut first = 0;
        for (last, moment) in moments.iter().enumerate() {
            while moments[first] < moment - 60_000 {
                first += 1;
            }
            prop_assert!(last - first < most, "invariant 6: {} in the minute to {moment}", last - first + 1);
        }
    }

    #[test]
    fn no_minute_holds_more_than_the_highest_rate_it_saw(
        comes in prop::collection::vec((any_rate(), 0_i64..20_000, 1_usize..200), 1..60),
    ) {
        let (mut rate, mut moments, mut now) = (Rate::default(), Vec::new(), 0);
        for (per_minute, gap, crowd) in comes {
            now += gap;
            for _ in 0..crowd {
                if rate.wait_ms(per_minute, at(now)) > 0 {
                    break;
                }
                rate.spend(per_minute, at(now));
                moments.push((now, per_minute));
            }
        }
        let mut first = 0;
        for (last, (moment, _)) in moments.iter().enumerate() {
            while moments[first].0 < moment - 60_000 {
                first += 1;
            }
            let highest = moments[first..=last].iter().map(|(_, rate)| *rate).max().unwrap_or_default() as usize;
            prop_assert!(last - first < highest + highest.div_ceil(60), "invariant 6 in the minute to {moment}");
        }
    }

    #[test]
    fn whatever_happens_the_desk_keeps_its_promises_and_its_facts_tell_it_again(
        acts in prop::collection::vec((any_act(), -30_000_i64..30_000), 1..120),
    ) {
        let mut sale = Sale::default();
        sale.desk.counts(0, at(0));
        let mut now_ms = 0;
        for (number, (act, step)) in acts.iter().enumerate() {
            now_ms += step;
            sale.act(number, act, now_ms);
        }
        let mut told = DeskState::default();
        for fact in &sale.facts {
            let text = serde_json::to_string(fact).unwrap();
            told.replay(&serde_json::from_str(&text).unwrap());
        }
        // Moments at which nothing was decided are not written down.
        told.counts(0, at(sale.latest_ms));
        sale.desk.counts(0, at(sale.latest_ms));
        prop_assert_eq!(told, sale.desk);
    }

    #[test]
    fn the_line_and_the_pinned_facts_tell_every_place(
        claims in prop::collection::vec((0_u32..6, any::<bool>()), 1..40).prop_shuffle(),
        order in any::<prop::sample::Index>(),
    ) {
        // Joins stand in the log by their number; their claims reach the desk in another order.
        let mut reached: Vec<_> = (0_u64..).zip(&claims).collect();
        let turn = order.index(reached.len());
        reached.rotate_left(turn);
        reached.reverse();
        let (mut desk, mut pinned) = (DeskState::default(), Vec::new());
        for (offset, (who, instead_of_own)) in reached {
            let own = desk.place_of(&user(*who)).map(|standing| standing.place).filter(|_| *instead_of_own);
            let (_, fact) = desk.claim_place(&user(*who), Place { lane: 0, offset }, own);
            pinned.extend(fact.filter(|fact| matches!(fact, DeskFact::Placed { pinned: true, .. })));
        }
        let mut told = DeskState::default();
        for (offset, (who, _)) in (0_u64..).zip(&claims) {
            told.restore_place(&user(*who), Place { lane: 0, offset });
        }
        for fact in &pinned {
            told.replay(fact);
        }
        prop_assert_eq!(told, desk);
    }
}
