//! What wakes the open streams of a sale: one broadcast for all of them.

/// How often a stream that has nothing to say says so, in seconds.
pub(crate) const BEAT_SECONDS: u64 = 15;

/// Counters, each of which rises when its reason comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pulse {
    /// The rate, the cap, the pause or the phase changed, or the first batch was drawn: everybody is told at once.
    pub(crate) urgent: u64,
    /// Something else changed; rises at most once a second.
    pub(crate) tick: u64,
    /// A stream that said nothing since the last one says that it is alive.
    pub(crate) beat: u64,
}
