//! Claiming: whoever has been called comes to the desk, and is admitted or told when to come again.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    admission::AdmissionClaims,
    desk::{Admit, AdmitRequest, Ended},
    id::{EventId, SessionId, UserId},
    line::{
        place::Presence,
        place_token::PlaceToken,
        state::{LineState, Phase, Turn},
    },
    time::Timestamp,
};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::token_of;
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem, nothing_here},
    request::Id,
    sales::Sale,
};

/// After how many seconds somebody who was called while the sale rests should come again.
const PAUSED_RETRY_SECONDS: u64 = 5;

/// An admission.
#[expect(clippy::struct_field_names, reason = "the names are the public contract's")]
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Admission {
    /// To be sent as `Weir-Admission` with a reservation: a JWT signed with Ed25519.
    pub(crate) admission_token: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// The most seats it may hold.
    pub(crate) max_seats: u32,
}

/// What the line's state says of a claim.
struct Allowed {
    rank: u64,
    rate_per_minute: u32,
    max_active: u32,
    session_seconds: u32,
    max_seats: u32,
}

/// Admits the owner of `token` if it is their turn.
///
/// # Errors
/// [not-found], [not-called], [desk-full], [turn-lapsed], [sold-out], [line-closed], [place-over], [unavailable].
pub(crate) async fn claim(app: &App, user: &UserId, token: &PlaceToken) -> Result<Admission, Problem> {
    if token.user != *user {
        return Err(nothing_here());
    }
    let sale = app.sales.get(token.event.as_str()).ok_or_else(nothing_here)?;
    let now = app.parts.clock.now();
    let presence = sale.admissions().of(token.place).at(now);
    let allowed = allowed(&sale.line(), token, presence, now)?;
    let request = AdmitRequest {
        user: user.clone(),
        place: token.place,
        rank: allowed.rank,
        session: SessionId::from_bytes(app.parts.entropy.id_bytes()),
        rate_per_minute: allowed.rate_per_minute,
        max_active: allowed.max_active,
        session_seconds: allowed.session_seconds,
    };
    match app.parts.desk.admit(&token.event, &request, now).await? {
        Admit::Admitted { session, expires_at } => {
            if sale.line().is_revoked(&session) {
                return Err(over(Some(Ended::Revoked)));
            }
            if session == request.session {
                app.metrics.admissions.inc();
            }
            sale.admissions_mut().note(token.place, Presence::Admitted(expires_at));
            // Of the session, not of the moment: asked again, the same token is made again.
            let issued_at = expires_at.plus_millis(-i64::from(allowed.session_seconds) * 1_000);
            let issuer = app.admission.issuer();
            let claims =
                AdmissionClaims::new(issuer, &token.event, user, &session, issued_at, expires_at, allowed.max_seats);
            Ok(Admission { admission_token: app.admission.seal(&claims), expires_at, max_seats: allowed.max_seats })
        }
        Admit::Full { retry_after_ms } => {
            Err(Problem::desk_full("The rate or the room is used up at this moment. You keep your place; come again.")
                .retry_after(retry_after_ms.div_ceil(1_000))
                .with("retryAfterMs", retry_after_ms))
        }
        Admit::NotTheirPlace => Err(nothing_here()),
        Admit::Over(why) => Err(over(why)),
    }
}

fn allowed(line: &LineState, token: &PlaceToken, presence: Presence, now: Timestamp) -> Result<Allowed, Problem> {
    let policy = line.policy().ok_or_else(nothing_here)?;
    let not_called = || Problem::not_called("It is not your turn yet.");
    let rank = Sale::ranked(line, token.place, token.rank).map(|ranked| ranked.rank);
    let allowed = |rank| Allowed {
        rank,
        rate_per_minute: line.rate_per_minute(),
        max_active: line.max_active(),
        session_seconds: policy.session_seconds,
        max_seats: policy.max_seats,
    };
    match (presence, rank) {
        (Presence::Over(why), _) => return Err(over(why)),
        // Whoever is in gets the same admission again, whatever the sale is doing.
        (Presence::Admitted(_), Some(rank)) => return Ok(allowed(rank)),
        (Presence::Admitted(_) | Presence::Absent, _) => {}
    }
    match line.phase(now) {
        Phase::Closed => return Err(Problem::line_closed("The line has ended.")),
        Phase::SoldOut => {
            return Err(Problem::sold_out("Every seat is sold; should some come back, the line goes on."));
        }
        Phase::Scheduled | Phase::Lobby => return Err(not_called()),
        Phase::Open | Phase::Paused => {}
    }
    let rank = rank.ok_or_else(not_called)?;
    match line.turn_at_desk(rank, now) {
        Turn::NotYet => Err(not_called()),
        Turn::Between { opens_at, .. } => Err(Problem::turn_lapsed("Your turn has passed; there is one more.")
            .retry_after(opens_at.until(now).as_secs() + 1)
            .with("opensAt", opens_at.to_string())),
        Turn::Over => Err(Problem::turn_lapsed("Both your turns have passed. You may join anew, at the end.")),
        Turn::Open { .. } if line.is_paused() => {
            Err(Problem::desk_full("The sale rests for a moment. Your turn does not run out meanwhile.")
                .retry_after(PAUSED_RETRY_SECONDS))
        }
        Turn::Open { .. } => Ok(allowed(rank)),
    }
}

fn over(why: Option<Ended>) -> Problem {
    match why {
        None => Problem::turn_lapsed("Your admission ran out. You may join anew, at the end of the line."),
        Some(Ended::Booked) => Problem::place_over("You have booked with this place."),
        Some(Ended::GivenUp) => Problem::place_over("You gave this place up. You may join anew."),
        Some(Ended::Revoked) => Problem::place_over("The operator ended this admission."),
    }
}

/// Come in, once you are called. Repeated while the admission lives: the same admission.
#[utoipa::path(
    post, path = "/v1/events/{eventId}/line/claim", tag = "Line",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("Weir-Place" = String, Header, description = "The place token"),
    ),
    security(("user" = [])),
    responses(
        (status = 200, description = "Admitted", body = Admission),
        (status = 401, description = "[unauthorized], [place-invalid]"),
        (status = 404, description = "[not-found]: also for somebody else's place"),
        (status = 409, description = "[not-called]; [desk-full] with Retry-After; [turn-lapsed]; [sold-out]; \
                                      [line-closed]; [place-over]"),
        (status = 429, description = "[rate-limited]"),
    )
)]
pub(crate) async fn claim_turn(
    State(app): State<Arc<App>>,
    User(user): User,
    Id(event): Id<EventId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (token, _) = token_of(&app, &headers, &event)?;
    let admission = claim(&app, &user, &token).await?;
    Ok(([(http::header::CACHE_CONTROL, "no-store")], Json(admission)).into_response())
}
