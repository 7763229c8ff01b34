//! The keys of the edge: rings of which one signs and all verify, and the operators' keys.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use booking_core::{digest::Digest, line::place_token::PlaceKeys};
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};

/// Everything the gateway signs and verifies with.
#[derive(Debug, Clone)]
pub struct Keys {
    /// For users' access and refresh tokens.
    pub access: AccessKeys,
    /// For place tokens.
    pub place: PlaceKeys,
    /// For admission tokens.
    pub admission: SigningKeys,
    /// For tickets. A key that signed some must stay in the ring until their events are over.
    pub tickets: SigningKeys,
    /// Who may operate.
    pub operators: OperatorKeys,
}

/// A key's name, as tokens carry it in `kid`.
pub type KeyId = String;

#[derive(Clone)]
struct AccessKey {
    id: KeyId,
    encoding: EncodingKey,
    verifying: hmac::Key,
    refresh: hmac::Key,
}

/// The ring of HMAC-SHA-256 keys for access and refresh tokens.
#[derive(Clone)]
pub struct AccessKeys {
    /// The first one signs.
    ring: Arc<[AccessKey]>,
}

impl AccessKeys {
    /// The ring whose `signing` key makes tokens and whose `older` ones still check theirs. A secret is 32
    /// unpredictable bytes.
    pub fn new(signing: (KeyId, [u8; 32]), older: Vec<(KeyId, [u8; 32])>) -> Self {
        let key = |(id, secret): (KeyId, [u8; 32])| {
            // A key of its own for refresh tokens, so that neither kind can be passed off as the other.
            let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"weir/refresh/v1");
            AccessKey {
                id,
                encoding: EncodingKey::from_secret(&secret),
                verifying: hmac::Key::new(hmac::HMAC_SHA256, &secret),
                refresh: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
            }
        };
        Self { ring: std::iter::once(signing).chain(older).map(key).collect() }
    }

    /// The keys of access tokens, the one that signs first: its name, and what signs and what verifies with it.
    pub(crate) fn access(&self) -> impl Iterator<Item = (&str, &EncodingKey, &hmac::Key)> {
        self.ring.iter().map(|key| (&*key.id, &key.encoding, &key.verifying))
    }

    /// The keys of refresh tokens, the one that signs first.
    pub(crate) fn refresh(&self) -> impl Iterator<Item = &hmac::Key> {
        self.ring.iter().map(|key| &key.refresh)
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ring.iter().map(|key| &key.id)).finish()
    }
}

#[derive(Clone)]
struct SigningKey {
    id: KeyId,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: [u8; 32],
}

/// A ring of Ed25519 keys, for tokens that anybody may check.
#[derive(Clone)]
pub struct SigningKeys {
    /// The first one signs.
    ring: Arc<[SigningKey]>,
}

/// What stands before the seed in a PKCS #8 document of an Ed25519 key (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl SigningKeys {
    /// The ring whose `signing` key makes tokens and whose `older` ones still check theirs. Each key is given by its
    /// seed, 32 unpredictable bytes.
    pub fn new(signing: (KeyId, [u8; 32]), older: Vec<(KeyId, [u8; 32])>) -> Self {
        let key = |(id, seed): (KeyId, [u8; 32])| {
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("every 32 bytes are a seed of Ed25519");
            let mut public = [0; 32];
            public.copy_from_slice(pair.public_key().as_ref());
            SigningKey {
                id,
                encoding: EncodingKey::from_ed_der(&[&PKCS8_HEAD[..], &seed].concat()),
                decoding: DecodingKey::from_ed_der(&public),
                public,
            }
        };
        Self { ring: std::iter::once(signing).chain(older).map(key).collect() }
    }

    /// The key that signs, and its name.
    pub(crate) fn signing(&self) -> (&str, &EncodingKey) {
        (&self.ring[0].id, &self.ring[0].encoding)
    }

    /// The key of this name.
    pub(crate) fn verifying(&self, id: &str) -> Option<&DecodingKey> {
        self.ring.iter().find(|key| key.id == id).map(|key| &key.decoding)
    }

    /// The public keys of these rings as one JWK set (RFC 7517, RFC 8037).
    pub(crate) fn jwks(rings: &[&Self]) -> serde_json::Value {
        let jwk = |key: &SigningKey| {
            serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "kid": key.id, "x": URL_SAFE_NO_PAD.encode(key.public),
            })
        };
        let keys: Vec<_> = rings.iter().flat_map(|ring| ring.ring.iter()).map(jwk).collect();
        serde_json::json!({ "keys": keys })
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ring.iter().map(|key| &key.id)).finish()
    }
}

/// What an operator key allows; each allows what those before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Scans tickets and downloads the list of them, and nothing else.
    Door,
    /// Sees everything, and scans nothing.
    Viewer,
    /// Steers sales and ends admissions.
    Operator,
    /// Adds venues, events and sales.
    Admin,
}

/// One operator key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey {
    /// Whose; in the audit trail.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// SHA-256 of the key.
    pub sha256: Digest,
}

/// Who may operate: a list that can be replaced while the gateway runs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct OperatorKeys {
    list: Arc<ArcSwap<Vec<OperatorKey>>>,
}

impl OperatorKeys {
    /// These keys.
    pub fn new(keys: Vec<OperatorKey>) -> Self {
        Self { list: Arc::new(ArcSwap::from_pointee(keys)) }
    }

    /// From now on, these keys and no others.
    pub fn replace(&self, keys: Vec<OperatorKey>) {
        self.list.store(Arc::new(keys));
    }

    /// Whose key this is. Compares digests: how long it takes tells nothing about a key.
    pub(crate) fn find(&self, key: &str) -> Option<OperatorKey> {
        let sha256 = Digest::of(&[key.as_bytes()]);
        self.list.load().iter().find(|known| known.sha256 == sha256).cloned()
    }
}
