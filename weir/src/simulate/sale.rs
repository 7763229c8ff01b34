//! A small sale, made at random: its hall, its settings, how many come.

use std::collections::BTreeMap;

use backends::memory::Lanes;
use booking_core::{
    catalog::{Event, Location, Venue},
    id::EventId,
    refund::{Notice, RefundPolicy, RefundTier},
    sale::SalePolicy,
    seats::SeatMap,
    time::Timestamp,
};
use serde_json::json;

use super::dice::Dice;

/// When every simulation begins: 2027-01-15T08:00:00Z.
pub(super) const BEGINS_AT: i64 = 1_800_000_000_000;
/// How long before its start nothing is decided in a simulation that would depend on it: the show is the next day.
const SHOW_AFTER_MS: i64 = 86_400_000;

/// One sale.
pub(super) struct Sale {
    pub(super) venue: Venue,
    pub(super) event: Event,
    pub(super) policy: SalePolicy,
    pub(super) lanes: Lanes,
    pub(super) visitors: u32,
    pub(super) gateways: u32,
}

impl Sale {
    pub(super) fn at_random(dice: &Dice) -> Self {
        let begin = Timestamp::from_millis(BEGINS_AT);
        let lobby_opens_at = begin.plus_millis(dice.range(500..=3_000));
        let opens_at = lobby_opens_at.plus_millis(dice.range(2_000..=10_000));
        let policy = SalePolicy {
            lobby_opens_at,
            opens_at,
            closes_at: opens_at.plus_millis(dice.range(40_000..=120_000)),
            rate_per_minute: dice.pick(&[20, 59, 60, 90, 200, 600, 1_200]),
            max_active: if dice.chance(600) { dice.count(2..=30) } else { dice.count(30..=120) },
            turn_seconds: dice.count(5..=12),
            session_seconds: dice.count(30..=60),
            hold_seconds: dice.count(10..=25),
            extend_seconds: if dice.chance(700) { dice.count(1..=15) } else { 0 },
            max_seats: dice.count(1..=6),
            batch_ms: dice.pick(&[100, 500, 1_000, 3_000]),
            orphans_allowed: dice.chance(500),
        };
        let lanes = Lanes {
            line: u16::try_from(dice.count(1..=4)).unwrap_or(1),
            keyed: u16::try_from(dice.count(1..=2)).unwrap_or(1),
            replies: u16::try_from(dice.count(1..=2)).unwrap_or(1),
        };
        let (venue, event) = hall(dice, begin.plus_millis(SHOW_AFTER_MS));
        let visitors = dice.count(20..=if dice.chance(200) { 150 } else { 60 });
        Self { venue, event, policy, lanes, visitors, gateways: dice.count(1..=3) }
    }

    pub(super) fn id(&self) -> EventId {
        self.event.event_id.clone()
    }
}

fn hall(dice: &Dice, starts_at: Timestamp) -> (Venue, Event) {
    let (rows, seats) = (dice.count(1..=6), dice.count(3..=12));
    let rows: Vec<_> = (0..rows)
        .map(|row| {
            let seats: Vec<_> = (0..seats)
                .map(|seat| {
                    let category = if row < 2 { "Front" } else { "Back" };
                    json!({ "seatId": format!("{row}-{seat}"), "number": seat, "category": category, "x": seat, "y": row })
                })
                .collect();
            json!({ "name": row.to_string(), "seats": seats })
        })
        .collect();
    let is_deep = rows.len() > 2;
    let mut categories = vec![json!({ "name": "Front", "color": "#aa0000" })];
    let mut prices = BTreeMap::from([("Front".to_owned(), dice.range(0..=9_000))]);
    if is_deep {
        categories.push(json!({ "name": "Back", "color": "#0000aa" }));
        prices.insert("Back".to_owned(), dice.range(100..=4_000));
    }
    let map = json!({ "categories": categories, "sections": [{ "name": "Hall", "rows": rows }] });
    let seat_map: SeatMap = serde_json::from_value(map).expect("the simulated hall is a seat map");
    let venue = Venue {
        venue_id: "venue_simulated".parse().expect("an id"),
        name: "The simulated hall".to_owned(),
        nicknames: Vec::new(),
        address: String::new(),
        location: Location { city: "Nowhere".to_owned(), point: None },
        seat_map,
    };
    let tier = |percent| RefundTier { notice: Notice::FromHours(0), percent };
    let refund_policy = match dice.range(0..=3) {
        0 => RefundPolicy::new(Vec::new()),
        1 => RefundPolicy::new(vec![tier(33)]),
        _ => RefundPolicy::new(vec![tier(100)]),
    };
    let event = Event {
        event_id: "evt_simulated".parse().expect("an id"),
        title: "A simulated evening".to_owned(),
        description: String::new(),
        performers: Vec::new(),
        category: None,
        language: None,
        thumbnail: None,
        venue_id: venue.venue_id.clone(),
        starts_at,
        currency: "EUR".parse().expect("a currency"),
        prices,
        refund_policy: refund_policy.expect("one tier is a policy"),
        moves: Vec::new(),
        halls: Vec::new(),
    };
    (venue, event)
}
