//! The operator's calls. Each change becomes a command to the workers, and lands in the audit trail there; a wish to
//! have webhooks sent again, which changes nothing, stands among their deliveries.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts as Head;

use crate::{app::App, identity::bearer, keys::Role, problem::Problem};

pub(crate) mod audit;
pub(crate) mod call_off;
pub(crate) mod command;
pub(crate) mod events;
pub(crate) mod hall;
pub(crate) mod moving;
pub(crate) mod payments;
pub(crate) mod rehousing;
pub(crate) mod sale;
pub(crate) mod stats;
pub(crate) mod tickets;
pub(crate) mod venues;
pub(crate) mod webhooks;

/// Who is operating.
pub(crate) struct Operator {
    /// The key's name.
    pub(crate) name: String,
    role: Role,
}

impl Operator {
    /// Goes on only if the key allows as much as `role`.
    ///
    /// # Errors
    /// [forbidden].
    pub(crate) fn require(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let detail = format!("This needs a key of the role {}; this one's is {}.", name(role), name(self.role));
        Err(Problem::forbidden(detail))
    }

    /// Goes on only if the key may stand at a door.
    ///
    /// # Errors
    /// [forbidden].
    pub(crate) fn require_door(&self) -> Result<(), Problem> {
        match self.role {
            Role::Door | Role::Operator | Role::Admin => Ok(()),
            Role::Viewer => Err(Problem::forbidden("This needs a key of the role door, operator or admin.")),
        }
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Door => "door",
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &Arc<App>) -> Result<Self, Problem> {
        let key = bearer(&head.headers)
            .ok_or_else(|| Problem::unauthorized("Send Authorization: Bearer with an operator key."))?;
        let key =
            app.keys.operators.find(key).ok_or_else(|| Problem::unauthorized("This operator key is not known."))?;
        Ok(Self { name: key.name, role: key.role })
    }
}
