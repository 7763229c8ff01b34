//! The place view as JSON, written by hand: this is the answer that goes out by the hundred thousand a second, and
//! `serde_json` would look at every byte of every token for something to escape. A test holds it to what `serde_json`
//! writes.

use booking_core::{
    line::place::{Eta, PlaceState, PlaceView, TurnView},
    line::state::Phase,
    time::Timestamp,
};
use bytes::Bytes;

use crate::limits::push_number;

/// About how long a place view is, in bytes, with room to spare; below the size at which allocating gets slow.
const VIEW_BYTES: usize = 960;

/// `view` as JSON, with `token` for the place token.
///
/// Every text in it is made of letters, digits, `-`, `_` and `:` alone, by the types that hold it (an id, a base64url
/// token, hex, a time), so that nothing needs escaping.
pub(crate) fn json(view: &PlaceView, token: &str) -> Bytes {
    let mut out = Text(Vec::with_capacity(VIEW_BYTES));
    out.raw("{\"eventId\":\"");
    out.raw(view.event_id.as_str());
    out.raw("\",\"placeToken\":\"");
    out.raw(token);
    out.raw("\",\"entry\":\"");
    out.hex(&view.entry.0);
    out.raw("\",\"state\":\"");
    out.raw(state(view.state));
    out.raw("\",\"batch\":");
    out.optional(view.batch.map(u64::from));
    out.raw(",\"index\":");
    out.optional(view.index);
    out.raw(",\"rank\":");
    out.optional(view.rank);
    out.raw(",\"position\":");
    out.optional(view.position);
    out.raw(",\"ahead\":");
    out.optional(view.ahead);
    out.raw(",\"joined\":");
    out.number(view.joined);
    out.raw(",\"joinedAt\":\"");
    out.time(view.joined_at);
    out.raw("\",\"eta\":");
    out.eta(view.eta);
    out.raw(",\"turn\":");
    out.turn(view.turn);
    out.raw(",\"mayRejoin\":");
    out.boolean(view.may_rejoin);
    out.raw(",\"pollAfterMs\":");
    out.number(view.poll_after_ms);
    out.raw(",\"phase\":\"");
    out.raw(phase(view.phase));
    out.raw("\",\"paused\":");
    out.boolean(view.paused);
    out.raw(",\"ratePerMinute\":");
    out.number(view.rate_per_minute.into());
    out.raw(",\"served\":");
    out.number(view.served);
    out.raw(",\"serverTime\":\"");
    out.time(view.server_time);
    out.raw("\"}");
    out.0.into()
}

const fn state(state: PlaceState) -> &'static str {
    match state {
        PlaceState::Lobby => "lobby",
        PlaceState::Drawing => "drawing",
        PlaceState::Waiting => "waiting",
        PlaceState::Called => "called",
        PlaceState::Admitted => "admitted",
        PlaceState::Lapsed => "lapsed",
        PlaceState::Left => "left",
        PlaceState::Ended => "ended",
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Scheduled => "scheduled",
        Phase::Lobby => "lobby",
        Phase::Open => "open",
        Phase::Paused => "paused",
        Phase::SoldOut => "soldOut",
        Phase::Closed => "closed",
    }
}

struct Text(Vec<u8>);

impl Text {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    fn optional(&mut self, value: Option<u64>) {
        match value {
            Some(value) => self.number(value),
            None => self.raw("null"),
        }
    }

    fn number(&mut self, value: u64) {
        push_number(&mut self.0, value);
    }

    /// The last `width` digits of `value`, zeros in front.
    fn padded<const WIDTH: usize>(&mut self, mut value: u64) {
        let mut digits = [b'0'; WIDTH];
        for place in digits.iter_mut().rev() {
            *place = digit(value % 10);
            value /= 10;
        }
        self.0.extend_from_slice(&digits);
    }

    fn hex(&mut self, bytes: &[u8; 32]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        self.0.extend_from_slice(&text);
    }

