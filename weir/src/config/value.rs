//! The kinds of value a setting can have. Each is written as one line of text, the same in the file, in a variable
//! and as a flag.

use std::{fmt, net::SocketAddr, path::PathBuf};

use backends::{Secret, smtp::Encryption};
use booking_core::webhook::EndpointName;

/// How a value is written in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `"text"`
    Text,
    /// `12`
    Integer,
    /// `true`
    Boolean,
    /// `["a", "b"]`; as one line of text: `a,b`
    List,
}

/// A kind of value.
pub(crate) trait Value: Sized {
    /// How TOML writes it.
    const SHAPE: Shape;
    /// What it is, after "must be".
    const WHAT: &'static str;

    /// The value that `text` stands for.
    fn parse(text: &str) -> Option<Self>;

    /// The text that [`Value::parse`] takes back; nothing secret in it.
    fn show(&self) -> String;
}

macro_rules! parsed {
    ($($kind:ty, $shape:ident, $what:literal;)*) => {$(
        impl Value for $kind {
            const SHAPE: Shape = Shape::$shape;
            const WHAT: &'static str = $what;

            fn parse(text: &str) -> Option<Self> {
                text.trim().parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

parsed! {
    SocketAddr, Text, "an address with its port, such as \"127.0.0.1:8080\" or \"[::]:8080\"";
    u8, Integer, "a whole number from 0 to 255";
    u16, Integer, "a whole number from 0 to 65535";
    u32, Integer, "a whole number from 0 to 4294967295";
    u64, Integer, "a whole number, 0 or more";
    usize, Integer, "a whole number, 0 or more";
    bool, Boolean, "true or false";
    StoreUrl, Text, "a URL such as \"sqlite:log.db\"";
    MailServer, Text, "\"smtps://host\", \"smtp://host\" or \"smtp+plain://host\", with \":port\" where it is another than usual";
    LogFormat, Text, "\"text\" or \"json\"";
}

impl Value for String {
    const SHAPE: Shape = Shape::Text;
    const WHAT: &'static str = "text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const SHAPE: Shape = Shape::Text;
    const WHAT: &'static str = "the path of a file or folder";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// What it is stays hidden, so it can't be read back either.
impl Value for Secret {
    const SHAPE: Shape = Shape::Text;
    const WHAT: &'static str = "a secret, letter by letter as its owner shows it";

    fn parse(text: &str) -> Option<Self> {
        let secret = Self::new(text);
        secret.is_plain().then_some(secret)
    }

    fn show(&self) -> String {
        if self.is_empty() { String::new() } else { "…".to_owned() }
    }
}

/// Empty text stands for none.
impl<V: Value> Value for Option<V> {
    const SHAPE: Shape = V::SHAPE;
    const WHAT: &'static str = V::WHAT;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { V::parse(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, V::show)
    }
}

impl<V: Value> Value for Vec<V> {
    const SHAPE: Shape = Shape::List;
    const WHAT: &'static str = V::WHAT;

    fn parse(text: &str) -> Option<Self> {
        text.split(',').filter(|item| !item.trim().is_empty()).map(|item| V::parse(item.trim())).collect()
    }

    fn show(&self) -> String {
        self.iter().map(V::show).collect::<Vec<_>>().join(",")
    }
}

/// What stands behind a port: a URL whose scheme names the backend. What a password would be is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl {
    scheme: String,
    rest: String,
}

impl StoreUrl {
    /// Before the first colon, lower case.
    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Behind the first colon.
    pub(crate) fn rest(&self) -> &str {
        &self.rest
    }
}

impl std::str::FromStr for StoreUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (scheme, rest) = text.split_once(':').ok_or(())?;
        let fits = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
        if fits { Ok(Self { scheme: scheme.to_ascii_lowercase(), rest: rest.to_owned() }) } else { Err(()) }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, rest } = self;
        // Of several servers, each with its login, only the last is shown: what stands before an '@' may be secret.
        match (rest.split_once("//"), rest.rsplit_once('@')) {
            (Some((before, _)), Some((_, host))) => write!(f, "{scheme}:{before}//…@{host}"),
            _ => write!(f, "{scheme}:{rest}"),
        }
    }
}

/// An SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailServer {
    /// How the connection is kept secret.
    pub(crate) encryption: Encryption,
    /// Its name or address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
}

