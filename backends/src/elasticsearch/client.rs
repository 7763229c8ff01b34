//! Requests to the servers: one at a time to each server in turn, until one answers.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use booking_core::ports::{PortError, PortResult};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::{Secret, address::Servers};

const PORT: &str = "search";
/// How much of a refusal is told.
const MAX_TOLD: usize = 200;

pub(super) fn unavailable(reason: impl Into<String>) -> PortError {
    PortError::Unavailable { port: PORT, reason: reason.into() }
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct ElasticsearchSettings {
    /// The servers' addresses, `http://host:port` or `https://host:port`; each is asked where those before do not answer.
    pub nodes: Vec<String>,
    /// The index's name, an alias: lower-case letters, digits, `-`. Indices of Weir's own begin with it and a `.`.
    pub index: String,
    /// Who asks, and with what, if anybody logs in.
    pub login: Option<(String, Secret)>,
    /// How long one server may take to answer.
    pub timeout: Duration,
}

/// An address that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write the servers and the index as '//user:password@host:port,host:port/index', the index in lower case")]
pub struct InvalidElasticsearch;

impl ElasticsearchSettings {
    /// The settings of an address: what stands behind `elasticsearch:`, or, with `tls`, behind `elasticsearch+tls:`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(rest: &str, tls: bool) -> Result<Self, InvalidElasticsearch> {
        let Servers { login, hosts, name: index } = Servers::parse(rest).ok_or(InvalidElasticsearch)?;
        let scheme = if tls { "https" } else { "http" };
        let is_index = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = index.bytes().all(is_index) && index.bytes().next().is_some_and(|first| first != b'-');
        let nodes: Vec<String> = hosts.iter().map(|host| format!("{scheme}://{host}")).collect();
        if !fits || index.len() > 200 || nodes.iter().any(|node| reqwest::Url::parse(node).is_err()) {
            return Err(InvalidElasticsearch);
        }
        Ok(Self { nodes, index: index.to_owned(), login, timeout: Duration::from_secs(5) })
    }
}

/// Asks the servers.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    settings: ElasticsearchSettings,
    /// The server that answered last.
    good: AtomicUsize,
}

impl Client {
    pub(super) fn new(settings: &ElasticsearchSettings) -> Self {
        let http = reqwest::Client::builder().timeout(settings.timeout).redirect(reqwest::redirect::Policy::none());
        let http = http.build().expect("the process has a TLS provider");
        Self { http, settings: settings.clone(), good: AtomicUsize::new(0) }
    }

    /// The configured name.
    pub(super) fn index(&self) -> &str {
        &self.settings.index
    }

    /// What stands behind `path`.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> PortResult<Value> {
        let (status, answer) = self.ask(method, path, body).await?;
        self.require(status, answer)
    }

    /// The same, whatever the servers say to it.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> PortResult<(StatusCode, Value)> {
        self.send(path, |url| {
            let request = self.http.request(method.clone(), url);
            if let Some(body) = body { request.json(body) } else { request }
        })
        .await
    }

    /// Sends lines to a `_bulk`.
    pub(super) async fn bulk(&self, path: &str, lines: String) -> PortResult<Value> {
        let answered = self
            .send(path, |url| self.http.post(url).header("content-type", "application/x-ndjson").body(lines.clone()));
        let (status, answer) = answered.await?;
        self.require(status, answer)
    }

    async fn send(&self, path: &str, request: impl Fn(String) -> RequestBuilder) -> PortResult<(StatusCode, Value)> {
        let nodes = &self.settings.nodes;
        let first = self.good.load(Ordering::Relaxed);
        let mut why = String::new();
        for number in (0..nodes.len()).map(|turn| (first + turn) % nodes.len()) {
            let mut request = request(format!("{}{path}", nodes[number]));
            if let Some((user, password)) = &self.settings.login {
                request = request.basic_auth(user, Some(password.reveal()));
            }
            match answer(request).await {
                Ok((status, answer)) => {
                    self.good.store(number, Ordering::Relaxed);
                    return Ok((status, answer));
                }
                Err(error) => why = error,
            }
        }
        Err(unavailable(why))
    }

    /// An answer that must be a good one.
    pub(super) fn require(&self, status: StatusCode, answer: Value) -> PortResult<Value> {
        match status {
            StatusCode::NOT_FOUND => Err(unavailable(format!("there is no index '{}' yet", self.settings.index))),
            status if status.is_success() => Ok(answer),
            status => Err(self.refused(status, &answer)),
        }
    }

    pub(super) fn refused(&self, status: StatusCode, answer: &Value) -> PortError {
        let told: String = answer["error"].to_string().chars().take(MAX_TOLD).collect();
        let reason = format!("the index '{}' answers {status}: {told}", self.settings.index);
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return unavailable(reason);
        }
        PortError::Damaged { port: PORT, reason }
    }

    /// An answer that is none.
    pub(super) fn odd(&self, what: &str) -> PortError {
        PortError::Damaged { port: PORT, reason: format!("the index '{}' holds {what}", self.settings.index) }
    }
}

/// An answer of one server, or why there is none.
async fn answer(request: RequestBuilder) -> Result<(StatusCode, Value), String> {
    // Where it is, is not told: a login may stand in it.
    let told = |error: reqwest::Error| error.without_url().to_string();
    let response = request.send().await.map_err(told)?;
    let status = response.status();
    let bytes = response.bytes().await.map_err(told)?;
    if status == StatusCode::BAD_GATEWAY || status == StatusCode::SERVICE_UNAVAILABLE {
        return Err(format!("a server answers {status}"));
    }
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_servers_index_and_login() {
        let read = ElasticsearchSettings::parse("//weir:p:w@one:9200,two:9200/events", false).unwrap();
        assert_eq!(read.nodes, ["http://one:9200", "http://two:9200"]);
        assert_eq!(read.index, "events");
        let (user, password) = read.login.unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("weir", "p:w"));
        assert_eq!(ElasticsearchSettings::parse("//one/events-2", true).unwrap().nodes, ["https://one"]);
        for wrong in
            ["one:9200/events", "//one:9200", "//one:9200/Events", "//one:9200/_all", "//weir@one/events", "///e"]
        {
            assert!(ElasticsearchSettings::parse(wrong, false).is_err(), "{wrong}");
        }
    }
}
