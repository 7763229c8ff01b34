//! What was in the files before: the same thing again, or two of one id.

use std::collections::HashMap;

use booking_core::digest::Digest;

/// How many things are remembered, in some 30 bytes each. Of those behind, only Weir itself finds two of one id.
const MAX_REMEMBERED: usize = 1_000_000;

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Never,
    /// With all that is said of it.
    Same,
    /// Under its id, but otherwise.
    Other,
}

/// Digests of what was in the files, cut short: half of a key's, a quarter of a content's.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<[u8; 16], [u8; 8]>);

impl Seen {
    /// Notes a thing of this `key` and `content`, and tells whether it was there before.
    pub(super) fn note(&mut self, key: &Digest, content: &Digest) -> Before {
        let (key, content) = (begin(key), begin(content));
        match self.0.get(&key) {
            Some(before) if *before == content => Before::Same,
            Some(_) => Before::Other,
            None => {
                if self.0.len() < MAX_REMEMBERED {
                    self.0.insert(key, content);
                }
                Before::Never
            }
        }
    }
}

fn begin<const N: usize>(digest: &Digest) -> [u8; N] {
    let mut begin = [0; N];
    begin.copy_from_slice(&digest.0[..N]);
    begin
}
