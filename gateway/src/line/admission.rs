//! Admission tokens: signed and verified with Ed25519 (RFC 8037), of a type of their own.

use booking_core::{
    admission::{AdmissionClaims, TYP},
    id::{EventId, UserId},
    time::Timestamp,
};
use jsonwebtoken::{Algorithm, Header, Validation};

use crate::{keys::SigningKeys, problem::Problem};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 2_048;

/// Makes and verifies admission tokens.
pub(crate) struct AdmissionTokens {
    keys: SigningKeys,
    issuer: String,
    validation: Validation,
}

impl AdmissionTokens {
    pub(crate) fn new(keys: SigningKeys, issuer: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Time comes from the clock port; event and user are checked by the claims' own rule.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        Self { keys, issuer: issuer.to_owned(), validation }
    }

    /// Who issues them.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token with these claims. The same claims and key give the same token.
    pub(crate) fn seal(&self, claims: &AdmissionClaims) -> String {
        let (id, key) = self.keys.signing();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(id.to_owned());
        jsonwebtoken::encode(&header, claims, key).expect("an Ed25519 key signs plain claims")
    }

    /// What `token` says, if it admits `user` to `event` at `now`.
    ///
    /// # Errors
    /// [admission-required].
    pub(crate) fn open(
        &self,
        token: &str,
        event: &EventId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<AdmissionClaims, Problem> {
        let invalid = || Problem::admission_required("The admission token is not valid.");
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYP) {
            return Err(invalid());
        }
        let key = header.kid.and_then(|id| self.keys.verifying(&id)).ok_or_else(invalid)?;
        let claims =
            jsonwebtoken::decode::<AdmissionClaims>(token, key, &self.validation).map_err(|_| invalid())?.claims;
        claims.check(event, user, now).map_err(|why| Problem::admission_required(format!("{why}.")))?;
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use booking_core::id::SessionId;

    use super::*;

    fn tokens(seed: u8) -> AdmissionTokens {
        AdmissionTokens::new(SigningKeys::new(("a1".to_owned(), [seed; 32]), Vec::new()), "https://weir.example")
    }

    fn claims() -> AdmissionClaims {
        let session: SessionId = "session_1".parse().unwrap();
        let (from, until) = (Timestamp::from_millis(1_000_000), Timestamp::from_millis(1_600_000));
        AdmissionClaims::new("https://weir.example", &event(), &user(), &session, from, until, 4)
    }

    fn event() -> EventId {
        "evt_1".parse().unwrap()
    }

    fn user() -> UserId {
        "user_1".parse().unwrap()
    }

    #[test]
    fn an_admission_admits_its_user_to_its_event_until_its_end() {
        let token = tokens(1).seal(&claims());
        let now = Timestamp::from_millis(1_100_000);
        assert_eq!(tokens(1).open(&token, &event(), &user(), now).unwrap(), claims());
        let refused = [
            tokens(1).open(&token, &"evt_2".parse().unwrap(), &user(), now),
            tokens(1).open(&token, &event(), &"user_2".parse().unwrap(), now),
            tokens(1).open(&token, &event(), &user(), Timestamp::from_millis(1_600_000)),
            tokens(2).open(&token, &event(), &user(), now),
            tokens(1).open(&token.replace('.', ".x"), &event(), &user(), now),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().slug(), "admission-required");
        }
    }

    #[test]
    fn a_token_of_another_algorithm_or_type_admits_nobody() {
        let now = Timestamp::from_millis(1_100_000);
        let hmac = jsonwebtoken::EncodingKey::from_secret(&[1; 32]);
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYP.to_owned());
        header.kid = Some("a1".to_owned());
        let by_hmac = jsonwebtoken::encode(&header, &claims(), &hmac).unwrap();
        let tokens = tokens(1);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("a1".to_owned());
        let plain = jsonwebtoken::encode(&header, &claims(), tokens.keys.signing().1).unwrap();
        for wrong in [by_hmac, plain] {
            assert!(tokens.open(&wrong, &event(), &user(), now).is_err());
        }
    }
}
