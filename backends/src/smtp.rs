//! Letters by SMTP.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use booking_core::{
    mail::{Message, Sending},
    ports::{PortError, PortResult, post::Post},
    reason::{one_line, with_causes},
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::{Mailbox, MultiPart, header},
    transport::smtp::{
        self, PoolConfig,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};

use crate::Secret;

const PORT: &str = "post";

/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(60);
/// What a message may take, in answers of the server: connecting, TLS, two greetings, the login, and five of its own.
const ANSWERS: u32 = 10;

/// How the connection to the server is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from its first byte (RFC 8314); port 465.
    Tls,
    /// Nothing is said before the server has agreed to TLS (RFC 3207); port 587.
    StartTls,
    /// Not at all; port 25. For a server on the same machine.
    None,
}

impl Encryption {
    /// The port where servers speak it.
    pub fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// Which server takes letters over, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept secret.
    pub encryption: Encryption,
    /// Who logs in, and with what; nobody where the server asks nobody.
    pub login: Option<(String, Secret)>,
    /// Whom letters come from: `tickets@example.org`, or with a name before it, `Tickets <tickets@example.org>`.
    pub from: String,
    /// The most connections.
    pub connections: u32,
    /// How long one answer of the server may take.
    pub timeout: Duration,
}

/// Why settings can't be used, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSmtpSettings(String);

/// Hands letters to an SMTP server. A clone shares its connections.
#[derive(Clone)]
pub struct SmtpPost {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    server: String,
    patience: Duration,
}

impl fmt::Debug for SmtpPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpPost").field("server", &self.server).finish_non_exhaustive()
    }
}

impl SmtpPost {
    /// A post by `settings`. Nothing is connected before the first letter.
    ///
    /// # Panics
    /// Outside a Tokio runtime: a task there closes connections that are idle.
    ///
    /// # Errors
    /// If the sender is no address, or the server's name can't be one.
    pub fn new(settings: &SmtpSettings) -> Result<Self, InvalidSmtpSettings> {
        let invalid = |what: String| InvalidSmtpSettings(what);
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| invalid(format!("'{}' is not 'name@domain' or 'Name <name@domain>'", settings.from)))?;
        if settings.encryption != Encryption::None {
            // Twice does no harm: whoever was first counts.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let tls = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|error| invalid(format!("no TLS with '{}': {error}", settings.host)))
        };
        let tls = match settings.encryption {
            Encryption::Tls => Tls::Wrapper(tls()?),
            Encryption::StartTls => Tls::Required(tls()?),
            Encryption::None => Tls::None,
        };
        let pool = PoolConfig::new().max_size(settings.connections.max(1)).idle_timeout(IDLE);
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.clone())
            .port(settings.port)
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .tls(tls)
            .timeout(Some(settings.timeout))
            .pool_config(pool);
        if let Some((user, password)) = &settings.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        Ok(Self {
            transport: transport.build(),
            from,
            server: format!("{}:{}", settings.host, settings.port),
            patience: settings.timeout * ANSWERS,
        })
    }

    /// Whether the server can be reached and lets us in.
    ///
    /// # Errors
    /// `Unavailable`: why not.
    pub async fn examine(&self) -> PortResult<()> {
        let found = match tokio::time::timeout(self.patience, self.transport.test_connection()).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => "it does not answer as an SMTP server".to_owned(),
            Ok(Err(error)) => with_causes(&error),
            Err(_) => "it does not answer in time".to_owned(),
        };
        Err(PortError::Unavailable { port: PORT, reason: format!("{}: {found}", self.server) })
    }

    fn letter(&self, message: &Message) -> Result<lettre::Message, lettre::error::Error> {
        let to = Mailbox::new(None, message.to.as_str().parse().map_err(|_| lettre::error::Error::MissingTo)?);
        let id = format!("<{}@{}>", message.letter_id, self.from.email.domain());
        lettre::Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(message.words.subject.clone())
            .message_id(Some(id))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(message.words.text.clone(), message.words.html.clone()))
    }
}

#[async_trait]
impl Post for SmtpPost {
    async fn send(&self, message: &Message) -> Sending {
        let letter = match self.letter(message) {
            Ok(letter) => letter,
            Err(error) => return Sending::Refused(one_line(&format!("it can't be written: {error}"))),
        };
        match tokio::time::timeout(self.patience, self.transport.send(letter)).await {
            Ok(Ok(_)) => Sending::Sent,
            Ok(Err(error)) if is_about_the_letter(&error) => Sending::Refused(one_line(&with_causes(&error))),
            Ok(Err(error)) => Sending::Later(one_line(&with_causes(&error))),
            Err(_) => Sending::Later(format!("{} did not answer in time", self.server)),
        }
    }
}

/// Whether the server will never take this letter, as opposed to: none of ours, for now (RFC 5321, 4.2.3; RFC 7504). A
/// login that is refused is somebody's mistake that will be mended.
fn is_about_the_letter(error: &smtp::Error) -> bool {
    const OF_THE_MAILBOX: [u16; 5] = [550, 551, 552, 553, 556];
    error.status().is_some_and(|code| OF_THE_MAILBOX.contains(&u16::from(code)))
}

/// Nobody's machine should answer to it (RFC 3834, 5.1).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use booking_core::mail::Words;

    use super::*;

    fn settings(from: &str) -> SmtpSettings {
        SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: 9,
            encryption: Encryption::None,
            login: None,
            from: from.to_owned(),
            connections: 1,
            timeout: Duration::from_secs(1),
        }
    }

    fn message(subject: &str) -> Message {
        Message {
            letter_id: "letter_7".parse().unwrap(),
            to: "jane@example.org".parse().unwrap(),
            words: Words {
                subject: subject.to_owned(),
                text: "Row 1 \u{2014} seat 2".to_owned(),
                html: "<p>Row 1</p>".to_owned(),
            },
        }
    }

    #[tokio::test]
    async fn a_letter_has_both_texts_and_one_id_for_ever() {
        let post = SmtpPost::new(&settings("The Arena <tickets@arena.example>")).unwrap();
        let written = String::from_utf8(post.letter(&message("Booked")).unwrap().formatted()).unwrap();
        for line in [
            "From: \"The Arena\" <tickets@arena.example>",
            "To: jane@example.org",
            "Subject: Booked",
            "Message-ID: <letter_7@arena.example>",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(written.contains(line), "{line} in {written}");
        }
    }

    #[tokio::test]
    async fn a_subject_is_one_header() {
        let post = SmtpPost::new(&settings("tickets@arena.example")).unwrap();
        let written = String::from_utf8(post.letter(&message("Hi\r\nBcc: x@y.example")).unwrap().formatted()).unwrap();
        let head = written.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    }

    #[tokio::test]
    async fn a_sender_that_is_none_is_named() {
        let error = SmtpPost::new(&settings("the arena")).unwrap_err();
        assert!(error.to_string().contains("'the arena'"), "{error}");
    }

    #[tokio::test]
    async fn nobody_listening_is_not_the_letters_fault() {
        let post = SmtpPost::new(&settings("tickets@arena.example")).unwrap();
        assert!(matches!(post.send(&message("Booked")).await, Sending::Later(_)));
        assert!(post.examine().await.is_err());
    }
}
