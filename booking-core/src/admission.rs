//! Admission: what the token of somebody who is let in says, and when it is good.
//!
//! The token is a JWT signed with Ed25519 (RFC 8037), of a type of its own ([`TYP`]), so that no other token of the same
//! keys is taken for one. Signing and verifying are the gateway's; here is what is signed and what it means. Any other
//! booking API can check the same claims with the public keys.

use serde::{Deserialize, Serialize};

use crate::{
    id::{EventId, SessionId, UserId},
    time::Timestamp,
};

/// The token's `typ`.
pub const TYP: &str = "admission+jwt";

/// The only algorithm such a token is signed with.
pub const ALG: &str = "EdDSA";

/// How far the clocks of two gateways may differ, in seconds: a token issued that much in the future is good.
const CLOCK_TOLERANCE_S: i64 = 2;

/// The audience of `event`'s admissions: `weir:<event>`.
pub fn audience(event: &EventId) -> String {
    format!("weir:{event}")
}

/// What an admission token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionClaims {
    /// Who issued it.
    pub iss: String,
    /// To which event it admits, as [`audience`] writes it.
    pub aud: String,
    /// Whom it admits.
    pub sub: UserId,
    /// The session: what the desk and the ledger know the admission by.
    pub jti: SessionId,
    /// When it was issued, in seconds since 1970-01-01T00:00:00Z.
    pub iat: i64,
    /// When it ends, in the same seconds. At that second it is over.
    pub exp: i64,
    /// The most seats it may hold, 1 to 100.
    pub seats: u32,
}

/// Why an admission is not good here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionRefused {
    /// It is for another event.
    #[error("this admission is for another event")]
    OtherEvent,
    /// It is somebody else's.
    #[error("this admission is somebody else's")]
    OtherUser,
    /// It is over.
    #[error("this admission is over")]
    Expired,
    /// It says that it was issued in the future.
    #[error("this admission is not yet good")]
    NotYet,
}

impl AdmissionClaims {
    /// What the token of a new admission says. Its end is `expires_at` rounded down to whole seconds, so that a token
    /// never outlives its session at the desk.
    pub fn new(
        issuer: &str,
        event: &EventId,
        user: &UserId,
        session: &SessionId,
        issued_at: Timestamp,
        expires_at: Timestamp,
        seats: u32,
    ) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: audience(event),
            sub: user.clone(),
            jti: session.clone(),
            iat: issued_at.as_seconds(),
            exp: expires_at.as_seconds(),
            seats,
        }
    }

    /// Whether it admits `user` to `event` at `now`. For claims whose signature, algorithm, type and issuer are
    /// verified.
    ///
    /// # Errors
    /// If it is for another event or another user, or is not good at `now`.
    pub fn check(&self, event: &EventId, user: &UserId, now: Timestamp) -> Result<(), AdmissionRefused> {
        if self.aud != audience(event) {
            return Err(AdmissionRefused::OtherEvent);
        }
        if self.sub != *user {
            return Err(AdmissionRefused::OtherUser);
        }
        if now.as_seconds() >= self.exp {
            return Err(AdmissionRefused::Expired);
        }
        if self.iat > now.as_seconds() + CLOCK_TOLERANCE_S {
            return Err(AdmissionRefused::NotYet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUED: i64 = 1_777_629_600_400;

    fn claims() -> AdmissionClaims {
        AdmissionClaims::new(
            "https://weir.example",
            &"evt_1".parse().unwrap(),
            &"user_1".parse().unwrap(),
            &"session_1".parse().unwrap(),
            Timestamp::from_millis(ISSUED),
            Timestamp::from_millis(ISSUED + 600_500),
            6,
        )
    }

    fn check(event: &str, user: &str, now: i64) -> Result<(), AdmissionRefused> {
        claims().check(&event.parse().unwrap(), &user.parse().unwrap(), Timestamp::from_millis(now))
    }

    #[test]
    fn claims_are_written_as_rfc_7519_names_them() {
        let json = json!({
            "iss": "https://weir.example", "aud": "weir:evt_1", "sub": "user_1", "jti": "session_1",
            "iat": 1_777_629_600, "exp": 1_777_630_200, "seats": 6,
        });
        assert_eq!(serde_json::to_value(claims()).unwrap(), json);
        assert_eq!(serde_json::from_value::<AdmissionClaims>(json).unwrap(), claims());
    }

    #[test]
    fn an_admission_is_good_for_its_event_its_user_and_its_time_only() {
        let end = 1_777_630_200_000;
        for (event, user, now, answer) in [
            ("evt_1", "user_1", ISSUED, Ok(())),
            ("evt_1", "user_1", end - 1, Ok(())),
            ("evt_1", "user_1", end, Err(AdmissionRefused::Expired)),
            ("evt_1", "user_1", ISSUED + 600_500, Err(AdmissionRefused::Expired)),
            ("evt_2", "user_1", ISSUED, Err(AdmissionRefused::OtherEvent)),
            ("evt_1", "user_2", ISSUED, Err(AdmissionRefused::OtherUser)),
            // Another gateway's clock may be two seconds behind.
            ("evt_1", "user_1", ISSUED - 2_000, Ok(())),
            ("evt_1", "user_1", ISSUED - 3_000, Err(AdmissionRefused::NotYet)),
        ] {
            assert_eq!(check(event, user, now), answer, "{event} {user} {now}");
        }
    }
}
