//! Which of the contacts that bridge clients declare are believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use ipnet::Ipv4Net;

use super::{Contact, same_host};

/// Which of the contacts that bridge clients declare are believed. Any other is replaced by the address that the
/// request was seen to come from, so that nobody can send others, or the server, to a third party.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Networks whose addresses are believed even though the request came from elsewhere.
    pub allowed: Vec<Ipv4Net>,
    /// What the server itself listens on: a client that declares one of these has not understood the question.
    pub own: Vec<SocketAddr>,
}

impl AddressPolicy {
    /// The contact to hand out for a client; `None` if there is none that bridge clients can use (they know IPv4
    /// only) or that leads anywhere but to the client.
    #[must_use]
    pub fn judge(&self, declared: &Contact, observed: IpAddr) -> Option<SocketAddrV4> {
        let seen = match observed.to_canonical() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(ip) if ip.is_loopback() => Some(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => None,
        };
        let believed = declared.ip.trim().parse::<Ipv4Addr>().ok().filter(|ip| {
            same_host((*ip).into(), observed)
                || (!self.is_own_host(*ip) && self.allowed.iter().any(|net| net.contains(ip)))
        });
        let address = SocketAddrV4::new(believed.or(seen)?, declared.port);
        (declared.port != 0 && !self.is_own(address)).then_some(address)
    }

    fn is_own_host(&self, ip: Ipv4Addr) -> bool {
        self.own.iter().any(|own| same_host(own.ip(), ip.into()))
    }

    /// Whether a contact is one of the server's own doors.
    fn is_own(&self, address: SocketAddrV4) -> bool {
        self.own.iter().any(|own| {
            let reaches = own.ip().is_unspecified() || same_host(own.ip(), (*address.ip()).into());
            own.port() == address.port() && reaches
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &AddressPolicy, declared: &str, observed: &str) -> Option<String> {
        let contact = Contact { ip: declared.to_owned(), port: 1225 };
        policy.judge(&contact, observed.parse().unwrap()).map(|address| address.ip().to_string())
    }

    #[test]
    fn only_the_observed_host_is_believed() {
        let policy = AddressPolicy { own: vec!["192.0.2.1:5555".parse().unwrap()], ..Default::default() };
        let cases = [
            ("198.51.100.7", "198.51.100.7", "198.51.100.7"),
            // All of loopback is one host: Debian resolves its own name to 127.0.1.1.
            ("127.0.1.1", "127.0.0.1", "127.0.1.1"),
            ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("192.0.2.1", "198.51.100.7", "198.51.100.7"),
            ("203.0.113.9", "198.51.100.7", "198.51.100.7"),
            ("not an address", "198.51.100.7", "198.51.100.7"),
            ("", "::ffff:198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "::1", "127.0.0.1"),
        ];
        for (declared, observed, expected) in cases {
            assert_eq!(
                judge(&policy, declared, observed).as_deref(),
                Some(expected),
                "{declared} {observed}"
            );
        }
        assert_eq!(judge(&policy, "198.51.100.7", "2001:db8::1"), None);
    }

    #[test]
    fn an_allowed_network_is_believed_but_never_the_server_itself() {
        let policy = AddressPolicy {
            allowed: vec!["203.0.113.0/24".parse().unwrap()],
            own: vec!["203.0.113.1:5555".parse().unwrap()],
        };
        assert_eq!(judge(&policy, "203.0.113.9", "198.51.100.7").as_deref(), Some("203.0.113.9"));
        assert_eq!(judge(&policy, "203.0.113.1", "198.51.100.7").as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn no_contact_leads_back_to_a_door_of_the_server() {
        let own = |address: &str| AddressPolicy { own: vec![address.parse().unwrap()], ..Default::default() };
        assert_eq!(judge(&own("127.0.0.1:1225"), "127.0.0.1", "127.0.0.1"), None);
        assert_eq!(judge(&own("0.0.0.0:1225"), "127.0.0.1", "127.0.0.1"), None);
        assert!(judge(&own("127.0.0.1:5555"), "127.0.0.1", "127.0.0.1").is_some());
    }
}