impl MailServer {
    /// The schemes.
    const SCHEMES: [(&str, Encryption); 3] =
        [("smtps", Encryption::Tls), ("smtp", Encryption::StartTls), ("smtp+plain", Encryption::None)];
}

impl std::str::FromStr for MailServer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let url = reqwest::Url::parse(text).map_err(drop)?;
        let (_, encryption) = Self::SCHEMES.into_iter().find(|(scheme, _)| *scheme == url.scheme()).ok_or(())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(())?;
        // A login has its own keys, where it is not shown.
        let is_bare = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
        if !is_bare || url.query().is_some() || url.fragment().is_some() {
            return Err(());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { encryption, host, port: url.port().unwrap_or(encryption.port()) })
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = Self::SCHEMES.into_iter().find(|(_, encryption)| *encryption == self.encryption);
        let scheme = scheme.map_or("", |(scheme, _)| scheme);
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// An outside issuer of users' tokens: what its tokens carry as `iss`, and where its keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    /// The `iss` claim.
    pub(crate) issuer: String,
    /// The `aud` claim that its tokens for us carry.
    pub(crate) audience: String,
    /// Where its JWKS is.
    pub(crate) jwks: String,
}

impl Value for Issuer {
    const SHAPE: Shape = Shape::Text;
    const WHAT: &'static str = "a list of \"issuer audience jwks-address\", the three parts separated by spaces";

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split_whitespace().map(str::to_owned);
        let (issuer, audience, jwks) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some(Self { issuer, audience, jwks })
    }

    fn show(&self) -> String {
        format!("{} {} {}", self.issuer, self.audience, self.jwks)
    }
}

/// An endpoint that webhooks go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointAt {
    /// What it is called.
    pub(crate) name: EndpointName,
    /// Where it is.
    pub(crate) url: String,
}

impl Value for EndpointAt {
    const SHAPE: Shape = Shape::Text;
    const WHAT: &'static str = "a list of \"name address\", the two parts separated by a space";

    fn parse(text: &str) -> Option<Self> {
        let (name, url) = text.trim().split_once(' ')?;
        Some(Self { name: name.parse().ok()?, url: url.trim().to_owned() })
    }

    fn show(&self) -> String {
        // What a query holds may be a secret between the two.
        let Self { name, url } = self;
        url.split_once('?').map_or_else(|| format!("{name} {url}"), |(shown, _)| format!("{name} {shown}?…"))
    }
}

/// What webhooks of an endpoint are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointSecret {
    /// The endpoint.
    pub(crate) name: EndpointName,
    /// The secret.
    pub(crate) secret: Secret,
}

impl EndpointSecret {
    /// As a line of a file has it.
    pub(crate) fn read(line: &str) -> Option<Self> {
        <Self as Value>::parse(line)
    }
}

impl Value for EndpointSecret {
    const SHAPE: Shape = Shape::Text;
    const WHAT: &'static str = "a list of \"name secret\", the two parts separated by a space";

    fn parse(text: &str) -> Option<Self> {
        let (name, secret) = text.trim().split_once(' ')?;
        Some(Self { name: name.parse().ok()?, secret: <Secret as Value>::parse(secret.trim())? })
    }

    fn show(&self) -> String {
        format!("{} {}", self.name, Value::show(&self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_servers_are_told_by_scheme_and_have_their_usual_port() {
        let shown = |text: &str| text.parse::<MailServer>().map(|server| server.to_string());
        for (text, server) in [
            ("smtps://mail.example", "smtps://mail.example:465"),
            ("smtp://mail.example/", "smtp://mail.example:587"),
            ("smtp+plain://127.0.0.1:2525", "smtp+plain://127.0.0.1:2525"),
            ("smtp+plain://[::1]", "smtp+plain://[::1]:25"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(server), "{text}");
            assert_eq!(shown(server).as_deref(), Ok(server));
        }
        for wrong in
            ["mail.example", "http://mail.example", "smtp:", "smtp://", "smtp://me:secret@mail.example", "smtp://h/x"]
        {
            assert_eq!(shown(wrong), Err(()), "{wrong}");
        }
    }
}
