//! The desk: the rule of [`booking_core::desk::DeskState`] in Lua, its state in four keys an event.
//!
//! A place takes some 100 bytes there and an admission some 300 more, so a line of 1,000,000 asks for 100 MB on the node
//! that has the event, and as much on each of its replicas.

use std::sync::LazyLock;

use async_trait::async_trait;
use booking_core::{
    desk::Identity,
    id::{EventId, SessionId, UserId},
    line::Place,
    ports::{
        PortResult,
        desk::{Admit, AdmitRequest, Change, Counts, Desk, Ended, Standing},
    },
    time::Timestamp,
};
use redis::{FromRedisValue, RedisError};

use super::{
    RedisCluster,
    cluster::Home,
    error::{damaged, port_error},
    script::{Call, Verb},
};
use code::{change_of, ended_of, letter_of, number_of, place_of, text_of, time_of};

mod code;

const PORT: &str = "desk";

/// Ranks from here on are not noted, as in [`booking_core::desk::DeskState`]: the bitmap never exceeds 32 MiB.
const MAX_NOTED_RANK: u64 = 1 << 28;

macro_rules! verb {
    ($kind:ident $file:literal) => {
        LazyLock::new(|| Verb::$kind(include_str!("desk/common.lua"), include_str!($file)))
    };
}

static CLAIM_PLACE: LazyLock<Verb> = verb!(writing "desk/claim_place.lua");
static PLACE_OF: LazyLock<Verb> = verb!(reading "desk/place_of.lua");
static GIVE_UP: LazyLock<Verb> = verb!(writing "desk/give_up.lua");
static ADMIT: LazyLock<Verb> = verb!(writing "desk/admit.lua");
static FINISH: LazyLock<Verb> = verb!(writing "desk/finish.lua");
static COUNTS: LazyLock<Verb> = verb!(writing "desk/counts.lua");

/// The desk on a Redis cluster. A clone is the same desk.
///
/// What it answered outlives the process, a restart of Redis and, with [`RedisSettings::wait_for_replicas`], the loss of
/// a primary. It does not outlive the loss of all copies: then the event's desk is empty, and nobody stands anywhere.
///
/// [`RedisSettings::wait_for_replicas`]: super::RedisSettings::wait_for_replicas
#[derive(Debug, Clone)]
pub struct RedisDesk(RedisCluster);

impl RedisDesk {
    /// The desk that `cluster` holds.
    pub fn new(cluster: RedisCluster) -> Self {
        Self(cluster)
    }

    fn keys(&self, event: &EventId) -> [String; 4] {
        ["desk", "desk:active", "desk:came", "desk:changes"].map(|part| self.0.key(event, part))
    }

    async fn run<T: FromRedisValue>(&self, home: &mut Home, call: Call<'_>) -> PortResult<T> {
        call.run(home).await.map_err(failed)
    }

