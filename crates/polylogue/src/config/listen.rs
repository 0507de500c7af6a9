//! `ADDR[=PROTOCOL]`: where to listen, and for what.

use std::fmt;
use std::str::FromStr;

use hub::Dialect;

/// Where to listen, and which protocol is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    /// A name or an address, without brackets. `None`: loopback, or all interfaces with `--lan`.
    pub(crate) host: Option<String>,
    /// TCP port; 0 for any that is free.
    pub(crate) port: u16,
    /// `None`: found out from what each client says first.
    pub(crate) dialect: Option<Dialect>,
}

/// What is expected of an `ADDR[=PROTOCOL]`.
pub(crate) const EXPECTED: &str = "PORT, :PORT, HOST:PORT or [IPV6]:PORT, and after it, if wanted, \
                                   =tmp, =muca, =rooms, =bridge, =messenger, =irc or =detect";

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, protocol) = match text.split_once('=') {
            Some((address, protocol)) => (address, Some(protocol)),
            None => (text, None),
        };
        let (host, port) = split_address(address)?;
        let port = port.parse().map_err(|_| format!("{port:?} is not a port (0 to 65535)"))?;
        let dialect = match protocol {
            None | Some("detect") => None,
            Some(name) => Some(
                Dialect::ALL
                    .into_iter()
                    .find(|dialect| dialect.as_str() == name)
                    .ok_or_else(|| unknown_protocol(name))?,
            ),
        };
        Ok(Self { host, port, dialect })
    }
}

fn unknown_protocol(name: &str) -> String {
    let known = || Dialect::ALL.iter().map(|dialect| dialect.as_str()).chain(["detect"]);
    match super::problem::nearest(name, known()) {
        Some(near) => format!("{name:?} is not a protocol; did you mean {near}?"),
        None => format!("{name:?} is not a protocol; there are {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// Host and port, neither of them checked.
fn split_address(address: &str) -> Result<(Option<String>, &str), String> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, port) =
            rest.split_once("]:").ok_or_else(|| format!("{address:?} has no port after the brackets"))?;
        return match host.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok((Some(host.to_owned()), port)),
            Err(_) => Err(format!("{host:?} is not an IPv6 address")),
        };
    }
    match address.rsplit_once(':') {
        None => Ok((None, address)),
        Some(("", port)) => Ok((None, port)),
        Some((host, _)) if host.contains(':') => {
            Err(format!("an IPv6 address stands in brackets, as in [::1]:5050; {address:?} has none"))
        }
        Some((host, port)) => Ok((Some(host.to_owned()), port)),
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]:")?,
            Some(host) => write!(f, "{host}:")?,
            None => {}
        }
        write!(f, "{}", self.port)?;
        match self.dialect {
            Some(dialect) => write!(f, "={}", dialect.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_understood() {
        for (text, host, port, dialect, shown) in [
            ("5050", None, 5050, None, "5050"),
            (":5050", None, 5050, None, "5050"),
            ("0", None, 0, None, "0"),
            ("127.0.0.1:1", Some("127.0.0.1"), 1, None, "127.0.0.1:1"),
            ("localhost:8888=rooms", Some("localhost"), 8888, Some(Dialect::Rooms), "localhost:8888=rooms"),
            ("[::1]:5555=bridge", Some("::1"), 5555, Some(Dialect::Bridge), "[::1]:5555=bridge"),
            ("5050=detect", None, 5050, None, "5050"),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!(
                (listen.host.as_deref(), listen.port, listen.dialect),
                (host, port, dialect),
                "{text}"
            );
            assert_eq!(listen.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "\"\" is not a port (0 to 65535)"),
            ("port", "\"port\" is not a port (0 to 65535)"),
            ("65536", "\"65536\" is not a port (0 to 65535)"),
            ("localhost:", "\"\" is not a port (0 to 65535)"),
            ("::1:5050", "an IPv6 address stands in brackets, as in [::1]:5050; \"::1:5050\" has none"),
            ("[::1]", "\"[::1]\" has no port after the brackets"),
            ("[localhost]:1", "\"localhost\" is not an IPv6 address"),
            ("5050=mucca", "\"mucca\" is not a protocol; did you mean muca?"),
            (
                "5050=xyz",
                "\"xyz\" is not a protocol; there are tmp, muca, rooms, bridge, messenger, irc, detect",
            ),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap_err(), reason, "{text}");
        }
    }
}
