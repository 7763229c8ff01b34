//! How Stripe is reached.

use std::time::Duration;

use crate::Secret;

/// The most tries of one request.
const MAX_TRIES: u32 = 10;

/// How Stripe is reached, and how long it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeSettings {
    /// The secret key, or a restricted one that may write payment intents and refunds.
    pub secret_key: Secret,
    /// Where the API is; another one only in tests.
    pub api_base: String,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long one try of a request may take.
    pub try_timeout: Duration,
    /// How long a verb may take with all its requests and their tries.
    pub give_up_after: Duration,
    /// The most tries of one request, 1 to 10.
    pub tries: u32,
    /// The pause before the second try; each further one doubles it. They are scattered, so that many who were refused
    /// don't come again together.
    pub first_pause: Duration,
    /// Requests under way at once; the others wait. Stripe counts some hundred a second as too many.
    pub in_flight: usize,
}

impl StripeSettings {
    /// Stripe itself with this key: 2 s to connect, 4 s a try, 9 s and 5 tries in all, 32 requests at once.
    pub fn new(secret_key: Secret) -> Self {
        Self {
            secret_key,
            api_base: "https://api.stripe.com".to_owned(),
            connect_timeout: Duration::from_secs(2),
            try_timeout: Duration::from_secs(4),
            give_up_after: Duration::from_secs(9),
            tries: 5,
            first_pause: Duration::from_millis(200),
            in_flight: 32,
        }
    }

    /// What is wrong with them, in a sentence that says what to write instead.
    pub fn complaint(&self) -> Option<&'static str> {
        let is_local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|local| {
            self.api_base.strip_prefix(local).is_some_and(|rest| matches!(rest.chars().next(), None | Some(':' | '/')))
        });
        if self.secret_key.is_empty() {
            Some("there is no secret key; take it from Stripe's dashboard, as sk_live_…, rk_live_… or sk_test_…")
        } else if !self.secret_key.is_plain() {
            Some("the secret key has a character that no key has; write the key alone")
        } else if self.secret_key.begins_with("pk_") {
            Some("the secret key is a publishable one, for browsers; take the one that begins with 'sk_' or 'rk_'")
        } else if !self.api_base.starts_with("https://") && !is_local {
            Some(
                "the API's address must begin with 'https://'; plain 'http://' would show the key, and is for this machine only",
            )
        } else if !(1..=MAX_TRIES).contains(&self.tries) {
            Some("the tries of a request must be 1 to 10")
        } else if self.in_flight == 0 {
            Some("the requests under way at once must be 1 or more")
        } else if self.try_timeout.is_zero() || self.give_up_after < self.try_timeout {
            Some("a try must take some time, and no more than a verb in all")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_can_not_work_are_told_apart() {
        let good = StripeSettings::new(Secret::new(" sk_test_1\n"));
        assert_eq!(good.complaint(), None);
        let at = |base: &str| StripeSettings { api_base: base.to_owned(), ..good.clone() };
        assert_eq!(at("http://127.0.0.1:12111").complaint(), None);
        for (wrong, word) in [
            (StripeSettings { secret_key: Secret::new(" "), ..good.clone() }, "no secret key"),
            (StripeSettings { secret_key: Secret::new("sk test"), ..good.clone() }, "character"),
            (StripeSettings { secret_key: Secret::new("pk_test_1"), ..good.clone() }, "publishable"),
            (at("http://api.stripe.com"), "https"),
            (at("http://127.0.0.1.evil.example"), "https"),
            (StripeSettings { tries: 0, ..good.clone() }, "1 to 10"),
            (StripeSettings { in_flight: 0, ..good.clone() }, "1 or more"),
            (StripeSettings { give_up_after: Duration::from_millis(1), ..good.clone() }, "no more than"),
        ] {
            assert!(wrong.complaint().is_some_and(|complaint| complaint.contains(word)), "{word}");
        }
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let settings = StripeSettings::new(Secret::new("sk_test_hidden"));
        assert!(!format!("{settings:?}").contains("hidden"));
        assert_eq!(settings.secret_key.reveal(), "sk_test_hidden");
    }
}
