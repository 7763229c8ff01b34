//! Sending the sandbox's notices when they are due, as a provider would: signed, and to where a provider sends its own.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{app::App, booking::notice, request::RequestInfo};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);
/// The most payments whose notices are sent in one go.
const AT_ONCE: usize = 64;

/// Sends until `stop`. What could not be sent stays in the sandbox's store, and is sent later, by whichever gateway.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(sandbox) = app.parts.sandbox.clone().filter(|_| app.settings.sandbox) else { return };
    let mut timer = tokio::time::interval(LOOK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! { _ = timer.tick() => {}, () = stop.cancelled() => return }
        let due = match sandbox.due_notices(app.parts.clock.now(), AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::debug!(%error, "the sandbox does not tell which notices are due");
                continue;
            }
        };
        for due in due {
            let (signature, body) = app.sandbox_notices.write(&due.notice, app.parts.clock.now());
            let taken =
                notice::take_signed(&app, &RequestInfo::default(), &app.sandbox_notices, &signature, &body).await;
            if taken.is_ok()
                && let Err(error) = sandbox.notice_sent(&due).await
            {
                tracing::debug!(%error, "a notice of the sandbox will be sent twice");
            }
        }
    }
}
