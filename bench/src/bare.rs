//! The other side of the ratios: a hyper server in a process of its own that does nothing but answer the same bytes.

use std::{convert::Infallible, net::SocketAddr, process::Stdio};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command},
};

use crate::load::Answer;

/// A running bare server; ends when dropped.
pub(crate) struct Bare {
    /// Where it listens.
    pub(crate) at: SocketAddr,
    _child: Child,
    /// The server ends when this closes.
    _stdin: ChildStdin,
}

impl Bare {
    /// Starts this executable again as a server that gives `answer` to everything.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(answer: &Answer) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("the input is piped")?;
        let stdout = child.stdout.take().context("the output is piped")?;
        stdin.write_all(format!("{}\n", serde_json::to_string(answer)?).as_bytes()).await?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let at = line.context("the bare server ended at once")?.parse()?;
        Ok(Self { at, _child: child, _stdin: stdin })
    }
}

/// The server itself: reads its answer from the standard input, prints its address, serves until that input closes.
///
/// # Errors
/// If the answer is none, or no port can be had.
pub(crate) async fn run() -> Result<()> {
    let mut stdin = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    stdin.read_line(&mut line).await?;
    let answer = Prepared::of(&serde_json::from_str(&line)?)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("{}\n", listener.local_addr()?);
    let mut stdout = tokio::io::stdout();
    stdout.write_all(address.as_bytes()).await?;
    stdout.flush().await?;
    tokio::select! {
        () = serve(listener, answer) => Ok(()),
        _ = stdin.read_u8() => Ok(()),
    }
}

/// An answer in hyper's words.
#[derive(Clone)]
struct Prepared {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

impl Prepared {
    fn of(answer: &Answer) -> Result<Self> {
        let mut fields = HeaderMap::new();
        for (name, value) in &answer.fields {
            // hyper writes these two itself, as it does for Weir.
            if name != "date" && name != "content-length" {
                fields.append(HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
            }
        }
        Ok(Self { status: StatusCode::from_u16(answer.status)?, fields, body: Bytes::from(answer.body.clone()) })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields.clone();
        response
    }
}

async fn serve(listener: TcpListener, answer: Prepared) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(stream, answer.clone()));
    }
}

async fn connection(stream: TcpStream, answer: Prepared) {
    let service = service_fn(move |_: hyper::Request<Incoming>| {
        let response = answer.response();
        async move { Ok::<_, Infallible>(response) }
    });
    // A visitor who hangs up is no failure.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}