    /// Runs what answers whether it changed something, and waits for the replicas if it did.
    async fn end(&self, event: &EventId, call: Call<'_>) -> PortResult<()> {
        let mut home = self.0.home(event);
        if self.run::<bool>(&mut home, call).await? {
            self.0.replicated(&mut home).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Desk for RedisDesk {
    async fn claim_place(
        &self,
        event: &EventId,
        user: &UserId,
        place: Place,
        instead_of: Option<Place>,
    ) -> PortResult<Place> {
        let mut home = self.0.home(event);
        let keys = self.keys(event);
        let call = CLAIM_PLACE
            .on(&keys)
            .arg(identity(user).as_slice())
            .arg(text_of(place))
            .arg(instead_of.map(text_of).unwrap_or_default());
        let (stands, is_new): (String, bool) = self.run(&mut home, call).await?;
        if is_new {
            self.0.replicated(&mut home).await;
        }
        place_of(&stands)
    }

    async fn place_of(&self, event: &EventId, user: &UserId) -> PortResult<Option<Standing>> {
        let keys = self.keys(event);
        let call = PLACE_OF.on(&keys).arg(identity(user).as_slice());
        let answer: Vec<String> = self.run(&mut self.0.home(event), call).await?;
        match answer.as_slice() {
            [] => Ok(None),
            [place, ended] => {
                let ended = if ended == "-" { None } else { Some(ended_of(ended)?) };
                Ok(Some(Standing { place: place_of(place)?, ended }))
            }
            _ => Err(damaged(PORT, "a standing is a place and how it ended")),
        }
    }

    async fn give_up(&self, event: &EventId, user: &UserId, now: Timestamp) -> PortResult<()> {
        let keys = self.keys(event);
        self.end(event, GIVE_UP.on(&keys).arg(identity(user).as_slice()).arg(now.as_millis())).await
    }

    async fn admit(&self, event: &EventId, request: &AdmitRequest, now: Timestamp) -> PortResult<Admit> {
        let mut home = self.0.home(event);
        let keys = self.keys(event);
        let rank = if request.rank < MAX_NOTED_RANK { number_of(request.rank) } else { -1 };
        let call = ADMIT
            .on(&keys)
            .arg(identity(&request.user).as_slice())
            .arg(text_of(request.place))
            .arg(rank)
            .arg(request.session.as_str())
            .arg(request.rate_per_minute)
            .arg(request.max_active)
            // A session lives at least a moment, or it would be over before it is answered.
            .arg(u64::from(request.session_seconds.max(1)) * 1_000)
            .arg(now.as_millis());
        let answer: Vec<String> = self.run(&mut home, call).await?;
        let answer: Vec<&str> = answer.iter().map(String::as_str).collect();
        match answer.as_slice() {
            ["A", session, expires_at, is_new] => {
                if *is_new == "1" {
                    self.0.replicated(&mut home).await;
                }
                let session = session.parse().map_err(|_| damaged(PORT, session))?;
                Ok(Admit::Admitted { session, expires_at: time_of(expires_at)? })
            }
            ["F", wait] => Ok(Admit::Full { retry_after_ms: wait.parse().map_err(|_| damaged(PORT, wait))? }),
            ["N"] => Ok(Admit::NotTheirPlace),
            ["O", ""] => Ok(Admit::Over(None)),
            ["O", ended] => Ok(Admit::Over(Some(ended_of(ended)?))),
            other => Err(damaged(PORT, &other.join(" "))),
        }
    }

    async fn finish(&self, event: &EventId, session: &SessionId, why: Ended, now: Timestamp) -> PortResult<()> {
        let keys = self.keys(event);
        self.end(event, FINISH.on(&keys).arg(session.as_str()).arg(letter_of(why)).arg(now.as_millis())).await
    }

    async fn counts(&self, event: &EventId, from_rank: u64, now: Timestamp) -> PortResult<Counts> {
        let keys = self.keys(event);
        let call = COUNTS.on(&keys).arg(from_rank.min(MAX_NOTED_RANK)).arg(now.as_millis());
        let (active, admitted, came, came_from_rank, left) = self.run(&mut self.0.home(event), call).await?;
        Ok(Counts { active, admitted, came, came_from_rank, left })
    }

    async fn changes(&self, event: &EventId, after: u64, max: usize) -> PortResult<Vec<Change>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        // The list begins with an entry that is no change, so the change of a number stands at that number.
        let first = number_of(after.saturating_add(1));
        let last = first.saturating_add(number_of(max as u64) - 1);
        let [.., key] = self.keys(event);
        let listed: Vec<String> = redis::cmd("LRANGE")
            .arg(key)
            .arg(first)
            .arg(last)
            .query_async(&mut self.0.home(event))
            .await
            .map_err(failed)?;
        listed.iter().enumerate().map(|(number, change)| change_of(after + 1 + number as u64, change)).collect()
    }
}

fn identity(user: &UserId) -> [u8; 16] {
    Identity::of(user).0
}

fn failed(error: RedisError) -> booking_core::ports::PortError {
    port_error(PORT, &error)
}
