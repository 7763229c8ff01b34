//! What the indexer measures of itself, as plain numbers for whoever exports them.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number, counted or measured.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

macro_rules! gauges {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Everything that the indexer measures. Counters (`…_total` in [`Gauges::all`]) only rise; the others move.
        #[derive(Debug, Default)]
        pub struct Gauges {
            $($(#[doc = $doc])* pub $name: Gauge,)*
        }

        impl Gauges {
            /// Each number with the name that it is exported by, and what it is.
            pub fn all(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((
                    concat!("weir_indexer_", stringify!($name)),
                    concat!($($doc),*).trim_ascii(),
                    self.$name.get(),
                ),)*]
            }
        }
    };
}

gauges! {
    /// Parts that run.
    parts,
    /// Changes of the catalog published.
    published_total,
    /// Change records read.
    read_total,
    /// Of those, how many were news to the index.
    news_total,
    /// Of those, how many can't be read and are in weir.dead-letters.
    dead_total,
    /// How old the latest change was when the index had it, in milliseconds.
    lag_ms,
    /// Change records that are not read yet, as of the lane that was looked at last.
    waiting,
    /// Events whose seats left were noted.
    seats_noted_total,
    /// Steps that failed.
    failures_total,
}
