//! Our own access tokens: JWTs signed with HMAC-SHA-256, of the type `at+jwt` (RFC 9068).

use booking_core::{id::UserId, time::Timestamp};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::keys::AccessKeys;

const TYPE: &str = "at+jwt";

/// Makes and verifies access tokens.
pub(crate) struct AccessTokens {
    keys: AccessKeys,
    issuer: String,
    validation: Validation,
    lifetime_seconds: u32,
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

impl AccessTokens {
    pub(crate) fn new(keys: AccessKeys, issuer: &str, lifetime_seconds: u32) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Time comes from the clock port.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        Self { keys, issuer: issuer.to_owned(), validation, lifetime_seconds }
    }

    /// A token for `user`, and when it ends.
    pub(crate) fn issue(&self, user: &UserId, now: Timestamp) -> (String, Timestamp) {
        let (id, key) = self.keys.signing();
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(id.to_owned());
        let exp = now.as_seconds() + i64::from(self.lifetime_seconds);
        let claims = Claims { iss: self.issuer.clone(), sub: user.clone(), iat: now.as_seconds(), exp };
        let token = jsonwebtoken::encode(&header, &claims, key).expect("an HMAC key signs plain claims");
        (token, Timestamp::from_millis(exp * 1_000))
    }

    /// Whose token this is.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<UserId, Refused> {
        let invalid = Err(Refused::Invalid("The access token is not valid."));
        let Ok(header) = jsonwebtoken::decode_header(token) else { return invalid };
        match header.alg {
            Algorithm::HS256 => {}
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => return Err(Refused::NotOurs),
            _ => return invalid,
        }
        if header.typ.as_deref() != Some(TYPE) {
            return invalid;
        }
        let Some(key) = header.kid.and_then(|id| self.keys.verifying(&id)) else { return invalid };
        let Ok(token) = jsonwebtoken::decode::<Claims>(token, key, &self.validation) else { return invalid };
        if token.claims.exp <= now.as_seconds() {
            return Err(Refused::Invalid("The access token has expired."));
        }
        Ok(token.claims.sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: u8) -> AccessTokens {
        AccessTokens::new(AccessKeys::new(("k1".to_owned(), [secret; 32]), Vec::new()), "https://weir.example", 900)
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
