//! The payment provider, and what tells of it.

use std::{sync::Arc, time::Duration};

use backends::{
    Secret,
    stripe::{StripeNotices, StripePayments, StripeSettings},
};
use booking_core::ports::payments::{PaymentNotices, Payments, Sandbox};

use super::{Opening, opened, secret};
use crate::{
    config::{Config, ConfigError, StoreUrl},
    failure::Failure,
};

/// A provider, each role's part of it.
pub(super) struct Provider {
    pub(super) payments: Option<Arc<dyn Payments>>,
    pub(super) sandbox: Option<Arc<dyn Sandbox>>,
    pub(super) notices: Option<Arc<dyn PaymentNotices>>,
}

/// What the signing secret of an endpoint begins with.
const WEBHOOK_SECRET: &str = "whsec_";
/// The most signing secrets.
const MAX_WEBHOOK_SECRETS: usize = 8;

impl Provider {
    fn sandbox<S: Sandbox + 'static>(sandbox: S) -> Self {
        let sandbox = Arc::new(sandbox);
        Self { payments: Some(Arc::clone(&sandbox) as _), sandbox: Some(sandbox), notices: None }
    }
}

impl Opening<'_> {
    /// `sandbox:` is followed by a file or a database, `stripe:` by nothing.
    pub(super) async fn payments(&mut self) -> Result<Provider, Failure> {
        let url = &self.config.stores.payments;
        if self.known_scheme("payments", url, &["sandbox", "stripe"])? == "stripe" {
            return self.stripe(url);
        }
        let inner = url.rest().parse::<StoreUrl>().ok().filter(|inner| inner.scheme() == "postgres");
        if let Some(inner) = inner {
            return Ok(Provider::sandbox(self.postgres_sandbox(&inner).await?));
        }
        self.must_be_alone("payments", url, "sandbox:postgres")?;
        Ok(Provider::sandbox(self.sqlite_sandbox(url).await?))
    }

    fn stripe(&self, url: &StoreUrl) -> Result<Provider, Failure> {
        if !url.rest().is_empty() {
            let problem = "stores.payments: write 'stripe:' alone; its key and the rest are in the section [stripe]";
            return Err(ConfigError::Together(problem.to_owned()).into());
        }
        // What stands at the edge holds no key to the money.
        let has_verbs = self.role.works();
        let payments = has_verbs.then(|| self.stripe_payments()).transpose()?;
        let notices = self.config.webhook_secrets()?.map(|secrets| Arc::new(StripeNotices::new(secrets)) as _);
        Ok(Provider { payments: payments.map(|payments| Arc::new(payments) as _), sandbox: None, notices })
    }

    fn stripe_payments(&self) -> Result<StripePayments, Failure> {
        opened("payments", StripePayments::new(self.config.stripe_settings()?))
    }

    /// Asks the provider something.
    pub(super) async fn examine_payments(&mut self) -> Result<(), Failure> {
        self.payments().await?;
        if self.config.stores.payments.scheme() == "stripe" && self.role.works() {
            opened("payments", self.stripe_payments()?.examine().await)?;
        }
        Ok(())
    }
}

impl Config {
    /// Stripe, with the key or what the key's file holds.
    pub(crate) fn stripe_settings(&self) -> Result<StripeSettings, ConfigError> {
        let set = &self.stripe;
        let secret_key = secret("stripe.secret_key", &set.secret_key, set.secret_key_file.as_deref())?;
        if secret_key.is_empty() {
            let problem = "stripe.secret_key: stores.payments is 'stripe:', which needs it; set it, or secret_key_file. Only workers need it: 'weir doctor --role gateway' does without";
            return Err(ConfigError::Together(problem.to_owned()));
        }
        let settings = self.stripe_settings_with(secret_key);
        match settings.complaint() {
            Some(complaint) => Err(ConfigError::Together(format!("stripe: {complaint}"))),
            None => Ok(settings),
        }
    }

    /// The signing secrets, if there are any.
    fn webhook_secrets(&self) -> Result<Option<Vec<Secret>>, ConfigError> {
        let secrets = &self.stripe.webhook_secrets;
        let problem = if secrets.len() > MAX_WEBHOOK_SECRETS {
            format!("these are {}; keep {MAX_WEBHOOK_SECRETS} at most", secrets.len())
        } else if secrets.iter().any(|secret| !secret.begins_with(WEBHOOK_SECRET)) {
            format!("each begins with '{WEBHOOK_SECRET}', as the dashboard shows it for the endpoint")
        } else {
            return Ok(Some(secrets.clone()).filter(|secrets| !secrets.is_empty()));
        };
        Err(ConfigError::Together(format!("stripe.webhook_secrets: {problem}")))
    }

