//! Masks: who a ban, an exception or an invitation is for.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use wildmatch::WildMatch;

use crate::{Card, Namespace};

/// The longest mask, in bytes.
const MASK_BYTES_MAX: usize = 256;

/// A ban's mask, understood.
///
/// | written | for whom |
/// |---|---|
/// | `nick!user@host`, with `*` and `?` | whose name, user name and shown host, or real address, match |
/// | `*!*@192.0.2.0/24` | whose real address is in the network |
/// | `~a:account` | who is logged in to an account that matches |
/// | `~m:` and one of the above | the same people, but they may come in: they only can't speak |
///
/// What of `nick!user@host` isn't written matches everything.
#[derive(Debug, Clone)]
pub(crate) struct BanMask {
    /// In normal form.
    pub(crate) text: Arc<str>,
    pub(crate) mute: bool,
    target: Target,
}

#[derive(Debug, Clone)]
enum Target {
    Account(WildMatch),
    Network { nick: WildMatch, user: WildMatch, network: IpNet },
    Pattern { nick: WildMatch, user: WildMatch, host: WildMatch },
}

impl BanMask {
    /// Understands a mask; `None` if it is empty, too long or has characters that no name has.
    pub(crate) fn parse(written: &str) -> Option<Self> {
        let written = written.trim();
        if written.is_empty()
            || written.len() > MASK_BYTES_MAX
            || written.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return None;
        }
        let (mute, rest) = match written.strip_prefix("~m:") {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let (text, target) = match rest.strip_prefix("~a:") {
            Some("") => return None,
            Some(account) => (rest.to_owned(), Target::Account(pattern(account))),
            None if rest.is_empty() || rest.starts_with('~') && rest[1..].contains(':') => return None,
            None => hostmask(rest),
        };
        let text = if mute { format!("~m:{text}") } else { text };
        Some(Self { text: text.into(), mute, target })
    }

    /// Whether it is for this user.
    pub(crate) fn matches(&self, card: &Card, address: IpAddr) -> bool {
        let names = |nick: &WildMatch, user: &WildMatch| {
            let is = |name: &str| nick.matches(&name.to_lowercase());
            (is(card.wire_name(Namespace::Irc)) || is(card.name().as_str()))
                && user.matches(&card.username().to_lowercase())
        };
        match &self.target {
            Target::Account(account) => {
                card.account().is_some_and(|name| account.matches(&name.to_lowercase()))
            }
            Target::Network { nick, user, network } => {
                network.contains(&address.to_canonical()) && names(nick, user)
            }
            Target::Pattern { nick, user, host } => {
                (host.matches(&card.host().to_lowercase())
                    || host.matches(&address.to_canonical().to_string()))
                    && names(nick, user)
            }
        }
    }
}

/// A pattern in which `*` and `?` stand for others, whatever the case.
pub(crate) fn pattern(written: &str) -> WildMatch {
    WildMatch::new(&written.to_lowercase())
}

fn hostmask(written: &str) -> (String, Target) {
    let (nick, user, host) = match (written.split_once('!'), written.split_once('@')) {
        (Some((nick, rest)), _) => match rest.split_once('@') {
            Some((user, host)) => (nick, user, host),
            None => (nick, rest, "*"),
        },
        (None, Some((user, host))) => ("*", user, host),
        // A bare address or network is a host; a bare word is a name.
        (None, None) if written.contains(['.', ':', '/']) => ("*", "*", written),
        (None, None) => (written, "*", "*"),
    };
    let or_all = |part: &str| if part.is_empty() { "*".to_owned() } else { part.to_owned() };
    let (nick, user, host) = (or_all(nick), or_all(user), or_all(host));
    let text = format!("{nick}!{user}@{host}");
    let (nick, user) = (pattern(&nick), pattern(&user));
    let target = match host.parse::<IpNet>() {
        Ok(network) => Target::Network { nick, user, network },
        Err(_) => Target::Pattern { nick, user, host: pattern(&host) },
    };
    (text, target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Profile;
    use crate::names::WireNames;
    use crate::{Dialect, Name, UserId};

    fn card(account: Option<&str>) -> Card {
        Card {
            user: UserId(1),
            name: Name::new("Ana María").unwrap(),
            dialect: Dialect::Irc,
            wire: WireNames::default(),
            profile: Profile {
                username: "~ana".into(),
                host: "abc.example".into(),
                real_name: "Ana".into(),
                account: account.map(Into::into),
                bot: false,
            },
            notes: Default::default(),
        }
    }

    #[test]
    fn masks_have_one_normal_form() {
        for (written, normal) in [
            ("bob", "bob!*@*"),
            ("bob!x", "bob!x@*"),
            ("x@host", "*!x@host"),
            ("a!b@c", "a!b@c"),
            ("!@", "*!*@*"),
            ("192.0.2.1", "*!*@192.0.2.1"),
            ("2001:db8::/32", "*!*@2001:db8::/32"),
            ("~m:bob", "~m:bob!*@*"),
            ("~a:bob", "~a:bob"),
            ("~m:~a:bob", "~m:~a:bob"),
            ("~q", "~q!*@*"),
        ] {
            assert_eq!(&*BanMask::parse(written).unwrap().text, normal);
        }
        for bad in ["", " ", "~a:", "~m:", "~x:bob", "a b", "a\u{7}b", &"x".repeat(300)] {
            assert!(BanMask::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn who_is_meant() {
        let address = "192.0.2.77".parse().unwrap();
        let matches = |mask: &str, account| BanMask::parse(mask).unwrap().matches(&card(account), address);
        for mask in [
            "ANA*",
            "*!~ana@*",
            "*@abc.EXAMPLE",
            "*@192.0.2.77",
            "192.0.2.*",
            "192.0.2.0/24",
            "*!~*@192.0.0.0/8",
            "~m:ana*",
        ] {
            assert!(matches(mask, None), "{mask}");
        }
        for mask in ["bob", "ana", "*!ana@*", "192.0.3.0/24", "~a:*", "bob!*@192.0.2.0/24"] {
            assert!(!matches(mask, None), "{mask}");
        }
        assert!(matches("~a:an*", Some("Ana")) && matches("~m:~a:ana", Some("Ana")));
    }
}
