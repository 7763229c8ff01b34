//! The admin listener: alive, ready, metrics. Never public. A process without a gateway has one too.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    accept::{self, Activity, MakeService},
    gateway::listen,
    metrics::{self, Numbers},
};

/// The most connections of the admin listener.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// Whether a process should get work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet.
    Starting,
    /// Yes.
    Ready,
    /// No more.
    Stopping,
}

/// What the admin listener tells.
pub(crate) trait Health: Send + Sync + 'static {
    fn readiness(&self) -> Readiness;

    /// In the `OpenMetrics` text format.
    fn metrics(&self) -> String;
}

/// The admin listener of a process that has no gateway.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    health: Arc<Shown>,
}

struct Shown {
    numbers: Numbers,
    readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

impl Health for Shown {
    fn readiness(&self) -> Readiness {
        (self.readiness)()
    }

    fn metrics(&self) -> String {
        metrics::text_of(&self.numbers)
    }
}

impl Admin {
    /// Binds `address`. `numbers` are what `/metrics` shows.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub async fn bind(
        address: SocketAddr,
        numbers: Numbers,
        readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    ) -> Result<Self, Error> {
        let (listener, address) = listen(address).await?;
        Ok(Self { listener, address, health: Arc::new(Shown { numbers, readiness }) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let limits = accept::Limits {
            max_connections: MAX_CONNECTIONS,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain: Duration::ZERO,
            max_header_bytes: 16_384,
            max_headers: 100,
        };
        accept::serve(self.listener, Arc::new(AdminService(self.health)), limits, stop).await;
    }
}

/// Makes the admin listener's services.
pub(crate) struct AdminService<H>(pub(crate) Arc<H>);

/// The admin listener's service.
pub(crate) struct AdminConnection<H> {
    health: Arc<H>,
    activity: Arc<Activity>,
}

impl<H> Clone for AdminConnection<H> {
    fn clone(&self) -> Self {
        Self { health: Arc::clone(&self.health), activity: Arc::clone(&self.activity) }
    }
}

impl<H: Health> MakeService for AdminService<H> {
    type Service = AdminConnection<H>;
    type Body = Full<Bytes>;

    fn make(&self, _: SocketAddr, activity: Arc<Activity>) -> AdminConnection<H> {
        AdminConnection { health: Arc::clone(&self.0), activity }
    }

    fn connections(&self, _: usize) {}

    fn turned_away(&self) {}
}

impl<H: Health> Service<Request<Incoming>> for AdminConnection<H> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.at_once();
        let (status, kind, text) = match request.uri().path() {
            "/live" => (StatusCode::OK, "text/plain", "live\n".to_owned()),
            "/ready" => match self.health.readiness() {
                Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "starting\n".to_owned()),
                Readiness::Ready => (StatusCode::OK, "text/plain", "ready\n".to_owned()),
                Readiness::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n".to_owned()),
            },
            "/metrics" => {
                (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", self.health.metrics())
            }
            _ => (StatusCode::NOT_FOUND, "text/plain", "/live, /ready and /metrics are here\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Box::pin(async move { Ok(response) })
    }
}
