//! A server on this machine that speaks Stripe's wire format for intents and refunds, keeps what it is told, keeps
//! answers by idempotency key as Stripe does, and fails as it is told to.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use booking_core::{money::Money, ports::payments::SandboxOutcome};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

/// The key that it takes.
pub(crate) const KEY: &str = "sk_test_standin";
/// How long a request that changes something takes, so that others meet it under way.
const WORK: Duration = Duration::from_millis(2);

/// A running stand-in; its clones are the same.
#[derive(Clone)]
pub(crate) struct StandIn {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    intents: HashMap<String, Intent>,
    refunds: Vec<Refund>,
    keys: HashMap<String, Kept>,
    faults: VecDeque<(String, Fault)>,
    seen: Vec<Seen>,
    under_way: usize,
    most_under_way: usize,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) form: String,
    pub(crate) key: Option<String>,
    pub(crate) version: Option<String>,
    authorization: String,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Not done; this status, with these headers.
    Refused(u16, &'static [(&'static str, &'static str)]),
    /// Not done, and kept as the key's answer: 500.
    Broken,
    /// Done; the connection ends without an answer.
    DroppedAfter,
    /// Not done; the connection ends without an answer.
    DroppedBefore,
    /// Done; the answer never comes.
    HangsAfter,
    /// Not done; this is answered with 200.
    Says(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) status: &'static str,
    amount: i64,
    currency: String,
    pub(crate) capture_method: &'static str,
    pub(crate) metadata: HashMap<String, String>,
    reason: Option<String>,
    outcome: SandboxOutcome,
    pub(crate) captures: u32,
}

#[derive(Debug, Clone)]
struct Refund {
    id: String,
    intent: String,
    amount: i64,
    status: &'static str,
    metadata: HashMap<String, String>,
}

struct Kept {
    form: String,
    /// `None`: under way.
    answer: Option<(u16, Value)>,
}

type Answer = (u16, Value);

