//! One connection's service: the two requests that come by the hundred thousand are answered here, everything else
//! goes to the router.
//!
//! Architecture invariant: a poll of a place touches no middleware, awaits nothing, and asks nobody.
//!
//! A gateway that starts knows nothing of its sales until their state is folded; whoever asks before that waits for it, so
//! that nobody is told that there is no such sale, or that their place in it is none.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tower::ServiceExt as _;

use crate::{
    accept::{Activity, Busy, MakeService},
    app::App,
    booking::notice,
    door,
    identity::{self, cookies},
    line,
    problem::{Problem, nothing_here},
    request::{Counted, RequestInfo},
    site,
};

/// How long a request waits for a gateway that starts; there are no more of them than connections.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// A body: one piece in memory, or whatever the router made.
pub(crate) enum Body {
    /// One piece.
    Whole(Option<Bytes>),
    /// A stream, and its request, which is not over before it.
    Routed(axum::body::Body, #[expect(dead_code, reason = "its end is the request's")] Option<Busy>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Routed(body, _) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Routed(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Routed(body, _) => body.size_hint(),
        }
    }
}

/// Makes connections' services.
pub(crate) struct PublicService {
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
}

impl MakeService for PublicService {
    type Service = ConnectionService;
    type Body = Body;

    fn make(&self, peer: SocketAddr, activity: Arc<Activity>) -> ConnectionService {
        ConnectionService { app: Arc::clone(&self.app), router: self.router.clone(), peer, activity }
    }

    fn connections(&self, open: usize) {
        self.app.metrics.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    fn turned_away(&self) {
        self.app.metrics.turned_away.inc();
    }
}

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct ConnectionService {
    app: Arc<App>,
    router: Router,
    peer: SocketAddr,
    activity: Arc<Activity>,
}

/// An answer, there at once or later.
pub(crate) enum Answering {
    AtOnce(Option<Response<Body>>),
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::AtOnce(response) => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it is ready")))
            }
            Self::Later(future) => future.as_mut().poll(cx).map(Ok),
        }
    }
}

/// A request that is answered here.
enum Hot<'a> {
    Poll(&'a str),
    Join(&'a str),
}

/// Matches `GET /v1/events/{event}/line/place` and `POST /v1/events/{event}/line`.
fn hot<'a>(method: &Method, path: &'a str) -> Option<Hot<'a>> {
    let (event, rest) = path.strip_prefix("/v1/events/")?.split_once('/')?;
    match rest {
        "line/place" if *method == Method::GET => Some(Hot::Poll(event)),
        "line" if *method == Method::POST => Some(Hot::Join(event)),
        _ => None,
    }
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        if !self.app.sales.is_ready() {
            let (service, busy) = (self.clone(), self.activity.begin());
            return Answering::Later(Box::pin(async move { service.call_once_ready(request, busy).await }));
        }
        match hot(request.method(), request.uri().path()) {
            Some(Hot::Poll(event)) => {
                self.activity.at_once();
                Answering::AtOnce(Some(self.poll(event, request.headers())))
            }
            Some(Hot::Join(event)) => {
                let (app, busy) = (Arc::clone(&self.app), self.activity.begin());
                let (event, info) = (event.to_owned(), self.info(request.headers()));
                let sender = identity::sender(&app, request.method(), request.headers());
                // The request has no part in the rest: what is kept while the join is on its way to the disk is small.
                Answering::Later(Box::pin(async move {
                    let response = join(&app, &event, &info, sender).await;
                    drop(busy);
                    response
                }))
            }
            None => {
                let (service, busy) = (self.clone(), self.activity.begin());
                Answering::Later(Box::pin(async move { service.route(request, busy).await }))
            }
        }
    }
}

