//! The desk and the hold table on Redis Cluster 7.
//!
//! Everything of an event stands under the hash tag `{event}`, in one slot. A verb is one Lua script: atomic, safe to
//! repeat, and given its `now` by the caller, never by the server. So whatever failed may simply be sent again, and the
//! client does that a bounded number of times: connections that break, slots that move (MOVED, ASK, TRYAGAIN), a primary
//! that was replaced (READONLY, CLUSTERDOWN). What is left after that is [`PortError::Unavailable`].
//!
//! What Redis must be told: `maxmemory-policy noeviction` (an evicted key is a lost desk), `appendonly yes` (a restart
//! keeps what it had). `min-replicas-to-write 1` makes a primary that is cut off from its replicas refuse at once instead
//! of forgetting later what it accepted.
//!
//! [`PortError::Unavailable`]: booking_core::ports::PortError::Unavailable

mod cluster;
mod desk;
mod error;
mod holds;
mod replicas;
mod script;
mod settings;

pub use cluster::RedisCluster;
pub use desk::RedisDesk;
pub use holds::RedisHolds;
pub use settings::RedisSettings;
