//! Where time and entropy come from. The rules never ask; the parts that call them do, through these.

use crate::time::Timestamp;

/// The wall clock.
pub trait Clock: Send + Sync {
    /// The moment it is now. May jump, either way; whoever needs monotony keeps the latest moment seen.
    fn now(&self) -> Timestamp;
}

/// A source of bytes that nobody can predict.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// Sixteen bytes: enough for an id.
    fn id_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }
}