impl ConnectionService {
    /// Answers when the sales are known, or refuses.
    async fn call_once_ready(self, request: Request<Incoming>, busy: Busy) -> Response<Body> {
        if tokio::time::timeout(START_PATIENCE, self.app.sales.ready()).await.is_err() {
            let problem = Problem::unavailable("This gateway is starting; try again.");
            return refuse(&self.app, &self.info(request.headers()), problem);
        }
        let answering = hyper::service::Service::call(&self, request);
        drop(busy);
        answering.await.unwrap_or_else(|never| match never {})
    }

    fn info(&self, headers: &HeaderMap) -> RequestInfo {
        RequestInfo::of(self.peer.ip(), headers, self.app.settings.trusted_proxies)
    }

    fn poll(&self, event: &str, headers: &HeaderMap) -> Response<Body> {
        let app = &*self.app;
        app.metrics.polls.inc();
        match line::poll::poll(app, event, headers) {
            Ok((body, left)) => {
                let mut response = Response::new(Body::from(body));
                json_headers(response.headers_mut());
                app.limits.requests.write(response.headers_mut(), left);
                response
            }
            Err(problem) => {
                let is_limited = problem.status() == StatusCode::TOO_MANY_REQUESTS;
                let mut response = refuse(app, &self.info(headers), problem);
                if is_limited {
                    app.limits.requests.write_none(response.headers_mut());
                }
                response
            }
        }
    }

    async fn route(self, request: Request<Incoming>, busy: Busy) -> Response<Body> {
        let begun = Instant::now();
        let app = Arc::clone(&self.app);
        let info = self.info(request.headers());
        let for_page = site::wants_page(&request);
        let language = request.headers().get(header::ACCEPT_LANGUAGE).cloned();
        let (is_head, is_known) = (request.method() == Method::HEAD, self.is_known(request.headers()));
        // Notices of a whole sale come from few addresses; those that are not the provider's are counted where that shows.
        let is_known = is_known || (request.uri().path() == notice::PATH && app.parts.notices.is_some());
        let counted =
            if is_known { Ok(()) } else { info.count(&app, Counted::Address, app.limits.address_key(info.address())) };
        let response = match counted {
            Ok(()) => match self.with_body(request, &info).await {
                Ok(request) => self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
                Err(problem) => problem.response(),
            },
            Err(limited) => limited.response(),
        };
        let mut response = response;
        if is_known && response.status() == StatusCode::UNAUTHORIZED {
            // Counted already where nothing valid was shown.
            let _ = info.count(&app, Counted::Address, app.limits.address_key(info.address()));
        }
        if for_page
            && let Some(problem) = response.extensions().get::<Arc<Problem>>().cloned()
            && let Some(page) = site::problem_page(&app, &problem, language.as_ref())
        {
            let (head, _) = response.into_parts();
            response = page;
            *response.status_mut() = head.status;
            if let Some(retry) = head.headers.get(header::RETRY_AFTER) {
                response.headers_mut().insert(header::RETRY_AFTER, retry.clone());
            }
        }
        info.write(&app, response.headers_mut());
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        app.metrics.responded(response.status().as_u16(), begun.elapsed().as_secs_f64());
        let (head, body) = response.into_parts();
        // A stream keeps its request open; what is in memory is as good as sent.
        let busy = (body.size_hint().exact().is_none() && !is_head).then_some(busy);
        Response::from_parts(head, Body::Routed(body, busy))
    }

