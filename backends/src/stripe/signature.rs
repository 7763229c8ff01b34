//! Stripe's signature of what it sends to us: `t=SECONDS,v1=HEX[,v1=HEX…]`, where each `v1` is the HMAC-SHA256 of
//! `SECONDS.BODY` with the endpoint's secret (<https://docs.stripe.com/webhooks#verify-manually>).

use booking_core::{ports::payments::NoticeRefused, time::Timestamp};
use ring::hmac;

use crate::Secret;

/// How far the signature's time may be from ours, either way, in seconds.
pub(super) const TOLERANCE_SECONDS: i64 = 300;
/// The longest header that is looked at, in bytes; Stripe's has some 80 for each secret.
const MAX_HEADER_BYTES: usize = 4_096;
/// The most signatures looked at: Stripe sends one for each of its own secrets that is not yet retired.
const MAX_SIGNATURES: usize = 16;

/// Whether `body` was signed with one of `secrets`, about `now`.
///
/// # Errors
/// Where it was not.
pub(super) fn verify(secrets: &[Secret], header: &str, body: &[u8], now: Timestamp) -> Result<(), NoticeRefused> {
    let signed = Signed::read(header).ok_or(NoticeRefused::Forged)?;
    let text = [signed.at.as_bytes(), b".", body].concat();
    let is_ours = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        // In constant time.
        signed.signatures.iter().any(|signature| hmac::verify(&key, &text, signature).is_ok())
    };
    if !secrets.iter().filter(|secret| !secret.is_empty()).any(is_ours) {
        return Err(NoticeRefused::Forged);
    }
    let at: i64 = signed.at.parse().map_err(|_| NoticeRefused::Forged)?;
    if now.as_seconds().abs_diff(at) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(NoticeRefused::Stale);
    }
    Ok(())
}

struct Signed<'a> {
    at: &'a str,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Signed<'a> {
    /// Schemes other than `v1` are passed over: `v0` is a test's, and weaker.
    fn read(header: &'a str) -> Option<Self> {
        if header.len() > MAX_HEADER_BYTES {
            return None;
        }
        let (mut at, mut signatures) = (None, Vec::new());
        for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match name {
                "t" if at.is_some() => return None,
                "t" => at = Some(value),
                "v1" if signatures.len() < MAX_SIGNATURES => signatures.extend(hex::decode(value).ok()),
                _ => {}
            }
        }
        Some(Self { at: at?, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_777_629_600;
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts.iter().map(|text| Secret::new(text)).collect()
    }

    fn signature(secret: &str, at: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hex::encode(hmac::sign(&key, &[format!("{at}.").as_bytes(), body].concat()))
    }

    fn header(secret: &str, at: i64) -> String {
        format!("t={at},v1={}", signature(secret, at, BODY))
    }

    fn verify(secrets: &[Secret], header: &str, body: &[u8]) -> Result<(), NoticeRefused> {
        super::verify(secrets, header, body, Timestamp::from_millis(NOW * 1_000))
    }

    #[test]
    fn what_was_signed_with_the_secret_is_taken() {
        assert_eq!(verify(&secrets(&["whsec_a"]), &header("whsec_a", NOW), BODY), Ok(()));
    }

    /// Worked out with `openssl dgst -sha256 -hmac`, so that both sides can't be wrong in the same way.
    #[test]
    fn a_signature_that_another_program_made_is_taken() {
        let header = "t=1777629600,v1=c872e7303eeccf5f61007d5c4ca468f70d0981907b55ee6e32be702df97c7157";
        assert_eq!(verify(&secrets(&["whsec_test"]), header, BODY), Ok(()));
    }

    #[test]
    fn what_was_signed_with_another_secret_or_was_changed_is_forged() {
        let good = header("whsec_a", NOW);
        let forged = Err(NoticeRefused::Forged);
        assert_eq!(verify(&secrets(&["whsec_b"]), &good, BODY), forged);
        assert_eq!(verify(&secrets(&["whsec_a"]), &good, br#"{"id":"evt_2"}"#), forged);
        assert_eq!(verify(&secrets(&["whsec_a"]), &good.replace("t=1777629600", "t=1777629601"), BODY), forged);
        let other_scheme = good.replace("v1=", "v0=");
        assert_eq!(verify(&secrets(&["whsec_a"]), &other_scheme, BODY), forged);
    }

    #[test]
    fn nothing_is_signed_with_no_secret() {
        for none in [&[][..], &[""]] {
            assert_eq!(verify(&secrets(none), &header("", NOW), BODY), Err(NoticeRefused::Forged));
        }
    }

    #[test]
    fn what_is_of_another_time_is_stale_either_way() {
        let secrets = secrets(&["whsec_a"]);
        for near in [-TOLERANCE_SECONDS, TOLERANCE_SECONDS] {
            assert_eq!(verify(&secrets, &header("whsec_a", NOW + near), BODY), Ok(()), "{near}");
        }
        for far in [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1, -NOW, i64::MAX - NOW] {
            assert_eq!(verify(&secrets, &header("whsec_a", NOW + far), BODY), Err(NoticeRefused::Stale), "{far}");
        }
    }

    #[test]
    fn while_secrets_are_exchanged_either_side_may_have_both() {
        let ours = secrets(&["whsec_old", "whsec_new"]);
        for secret in ["whsec_old", "whsec_new"] {
            assert_eq!(verify(&ours, &header(secret, NOW), BODY), Ok(()));
        }
        let theirs = format!("{},v1={}", header("whsec_x", NOW), signature("whsec_new", NOW, BODY));
        assert_eq!(verify(&ours, &theirs, BODY), Ok(()));
    }

    #[test]
    fn a_header_that_is_no_signature_is_forged() {
        let good = signature("whsec_a", NOW, BODY);
        let at = header("whsec_a", NOW);
        for wrong in [
            String::new(),
            "t=".to_owned(),
            format!("v1={good}"),
            format!("t={NOW}"),
            format!("t={NOW},v1="),
            format!("t={NOW},v1={}", &good[..62]),
            format!("t={NOW},v1=zz{}", &good[2..]),
            format!("t=now,v1={good}"),
            format!("t=+{NOW},v1={good}"),
            format!("t={NOW},{at}"),
            format!("{at},{}", "v0=00,".repeat(1_000)),
            ",=,=".repeat(100),
            "é".repeat(10),
        ] {
            assert_eq!(verify(&secrets(&["whsec_a"]), &wrong, BODY), Err(NoticeRefused::Forged), "{wrong}");
        }
    }
}
