//! Letters to buyers: where they wait, who finds the words, and who takes them over.

use std::{sync::Arc, time::Duration};

use backends::smtp::{Encryption, SmtpPost, SmtpSettings};
use booking_core::ports::mailroom::Mailroom;
use gateway::SiteLetters;
use queue_worker::Mail;

use super::{Opening, secret};
use crate::{
    config::{Config, ConfigError, MailServer},
    failure::Failure,
};

impl Opening<'_> {
    /// All that letters need, where they are sent and this role sends them.
    pub(super) async fn mail(&mut self) -> Result<Option<Mail>, Failure> {
        let Some(server) = self.config.mail.server.as_ref().filter(|_| self.role.works()) else {
            return Ok(None);
        };
        let post = self.config.post(server)?;
        let gateway = &self.config.gateway;
        let letters =
            SiteLetters::load(gateway.pages_folder.as_deref(), &gateway.default_language, &gateway.public_url)
                .map_err(|error| ConfigError::Together(format!("gateway.pages_folder: {error}")))?;
        let mailroom = self.mailroom().await?;
        Ok(Some(Mail { mailroom, letters: Arc::new(letters), post: Arc::new(post) }))
    }

    /// Where letters wait.
    pub(super) async fn mailroom(&mut self) -> Result<Arc<dyn Mailroom>, Failure> {
        let url = &self.config.stores.mail;
        Ok(match self.known("mail", url, &["sqlite", "postgres"])? {
            "postgres" => Arc::new(self.postgres_mailroom(url).await?),
            _ => Arc::new(self.sqlite_mailroom(url).await?),
        })
    }

    /// Asks the server to let us in.
    pub(super) async fn examine_post(&self, server: &MailServer) -> Result<(), Failure> {
        let examined = self.config.post(server)?.examine().await;
        examined.map_err(|error| Failure::Store(format!("mail.server: {error}")))
    }
}

impl Config {
    fn post(&self, server: &MailServer) -> Result<SmtpPost, ConfigError> {
        let set = &self.mail;
        let refuse = |problem: String| Err(ConfigError::Together(problem));
        let password = secret("mail.password", &set.password, set.password_file.as_deref())?;
        let login = match (set.user.is_empty(), password.is_empty()) {
            (true, true) => None,
            (false, false) => Some((set.user.clone(), password)),
            (true, false) => return refuse("mail.password is set, but no mail.user".to_owned()),
            (false, true) => {
                return refuse("mail.user is set; set mail.password or mail.password_file, too".to_owned());
            }
        };
        if login.is_some() && server.encryption == Encryption::None {
            return refuse(format!("mail.server: {server} would show everybody the password; use 'smtp:' or 'smtps:'"));
        }
        if set.from.is_empty() {
            return refuse("mail.from: mail.server is set, so it must say whom letters come from".to_owned());
        }
        let settings = SmtpSettings {
            host: server.host.clone(),
            port: server.port,
            encryption: server.encryption,
            login,
            from: set.from.clone(),
            connections: u32::try_from(self.worker.mail_at_once).unwrap_or(u32::MAX),
            timeout: Duration::from_millis(set.timeout_ms),
        };
        SmtpPost::new(&settings).or_else(|error| refuse(format!("mail: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn refusal(set: &[(&str, &str)]) -> String {
        let mut config = Config::default();
        for (key, value) in [("mail.server", "smtp://mail.example")].iter().chain(set) {
            config.set(key, value, Source::Program).unwrap();
        }
        let post = config.post(config.mail.server.as_ref().unwrap());
        post.map_or_else(|error| error.to_string(), |_| "none".to_owned())
    }

    // The connections are kept by a task, so the post is made inside a runtime.
    #[tokio::test]
    async fn what_is_missing_or_wrong_is_said_in_one_line_that_shows_no_password() {
        let from = ("mail.from", "Box office <tickets@example.org>");
        let (user, password) = (("mail.user", "weir"), ("mail.password", "hidden"));
        assert_eq!(refusal(&[from]), "none");
        assert_eq!(refusal(&[from, user, password]), "none");
        for (set, begins) in [
            (vec![], "mail.from: "),
            (vec![("mail.from", "nobody")], "mail: 'nobody' is not"),
            (vec![from, user], "mail.user is set; set mail.password"),
            (vec![from, password], "mail.password is set, but no mail.user"),
            (vec![from, user, ("mail.password_file", "/nowhere")], "mail.password_file: /nowhere can't be read"),
            (
                vec![from, user, password, ("mail.server", "smtp+plain://127.0.0.1")],
                "mail.server: smtp+plain://127.0.0.1:25",
            ),
        ] {
            let refusal = refusal(&set);
            assert!(refusal.starts_with(begins) && !refusal.contains("hidden"), "{refusal}");
            assert_eq!(refusal.lines().count(), 1, "{refusal}");
        }
    }
}
