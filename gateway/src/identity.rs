//! Who is asking: our own access tokens, outside issuers' tokens, or a page's cookies.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts as Head},
};
use booking_core::id::UserId;
use http::{HeaderMap, header};

use crate::{
    app::App,
    problem::Problem,
    request::{Counted, RequestInfo},
};

pub(crate) mod access;
pub(crate) mod cookies;
pub(crate) mod guest;
pub(crate) mod outside;
pub(crate) mod refresh;

/// The header by which a page's script shows that it is no foreign form: a foreign site can't set it.
pub(crate) const PAGE_HEADER: &str = "weir-page";
/// The longest access token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 4_096;

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who sent a request, as far as it can be told at once.
pub(crate) enum Sender {
    /// Them.
    Known(UserId),
    /// Whoever the outside issuer of this token says.
    Outside(String),
}

impl Sender {
    /// Who it is. May ask an outside issuer for its keys.
    ///
    /// # Errors
    /// [unauthorized].
    pub(crate) async fn user(self, app: &App) -> Result<UserId, Problem> {
        match self {
            Self::Known(user) => Ok(user),
            Self::Outside(token) => app.outside.verify(&token, app.parts.clock.now()).await,
        }
    }
}

/// Who sent these headers.
///
/// # Errors
/// [unauthorized] where no valid token is shown; [forbidden] where a cookie alone asks for a change.
pub(crate) fn sender(app: &App, method: &Method, headers: &HeaderMap) -> Result<Sender, Problem> {
    if let Some(token) = bearer(headers) {
        return holder(app, token);
    }
    let Some(token) = cookies::read(headers, cookies::SESSION) else {
        return Err(Problem::unauthorized("Send Authorization: Bearer with an access token."));
    };
    let sender = holder(app, token)?;
    if !method.is_safe() && !headers.contains_key(PAGE_HEADER) {
        return Err(Problem::forbidden("A request by cookie needs the header Weir-Page: 1."));
    }
    Ok(sender)
}

/// Whose this access token is, ours or an outside issuer's.
fn holder(app: &App, token: &str) -> Result<Sender, Problem> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Problem::unauthorized("The access token is too long."));
    }
    match app.access.verify(token, app.parts.clock.now()) {
        Ok(user) => Ok(Sender::Known(user)),
        Err(access::Refused::NotOurs) => Ok(Sender::Outside(token.to_owned())),
        Err(access::Refused::Invalid(why)) => Err(Problem::unauthorized(why)),
    }
}

/// Whose this access token is, ours or an outside issuer's.
///
/// # Errors
/// [unauthorized].
pub(crate) async fn verify(app: &App, token: &str) -> Result<UserId, Problem> {
    holder(app, token)?.user(app).await
}

/// The user who is asking, counted against their rate limit.
pub(crate) struct User(pub(crate) UserId);

impl FromRequestParts<Arc<App>> for User {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &Arc<App>) -> Result<Self, Problem> {
        let user = sender(app, &head.method, &head.headers)?.user(app).await?;
        let info = head.extensions.get::<RequestInfo>().cloned().unwrap_or_default();
        info.count(app, Counted::User, app.limits.user_key(&user))?;
        Ok(Self(user))
    }
}
