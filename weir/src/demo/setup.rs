//! Sets the demo's venue, events and sales up, as an operator does: through the operator's API.

use std::time::Duration;

use booking_core::{id::EventId, ports::clock::Clock as _, time::Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::venue;
use crate::{
    api::{Api, ApiError, Call},
    system::SystemClock,
};

/// Admissions a minute: 20 a second, so that a few hundred visitors are through within half a minute.
const RATE_PER_MINUTE: u32 = 1_200;
/// The most admissions alive at once.
const MAX_ACTIVE: u32 = 100;
/// The most seats of one visitor.
const MAX_SEATS: u32 = 4;
/// How many visitors a second come to the lobby of a large crowd.
const ARRIVALS_PER_SECOND: u32 = 1_200;
/// The pause between setting the sale up and its lobby's opening.
const LEAD: Duration = Duration::from_millis(1_500);
/// How long the sale stays open.
const OPEN_FOR_SECONDS: u32 = 4 * 3_600;
/// How long the second event's lobby is open.
const QUIET_LOBBY_SECONDS: u32 = 600;
const DAY_SECONDS: u32 = 86_400;

/// The demo's pace: what takes minutes in a real sale takes seconds.
pub(super) struct Timing {
    /// How long the lobby is open.
    pub(super) lobby: Duration,
    /// Within how long after the opening the latecomers come.
    pub(super) after: Duration,
    /// How long an admission lives.
    pub(super) session_seconds: u32,
    hold_seconds: u32,
    turn_seconds: u32,
}

impl Timing {
    /// The pace for a crowd of `visitors`. Unless it is run only `once`, people get the time that people need.
    pub(super) fn of(visitors: u32, once: bool) -> Self {
        let crowd = Duration::from_secs((visitors / ARRIVALS_PER_SECOND).into());
        let (session_seconds, hold_seconds) = if once { (60, 20) } else { (300, 120) };
        Self {
            lobby: crowd.max(Duration::from_secs(8)),
            after: (crowd / 8).max(Duration::from_secs(4)),
            session_seconds,
            hold_seconds,
            // Who is one of many polls more rarely, and learns later that the turn has come.
            turn_seconds: (8 + visitors / 2_000).min(60),
        }
    }
}

/// The sale that the crowd comes for.
pub(super) struct Sale {
    pub(super) event: EventId,
    /// The other event, whose lobby is open for longer.
    pub(super) other_event: EventId,
    pub(super) lobby_opens_at: Timestamp,
    pub(super) opens_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VenueMade {
    venue_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventMade {
    event_id: EventId,
}

/// Sets everything up.
pub(super) async fn set_up(api: &Api, operator_key: &str, timing: &Timing) -> Result<Sale, ApiError> {
    let post = |path: &str, body| Call::post(format!("/v1/operator/{path}"), body).bearer(operator_key);
    let VenueMade { venue_id } = api.require(post("venues", venue::body())).await?;
    let now = SystemClock.now();
    let event = async |title: &str, description: &str, in_days: u32| {
        let body = json!({
            "title": title,
            "description": description,
            "venueId": venue_id,
            "startsAt": now.plus_seconds(in_days * DAY_SECONDS),
            "currency": "EUR",
            "prices": venue::prices(),
        });
        api.require::<EventMade>(post("events", body)).await.map(|made| made.event_id)
    };
    let main =
        event("Night of the River Choir", "Two hundred voices, one evening. Everybody wants to be there.", 30).await?;
    let other = event("Open rehearsal", "An hour with the choir at work. Small, cheap, and nobody pushes.", 29).await?;

    let now = SystemClock.now();
    let lobby_opens_at = now.plus_millis(millis(LEAD));
    let opens_at = lobby_opens_at.plus_millis(millis(timing.lobby));
    let sale =
        |event: &EventId, body| Call::put(format!("/v1/operator/events/{event}/sale"), body).bearer(operator_key);
    api.require::<Value>(sale(&main, policy(timing, lobby_opens_at, opens_at))).await?;
    let quiet = policy(timing, now, now.plus_seconds(QUIET_LOBBY_SECONDS));
    api.require::<Value>(sale(&other, quiet)).await?;
    Ok(Sale { event: main, other_event: other, lobby_opens_at, opens_at })
}

fn policy(timing: &Timing, lobby_opens_at: Timestamp, opens_at: Timestamp) -> Value {
    json!({
        "lobbyOpensAt": lobby_opens_at,
        "opensAt": opens_at,
        "closesAt": opens_at.plus_seconds(OPEN_FOR_SECONDS),
        "ratePerMinute": RATE_PER_MINUTE,
        "maxActive": MAX_ACTIVE,
        "turnSeconds": timing.turn_seconds,
        "sessionSeconds": timing.session_seconds,
        "holdSeconds": timing.hold_seconds,
        "maxSeats": MAX_SEATS,
        "batchMs": 1_000,
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
