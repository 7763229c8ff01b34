//! The hold table: the rule of [`booking_core::holds::HoldTable`] in Lua, its state in two keys an event.
//!
//! A seat takes 6 bytes, and some 150 more while somebody has it.

use std::sync::LazyLock;

use async_trait::async_trait;
use booking_core::{
    holds::TABLE_GRACE_MS,
    id::EventId,
    ports::{
        PortError, PortResult,
        holds::{Grant, Holds, SeatClaim, Settle, Want},
    },
    seats::{MAX_SEATS_OF_AN_EVENT, SeatIndex, SeatSet},
    time::Timestamp,
};
use redis::{FromRedisValue, RedisError};

use super::{
    RedisCluster,
    cluster::Home,
    error::{damaged, port_error, unavailable},
    script::{Call, Verb, run_all},
};

const PORT: &str = "holds";

/// Bytes of a seat's deadline.
const DEADLINE_BYTES: usize = 6;
/// The most seats of one step of a rebuild: Redis does nothing else for some milliseconds meanwhile.
const REBUILD_STEP_SEATS: usize = 1_000;

macro_rules! verb {
    ($kind:ident $file:literal) => {
        LazyLock::new(|| Verb::$kind(include_str!("holds/common.lua"), include_str!($file)))
    };
}

static IS_READY: LazyLock<Verb> = verb!(writing "holds/is_ready.lua");
static HOLD: LazyLock<Verb> = verb!(writing "holds/hold.lua");
static SETTLE: LazyLock<Verb> = verb!(writing "holds/settle.lua");
static TAKEN: LazyLock<Verb> = verb!(reading "holds/taken.lua");
static REBUILD_BEGIN: LazyLock<Verb> = verb!(writing "holds/rebuild_begin.lua");
static REBUILD_ADD: LazyLock<Verb> = verb!(writing "holds/rebuild_add.lua");
static REBUILD_FINISH: LazyLock<Verb> = verb!(writing "holds/rebuild_finish.lua");

/// The hold tables on a Redis cluster. A clone is the same tables.
///
/// A table is ready on the node where it was rebuilt, as long as that node runs. After a flush, a failover, a restart of
/// the node or a move of the slot it is not: the last writes before may be missing.
#[derive(Debug, Clone)]
pub struct RedisHolds(RedisCluster);

impl RedisHolds {
    /// The hold tables that `cluster` holds.
    pub fn new(cluster: RedisCluster) -> Self {
        Self(cluster)
    }

    fn keys(&self, event: &EventId) -> [String; 2] {
        ["holds:deadlines", "holds:claims"].map(|part| self.0.key(event, part))
    }

    async fn run<T: FromRedisValue>(&self, home: &mut Home, call: Call<'_>) -> PortResult<T> {
        call.run(home).await.map_err(failed)
    }
}

#[async_trait]
impl Holds for RedisHolds {
    async fn is_ready(&self, event: &EventId) -> PortResult<bool> {
        let keys = self.keys(event);
        self.run(&mut self.0.home(event), IS_READY.on(&keys)).await
    }

    async fn rebuild(&self, event: &EventId, claims: &[SeatClaim]) -> PortResult<()> {
        let mut home = self.0.home(event);
        let keys = self.keys(event);
        let name = hex::encode(rand::random::<[u8; 16]>());
        let mut is_mine: bool = self.run(&mut home, REBUILD_BEGIN.on(&keys).arg(&name)).await?;
        let steps = rebuild_steps(claims);
        for (claims, step) in steps.iter().zip(1_u64..) {
            let mut call = REBUILD_ADD.on(&keys).arg(&name).arg(step);
            for claim in claims {
                let deadline = claim.until.map(|until| until.plus_millis(TABLE_GRACE_MS).as_millis().to_string());
                call = call.arg(claim.booking.as_str()).arg(rising(&claim.seats)).arg(deadline.unwrap_or_default());
            }
            is_mine = is_mine && self.run(&mut home, call).await?;
        }
        is_mine = is_mine && self.run(&mut home, REBUILD_FINISH.on(&keys).arg(&name).arg(steps.len())).await?;
        if is_mine {
            Ok(())
        } else {
            Err(unavailable(PORT, "another rebuild of the table came in between, or Redis failed over; repeat it"))
        }
    }

