//! The operator's API, asked patiently.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{
    api::{Answer, Api, ApiError, Call},
    cli::OperatorAccess,
};

/// How often something is asked that is not answered, or put off.
const MAX_TRIES: u32 = 8;
/// The first pause before it is asked again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// The longest pause that a gateway can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// A Weir, as one of its operators asks it.
#[derive(Debug, Clone)]
pub(super) struct Office {
    api: Api,
    key: String,
}

impl Office {
    /// With at most `connections` at rest.
    ///
    /// # Errors
    /// If the HTTP client can't be built.
    pub(super) fn new(access: &OperatorAccess, connections: usize) -> anyhow::Result<Self> {
        Ok(Self { api: Api::at(&access.at, connections)?, key: access.operator_key.clone() })
    }

    pub(super) fn address(&self) -> &str {
        self.api.base()
    }

    /// Asks, and asks again where Weir can't be reached or wants to be asked later: `call` must be safe to repeat.
    ///
    /// # Errors
    /// If it can't be reached at all, or answers what can't be read.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, ApiError> {
        let call = call.bearer(&self.key);
        let mut pause = FIRST_PAUSE;
        for _ in 1..MAX_TRIES {
            let asked = self.api.ask(call.clone()).await;
            let wait = match &asked {
                Err(ApiError::Unreachable { .. }) => pause,
                Ok(Answer::Refused(problem))
                    if matches!(problem.status, 429 | 502..=504) || problem.slug == "request-in-progress" =>
                {
                    problem.retry_after.map_or(pause, |wait| wait.clamp(pause, LONGEST_RETRY_AFTER))
                }
                _ => return asked,
            };
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.api.ask(call).await
    }
}
