//! Key files: rings of secrets, of which one signs and all verify.
//!
//! A ring is JSON: `{"signing": "ID", "keys": [{"id": "ID", "secret": "64 hex digits"}, …]}`. To rotate, add a key and
//! name it as the signing one; take an old one out once nothing that it signed is alive.

use std::{collections::HashSet, path::Path};

use booking_core::{
    digest::Digest,
    line::place_token::{PlaceKey, PlaceKeys},
    ports::clock::Entropy,
};
use serde::{Deserialize, Serialize};

use super::{DataError, DataFolder, make_private, read_private};

/// The most keys of a ring.
const MAX_KEYS: usize = 16;
const REMEDY: &str = "restore it from a backup, or remove it: new keys are made at the next start, and every token \
                      given out before is void";

/// What a ring's keys are for; each ring is a file under `keys/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RingName {
    /// Users' access and refresh tokens: HMAC-SHA-256.
    Access,
    /// Place tokens: HMAC-SHA-256.
    Place,
    /// Admission tokens: seeds of Ed25519 keys.
    Admission,
    /// Tickets: seeds of Ed25519 keys.
    Ticket,
}

impl RingName {
    const fn file(self) -> &'static str {
        match self {
            Self::Access => "keys/access.json",
            Self::Place => "keys/place.json",
            Self::Admission => "keys/admission.json",
            Self::Ticket => "keys/ticket.json",
        }
    }
}

/// A ring: the key that signs comes first.
pub(crate) struct KeyRing {
    keys: Vec<RingKey>,
}

/// A key's name and its secret.
pub(crate) type NamedKey = (String, [u8; 32]);

/// One key of a ring.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RingKey {
    /// Its name, in the tokens it signs: 8 lower-case hex digits.
    pub(super) id: String,
    /// Thirty-two unpredictable bytes.
    pub(super) secret: Digest,
}

impl RingKey {
    fn is_named(&self) -> bool {
        self.id.len() == 8 && self.id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    fn number(&self) -> u32 {
        u32::from_str_radix(&self.id, 16).expect("a ring's ids are 8 hex digits")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    signing: String,
    keys: Vec<RingKey>,
}

impl KeyRing {
    /// The ring `name` of `folder`, made if it is missing.
    ///
    /// # Errors
    /// If its file is readable by others, damaged, or can't be written.
    pub(crate) fn load_or_make(folder: &DataFolder, name: RingName, entropy: &dyn Entropy) -> Result<Self, DataError> {
        let path = folder.path().join(name.file());
        if let Some(ring) = Self::load(&path)? {
            return Ok(ring);
        }
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        let id = hex::encode(&entropy.id_bytes()[..4]);
        let file = RingFile { signing: id.clone(), keys: vec![RingKey { id, secret: Digest(secret) }] };
        let text = serde_json::to_vec_pretty(&file).expect("a ring is plain data");
        if make_private(&path, &text, entropy)? {
            return Ok(Self { keys: file.keys });
        }
        // Another gateway on this folder was faster: all must have the same keys.
        Self::load(&path)?.ok_or_else(|| DataError::Damaged {
            path,
            problem: "it comes and goes".to_owned(),
            remedy: REMEDY,
        })
    }

    fn load(path: &Path) -> Result<Option<Self>, DataError> {
        let Some(bytes) = read_private(path)? else { return Ok(None) };
        let damaged = |problem| DataError::Damaged { path: path.to_owned(), problem, remedy: REMEDY };
        Self::parse(&bytes).map(Some).map_err(damaged)
    }

    /// Every key, the signing one first.
    #[cfg(test)]
    pub(super) fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The signing key and the others, each with its name.
    pub(crate) fn named(self) -> (NamedKey, Vec<NamedKey>) {
        let mut keys = self.keys.into_iter().map(|key| (key.id, key.secret.0));
        let signing = keys.next().expect("a ring holds its signing key");
        (signing, keys.collect())
    }

    /// The same for place tokens, which have no room for text: a name is a number there.
    pub(crate) fn place_keys(self) -> PlaceKeys {
        let mut keys = self.keys.iter().map(|key| PlaceKey::new(key.number(), &key.secret.0));
        let signing = keys.next().expect("a ring holds its signing key");
        PlaceKeys::new(signing, keys.collect())
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let RingFile { signing, mut keys } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let ids: HashSet<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        if keys.len() > MAX_KEYS || ids.len() != keys.len() {
            return Err(format!("a ring has at most {MAX_KEYS} keys, each with an id of its own"));
        }
        if !keys.iter().all(RingKey::is_named) {
            return Err("a key's id is 8 lower-case hex digits".to_owned());
        }
        let at = keys.iter().position(|key| key.id == signing).ok_or("the signing key is not among the keys")?;
        keys.swap(0, at);
        Ok(Self { keys })
    }
}
