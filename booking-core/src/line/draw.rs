//! The draw's randomness: a chain of seeds that is promised before anybody joins and spent one link a batch.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;

/// What the public draw calls the way it is done, so that a verifier knows the formulas.
pub const ALGORITHM: &str = "weir/draw/v1";

/// Every how many links one is kept: 32 KB for a chain of 2^20.
const STRIDE: u32 = 1_024;

/// The seed chain `s[0] … s[N]` with `s[i] = SHA-256(s[i+1])`. Whoever knows `s[0]` can check each later link and
/// guess none.
#[derive(Clone)]
pub struct SeedChain {
    length: u32,
    /// `s[0]`, `s[STRIDE]`, `s[2 STRIDE]` …, and last the end.
    kept: Vec<Digest>,
}

impl SeedChain {
    /// The chain of `length` links that ends in `end`, a secret of 32 unpredictable bytes. Costs `length` hashes
    /// (2^20: about a tenth of a second).
    pub fn from_end(end: Digest, length: u32) -> Self {
        let mut kept = Vec::with_capacity(length as usize / STRIDE as usize + 2);
        kept.push(end);
        let mut link = end;
        for index in (0..length).rev() {
            link = Digest::of(&[&link.0]);
            if index % STRIDE == 0 {
                kept.push(link);
            }
        }
        kept.reverse();
        Self { length, kept }
    }

    /// `s[0]`, published before anybody joins.
    pub fn commitment(&self) -> Digest {
        self.kept[0]
    }

    /// How many links there are to reveal, one a batch.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// What batch `batch` reveals, `s[batch + 1]`; `None` past the end. Costs up to 1,024 hashes.
    pub fn reveal(&self, batch: u32) -> Option<Digest> {
        let wanted = batch.checked_add(1).filter(|&wanted| wanted <= self.length)?;
        let above = wanted.div_ceil(STRIDE);
        let at = above.saturating_mul(STRIDE).min(self.length);
        let mut link = self.kept[above as usize];
        for _ in wanted..at {
            link = Digest::of(&[&link.0]);
        }
        Some(link)
    }
}

impl fmt::Debug for SeedChain {
    // The links are secrets until they are revealed: a log line must not tell them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SeedChain");
        shown.field("commitment", &self.commitment()).field("length", &self.length).finish_non_exhaustive()
    }
}

/// A batch's seed: `SHA-256("weir/draw/v1" || reveal || root || beacon)`.
pub fn seed(reveal: &Digest, root: &Digest, beacon: &[u8]) -> Digest {
    Digest::of(&[ALGORITHM.as_bytes(), &reveal.0, &root.0, beacon])
}

/// Whether `reveal` is the link after `previous`.
pub fn follows(reveal: &Digest, previous: &Digest) -> bool {
    Digest::of(&[&reveal.0]) == *previous
}

/// A public random value fixed after a batch closed, empty where the sale names none. As text: lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Beacon(Vec<u8>);

/// Why a text is not a beacon's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a beacon's value is lower-case hex of at most {} bytes", Beacon::MAX_BYTES)]
pub struct InvalidBeacon;

impl Beacon {
    /// The longest value, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// The value `bytes`.
    ///
    /// # Errors
    /// If it is longer than [`Self::MAX_BYTES`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, InvalidBeacon> {
        if bytes.len() > Self::MAX_BYTES { Err(InvalidBeacon) } else { Ok(Self(bytes)) }
    }

    /// Its bytes, as the seed takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Beacon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Beacon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Beacon {
    type Err = InvalidBeacon;

    fn from_str(text: &str) -> Result<Self, InvalidBeacon> {
        if text.len() > 2 * Self::MAX_BYTES || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidBeacon);
        }
        hex::decode(text).map(Self).map_err(|_| InvalidBeacon)
    }
}

impl Serialize for Beacon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Beacon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_is_the_hash_of_the_next_and_the_first_is_the_commitment() {
        for length in [1, 2, 1_024, 1_025, 2_500] {
            let chain = SeedChain::from_end(Digest([5; 32]), length);
            let link = |index: u32| match index.checked_sub(1) {
                None => chain.commitment(),
                Some(batch) => chain.reveal(batch).unwrap(),
            };
            let around_kept_links = (0..length).filter(|index| index % 1_024 <= 1 || index % 1_024 >= 1_022);
            for index in around_kept_links.chain([length - 1]) {
                assert!(follows(&link(index + 1), &link(index)), "length {length}, link {index}");
            }
            assert_eq!(link(length), Digest([5; 32]), "length {length}");
            assert_eq!(chain.reveal(length), None);
            assert_eq!(chain.reveal(u32::MAX), None);
        }
    }

    #[test]
    fn a_chain_keeps_its_secrets_out_of_logs() {
        let chain = SeedChain::from_end(Digest([5; 32]), 3);
        assert!(!format!("{chain:?}").contains("0505"));
    }

    #[test]
    fn a_seed_is_the_hash_of_its_named_parts() {
        let parts = [b"weir/draw/v1".as_slice(), &[1; 32], &[2; 32], b"noise"].concat();
        assert_eq!(seed(&Digest([1; 32]), &Digest([2; 32]), b"noise"), Digest::of(&[&parts]));
    }

    #[test]
    fn a_beacon_is_lower_case_hex_of_bounded_length() {
        assert_eq!("00ff".parse::<Beacon>().unwrap().to_string(), "00ff");
        assert_eq!("".parse(), Ok(Beacon::default()));
        for wrong in ["0", "0G", "FF", &"00".repeat(Beacon::MAX_BYTES + 1)] {
            assert_eq!(wrong.parse::<Beacon>(), Err(InvalidBeacon));
        }
    }
}
