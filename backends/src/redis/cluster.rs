//! The cluster: a few connections, each to every node, and the slot that an event's keys are in.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use booking_core::{id::EventId, ports::PortResult};
use futures_util::future::try_join_all;
use redis::{
    Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisFuture, ServerErrorKind, Value,
    aio::ConnectionLike,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr},
};

use super::{
    error::{port_error, unavailable},
    replicas::Replicas,
    settings::RedisSettings,
};

const PORT: &str = "redis";

/// The shortest and the longest wait before a request is repeated, in ms; it doubles from the one to the other.
const RETRY_WAIT_MS: (u64, u64) = (10, 400);

/// What a node must be set to, or else what.
const SAFE: [(&str, &str, &str); 2] = [
    ("appendonly", "yes", "a restart loses who is in"),
    ("maxmemory-policy", "noeviction", "a full memory throws away who is in and which seats are held"),
];

/// Connections to a Redis cluster. A clone is the same connections; the last one dropped closes them.
#[derive(Clone)]
pub struct RedisCluster(Arc<Shared>);

struct Shared {
    connections: Vec<ClusterConnection>,
    next: AtomicUsize,
    key_prefix: String,
    replicas: Replicas,
}

impl RedisCluster {
    /// Connects to the cluster. From then on connections that break are mended in the background. Must be called on a
    /// Tokio runtime, which the connections then run on.
    ///
    /// # Errors
    /// `Unavailable`: the settings can't work, no node answers, or the nodes are no cluster.
    pub async fn connect(settings: &RedisSettings) -> PortResult<Self> {
        if let Some(complaint) = settings.complaint() {
            return Err(unavailable(PORT, complaint));
        }
        let client = ClusterClient::builder(settings.nodes.iter().map(String::as_str))
            .retries(settings.retries)
            .min_retry_wait(RETRY_WAIT_MS.0)
            .max_retry_wait(RETRY_WAIT_MS.1)
            .retry_wait_formula(RETRY_WAIT_MS.0, 2)
            .connection_timeout(settings.connection_timeout)
            .response_timeout(settings.response_timeout)
            .overall_response_timeout(Some(settings.give_up_after))
            // With it the client hears of a broken connection at once, not with the next request.
            .use_protocol(ProtocolVersion::RESP3)
            .build()
            .map_err(|error| port_error(PORT, &error))?;
        let connections = try_join_all((0..settings.connections).map(|_| client.get_async_connection()))
            .await
            .map_err(|error| port_error(PORT, &error))?;
        Ok(Self(Arc::new(Shared {
            connections,
            next: AtomicUsize::new(0),
            key_prefix: settings.key_prefix.clone(),
            replicas: Replicas::new(settings.wait_for_replicas, settings.replica_timeout),
        })))
    }

    /// Which of the nodes' settings would lose what is kept there, each with what to do; `CONFIG` is for some nodes'
    /// owners alone, and what it does not tell is not complained about.
    ///
    /// # Errors
    /// `Unavailable`: the nodes can't be reached.
    pub async fn complaints(&self) -> PortResult<Vec<String>> {
        let mut connection = self.0.connections[0].clone();
        let mut complaints = Vec::new();
        for (setting, wanted, why) in SAFE {
            let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, None));
            let mut ask = redis::cmd("CONFIG");
            ask.arg("GET").arg(setting);
            let told = match connection.route_command(ask, all).await {
                Ok(told) => told,
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError) => continue,
                Err(error) => return Err(port_error(PORT, &error)),
            };
            let told: BTreeMap<String, BTreeMap<String, String>> =
                redis::from_redis_value(told).map_err(|error| port_error(PORT, &error.into()))?;
            for (node, settings) in told {
                let is = settings.get(setting).map_or(wanted, String::as_str);
                if is != wanted {
                    complaints.push(format!("{node} has {setting} {is}, so that {why}; set it to {wanted}"));
                }
            }
        }
        Ok(complaints)
    }

    /// The key of an event's `part`.
    pub(super) fn key(&self, event: &EventId, part: &str) -> String {
        format!("{}{{{event}}}:{part}", self.0.key_prefix)
    }

    /// Where an event's keys are, by the connection whose turn it is.
    pub(super) fn home(&self, event: &EventId) -> Home {
        let turn = self.0.next.fetch_add(1, Ordering::Relaxed) % self.0.connections.len();
        let slot = Slot::for_key(self.key(event, ""));
        Home { connection: self.0.connections[turn].clone(), turn, slot }
    }

    /// Waits, as far as the settings say, until replicas have what was written through `home`.
    pub(super) async fn replicated(&self, home: &mut Home) {
        self.0.replicas.wait(home).await;
    }
}

impl fmt::Debug for RedisCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCluster").field("key_prefix", &self.0.key_prefix).finish_non_exhaustive()
    }
}

/// One connection's way to the primary of one slot.
///
/// All that is sent through it goes to that primary, also what names no key: the client itself would load a script on
/// every primary of the cluster, and fail if one of the others is down.
pub(super) struct Home {
    connection: ClusterConnection,
    /// Which of the connections.
    pub(super) turn: usize,
    /// Which slot.
    pub(super) slot: Slot,
}

impl Home {
    fn node(&self) -> SingleNodeRoutingInfo {
        SingleNodeRoutingInfo::SpecificNode(Route::with_slot(self.slot, SlotAddr::Master))
    }
}

impl ConnectionLike for Home {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let node = RoutingInfo::SingleNode(self.node());
        Box::pin(self.connection.route_command(cmd.clone(), node))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let node = self.node();
        Box::pin(self.connection.route_pipeline(pipeline.clone(), offset, count, node))
    }

    fn get_db(&self) -> i64 {
        // A cluster has no other.
        0
    }
}