    /// RFC 3339 in UTC with milliseconds. The date is worked out as in Howard Hinnant's `civil_from_days`, for days from
    /// the epoch on.
    fn time(&mut self, at: Timestamp) {
        let ms = u64::try_from(at.as_millis()).unwrap_or(0);
        let (days, ms_of_day) = (ms / 86_400_000, ms % 86_400_000);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        self.padded::<4>(year);
        self.0.push(b'-');
        self.padded::<2>(month);
        self.0.push(b'-');
        self.padded::<2>(day);
        self.0.push(b'T');
        self.padded::<2>(ms_of_day / 3_600_000);
        self.0.push(b':');
        self.padded::<2>(ms_of_day / 60_000 % 60);
        self.0.push(b':');
        self.padded::<2>(ms_of_day / 1_000 % 60);
        self.0.push(b'.');
        self.padded::<3>(ms_of_day % 1_000);
        self.0.push(b'Z');
    }

    fn eta(&mut self, eta: Option<Eta>) {
        let Some(Eta { low_seconds, high_seconds }) = eta else { return self.raw("null") };
        self.raw("{\"lowSeconds\":");
        self.number(low_seconds);
        self.raw(",\"highSeconds\":");
        self.number(high_seconds);
        self.raw("}");
    }

    fn turn(&mut self, turn: Option<TurnView>) {
        let Some(TurnView { opens_at, closes_at, last }) = turn else { return self.raw("null") };
        self.raw("{\"opensAt\":\"");
        self.time(opens_at);
        self.raw("\",\"closesAt\":\"");
        self.time(closes_at);
        self.raw("\",\"last\":");
        self.boolean(last);
        self.raw("}");
    }
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).expect("a remainder of ten is one digit")
}

#[cfg(test)]
mod tests {
    use booking_core::digest::Digest;

    use super::*;

    fn view(seed: i64) -> PlaceView {
        let number = |shift: u32| u64::try_from(seed).unwrap().rotate_left(shift);
        let some = |shift: u32| (seed % 3 > 0).then_some(number(shift));
        let time =
            |shift: u32| Timestamp::from_millis(i64::try_from(number(shift) >> 1).unwrap() % 253_370_764_799_999);
        let states = [
            PlaceState::Lobby,
            PlaceState::Drawing,
            PlaceState::Waiting,
            PlaceState::Called,
            PlaceState::Admitted,
            PlaceState::Lapsed,
            PlaceState::Left,
            PlaceState::Ended,
        ];
        let phases = [Phase::Scheduled, Phase::Lobby, Phase::Open, Phase::Paused, Phase::SoldOut, Phase::Closed];
        PlaceView {
            event_id: "evt_a-b_1".parse().unwrap(),
            place_token: "AQ-_token".to_owned(),
            entry: Digest::of(&[&seed.to_le_bytes()]),
            state: states[usize::try_from(seed % 8).unwrap()],
            batch: some(1).map(|batch| u32::try_from(batch % 1_000).unwrap()),
            index: some(3),
            rank: some(5),
            position: some(7),
            ahead: some(11),
            joined: 20_000,
            joined_at: time(13),
            eta: some(1).map(|low_seconds| Eta { low_seconds, high_seconds: 0 }),
            turn: some(1).map(|_| TurnView { opens_at: time(17), closes_at: time(19), last: seed % 2 == 0 }),
            may_rejoin: seed % 2 == 1,
            poll_after_ms: number(23),
            phase: phases[usize::try_from(seed % 6).unwrap()],
            paused: seed % 4 == 1,
            rate_per_minute: u32::try_from(number(0) % 600_000).unwrap(),
            served: number(29),
            server_time: time(31),
        }
    }

    #[test]
    fn it_is_what_serde_json_writes() {
        for seed in (0..1_000).chain((1..2_000).map(|n| 9_007_199_254_740_993_i64.wrapping_mul(n) & i64::MAX)) {
            let view = view(seed);
            let by_hand = json(&view, &view.place_token);
            assert_eq!(std::str::from_utf8(&by_hand).unwrap(), serde_json::to_string(&view).unwrap());
        }
    }

    #[test]
    fn the_first_and_the_last_day_of_every_month_are_written_right() {
        for day in (0..2_900_000_i64).step_by(13) {
            let at = Timestamp::from_millis(day * 86_400_000 + day);
            let mut text = Text(Vec::new());
            text.time(at);
            assert_eq!(String::from_utf8(text.0).unwrap(), at.to_string());
        }
    }
}
