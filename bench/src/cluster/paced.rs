//! How long confirmations take that come at a steady pace, from before their command is appended to their answer.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use backends::kafka::KafkaLog;
use booking_core::{
    id::EventId,
    message,
    money::Money,
    ports::log::{Log as _, Topic, lane_of},
};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join, stream};
use tokio::time::{Instant, sleep_until};

use super::{backlog::is_done, replies::Replies, round_trip::Spread};
use crate::backlog::{AT_ONCE, Planned, append_to};

/// Confirmations before the first that counts.
const WARM_UP: usize = 100;

/// Buyers of a crowd.
const CROWD: usize = 16;

/// Confirms `bookings`, each as soon as one of a crowd's before is answered. Answers how many a second.
///
/// # Errors
/// If one is refused or not answered.
pub(super) async fn saturate(
    log: &KafkaLog,
    event: &EventId,
    bookings: &[Planned],
    due: Money,
    replies: &mut Replies,
) -> Result<f64> {
    let begun = Instant::now();
    let mut asked = 0;
    let mut answered = 0;
    while answered < bookings.len() {
        let now = bookings.len().min(answered + CROWD);
        append_to(log, event, &bookings[asked..now], |booking| booking.confirm(due.amount)).await?;
        asked = now;
        let page = replies.take_each(1).await?;
        ensure!(page.iter().all(|(reply, _)| is_done(reply)), "a confirmation was refused");
        answered += page.len();
    }
    Ok(super::rate_since(begun, bookings.len()))
}

/// Confirms `bookings`, `rate` of them a second, whether those before are answered or not.
///
/// # Errors
/// If one is refused or not answered.
pub(super) async fn confirm(
    log: &KafkaLog,
    event: &EventId,
    bookings: &[Planned],
    due: Money,
    rate: f64,
    replies: &mut Replies,
) -> Result<Spread> {
    let lane = lane_of(event.as_str(), log.lanes(&Topic::Bookings).await?);
    let start = Instant::now();
    let asked = stream::iter((0_u32..).zip(bookings))
        .map(|(at, booking)| async move {
            sleep_until(start + Duration::from_secs_f64(f64::from(at) / rate)).await;
            let begun = Instant::now();
            let command = booking.command(event, booking.confirm(due.amount));
            log.append(&Topic::Bookings, lane, message::encode(&command)).await?;
            anyhow::Ok((command.reply_to.correlation, begun))
        })
        .buffered(AT_ONCE)
        .try_collect::<Vec<_>>();
    let (asked, answered) = try_join(asked, replies.take_each(bookings.len())).await?;
    ensure!(answered.iter().all(|(reply, _)| is_done(reply)), "a confirmation was refused");
    let answered: HashMap<_, _> = answered.into_iter().map(|(reply, at)| (reply.to.correlation, at)).collect();
    let took = asked.iter().map(|(correlation, begun)| {
        let at = answered.get(correlation).context("one was not answered")?;
        Ok((*at - *begun).as_secs_f64() * 1_000.0)
    });
    let took = took.skip(WARM_UP).collect::<Result<Vec<_>>>()?;
    Spread::of(took).context("nothing was confirmed")
}
