//! The endpoints that are told of bookings.

use std::{collections::BTreeSet, sync::Arc};

use backends::{
    Secret,
    webhook::{Allowed, HttpHook},
};
use queue_worker::Endpoint;

use crate::config::{Config, ConfigError, EndpointSecret};

/// The most endpoints, and the most networks that are allowed.
const MAX: usize = 16;

impl Config {
    /// The endpoints, each with what it is reached by.
    pub(crate) fn told(&self) -> Result<Vec<Endpoint>, ConfigError> {
        let refuse = |problem: String| Err(ConfigError::Together(problem));
        let set = &self.webhooks;
        for (key, count) in [("endpoints", set.endpoints.len()), ("allow", set.allow.len())] {
            if count > MAX {
                return refuse(format!("webhooks.{key}: these are {count}; keep {MAX} at most"));
            }
        }
        let allowed =
            Allowed::and(&set.allow).map_err(|error| ConfigError::Together(format!("webhooks.allow: {error}")))?;
        let secrets = self.endpoint_secrets()?;
        let names: BTreeSet<_> = set.endpoints.iter().map(|endpoint| &endpoint.name).collect();
        if names.len() < set.endpoints.len() {
            return refuse("webhooks.endpoints: a name is there twice; each endpoint has its own".to_owned());
        }
        if let Some(of_none) = secrets.iter().find(|secret| !names.contains(&secret.name)) {
            return refuse(format!("webhooks.secrets: there is no endpoint '{}'", of_none.name));
        }
        let endpoint = |at: &crate::config::EndpointAt| {
            let of_it = secrets.iter().filter(|secret| secret.name == at.name);
            let of_it: Vec<Secret> = of_it.map(|secret| secret.secret.clone()).collect();
            match HttpHook::new(&at.url, &of_it, &allowed) {
                Ok(hook) => Ok(Endpoint { name: at.name.clone(), hook: Arc::new(hook) }),
                Err(error) => Err(ConfigError::Together(format!("webhooks: endpoint '{}': {error}", at.name))),
            }
        };
        set.endpoints.iter().map(endpoint).collect()
    }

    fn endpoint_secrets(&self) -> Result<Vec<EndpointSecret>, ConfigError> {
        let set = &self.webhooks;
        let problem = match &set.secrets_file {
            None => return Ok(set.secrets.clone()),
            Some(_) if !set.secrets.is_empty() => {
                "webhooks.secrets and webhooks.secrets_file are both set; keep one of them".to_owned()
            }
            Some(path) => match std::fs::read_to_string(path) {
                Err(error) => format!("webhooks.secrets_file: {} can't be read: {error}", path.display()),
                Ok(text) => {
                    let lines = text.lines().filter(|line| !line.trim().is_empty());
                    match lines.map(EndpointSecret::read).collect::<Option<Vec<_>>>() {
                        Some(secrets) => return Ok(secrets),
                        None => format!("webhooks.secrets_file: a line of {} is not 'name secret'", path.display()),
                    }
                }
            },
        };
        Err(ConfigError::Together(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    const SECRET: &str = "shop whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn told(set: &[(&str, &str)]) -> Result<usize, String> {
        let mut config = Config::default();
        for (key, value) in [("webhooks.endpoints", "shop https://shop.example/weir")].iter().chain(set) {
            config.set(key, value, Source::Program).unwrap();
        }
        assert!(!config.to_toml(false).contains("MfKQ9r8"), "secrets are not shown");
        config.told().map(|endpoints| endpoints.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn endpoints_are_told_with_their_secrets_and_anything_odd_is_said() {
        assert_eq!(told(&[("webhooks.secrets", SECRET)]), Ok(1));
        assert_eq!(told(&[("webhooks.secrets", &format!("{SECRET},{SECRET}"))]), Ok(1));
        assert_eq!(told(&[("webhooks.endpoints", "")]), Ok(0));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{SECRET}\n\n")).unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(told(&[("webhooks.secrets_file", path)]), Ok(1));
        for (set, begins) in [
            (vec![], "webhooks: endpoint 'shop': it needs a signing secret"),
            (vec![("webhooks.secrets", "crm whsec_x")], "webhooks.secrets: there is no endpoint 'crm'"),
            (vec![("webhooks.secrets", SECRET), ("webhooks.allow", "10")], "webhooks.allow: '10' is no network"),
            (vec![("webhooks.secrets", SECRET), ("webhooks.secrets_file", path)], "webhooks.secrets and webhooks.secr"),
            (vec![("webhooks.secrets_file", "/nowhere")], "webhooks.secrets_file: /nowhere can't be read"),
            (
                vec![("webhooks.secrets", SECRET), ("webhooks.endpoints", "shop http://127.0.0.1/")],
                "webhooks: endpoint 'shop': 127.0.0.1 is a private address",
            ),
            (
                vec![
                    ("webhooks.secrets", SECRET),
                    ("webhooks.endpoints", "shop https://a.example,shop https://b.example"),
                ],
                "webhooks.endpoints: a name is there twice",
            ),
        ] {
            let refusal = told(&set).unwrap_err();
            assert!(refusal.starts_with(begins), "{refusal}");
        }
    }
}
