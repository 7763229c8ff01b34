//! What a page's forms and scripts do with the session's cookies: begin or renew it, join, claim, leave.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::id::{EventId, UserId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::contexts::{event_page, is_form, place_text};
use crate::{
    app::App,
    identity::{self, PAGE_HEADER, cookies, guest},
    line::{claim::claim, join::join, leave::leave, token_of},
    problem::{Answer, Problem},
    request::{Counted, Id, RequestInfo},
};

/// How long a place cookie lives, in seconds: longer than any sale's line.
const PLACE_SECONDS: u32 = 7 * 86_400;

/// Who the page's session is, and the cookies to set if it was begun or renewed just now.
struct PageSession {
    user: UserId,
    cookies: Vec<HeaderValue>,
    session: Option<guest::Session>,
}

/// Lets through what comes from our own pages: a script with its header, or a form of the same site.
fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(PAGE_HEADER) {
        return Ok(());
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::forbidden("This must be sent from Weir's own pages.")),
    }
}

fn session_cookies(app: &App, session: &guest::Session) -> Vec<HeaderValue> {
    let (secure, settings) = (app.settings.secure_cookies, &app.settings);
    vec![
        cookies::set(cookies::SESSION, &session.access_token, "/", settings.access_token_seconds, secure),
        cookies::set(cookies::REFRESH, &session.refresh_token, "/e/", settings.refresh_token_seconds, secure),
    ]
}

/// The session of these cookies, renewed or begun where need be.
async fn page_session(app: &App, info: &RequestInfo, headers: &HeaderMap) -> Result<PageSession, Problem> {
    if let Some(token) = cookies::read(headers, cookies::SESSION)
        && let Ok(user) = identity::verify(app, token).await
    {
        return Ok(PageSession { user, cookies: Vec::new(), session: None });
    }
    let renewed = match cookies::read(headers, cookies::REFRESH) {
        Some(token) => match guest::renew(app, token).await {
            Ok(session) => Some(session),
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => None,
            Err(problem) => return Err(problem),
        },
        None => None,
    };
    let session = match renewed {
        Some(session) => session,
        None => guest::make(app, info)?,
    };
    let cookies = session_cookies(app, &session);
    Ok(PageSession { user: session.user_id.clone(), cookies, session: Some(session) })
}

fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Back to the event's page, as a form wants it.
fn back(event: &EventId) -> Response {
    let location = HeaderValue::from_str(&format!("/e/{event}")).expect("an id is plain ASCII");
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// A form is shown its refusal on the page it stood on; a script gets it as it is.
async fn refused(app: &Arc<App>, event: &EventId, headers: &HeaderMap, problem: Problem) -> Answer {
    if !is_form(headers) || problem.status() == StatusCode::NOT_FOUND {
        return Err(problem);
    }
    let mut response = event_page(app, event, headers, Some(&problem)).await?;
    *response.status_mut() = problem.status();
    if let Some(seconds) = problem.response::<axum::body::Body>().headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.clone());
    }
    Ok(response)
}

/// Begins or renews the session of the page's cookies.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
) -> Answer {
    same_site(&headers)?;
    let kept = page_session(&app, &info, &headers).await?;
    let expires_at = kept.session.as_ref().map(|session| session.expires_at);
    let body = Json(json!({ "userId": kept.user, "expiresAt": expires_at }));
    Ok(with_cookies(body.into_response(), kept.cookies))
}

/// Joins the line, beginning a session where there is none.
pub(crate) async fn join_page(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
) -> Answer {
    same_site(&headers)?;
    let joined = async {
        let kept = page_session(&app, &info, &headers).await?;
        info.count(&app, Counted::User, app.limits.user_key(&kept.user))?;
        join(&app, &event, &kept.user).await.map(|joined| (joined, kept.cookies))
    };
    match joined.await {
        Ok((joined, mut set)) => {
            let (name, secure) = (cookies::place(&event), app.settings.secure_cookies);
            set.push(cookies::set(&name, &joined.view.place_token, "/", PLACE_SECONDS, secure));
            let status = if joined.is_new { StatusCode::CREATED } else { StatusCode::OK };
            let response = if is_form(&headers) { back(&event) } else { (status, Json(joined.view)).into_response() };
            Ok(with_cookies(response, set))
        }
        Err(problem) => refused(&app, &event, &headers, problem).await,
    }
}

/// Claims the turn. A form's admission is told by the page; a script's is its answer.
pub(crate) async fn claim_page(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
) -> Answer {
    same_site(&headers)?;
    let claimed = async {
        let kept = page_session(&app, &info, &headers).await?;
        info.count(&app, Counted::User, app.limits.user_key(&kept.user))?;
        let (token, _) = token_of(&app, &headers, &event)?;
        claim(&app, &kept.user, &token).await.map(|admission| (admission, kept.cookies))
    };
    match claimed.await {
        Ok((admission, set)) => {
            let response = if is_form(&headers) { back(&event) } else { Json(admission).into_response() };
            Ok(with_cookies(response, set))
        }
        Err(problem) => refused(&app, &event, &headers, problem).await,
    }
}

/// Gives the place up and forgets it.
pub(crate) async fn leave_page(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
) -> Answer {
    same_site(&headers)?;
    let left = async {
        if place_text(&headers, &event).is_none() {
            return Ok(());
        }
        let (token, _) = token_of(&app, &headers, &event)?;
        info.count(&app, Counted::User, app.limits.user_key(&token.user))?;
        leave(&app, &token).await
    };
    match left.await {
        Ok(()) => {
            let gone = cookies::set(&cookies::place(&event), "", "/", 0, app.settings.secure_cookies);
            let response = if is_form(&headers) { back(&event) } else { StatusCode::NO_CONTENT.into_response() };
            Ok(with_cookies(response, [gone]))
        }
        Err(problem) => refused(&app, &event, &headers, problem).await,
    }
}
