//! The edge of Weir: HTTP, pages, tokens, rate limits, live streams.
//!
//! Architecture invariants: the gateway writes only to the log and to the desk; it sees ports, never a backend; a poll
//! of a place is answered from memory alone; a refresh token, an operator key or a place token is never written down.
//!
//! The way of a request: [`accept`] takes the connection and holds it to its limits, [`service`] answers polls and
//! joins itself and hands everything else to [`router`], whose handlers stand in the folders named after the part of
//! the business they serve.

mod accept;
mod admin;
mod amount;
mod app;
mod booking;
mod browse;
mod commands;
mod door;
mod gateway;
mod identity;
mod keys;
mod letters;
mod limits;
mod line;
mod metrics;
mod operator;
pub mod pages;
mod problem;
mod request;
mod respond;
mod router;
mod sales;
mod sandbox;
mod service;
mod settings;
mod site;
mod sse;
mod to_the_end;

pub use admin::{Admin, Readiness};
pub use app::Parts;
pub use gateway::{Error, Gateway};
pub use keys::{AccessKeys, KeyId, Keys, OperatorKey, OperatorKeys, Role, SigningKeys};
pub use letters::SiteLetters;
pub use metrics::Numbers;
pub use settings::{InvalidSetting, OutsideIssuer, Settings};

/// The API's description (OpenAPI 3.1), as JSON; the same as `/openapi.json`.
pub fn openapi() -> String {
    router::description()
}
