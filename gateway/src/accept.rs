//! The accept loop: connections, each with its limits, and the drain at the end.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use hyper::{
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod guard;

pub(crate) use guard::{Activity, Busy};
use guard::{Guard, Timeouts};

/// The pause after an accept that failed, as when file descriptors run out: whoever closes next makes room.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Requests at once on one HTTP/2 connection.
const MAX_H2_STREAMS: u32 = 128;
/// What HTTP/2 keeps for sending on one connection, in bytes.
const H2_SEND_BUFFER: usize = 16 * 1_024;
/// The first bytes of HTTP/2 with prior knowledge: no method of HTTP/1 begins so.
const H2_PREFACE: &[u8] = b"PRI ";
/// The most headers of a request that hyper takes by itself.
const HYPERS_MAX_HEADERS: usize = 100;
/// The pause while fewer bytes than that have come.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// The limits of a listener.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_connections: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) drain: Duration,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_headers: usize,
}

/// Makes the service of a connection.
pub(crate) trait MakeService: Send + Sync + 'static {
    /// A connection's service.
    type Service: Service<
            hyper::Request<hyper::body::Incoming>,
            Response = hyper::Response<Self::Body>,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Send
        + Sync
        + Clone
        + 'static;
    /// What it answers with.
    type Body: hyper::body::Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// The service of a connection from `peer`; it tells `activity` about its requests.
    fn make(&self, peer: SocketAddr, activity: Arc<Activity>) -> Self::Service;

    /// Notes that a connection was opened or closed, and how many are open.
    fn connections(&self, open: usize);

    /// Notes that a connection was closed because there are too many.
    fn turned_away(&self);
}

/// How connections learn that the drain has begun.
#[derive(Default)]
struct Drain {
    /// Set before the token is cancelled. A connection looks here each time it wakes, which costs less than asking the
    /// token.
    has_begun: AtomicBool,
    token: CancellationToken,
}

impl Drain {
    fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Drives `connection` to its end; once the drain begins, `finish` is called on it.
    async fn drive<C: Future>(&self, mut connection: Pin<Box<C>>, finish: impl FnOnce(Pin<&mut C>)) -> C::Output {
        let mut begun = pin!(self.token.cancelled());
        let (mut is_registered, mut finish) = (false, Some(finish));
        poll_fn(|cx| {
            if let Poll::Ready(output) = connection.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            // Once registered, the token wakes this very task; there is no need to register again.
            let must_look = !is_registered || self.has_begun.load(Ordering::Acquire);
            is_registered = true;
            if must_look && finish.is_some() && begun.as_mut().poll(cx).is_ready() {
                if let Some(finish) = finish.take() {
                    finish(connection.as_mut());
                }
                return connection.as_mut().poll(cx);
            }
            Poll::Pending
        })
        .await
    }
}

/// Accepts until `stop`, then lets open requests finish for the time of grace.
pub(crate) async fn serve<M: MakeService>(
    listener: TcpListener,
    make: Arc<M>,
    limits: Limits,
    stop: CancellationToken,
) {
    let limits = Arc::new(limits);
    let room = Arc::new(Semaphore::new(limits.max_connections));
    let connections = TaskTracker::new();
    let drain = Arc::new(Drain::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if !is_of_the_connection(&error) {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            make.turned_away();
            continue;
        };
        let (make, limits, drain) = (Arc::clone(&make), Arc::clone(&limits), Arc::clone(&drain));
        make.connections(limits.max_connections - room.available_permits());
        let room = Arc::clone(&room);
        connections.spawn(async move {
            if let Err(error) = connection(stream, peer, &*make, &limits, &drain).await {
                tracing::debug!(%peer, error, "connection ended");
            }
            drop(permit);
            make.connections(limits.max_connections - room.available_permits());
        });
    }
    drop(listener);
    drain.begin();
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections are cut at the end of the time of grace");
    }
}

/// Errors of one connection that say nothing about the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn connection<M: MakeService>(
    stream: TcpStream,
    peer: SocketAddr,
    make: &M,
    limits: &Limits,
    drain: &Drain,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let is_h2 = tokio::select! {
        sniffed = tokio::time::timeout(limits.header_timeout, begins_as_h2(&stream)) => {
            sniffed.map_err(|_| "no request came".to_owned())?.map_err(|error| error.to_string())?
        }
        () = drain.token.cancelled() => return Ok(()),
    };
    let activity = Arc::new(Activity::default());
    let service = make.make(peer, Arc::clone(&activity));
    let timeouts = Timeouts { header: limits.header_timeout, idle: limits.idle_timeout };
    let io = Guard::new(stream, activity, timeouts, is_h2);
    let served: Result<(), Failure> =
        if is_h2 { serve_h2(io, service, limits, drain).await } else { serve_h1(io, service, limits, drain).await };
    served.map_err(|error| error.to_string())
}

/// Whether the connection begins with HTTP/2's preface. The bytes stay to be read.
async fn begins_as_h2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; H2_PREFACE.len()];
    loop {
        let count = stream.peek(&mut first).await?;
        if count == 0 || first[..count] != H2_PREFACE[..count] {
            return Ok(false);
        }
        if count == H2_PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

async fn serve_h1<S, B>(io: Guard, service: S, limits: &Limits, drain: &Drain) -> Result<(), Failure>
where
    S: Service<hyper::Request<hyper::body::Incoming>, Response = hyper::Response<B>, Error = std::convert::Infallible>,
    B: hyper::body::Body<Data = bytes::Bytes, Error: Into<Failure>> + 'static,
{
    let mut http = http1::Builder::new();
    http.half_close(false).keep_alive(true).max_buf_size(limits.max_header_bytes);
    // Answers are small: copying one behind its head costs less than handing the kernel two pieces.
    http.writev(false);
    if limits.max_headers != HYPERS_MAX_HEADERS {
        // Another number than hyper's own makes it prepare as many places anew for each request.
        http.max_headers(limits.max_headers);
    }
    // Boxed, as is HTTP/2's below: a future that is moved about takes its room once for each move.
    let connection = Box::pin(http.serve_connection(io, service));
    Ok(drain.drive(connection, hyper::server::conn::http1::Connection::graceful_shutdown).await?)
}

async fn serve_h2<S, B>(io: Guard, service: S, limits: &Limits, drain: &Drain) -> Result<(), Failure>
where
    S: Service<
            hyper::Request<hyper::body::Incoming>,
            Response = hyper::Response<B>,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        >,
    B: hyper::body::Body<Data = bytes::Bytes, Error: Into<Failure>> + Send + 'static,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(H2_SEND_BUFFER)
        .keep_alive_interval(limits.idle_timeout)
        .serve_connection(io, service);
    Ok(drain.drive(Box::pin(connection), hyper::server::conn::http2::Connection::graceful_shutdown).await?)
}
