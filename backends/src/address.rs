//! Addresses of servers with the name of what is on them.

use crate::Secret;

/// `//user:password@host:port,host:port/name` in its parts.
pub(crate) struct Servers<'a> {
    /// Who asks, and with what, if anybody logs in.
    pub(crate) login: Option<(String, Secret)>,
    /// Each with its port.
    pub(crate) hosts: Vec<&'a str>,
    /// An index, a keyspace.
    pub(crate) name: &'a str,
}

impl<'a> Servers<'a> {
    /// `None` where `rest`, what stands behind the scheme and its colon, is no such address.
    pub(crate) fn parse(rest: &'a str) -> Option<Self> {
        let (servers, name) = rest.strip_prefix("//")?.trim_end_matches('/').rsplit_once('/')?;
        let (login, hosts) = servers.rsplit_once('@').map_or((None, servers), |(login, hosts)| (Some(login), hosts));
        let login = match login {
            None => None,
            Some(login) => {
                let (user, password) = login.split_once(':')?;
                Some((user.to_owned(), Secret::new(password)))
            }
        };
        Some(Self { login, hosts: hosts.split(',').collect(), name })
    }
}