    fn stripe_settings_with(&self, secret_key: Secret) -> StripeSettings {
        let set = &self.stripe;
        StripeSettings {
            api_base: set.api_base.clone(),
            try_timeout: Duration::from_millis(set.try_timeout_ms),
            give_up_after: Duration::from_millis(set.give_up_after_ms),
            tries: set.tries,
            in_flight: set.requests_in_flight.into(),
            ..StripeSettings::new(secret_key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Source, stores::Role};

    fn config(set: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        for (key, value) in [("stores.payments", "stripe:")].iter().chain(set) {
            config.set(key, value, Source::Program).unwrap();
        }
        config
    }

    fn refusal(set: &[(&str, &str)]) -> String {
        config(set).stripe_settings().unwrap_err().to_string()
    }

    #[test]
    fn the_documented_defaults_are_stripe_s_own() {
        let config = config(&[("stripe.secret_key", "sk_test_1")]);
        assert_eq!(config.stripe_settings().unwrap(), StripeSettings::new(Secret::new("sk_test_1")));
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_key_that_is_missing_or_wrong_is_refused_in_one_line_that_does_not_show_it() {
        assert!(refusal(&[]).starts_with("stripe.secret_key: stores.payments is 'stripe:'"));
        let publishable = refusal(&[("stripe.secret_key", "pk_live_hidden")]);
        assert!(publishable.starts_with("stripe: the secret key is a publishable one"), "{publishable}");
        let both = refusal(&[("stripe.secret_key", "sk_test_hidden"), ("stripe.secret_key_file", "f")]);
        let missing = refusal(&[("stripe.secret_key_file", "/nowhere/key")]);
        assert!(missing.starts_with("stripe.secret_key_file: /nowhere/key can't be read"), "{missing}");
        for refusal in [publishable, both, missing] {
            assert!(!refusal.contains("hidden") && refusal.lines().count() == 1, "{refusal}");
        }
    }

    #[test]
    fn the_key_can_be_in_a_file_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "sk_test_hidden\n").unwrap();
        let from_file = config(&[("stripe.secret_key_file", file.path().to_str().unwrap())]);
        assert_eq!(from_file.stripe_settings().unwrap().secret_key, Secret::new("sk_test_hidden"));
        let shown = config(&[("stripe.secret_key", "sk_test_hidden")]).to_toml(true);
        assert!(!shown.contains("hidden") && shown.contains("secret_key = \"…\""), "{shown}");
        let read_back = Config::default().set("stripe.secret_key", "…", Source::Program).unwrap_err();
        assert!(read_back.starts_with("secret_key must be a secret"), "{read_back}");
    }

    #[test]
    fn signing_secrets_are_read_as_a_list_and_looked_at() {
        let secrets = |text| config(&[("stripe.webhook_secrets", text)]).webhook_secrets().map_err(|e| e.to_string());
        assert_eq!(secrets(""), Ok(None));
        assert_eq!(secrets("whsec_a, whsec_b"), Ok(Some(vec![Secret::new("whsec_a"), Secret::new("whsec_b")])));
        let wrong = secrets("whsec_a,sk_test_hidden").unwrap_err();
        assert!(wrong.starts_with("stripe.webhook_secrets: each begins with 'whsec_'"), "{wrong}");
        let many = secrets(&["whsec_a"; 9].join(",")).unwrap_err();
        assert_eq!(many, "stripe.webhook_secrets: these are 9; keep 8 at most");
    }

    #[tokio::test]
    async fn a_gateway_is_well_without_the_key_and_a_worker_is_not() {
        let config = config(&[("stripe.webhook_secrets", "whsec_a")]);
        let mut examined = Vec::new();
        for role in [Role::Gateway, Role::Indexer, Role::Worker, Role::All] {
            let mut opening = Opening::of(&config, role, std::path::Path::new(""));
            examined.push(opening.examine_payments().await.map_err(|failure| failure.line()));
        }
        assert_eq!(examined[..2], [Ok(()), Ok(())]);
        for missing in &examined[2..] {
            assert!(missing.as_ref().is_err_and(|line| line.starts_with("stripe.secret_key: ")), "{missing:?}");
        }
    }

    #[test]
    fn a_worker_waits_longer_than_stripe_may_take() {
        let refusal = config(&[("stripe.give_up_after_ms", "10000")]).check().unwrap_err();
        assert!(refusal.contains("worker.payment_timeout_ms"), "{refusal}");
    }
}
