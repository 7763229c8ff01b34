//! A closed-loop HTTP/1.1 load: so many connections, each sending its next request once the last is answered.
//!
//! Lean on purpose: whatever the generator costs is paid on both sides of a ratio and pulls it towards 1.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The most header fields of an answer that the generator reads.
const MAX_FIELDS: usize = 64;

/// Where the next request comes from: its whole bytes, or none when there are no more.
pub(crate) trait Requests: Send + Sync + 'static {
    /// Writes request number `n` into `out`, which is empty; `false` when there is none.
    fn write(&self, n: u64, out: &mut Vec<u8>) -> bool;
}

/// A list of requests, sent round and round; at least one.
pub(crate) struct Round(pub(crate) Vec<Vec<u8>>);

impl Requests for Round {
    fn write(&self, n: u64, out: &mut Vec<u8>) -> bool {
        let at = usize::try_from(n).unwrap_or(0) % self.0.len();
        out.extend_from_slice(&self.0[at]);
        true
    }
}

/// A list of requests, each sent once.
pub(crate) struct Each(pub(crate) Vec<Vec<u8>>);

impl Requests for Each {
    fn write(&self, n: u64, out: &mut Vec<u8>) -> bool {
        let Some(request) = usize::try_from(n).ok().and_then(|n| self.0.get(n)) else { return false };
        out.extend_from_slice(request);
        true
    }
}

/// What a slice of load came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// Answers of the expected status.
    pub(crate) answered: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Slice {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

/// Sends requests over `connections` for `span`, or until there are none left, and counts answers with `status`.
///
/// # Errors
/// At the first answer with another status, and at any connection that breaks.
pub(crate) async fn run(
    to: SocketAddr,
    connections: usize,
    span: Duration,
    status: u16,
    requests: Arc<dyn Requests>,
) -> Result<Slice> {
    let next = Arc::new(AtomicU64::new(0));
    let answered = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(to).await?);
    }
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in open {
        let (next, answered, stop, requests) = (next.clone(), answered.clone(), stop.clone(), requests.clone());
        tasks.spawn(async move {
            let mut request = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                request.clear();
                if !requests.write(next.fetch_add(1, Ordering::Relaxed), &mut request) {
                    break;
                }
                let answer = connection.exchange(&request).await?;
                if answer.status != status {
                    bail!("expected {status}, got {}: {}", answer.status, answer.body);
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    let timer = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::time::sleep(span).await;
            stop.store(true, Ordering::Relaxed);
        }
    });
    while let Some(task) = tasks.join_next().await {
        task.context("a connection's task panicked")??;
    }
    timer.abort();
    Ok(Slice { answered: answered.load(Ordering::Relaxed), took: started.elapsed() })
}

/// One answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its header fields as they came.
    pub(crate) fields: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: String,
}

/// One connection, one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("connecting to {to}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(4_096) })
    }

    /// Sends `request` and reads its answer, which must carry a Content-Length. Header fields are left out.
    async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.answer(false).await
    }

    /// Sends `request` and reads its answer with its header fields.
    pub(crate) async fn exchange_whole(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.answer(true).await
    }

    /// Sends `request` and reads only the head of its answer: the body goes on for ever.
    pub(crate) async fn open_stream(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        loop {
            if let Some((status, head, _, _)) = parse(&self.buffer, false)? {
                self.buffer.advance(head);
                return Ok(status);
            }
            self.fill().await?;
        }
    }

    /// Waits until `needle` comes along a stream; what was read before it is dropped.
    pub(crate) async fn wait_for(&mut self, needle: &[u8]) -> Result<()> {
        loop {
            if let Some(at) = self.buffer.windows(needle.len()).position(|window| window == needle) {
                self.buffer.advance(at + needle.len());
                return Ok(());
            }
            let keep = needle.len().min(self.buffer.len());
            let drop = self.buffer.len() - keep;
            self.buffer.advance(drop);
            self.fill().await?;
        }
    }

    async fn answer(&mut self, whole: bool) -> Result<Answer> {
        loop {
            if let Some((status, head, length, fields)) = parse(&self.buffer, whole)? {
                while self.buffer.len() < head + length {
                    self.fill().await?;
                }
                self.buffer.advance(head);
                // A poll's body is not looked at: only its length matters to the ratio.
                let body = if whole || status >= 400 {
                    String::from_utf8_lossy(&self.buffer[..length]).into_owned()
                } else {
                    String::new()
                };
                self.buffer.advance(length);
                return Ok(Answer { status, fields, body });
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

type Head = (u16, usize, usize, Vec<(String, String)>);

fn parse(bytes: &[u8], whole: bool) -> Result<Option<Head>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(size) = head.parse(bytes)? else { return Ok(None) };
    let length = head
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok())
        .unwrap_or(0);
    let listed = if whole {
        head.headers
            .iter()
            .map(|field| (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned()))
            .collect()
    } else {
        Vec::new()
    };
    Ok(Some((head.code.context("an answer without a status")?, size, length, listed)))
}

/// A request with a body or without, as bytes.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in fields {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(text, "content-type: application/json\r\n");
    }
    if method != "GET" {
        let _ = write!(text, "content-length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
