//! Our own access tokens: JWTs signed with HMAC-SHA-256, of the type `at+jwt` (RFC 9068).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use booking_core::{id::UserId, time::Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::keys::AccessKeys;

const TYPE: &str = "at+jwt";

/// Makes and verifies access tokens.
pub(crate) struct AccessTokens {
    /// The one that signs first.
    ring: Vec<Key>,
    issuer: String,
    lifetime_seconds: u32,
}

/// One key, and the header of every token it signs, as an object and as the token's first part.
struct Key {
    header: Header,
    first_part: String,
    signing: EncodingKey,
    verifying: hmac::Key,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: UserId,
    iat: i64,
    exp: i64,
}

/// Why a token names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is signed in a way that ours are not; it may be an outside issuer's.
    NotOurs,
    /// It is no valid token, and why.
    Invalid(&'static str),
}

impl Key {
    fn new(id: &str, signing: &EncodingKey, verifying: &hmac::Key) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(id.to_owned());
        let first_part = jsonwebtoken::encode(&header, &(), signing).expect("an HMAC key signs anything");
        let first_part = first_part.split('.').next().unwrap_or_default().to_owned();
        Self { header, first_part, signing: signing.clone(), verifying: verifying.clone() }
    }
}

impl AccessTokens {
    pub(crate) fn new(keys: &AccessKeys, issuer: &str, lifetime_seconds: u32) -> Self {
        let ring = keys.access().map(|(id, signing, verifying)| Key::new(id, signing, verifying)).collect();
        Self { ring, issuer: issuer.to_owned(), lifetime_seconds }
    }

    /// A token for `user`, and when it ends.
    pub(crate) fn issue(&self, user: &UserId, now: Timestamp) -> (String, Timestamp) {
        let exp = now.as_seconds() + i64::from(self.lifetime_seconds);
        let claims = Claims { iss: self.issuer.clone(), sub: user.clone(), iat: now.as_seconds(), exp };
        let Key { header, signing, .. } = &self.ring[0];
        let token = jsonwebtoken::encode(header, &claims, signing).expect("an HMAC key signs plain claims");
        (token, Timestamp::from_millis(exp * 1_000))
    }

    /// Whose this token is.
    ///
    /// Nobody else signs with our keys, so a genuine token begins with one of our headers to the letter: nothing that
    /// a sender wrote decides how it is verified, and no header is read on the way of a million joins.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<UserId, Refused> {
        const INVALID: Refused = Refused::Invalid("The access token is not valid.");
        let (message, signature) = token.rsplit_once('.').ok_or(INVALID)?;
        let (header, payload) = message.split_once('.').ok_or(INVALID)?;
        let Some(key) = self.ring.iter().find(|key| key.first_part == header) else {
            return Err(match jsonwebtoken::decode_header(token).map(|header| header.alg) {
                Ok(Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) => Refused::NotOurs,
                _ => INVALID,
            });
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| INVALID)?;
        hmac::verify(&key.verifying, message.as_bytes(), &signature).map_err(|_| INVALID)?;
        let claims = URL_SAFE_NO_PAD.decode(payload).map_err(|_| INVALID)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| INVALID)?;
        if claims.iss != self.issuer {
            return Err(INVALID);
        }
        if claims.exp <= now.as_seconds() {
            return Err(Refused::Invalid("The access token has expired."));
        }
        Ok(claims.sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: u8) -> AccessTokens {
        AccessTokens::new(&AccessKeys::new(("k1".to_owned(), [secret; 32]), Vec::new()), "https://weir.example", 900)
    }

    fn user() -> UserId {
        "user_1".parse().unwrap()
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let now = Timestamp::from_millis(1_000_000);
        let (token, until) = tokens(1).issue(&user(), now);
        assert_eq!(tokens(1).verify(&token, now), Ok(user()));
        assert_eq!(tokens(1).verify(&token, until), Err(Refused::Invalid("The access token has expired.")));
    }

    #[test]
    fn a_token_of_an_older_key_is_good_and_one_of_another_issuer_is_not() {
        let now = Timestamp::from_millis(1_000_000);
        let (old, new) = (("k1".to_owned(), [1; 32]), ("k2".to_owned(), [2; 32]));
        let ring = AccessKeys::new(new, vec![old]);
        let (token, _) = tokens(1).issue(&user(), now);
        assert_eq!(AccessTokens::new(&ring, "https://weir.example", 900).verify(&token, now), Ok(user()));
        assert!(AccessTokens::new(&ring, "https://other.example", 900).verify(&token, now).is_err());
    }

    #[test]
    fn the_header_of_another_algorithm_or_type_is_not_ours() {
        let now = Timestamp::from_millis(1_000_000);
        let (token, _) = tokens(1).issue(&user(), now);
        let rest = token.split_once('.').unwrap().1;
        let with = |header: &str| format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        let refused = |header| tokens(1).verify(&with(header), now).unwrap_err();
        assert_eq!(refused(r#"{"typ":"at+jwt","alg":"EdDSA","kid":"k1"}"#), Refused::NotOurs);
        for header in [
            r#"{"typ":"at+jwt","alg":"none","kid":"k1"}"#,
            r#"{"typ":"JWT","alg":"HS256","kid":"k1"}"#,
            r#"{"typ":"at+jwt","alg":"HS256","kid":"k2"}"#,
            "{}",
        ] {
            assert!(matches!(refused(header), Refused::Invalid(_)), "{header}");
        }
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_letter_names_nobody() {
        let now = Timestamp::from_millis(1_000_000);
        let (token, _) = tokens(1).issue(&user(), now);
        assert!(tokens(2).verify(&token, now).is_err());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last letter of base64 has bits that stand for nothing.
            if at + 1 < token.len() {
                assert!(tokens(1).verify(&changed, now).is_err(), "at {at}");
            }
        }
    }
}
