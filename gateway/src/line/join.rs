//! Joining: one append to the line's log, held to one place an identity by the desk.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    desk::Standing,
    id::{EventId, UserId},
    line::{
        Place,
        entry::{JoinRecord, entry_of},
        place::{self, PlaceView, Presence},
        place_token::PlaceToken,
        state::Phase,
    },
    ports::{PortError, log::Topic},
    time::Timestamp,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem, nothing_here},
    request::Id,
    sales::Sale,
    to_the_end::to_the_end,
};

/// Locks that joins of the same user share. A few users share one by chance, and then wait for each other.
const STRIPES: usize = 16_384;

/// Joins under way: two of one user at once make one place.
pub(crate) struct Joining {
    hash: RandomState,
    stripes: Box<[Arc<Mutex<()>>]>,
}

impl Joining {
    pub(crate) fn new() -> Self {
        Self { hash: RandomState::new(), stripes: (0..STRIPES).map(|_| Arc::default()).collect() }
    }

    async fn alone(&self, event: &EventId, user: &UserId) -> OwnedMutexGuard<()> {
        let hash = self.hash.hash_one((event.as_str(), user.as_str()));
        let stripe = &self.stripes[usize::try_from(hash % STRIPES as u64).expect("less than STRIPES")];
        Arc::clone(stripe).lock_owned().await
    }
}

/// What a join gives.
pub(crate) struct Joined {
    /// The place.
    pub(crate) view: PlaceView,
    /// Whether it was taken just now.
    pub(crate) is_new: bool,
}

/// Gives `user` a place in `event`'s line, or shows the one they have.
///
/// # Errors
/// [not-found], [line-not-open], [line-closed], [unavailable].
pub(crate) async fn join(app: &Arc<App>, event: &EventId, user: &UserId) -> Result<Joined, Problem> {
    let sale = app.sales.get(event.as_str()).ok_or_else(nothing_here)?;
    let one_at_a_time = app.joining.alone(event, user).await;
    let now = app.parts.clock.now();
    let standing = app.parts.desk.place_of(event, user).await?;
    let instead_of = match standing {
        None => None,
        Some(standing) => {
            let token = standing_token(app, &sale, user, standing.place).await?;
            if !may_rejoin(&sale, standing, &token, now) {
                return Ok(Joined { view: show(app, &sale, &token, now), is_new: false });
            }
            Some(standing.place)
        }
    };
    let lanes = may_join(&sale, now)?;

    let nonce = app.parts.entropy.id_bytes();
    let record = JoinRecord { entry: entry_of(event, user, &nonce), user: user.clone(), joined_at: now };
    let lane = sale.next_lane(lanes);
    // To the end: a visitor who hangs up between the two must not leave a join that the desk does not know.
    let (held, event_id, user_id, payload) = (Arc::clone(app), event.clone(), user.clone(), record.encode());
    let (place, stands) = to_the_end(async move {
        let (_until_both_are_done, parts) = (one_at_a_time, &held.parts);
        let offset = parts.log.append(&Topic::Line(event_id.clone()), lane, payload).await?;
        let place = Place { lane, offset };
        Ok::<_, PortError>((place, parts.desk.claim_place(&event_id, &user_id, place, instead_of).await?))
    })
    .await?;
    if stands != place {
        // Another gateway was faster with the same user; its place stands.
        let token = standing_token(app, &sale, user, stands).await?;
        return Ok(Joined { view: show(app, &sale, &token, now), is_new: false });
    }
    app.metrics.joins.inc();
    let token =
        PlaceToken { event: event.clone(), user: user.clone(), place, entry: record.entry, joined_at: now, rank: None };
    Ok(Joined { view: show(app, &sale, &token, now), is_new: true })
}

/// How many lanes the line has, if anybody may join it now.
fn may_join(sale: &Sale, now: Timestamp) -> Result<u16, Problem> {
    let line = sale.line();
    match line.phase(now) {
        Phase::Scheduled => {
            let opens = line.policy().map(|policy| policy.lobby_opens_at);
            let mut problem = match opens {
                Some(at) => Problem::line_not_open(format!("Joining is possible from {at}.")),
                None => Problem::line_not_open("Joining is not possible yet.").retry_after(1),
            };
            if let Some(at) = opens {
                problem = problem.retry_after(at.until(now).as_secs() + 1).with("opensAt", at.to_string());
            }
            Err(problem)
        }
        Phase::Closed => Err(Problem::line_closed("The line has ended; nobody can join it any more.")),
        Phase::Lobby | Phase::Open | Phase::Paused | Phase::SoldOut => Ok(line.lanes()),
    }
}

fn may_rejoin(sale: &Sale, standing: Standing, token: &PlaceToken, now: Timestamp) -> bool {
    let presence = match standing.ended {
        Some(why) => Presence::Over(Some(why)),
        None => sale.admissions().of(standing.place),
    };
    let line = sale.line();
    let rank = Sale::ranked(&line, token.place, token.rank).map(|ranked| ranked.rank);
    place::may_rejoin(&line, rank, presence, now)
}

fn show(app: &App, sale: &Sale, token: &PlaceToken, now: Timestamp) -> PlaceView {
    let text = app.keys.place.seal(token);
    sale.view(&app.keys.place, token, &text, now)
}

/// The token of a place that stands, made anew from the join in the log.
pub(crate) async fn standing_token(app: &App, sale: &Sale, user: &UserId, place: Place) -> Result<PlaceToken, Problem> {
    let topic = Topic::Line(sale.event().clone());
    let read = app.parts.log.read(&topic, place.lane, place.offset, 1, std::time::Duration::ZERO).await?;
    let record = read
        .first()
        .filter(|entry| entry.offset == place.offset)
        .and_then(|entry| JoinRecord::decode(&entry.payload).ok())
        .filter(|record| record.user == *user);
    let Some(record) = record else {
        tracing::error!(event = %sale.event(), lane = place.lane, offset = place.offset, "a place's join is not in the log");
        return Err(Problem::internal("The place stands, but its join can't be read."));
    };
    Ok(PlaceToken {
        event: sale.event().clone(),
        user: user.clone(),
        place,
        entry: record.entry,
        joined_at: record.joined_at,
        rank: None,
    })
}

/// Join the line. The same user again gets the same place.
#[utoipa::path(
    post, path = "/v1/events/{eventId}/line", tag = "Line",
    params(("eventId" = String, Path, description = "The event")),
    security(("user" = [])),
    responses(
        (status = 201, description = "A new place", body = super::view::PlaceView),
        (status = 200, description = "The place that this user has already", body = super::view::PlaceView),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]"),
        (status = 409, description = "[line-not-open] with Retry-After; [line-closed]"),
        (status = 429, description = "[rate-limited]"),
        (status = 503, description = "[unavailable]"),
    )
)]
pub(crate) async fn join_line(
    State(app): State<Arc<App>>,
    User(user): User,
    Id(event): Id<EventId>,
) -> Answer<Response> {
    let joined = join(&app, &event, &user).await?;
    let status = if joined.is_new { http::StatusCode::CREATED } else { http::StatusCode::OK };
    Ok((status, axum::Json(joined.view)).into_response())
}