    async fn hold(&self, event: &EventId, wants: &[Want], now: Timestamp) -> PortResult<Vec<Grant>> {
        let keys = self.keys(event);
        let calls: Vec<_> = wants
            .iter()
            .map(|want| {
                HOLD.on(&keys)
                    .arg(want.booking.as_str())
                    .arg(rising(&want.seats))
                    .arg(want.until.plus_millis(TABLE_GRACE_MS).as_millis())
                    .arg(now.as_millis())
                    .arg(want.seats.iter().map(|seat| seat.0).collect::<Vec<_>>())
            })
            .collect();
        let answers: Vec<String> = run_all(&calls, &mut self.0.home(event)).await.map_err(failed)?;
        answers.iter().map(|answer| grant_of(answer)).collect()
    }

    async fn settle(&self, event: &EventId, settles: &[Settle]) -> PortResult<()> {
        let keys = self.keys(event);
        let calls: Vec<_> = settles
            .iter()
            .map(|settle| match settle {
                Settle::Booked(booking) => SETTLE.on(&keys).arg(booking.as_str()).arg("B"),
                Settle::Freed(booking) => SETTLE.on(&keys).arg(booking.as_str()).arg("F"),
                Settle::Extended(booking, until) => {
                    let until = until.plus_millis(TABLE_GRACE_MS);
                    SETTLE.on(&keys).arg(booking.as_str()).arg("E").arg(until.as_millis())
                }
                Settle::Kept(booking, kept) => SETTLE.on(&keys).arg(booking.as_str()).arg("K").arg(rising(kept)),
            })
            .collect();
        run_all::<()>(&calls, &mut self.0.home(event)).await.map_err(failed)?;
        Ok(())
    }

    /// A table that is not ready can't tell: `Unavailable`.
    async fn taken(&self, event: &EventId, now: Timestamp) -> PortResult<SeatSet> {
        let keys = self.keys(event);
        let deadlines: Option<Vec<u8>> = self.run(&mut self.0.home(event), TAKEN.on(&keys)).await?;
        let deadlines = deadlines.ok_or_else(|| unavailable(PORT, "the table was lost and must be rebuilt first"))?;
        let (deadlines, _) = deadlines.as_chunks::<DEADLINE_BYTES>();
        let mut taken = SeatSet::with_len(deadlines.len());
        for (deadline, seat) in deadlines.iter().zip(0..) {
            let until_ms = deadline.iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
            if until_ms > now.as_millis() {
                taken.insert(SeatIndex(seat));
            }
        }
        Ok(taken)
    }
}

/// The claims that have seats, all of them such as a seat map can have, in portions of [`REBUILD_STEP_SEATS`] or of one
/// claim.
fn rebuild_steps(claims: &[SeatClaim]) -> Vec<Vec<&SeatClaim>> {
    let (mut steps, mut seats) = (Vec::<Vec<_>>::new(), 0);
    for claim in claims {
        if claim.seats.iter().max().is_none_or(|last| (last.0 as usize) >= MAX_SEATS_OF_AN_EVENT) {
            continue;
        }
        seats += claim.seats.len();
        match steps.last_mut() {
            Some(step) if seats <= REBUILD_STEP_SEATS => step.push(claim),
            _ => {
                seats = claim.seats.len();
                steps.push(vec![claim]);
            }
        }
    }
    steps
}

/// The seats, rising, none twice, between commas.
fn rising(seats: &[SeatIndex]) -> String {
    let mut seats: Vec<u32> = seats.iter().map(|seat| seat.0).collect();
    seats.sort_unstable();
    seats.dedup();
    seats.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn grant_of(answer: &str) -> PortResult<Grant> {
    match answer.split_at_checked(1) {
        Some(("G", "")) => Ok(Grant::Granted),
        Some(("N", "")) => Ok(Grant::NotReady),
        Some(("T", "")) => Ok(Grant::Taken(Vec::new())),
        Some(("T", seats)) => {
            let seats: Result<Vec<u32>, _> = seats.split(',').map(str::parse).collect();
            let seats = seats.map_err(|_| damaged(PORT, answer))?;
            Ok(Grant::Taken(seats.into_iter().map(SeatIndex).collect()))
        }
        _ => Err(damaged(PORT, answer)),
    }
}

fn failed(error: RedisError) -> PortError {
    port_error(PORT, &error)
}