impl StandIn {
    /// Starts one on a port that the system gives; it ends with the test's runtime.
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let this = Self { address: listener.local_addr().unwrap(), inner: Arc::default() };
        let serving = this.clone();
        tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| serving.clone().serve(request));
                    // It ends with an error where a fault said so.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        this
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Makes an intent as a buyer leaves it. False: it was made with another content.
    pub(crate) fn make(&self, id: &str, amount: Money, outcome: SandboxOutcome) -> bool {
        let status = match outcome {
            SandboxOutcome::Approve | SandboxOutcome::TimeoutAuthorised | SandboxOutcome::RefuseRefund => {
                "requires_capture"
            }
            SandboxOutcome::Decline => "requires_payment_method",
            SandboxOutcome::Timeout => "processing",
        };
        let currency = amount.currency.as_str().to_ascii_lowercase();
        let mut inner = self.inner();
        let made = inner.intents.entry(id.to_owned()).or_insert_with(|| Intent {
            status,
            amount: amount.amount,
            currency: currency.clone(),
            capture_method: "manual",
            metadata: HashMap::new(),
            reason: None,
            outcome,
            captures: 0,
        });
        (made.amount, &made.currency, made.outcome) == (amount.amount, &currency, outcome)
    }

    /// What somebody else than Weir does to an intent.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Intent)) {
        change(self.inner().intents.get_mut(id).unwrap());
    }

    pub(crate) fn intent(&self, id: &str) -> Intent {
        self.inner().intents[id].clone()
    }

    /// The amounts refunded.
    pub(crate) fn refunds(&self) -> Vec<i64> {
        self.inner().refunds.iter().map(|refund| refund.amount).collect()
    }

    /// Lets refunds fail that were on their way.
    pub(crate) fn fail_refunds(&self) {
        self.inner().refunds.iter_mut().for_each(|refund| refund.status = "failed");
    }

    /// A day passes.
    pub(crate) fn forget_keys(&self) {
        self.inner().keys.clear();
    }

    /// The next requests whose method and path hold `what` fail so, one after the other.
    pub(crate) fn fail(&self, what: &str, faults: impl IntoIterator<Item = Fault>) {
        self.inner().faults.extend(faults.into_iter().map(|fault| (what.to_owned(), fault)));
    }

    /// Every request so far whose method and path hold `what`.
    pub(crate) fn seen(&self, what: &str) -> Vec<Seen> {
        self.inner().seen.iter().filter(|seen| seen.line().contains(what)).cloned().collect()
    }

    /// The most requests that were under way at once.
    pub(crate) fn most_under_way(&self) -> usize {
        self.inner().most_under_way
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
        {
            let mut inner = self.inner();
            inner.under_way += 1;
            inner.most_under_way = inner.most_under_way.max(inner.under_way);
        }
        let served = self.serve_one(request).await;
        self.inner().under_way -= 1;
        served
    }

    async fn serve_one(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
        let seen = read(request).await?;
        let fault = {
            let mut inner = self.inner();
            inner.seen.push(seen.clone());
            let at = inner.faults.iter().position(|(what, _)| seen.line().contains(what));
            at.and_then(|at| inner.faults.remove(at)).map(|(_, fault)| fault)
        };
        let cut = || Err(io::Error::other("the fault of the test"));
        match fault {
            Some(Fault::DroppedBefore) => return cut(),
            Some(Fault::Refused(status, headers)) => {
                return Ok(response((status, error("api_error", "", "Later.")), headers));
            }
            Some(Fault::Says(text)) => return Ok(Response::new(Full::new(Bytes::from_static(text.as_bytes())))),
            _ => {}
        }
        let is_kept = seen.key.as_ref().is_some_and(|key| self.inner().keys.contains_key(key));
        let answer = self.answer(&seen, matches!(fault, Some(Fault::Broken))).await;
        let never_answers = seen.is_bind() && self.never_answers(&seen.path);
        match fault {
            Some(Fault::DroppedAfter) => return cut(),
            Some(Fault::HangsAfter) => std::future::pending::<()>().await,
            _ if never_answers => return cut(),
            _ => {}
        }
        Ok(response(answer, if is_kept { &[("idempotent-replayed", "true")] } else { &[] }))
    }

    fn never_answers(&self, path: &str) -> bool {
        let inner = self.inner();
        let intent = path.strip_prefix("/v1/payment_intents/").and_then(|id| inner.intents.get(id));
        intent.is_some_and(|intent| intent.outcome == SandboxOutcome::TimeoutAuthorised)
    }

    /// Does what is asked, once for each key.
    async fn answer(&self, seen: &Seen, is_broken: bool) -> Answer {
        if seen.authorization != format!("Bearer {KEY}") {
            let message = format!("Invalid API Key provided: {}", seen.authorization);
            return (401, error("invalid_request_error", "api_key_invalid", &message));
        }
        let Some(key) = &seen.key else { return self.inner().act(seen) };
        {
            let mut inner = self.inner();
            match inner.keys.get(key) {
                Some(kept) if kept.form != seen.whole() => {
                    let message = "Keys for idempotent requests can only be used with the same parameters.";
                    return (400, error("idempotency_error", "", message));
                }
                Some(Kept { answer: Some(answer), .. }) => return answer.clone(),
                Some(Kept { answer: None, .. }) => {
                    let message = "There is currently another in-progress request using this Stripe-Idempotent-Key";
                    return (409, error("idempotency_error", "idempotency_key_in_use", message));
                }
                None => inner.keys.insert(key.clone(), Kept { form: seen.whole(), answer: None }),
            };
        }
        tokio::time::sleep(WORK).await;
        let mut inner = self.inner();
        let answer = if is_broken { (500, error("api_error", "", "Broken.")) } else { inner.act(seen) };
        if let Some(kept) = inner.keys.get_mut(key) {
            kept.answer = Some(answer.clone());
        }
        answer
    }
}

impl Seen {
    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn whole(&self) -> String {
        format!("{} {}", self.line(), self.form)
    }

    fn is_bind(&self) -> bool {
        self.method == "POST" && self.path.matches('/').count() == 3
    }

    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.form.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn metadata(&self) -> impl Iterator<Item = (String, String)> + '_ {
        form_urlencoded::parse(self.form.as_bytes()).filter_map(|(key, value)| {
            let name = key.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), value.into_owned()))
        })
    }
}

async fn read(request: Request<Incoming>) -> Result<Seen, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let form = if head.method == Method::GET {
        head.uri.query().unwrap_or_default().to_owned()
    } else {
        String::from_utf8(body.to_vec()).unwrap()
    };
    Ok(Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        form,
        key: header("idempotency-key"),
        version: header("stripe-version"),
        authorization: header("authorization").unwrap_or_default(),
    })
}

impl Inner {
    fn act(&mut self, seen: &Seen) -> Answer {
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match (seen.method.as_str(), parts.as_slice()) {
            ("GET", ["v1", "payment_intents"]) => (200, json!({ "object": "list", "data": [], "has_more": false })),
            ("GET", ["v1", "payment_intents", id]) => self.with(id, |_| Ok(())),
            ("POST", ["v1", "payment_intents", id]) => self.with(id, |intent| {
                intent.metadata.extend(seen.metadata());
                Ok(())
            }),
            ("POST", ["v1", "payment_intents", id, "capture"]) => self.with(id, |intent| {
                if intent.status != "requires_capture" {
                    return Err(unexpected(intent, "captured"));
                }
                intent.captures += 1;
                intent.status = "succeeded";
                Ok(())
            }),
            ("POST", ["v1", "payment_intents", id, "cancel"]) => self.with(id, |intent| {
                if matches!(intent.status, "succeeded" | "canceled") {
                    return Err(unexpected(intent, "canceled"));
                }
                intent.status = "canceled";
                intent.reason = seen.field("cancellation_reason");
                Ok(())
            }),
            ("GET", ["v1", "refunds"]) => self.list(seen),
            ("POST", ["v1", "refunds"]) => self.refund(seen),
            _ => (404, error("invalid_request_error", "", "Unrecognized request URL")),
        }
    }

