//! Guests: users without an account, and the renewal of their sessions.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{id::UserId, ports::accounts::Rotation, time::Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refresh::RefreshToken;
use crate::{
    app::App,
    problem::{Answer, Problem},
    request::{Body, Counted, RequestInfo},
};

/// A session: who, and the tokens that show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// Who.
    #[schema(value_type = String)]
    pub(crate) user_id: UserId,
    /// The access token, a JWT.
    pub(crate) access_token: String,
    /// When the access token ends.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// Renews the session, once.
    pub(crate) refresh_token: String,
}

/// A refresh token to spend.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// The latest one of the session.
    refresh_token: String,
}

/// Makes a guest.
///
/// # Errors
/// [rate-limited]; [forbidden] where guests are not allowed.
pub(crate) fn make(app: &App, info: &RequestInfo) -> Result<Session, Problem> {
    if !app.settings.guests {
        return Err(Problem::forbidden("Guests are not allowed here; sign in."));
    }
    info.count(app, Counted::Guests, app.limits.address_key(info.address()))?;
    let user = UserId::from_bytes(app.parts.entropy.id_bytes());
    Ok(session(app, user, app.parts.entropy.id_bytes(), 0))
}

/// Spends a refresh token.
///
/// # Errors
/// [unauthorized] where it is not valid, expired, or was used before: then its family is over.
pub(crate) async fn renew(app: &App, text: &str) -> Result<Session, Problem> {
    let invalid = || Problem::unauthorized("The refresh token is not valid, or was used before; begin anew.");
    let token = RefreshToken::open(text, &app.keys.access).ok_or_else(invalid)?;
    let now = app.parts.clock.now();
    if token.expires_at <= now {
        return Err(invalid());
    }
    let expires_at = now.plus_seconds(app.settings.refresh_token_seconds);
    match app.parts.refresh.rotate(token.family, token.serial, expires_at, now).await? {
        Rotation::Next(serial) => Ok(session(app, token.user, token.family, serial)),
        Rotation::Revoked => Err(invalid()),
    }
}

fn session(app: &App, user_id: UserId, family: [u8; 16], serial: u64) -> Session {
    let now = app.parts.clock.now();
    let (access_token, expires_at) = app.access.issue(&user_id, now);
    let refresh_expires_at = now.plus_seconds(app.settings.refresh_token_seconds);
    let refresh = RefreshToken { family, serial, expires_at: refresh_expires_at, user: user_id.clone() };
    Session { user_id, access_token, expires_at, refresh_token: refresh.seal(&app.keys.access) }
}

/// Become a guest, where guests are allowed.
#[utoipa::path(
    post, path = "/v1/users/guest", tag = "Identity",
    responses(
        (status = 201, description = "A new guest", body = Session),
        (status = 403, description = "[forbidden]: guests are not allowed"),
        (status = 429, description = "[rate-limited], by address"),
    )
)]
pub(crate) async fn create_guest(State(app): State<Arc<App>>, Extension(info): Extension<RequestInfo>) -> Answer {
    let session = make(&app, &info)?;
    Ok((StatusCode::CREATED, no_store(), Json(session)).into_response())
}

/// Renew a session. A refresh token works once; using it again ends the session for good.
#[utoipa::path(
    post, path = "/v1/users/refresh", tag = "Identity", request_body = RefreshRequest,
    responses(
        (status = 200, description = "The session, renewed", body = Session),
        (status = 401, description = "[unauthorized]"),
    )
)]
pub(crate) async fn refresh_session(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Body(request): Body<RefreshRequest>,
) -> Answer<Response> {
    info.count(&app, Counted::Address, app.limits.address_key(info.address()))?;
    let session = renew(&app, &request.refresh_token).await?;
    Ok((no_store(), Json(session)).into_response())
}

fn no_store() -> [(http::HeaderName, http::HeaderValue); 1] {
    [(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"))]
}
