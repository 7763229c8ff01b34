//! The admin listener: alive, ready, metrics. Never public.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::Service};

use crate::{
    accept::{Activity, MakeService},
    app::App,
};

/// Makes the admin listener's services.
pub(crate) struct AdminService(pub(crate) Arc<App>);

/// The admin listener's service.
#[derive(Clone)]
pub(crate) struct AdminConnection {
    app: Arc<App>,
    activity: Arc<Activity>,
}

impl MakeService for AdminService {
    type Service = AdminConnection;
    type Body = Full<Bytes>;

    fn make(&self, _: SocketAddr, activity: Arc<Activity>) -> AdminConnection {
        AdminConnection { app: Arc::clone(&self.0), activity }
    }

    fn connections(&self, _: usize) {}

    fn turned_away(&self) {}
}

impl Service<Request<Incoming>> for AdminConnection {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.at_once();
        let app = &self.app;
        let (status, kind, text) = match request.uri().path() {
            "/live" => (StatusCode::OK, "text/plain", "live\n".to_owned()),
            "/ready" if app.closing.is_cancelled() => {
                (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n".to_owned())
            }
            "/ready" if app.sales.is_ready() => (StatusCode::OK, "text/plain", "ready\n".to_owned()),
            "/ready" => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "starting\n".to_owned()),
            "/metrics" => {
                (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", app.metrics.text())
            }
            _ => (StatusCode::NOT_FOUND, "text/plain", "/live, /ready and /metrics are here\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Box::pin(async move { Ok(response) })
    }
}
