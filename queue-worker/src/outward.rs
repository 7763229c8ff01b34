//! What goes back to the gateways: answers and seat changes.

use booking_core::{
    booking::SeatChanges,
    message::{self, Outcome, Refusal, Reply, ReplyTo},
    ports::{
        PortError, PortResult,
        log::{Log, MAX_PAYLOAD_BYTES, Topic, lane_of},
    },
};
use futures_util::future::try_join_all;

/// Answers, all at once.
pub(crate) async fn reply(log: &dyn Log, answers: Vec<(ReplyTo, Outcome)>) -> PortResult<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let lanes = log.lanes(&Topic::Replies).await?;
    let appends = answers.into_iter().map(|(to, outcome)| async move {
        let lane = lane_of(&to.gateway, lanes);
        log.append(&Topic::Replies, lane, message::encode(&Reply { to, outcome })).await
    });
    try_join_all(appends).await?;
    Ok(())
}

/// Tells live maps what changed. They find a change that gets lost by the gap it leaves in the versions, so a failure
/// is noted and nothing more.
pub(crate) async fn publish_seats(log: &dyn Log, changes: &[SeatChanges]) {
    for change in changes {
        let payload = message::encode(change);
        if payload.len() > MAX_PAYLOAD_BYTES {
            tracing::debug!(event = %change.event_id, "more seats changed at once than fit: live maps will ask");
            continue;
        }
        let told = async {
            let lane = lane_of(change.event_id.as_str(), log.lanes(&Topic::Seats).await?);
            log.append(&Topic::Seats, lane, payload).await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, event = %change.event_id, "a seat change could not be told: live maps will ask");
        }
    }
}

/// The answer where a port failed: worth repeating.
pub(crate) fn unavailable(error: &PortError) -> Outcome {
    tracing::warn!(%error, "answered as unavailable");
    let (PortError::Unavailable { port, .. } | PortError::Damaged { port, .. }) = error;
    Outcome::Refused(Refusal::Unavailable { detail: format!("the {port} can't be reached just now; try again") })
}