    fn with(&mut self, id: &str, act: impl FnOnce(&mut Intent) -> Result<(), Answer>) -> Answer {
        let of_it = |refund: &&Refund| refund.intent == id && refund.status != "failed";
        let refunded: i64 = self.refunds.iter().filter(of_it).map(|refund| refund.amount).sum();
        let Some(intent) = self.intents.get_mut(id) else { return missing(id) };
        match act(intent) {
            Ok(()) => (200, intent.json(id, refunded)),
            Err(refused) => refused,
        }
    }

    fn list(&self, seen: &Seen) -> Answer {
        let (intent, limit) = (seen.field("payment_intent").unwrap(), seen.field("limit").unwrap());
        // The newest first, as Stripe has it.
        let mut of_it: Vec<&Refund> = self.refunds.iter().rev().filter(|refund| refund.intent == intent).collect();
        if let Some(after) = seen.field("starting_after") {
            let at = of_it.iter().position(|refund| refund.id == after).unwrap();
            of_it.drain(..=at);
        }
        let limit: usize = limit.parse().unwrap();
        let data: Vec<Value> = of_it.iter().take(limit).map(|refund| refund.json()).collect();
        (200, json!({ "object": "list", "data": data, "has_more": of_it.len() > limit }))
    }

    fn refund(&mut self, seen: &Seen) -> Answer {
        let (id, amount) = (seen.field("payment_intent").unwrap(), seen.field("amount").unwrap());
        let amount: i64 = amount.parse().unwrap();
        let Some(intent) = self.intents.get(&id) else { return missing(&id) };
        let before: i64 = self.refunds.iter().filter(|refund| refund.intent == id).map(|refund| refund.amount).sum();
        let refused = |code, message: &str| (400, error("invalid_request_error", code, message));
        if intent.status != "succeeded" {
            return refused("", "This PaymentIntent does not have a successful charge to refund.");
        }
        if intent.outcome == SandboxOutcome::RefuseRefund {
            return refused("charge_not_refundable", "This charge can't be refunded.");
        }
        if amount > intent.amount - before {
            return refused("", "Refund amount is greater than unrefunded amount on charge.");
        }
        let metadata = seen.metadata().collect();
        let id_of_it = format!("re_{}", self.refunds.len());
        let made = Refund { id: id_of_it, intent: id, amount, status: "pending", metadata };
        let answer = made.json();
        self.refunds.push(made);
        (200, answer)
    }
}

impl Intent {
    fn json(&self, id: &str, refunded: i64) -> Value {
        let set_aside = if self.status == "requires_capture" { self.amount } else { 0 };
        let received = if self.status == "succeeded" { self.amount } else { 0 };
        let declined = self.outcome == SandboxOutcome::Decline;
        json!({
            "id": id, "object": "payment_intent", "status": self.status, "amount": self.amount,
            "amount_capturable": set_aside, "amount_received": received, "currency": self.currency,
            "capture_method": self.capture_method, "metadata": self.metadata, "client_secret": "pi_secret",
            "cancellation_reason": self.reason, "livemode": false,
            "last_payment_error": declined.then(|| json!({
                "type": "card_error", "code": "card_declined", "message": "Your card was declined.",
            })),
            "latest_charge": (set_aside + received > 0).then(|| json!({
                "id": "ch_1", "object": "charge", "amount_refunded": refunded,
            })),
        })
    }
}

impl Refund {
    fn json(&self) -> Value {
        let failed = (self.status == "failed").then_some("expired_or_canceled_card");
        json!({
            "id": self.id, "object": "refund", "amount": self.amount, "status": self.status,
            "payment_intent": self.intent, "metadata": self.metadata, "failure_reason": failed,
        })
    }
}

fn missing(id: &str) -> Answer {
    (404, error("invalid_request_error", "resource_missing", &format!("No such payment_intent: '{id}'")))
}

fn unexpected(intent: &Intent, what: &str) -> Answer {
    let message = format!("This PaymentIntent could not be {what} because it has a status of {}.", intent.status);
    (400, error("invalid_request_error", "payment_intent_unexpected_state", &message))
}

fn error(kind: &str, code: &str, message: &str) -> Value {
    let code = (!code.is_empty()).then_some(code);
    json!({ "error": { "type": kind, "code": code, "message": message } })
}

fn response((status, body): Answer, headers: &[(&'static str, &'static str)]) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.to_string().into())).unwrap()
}