    /// Whether these headers hold a token of ours that is valid, of whatever kind.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let app = &*self.app;
        let token = identity::bearer(headers).or_else(|| cookies::read(headers, cookies::SESSION));
        if let Some(token) = token {
            let now = app.parts.clock.now();
            return match app.access.verify(token, now) {
                Ok(_) => true,
                // Verified where it is asked for.
                Err(identity::access::Refused::NotOurs) => !app.settings.issuers.is_empty(),
                Err(identity::access::Refused::Invalid(_)) => app.keys.operators.find(token).is_some(),
            };
        }
        let place = headers.get(line::PLACE_HEADER).and_then(|value| value.to_str().ok());
        place.is_some_and(|text| app.keys.place.open(text).is_ok())
    }

    /// The request with its whole body, held to its size and time.
    async fn with_body(
        &self,
        request: Request<Incoming>,
        info: &RequestInfo,
    ) -> Result<axum::extract::Request, Problem> {
        let settings = &self.app.settings;
        let (mut head, body) = request.into_parts();
        head.extensions.insert(info.clone());
        if body.is_end_stream() {
            return Ok(Request::from_parts(head, axum::body::Body::empty()));
        }
        let most = if names_many_seats(head.uri.path()) {
            settings.max_venue_bytes
        } else if door::scan::is_batch(head.uri.path()) {
            door::scan::MAX_BATCH_BYTES
        } else {
            settings.max_body_bytes
        };
        let too_large = || Problem::body_too_large(format!("A body has at most {most} bytes here."));
        if body.size_hint().lower() > most as u64 {
            return Err(too_large());
        }
        let reading = Limited::new(body, most).collect();
        let read = tokio::time::timeout(Duration::from_millis(settings.body_timeout_ms), reading).await;
        let bytes = match read {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(too_large()),
            Ok(Err(_)) => return Err(Problem::invalid_request("The body broke off.")),
            Err(_) => return Err(Problem::body_timeout("The body did not come in time.")),
        };
        Ok(Request::from_parts(head, axum::body::Body::from(bytes)))
    }
}

/// Joins `sender` to the line of `event`.
async fn join(
    app: &Arc<App>,
    event: &str,
    info: &RequestInfo,
    sender: Result<identity::Sender, Problem>,
) -> Response<Body> {
    let begun = Instant::now();
    let joined = async {
        let user = sender?.user(app).await?;
        info.count(app, Counted::User, app.limits.user_key(&user))?;
        let event = event.parse().map_err(|_| nothing_here())?;
        line::join::join(app, &event, &user).await
    };
    let response = match joined.await {
        Ok(joined) => {
            let body = line::text::json(&joined.view, &joined.view.place_token);
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = if joined.is_new { StatusCode::CREATED } else { StatusCode::OK };
            json_headers(response.headers_mut());
            info.write(app, response.headers_mut());
            response
        }
        Err(problem) => refuse(app, info, problem),
    };
    app.metrics.responded(response.status().as_u16(), begun.elapsed().as_secs_f64());
    response
}

/// The response of a refusal. Whoever could not be told is counted by address, so that guessing is slow.
fn refuse(app: &App, info: &RequestInfo, mut problem: Problem) -> Response<Body> {
    if problem.status() == StatusCode::UNAUTHORIZED
        && let Err(limited) = info.count(app, Counted::Address, app.limits.address_key(info.address()))
    {
        problem = limited;
    }
    let mut response = problem.response();
    info.write(app, response.headers_mut());
    response
}

fn json_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Whether a body sent to `path` may have something of each seat of a hall.
fn names_many_seats(path: &str) -> bool {
    path == "/v1/operator/venues"
        || path.starts_with("/v1/operator/events/") && (path.ends_with("/hall/preview") || path.ends_with("/hall"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_hot_requests_pass_the_router_by() {
        let is_poll = |method: Method, path| matches!(hot(&method, path), Some(Hot::Poll("evt_1")));
        let is_join = |method: Method, path| matches!(hot(&method, path), Some(Hot::Join("evt_1")));
        assert!(is_poll(Method::GET, "/v1/events/evt_1/line/place"));
        assert!(is_join(Method::POST, "/v1/events/evt_1/line"));
        assert!(hot(&Method::DELETE, "/v1/events/evt_1/line/place").is_none());
        assert!(hot(&Method::GET, "/v1/events/evt_1/line").is_none());
        assert!(hot(&Method::GET, "/v1/events/evt_1/line/place/x").is_none());
    }
}
