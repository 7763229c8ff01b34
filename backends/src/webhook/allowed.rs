//! Which addresses webhooks may go to: public ones, and those that somebody allowed.
//!
//! An endpoint's name resolves to whatever its owner wants, also to an address behind our own walls; so every address is
//! looked at as it is resolved, by what then connects to it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What is not in the public Internet, by the registries of special-purpose addresses (RFC 6890 and what updates it).
const SPECIAL: [&str; 24] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // Of IPv6 only 2000::/3 is in use; within it:
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "::/3",
    "4000::/2",
    "8000::/2",
    "c000::/3",
    "e000::/3",
];

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no network such as 10.0.0.0/8 or fd00::/8, and no address")]
pub struct InvalidNetwork(String);

/// Public addresses, and some networks.
#[derive(Debug, Clone, Default)]
pub struct Allowed(Arc<[IpNet]>);

impl Allowed {
    /// Public addresses and these networks, each such as `10.1.0.0/16`, or one address.
    ///
    /// # Errors
    /// The first that is none.
    pub fn and(networks: &[String]) -> Result<Self, InvalidNetwork> {
        let network = |text: &String| {
            let found = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            found.map_err(|_| InvalidNetwork(text.clone()))
        };
        Ok(Self(networks.iter().map(network).collect::<Result<_, _>>()?))
    }

    /// Whether `address` may be connected to.
    pub fn has(&self, address: IpAddr) -> bool {
        self.names(address) || is_public(address)
    }

    /// Whether `address` is in one of the networks.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there are no networks.
    pub(super) fn is_public_only(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_public(address: IpAddr) -> bool {
    // An IPv4 address in IPv6's clothes is what it is.
    let address = address.to_canonical();
    !SPECIAL.iter().any(|network| network.parse::<IpNet>().expect("a test reads each").contains(&address))
}

impl Resolve for Allowed {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let may_be: Vec<SocketAddr> = found.iter().copied().filter(|found| allowed.has(found.ip())).collect();
            if may_be.is_empty() {
                let problem = match found.first() {
                    Some(found) => format!("it is at {}, which is private; webhooks.allow can allow it", found.ip()),
                    None => "its name has no address".to_owned(),
                };
                return Err(problem.into());
            }
            Ok(Box::new(may_be.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(networks: &[&str]) -> Allowed {
        Allowed::and(&networks.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_public_addresses_and_what_was_allowed_may_be_connected_to() {
        let nobody = Allowed::default();
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(nobody.has(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fd00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!nobody.has(private.parse().unwrap()), "{private}");
        }
        let some = allowed(&["10.1.0.0/16", "127.0.0.1", "fd00::/8"]);
        for (address, is_allowed) in
            [("10.1.2.3", true), ("10.2.0.1", false), ("127.0.0.1", true), ("127.0.0.2", false), ("fd12::1", true)]
        {
            assert_eq!(some.has(address.parse().unwrap()), is_allowed, "{address}");
        }
        assert!(some.has("::ffff:10.1.2.3".parse().unwrap()));
        assert_eq!(Allowed::and(&["10/8".to_owned()]).unwrap_err(), InvalidNetwork("10/8".to_owned()));
    }

    #[tokio::test]
    async fn a_name_that_leads_behind_the_walls_is_not_followed() {
        let resolved = Allowed::default().resolve("localhost".parse().unwrap()).await;
        let refusal = resolved.err().expect("it is refused").to_string();
        assert!(refusal.contains("which is private"), "{refusal}");
        let found = allowed(&["127.0.0.0/8"]).resolve("localhost".parse().unwrap()).await.expect("it is allowed");
        assert!(found.map(|found| found.ip()).all(|found| found.is_loopback() && found.is_ipv4()));
    }
}
