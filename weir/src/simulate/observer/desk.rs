//! Invariants 5, 6 and 7, where somebody is let in.

use booking_core::{
    desk::{Admit, AdmitRequest, Ended},
    id::{SessionId, UserId},
    line::state::CLOCK_TOLERANCE_MS,
    time::Timestamp,
};

use super::{Admission, Books};
use crate::simulate::fate::LONGEST_WAIT_MS;

impl Books {
    pub(super) fn gave_up(&mut self, user: &UserId) {
        let Some(place) = self.places.get(user).copied() else { return };
        let mut over = false;
        for admission in self.admissions.values_mut().filter(|admission| admission.place == place) {
            over = over || admission.is_ended;
            admission.is_ended = true;
        }
        if !over {
            self.over.entry(place).or_insert(Ended::GivenUp);
        }
    }

    pub(super) fn finished(&mut self, session: &SessionId, why: Ended) {
        if let Some(admission) = self.admissions.get_mut(session) {
            if !admission.is_ended {
                self.over.entry(admission.place).or_insert(why);
            }
            admission.is_ended = true;
        }
    }

    /// `now` is what the gateway's clock showed when it asked.
    pub(super) fn admitted(&mut self, request: &AdmitRequest, answer: &Admit, now: Timestamp) {
        let Admit::Admitted { session, expires_at } = answer else { return };
        if *session != request.session || self.admissions.contains_key(session) {
            return;
        }
        self.counted.admissions += 1;
        self.check_turn(request, now);
        let admission = Admission {
            user: request.user.clone(),
            place: request.place,
            at: self.desk_time,
            until: *expires_at,
            rate_per_minute: request.rate_per_minute,
            is_ended: false,
        };
        self.admissions.insert(session.clone(), admission);
        self.check_identity(&request.user, request);
        self.check_rate(request);
        self.check_cap();
    }

    /// Invariant 5: only who has been called, and only in one of their two turns: whoever had both is behind everybody.
    fn check_turn(&mut self, request: &AdmitRequest, now: Timestamp) {
        let (rank, served) = (request.rank, self.line.served);
        if self.line.rank(request.place) != Some(rank) || rank >= served {
            return self.break_rule(5, format!("{} was admitted with rank {rank} of {served} called", request.user));
        }
        let (turn, slack) = (self.line.turn_ms(), CLOCK_TOLERANCE_MS + LONGEST_WAIT_MS);
        let since = self.line.called_for_ms(rank, now).unwrap_or(i64::MAX);
        let in_a_turn = since < turn + slack || (2 * turn - slack..3 * turn + slack).contains(&since);
        if !in_a_turn {
            let what = format!("{} was admitted {since} ms after the call, with turns of {turn} ms", request.user);
            self.break_rule(5, what);
        }
    }

    /// Invariant 7: one live admission an identity, one admission a place.
    fn check_identity(&mut self, user: &UserId, request: &AdmitRequest) {
        let alive = |admission: &&Admission| !admission.is_ended && admission.until > self.desk_time;
        let live = self.admissions.values().filter(alive).filter(|admission| admission.user == *user).count();
        let of_place = self.admissions.values().filter(|admission| admission.place == request.place).count();
        if live > 1 || of_place > 1 || self.places.get(user) != Some(&request.place) {
            let what =
                format!("{user} has {live} live admissions, {of_place} of them by the place {:?}", request.place);
            self.break_rule(7, what);
        }
    }

    /// Invariant 6, the rate: by the desk's time, which no clock sets back.
    fn check_rate(&mut self, request: &AdmitRequest) {
        if !self.line.settings_known(self.now).any(|(rate, _)| rate == request.rate_per_minute) {
            let what = format!("somebody was admitted by a rate of {} that is not in force", request.rate_per_minute);
            return self.break_rule(6, what);
        }
        let since = self.desk_time.plus_millis(-60_000);
        let minute = || self.admissions.values().filter(move |admission| admission.at >= since);
        let highest = minute().map(|admission| admission.rate_per_minute).max().unwrap_or(0);
        let (admitted, most) = (minute().count(), highest + highest.div_ceil(60));
        if admitted > most as usize {
            return self.break_rule(6, format!("{admitted} admissions within 60 s at a rate of {highest} a minute"));
        }
        self.check_pace(request.rate_per_minute);
    }

    /// Invariant 6, more exactly, as long as the rate stays: no window of any length that ends now holds more than the
    /// rate gives in it, and one second's worth (one, where the rate is below one a second).
    fn check_pace(&mut self, rate: u32) {
        let mut latest: Vec<_> =
            self.admissions.values().map(|admission| (admission.at, admission.rate_per_minute)).collect();
        latest.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
        let burst_ms = if rate < 60 { 0 } else { 1_000 };
        for (count, (at, _)) in (1_i64..).zip(latest.iter().take_while(|(_, then)| *then == rate)) {
            let length_ms = self.desk_time.millis_since(*at);
            if length_ms > 60_000 {
                break;
            }
            let most = (length_ms + burst_ms) * i64::from(rate) / 60_000 + 1;
            if count > most.min(i64::from(rate + rate / 60)) {
                let what = format!("{count} admissions within {length_ms} ms at a rate of {rate} a minute");
                return self.break_rule(6, what);
            }
        }
    }

    /// Invariant 6, the cap.
    fn check_cap(&mut self) {
        let alive = |admission: &&Admission| !admission.is_ended && admission.until > self.desk_time;
        let alive = self.admissions.values().filter(alive).count();
        let cap = self.line.settings_known(self.now).map(|(_, cap)| cap).max().unwrap_or(0);
        if alive > cap as usize {
            self.break_rule(6, format!("{alive} sessions are alive, the cap is {cap}"));
        }
    }
}
