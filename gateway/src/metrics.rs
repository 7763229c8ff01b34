//! What the gateway counts about itself, in Prometheus' words.

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use crossbeam_utils::CachePadded;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text},
    metrics::{
        counter::{self, ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Registry,
};

/// The upper bounds of the time a request takes, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Numbers of another part of this process, for `/metrics`: each with its name and what it is. Those whose name ends in
/// `_total` only rise.
pub type Numbers = Arc<dyn Fn() -> Vec<(&'static str, &'static str, u64)> + Send + Sync>;

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    /// Of another part.
    others: OnceLock<Registry>,
    /// Polls of places, answered from memory.
    pub(crate) polls: Counter<u64, Striped>,
    /// Joins that made a place.
    pub(crate) joins: Counter<u64, AtomicU64>,
    /// Admissions given out.
    pub(crate) admissions: Counter<u64, AtomicU64>,
    /// Open connections.
    pub(crate) connections: Gauge<i64, AtomicI64>,
    /// Connections closed because there were too many.
    pub(crate) turned_away: Counter<u64, AtomicU64>,
    /// Open streams.
    pub(crate) streams: Gauge<i64, AtomicI64>,
    /// Commands waiting for an answer.
    pub(crate) waiting_commands: Gauge<i64, AtomicI64>,
    responses: Family<Status, Counter<u64, AtomicU64>>,
    seconds: Histogram,
}

/// How many parts a [`Striped`] count has: more threads share some.
const STRIPES: usize = 16;

/// A count of which each thread has a part of its own, for what happens so often that cores would wait for each other's
/// turn at one.
#[derive(Debug, Default)]
pub(crate) struct Striped([CachePadded<AtomicU64>; STRIPES]);

impl Striped {
    fn own(&self) -> &AtomicU64 {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static STRIPE: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        &self.0[STRIPE.get()]
    }
}

impl counter::Atomic<u64> for Striped {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    fn inc_by(&self, count: u64) -> u64 {
        self.own().fetch_add(count, Ordering::Relaxed)
    }

    fn get(&self) -> u64 {
        self.0.iter().map(|part| part.load(Ordering::Relaxed)).sum()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u16,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            others: OnceLock::new(),
            polls: Counter::default(),
            joins: Counter::default(),
            admissions: Counter::default(),
            connections: Gauge::default(),
            turned_away: Counter::default(),
            streams: Gauge::default(),
            waiting_commands: Gauge::default(),
            responses: Family::default(),
            seconds: Histogram::new(SECONDS),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let mut registry = Registry::with_prefix("weir_gateway");
        registry.register("polls", "Polls of places answered from memory", self.polls.clone());
        registry.register("joins", "Joins that made a place", self.joins.clone());
        registry.register("admissions", "Admissions given out", self.admissions.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("connections_turned_away", "Connections closed for want of room", self.turned_away.clone());
        registry.register("streams", "Open streams", self.streams.clone());
        registry.register("waiting_commands", "Commands waiting for an answer", self.waiting_commands.clone());
        registry.register("responses", "Responses by status, polls left out", self.responses.clone());
        registry.register("request_seconds", "How long requests took, polls left out", self.seconds.clone());
        self.registry = registry;
        self
    }

    /// Counts a response that took `seconds`.
    pub(crate) fn responded(&self, status: u16, seconds: f64) {
        self.responses.get_or_create(&Status { status }).inc();
        self.seconds.observe(seconds);
    }

    /// Shows `numbers` too. The first caller's are shown.
    pub(crate) fn show_too(&self, numbers: Numbers) {
        let _ = self.others.set(registry_of(numbers));
    }

    /// Everything, in the `OpenMetrics` text format.
    pub(crate) fn text(&self) -> String {
        text_in(std::iter::once(&self.registry).chain(self.others.get()))
    }
}

/// `numbers` alone, in the `OpenMetrics` text format.
pub(crate) fn text_of(numbers: &Numbers) -> String {
    text_in(std::iter::once(&registry_of(Arc::clone(numbers))))
}

fn registry_of(numbers: Numbers) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Others(numbers)));
    registry
}

fn text_in<'a>(mut registries: impl Iterator<Item = &'a Registry>) -> String {
    let mut out = String::new();
    registries
        .try_for_each(|registry| text::encode_registry(&mut out, registry))
        .and_then(|()| text::encode_eof(&mut out))
        .expect("writing to a string can't fail");
    out
}

/// Another part's numbers, asked for when they are shown.
struct Others(Numbers);

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}

impl Collector for Others {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for (name, meaning, value) in (self.0)() {
            if let Some(name) = name.strip_suffix("_total") {
                let counter = ConstCounter::new(value);
                counter.encode(encoder.encode_descriptor(name, meaning, None, counter.metric_type())?)?;
            } else {
                let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                gauge.encode(encoder.encode_descriptor(name, meaning, None, gauge.metric_type())?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_parts_numbers_stand_beside_the_gateways_own() {
        let metrics = Metrics::new();
        metrics.polls.inc();
        let numbers = || vec![("weir_worker_called_total", "Visitors called.", 7), ("weir_worker_lines", "Kept.", 2)];
        metrics.show_too(Arc::new(numbers));
        let text = metrics.text();
        for line in [
            "weir_gateway_polls_total 1",
            "# HELP weir_worker_called Visitors called.",
            "# TYPE weir_worker_called counter",
            "weir_worker_called_total 7",
            "# TYPE weir_worker_lines gauge",
            "weir_worker_lines 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    }
}
