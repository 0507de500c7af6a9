//! How to join from each protocol, at the ports that are really open: for the page at `/` and for whoever starts
//! the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hub::Dialect;

/// Where IRC clients expect TLS.
const IRC_TLS_PORT: u16 = 6697;

/// How to join from one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The protocol.
    pub dialect: Dialect,
    /// What to run, to open or to tell one's client.
    pub first: String,
    /// And what then.
    pub then: String,
}

/// How to join from each protocol that is spoken on one of the open ports. `host` says how people reach the
/// address of a port; `lobby` is the room for those who name none; `secure` is whether WebSockets go by TLS, without
/// which a page that came by TLS may not open any.
pub fn hints(
    open: &[(SocketAddr, Option<Dialect>)],
    lobby: &str,
    secure: bool,
    host: impl Fn(IpAddr) -> String,
) -> Vec<Hint> {
    let hint = |dialect| {
        let address = match dialect {
            Dialect::Irc => irc_door(open, secure)?,
            _ => door(open, Some(dialect)).or_else(|| door(open, None))?,
        };
        Some(hint(dialect, &host(address.ip()), address.port(), lobby, secure))
    };
    Dialect::ALL.into_iter().filter_map(hint).collect()
}

/// The port of a protocol of its own, or that tells protocols by their first bytes.
fn door(open: &[(SocketAddr, Option<Dialect>)], spoken: Option<Dialect>) -> Option<SocketAddr> {
    open.iter().find(|(_, dialect)| *dialect == spoken).map(|(address, _)| *address)
}

/// The port for IRC. With TLS any will do, but one is known for it.
pub(crate) fn irc_door(open: &[(SocketAddr, Option<Dialect>)], secure: bool) -> Option<SocketAddr> {
    let known = |(address, _): &&(SocketAddr, _)| secure == (address.port() == IRC_TLS_PORT);
    let pinned = || open.iter().filter(|(_, dialect)| *dialect == Some(Dialect::Irc));
    let found = pinned().find(known).or_else(|| pinned().next()).map(|(address, _)| *address);
    found.or_else(|| door(open, None))
}

/// Where browsers find the page, without a slash at the end; empty if nowhere. `own` is this machine's address as
/// others see it.
pub(crate) fn web_url(open: &[(SocketAddr, Option<Dialect>)], tls: bool, own: Option<IpAddr>) -> String {
    let Some(door) = door(open, None).or_else(|| door(open, Some(Dialect::Tmp))) else {
        return String::new();
    };
    let ip = match door.ip() {
        ip if ip.is_unspecified() => own.unwrap_or(Ipv4Addr::LOCALHOST.into()),
        ip => ip,
    };
    format!("{}://{}", if tls { "https" } else { "http" }, SocketAddr::new(ip, door.port()))
}

fn hint(dialect: Dialect, host: &str, port: u16, lobby: &str, secure: bool) -> Hint {
    let netcat = format!("nc {host} {port}");
    // An IPv6 address has colons of its own.
    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let scheme = if secure { "wss" } else { "ws" };
    let (first, then) = match dialect {
        Dialect::Tmp => (format!("{scheme}://{address}/"), "/NAME instead of / is the room NAME".to_owned()),
        Dialect::Muca => {
            (netcat, r#"then type: {"CMD": "JOIN", "UN": "yourname", "UID": "yourname"}"#.to_owned())
        }
        Dialect::Rooms => (netcat, format!("then type: yourname_{lobby}")),
        Dialect::Bridge => {
            let then = "what to tell your client, beside its own --id and --port";
            (format!("--server {address}"), then.to_owned())
        }
        Dialect::Messenger => {
            let then = "then type: REGISTER TOSEND yourname (TORECV in a second one), Enter twice";
            (netcat, then.to_owned())
        }
        Dialect::Irc => {
            let with = if secure { " with TLS" } else { "" };
            (format!("/connect {host} {port}"), format!("in any IRC client{with}, then: /join #{lobby}"))
        }
    };
    Hint { dialect, first, then }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(address: &str, dialect: Option<Dialect>) -> (SocketAddr, Option<Dialect>) {
        (address.parse().unwrap(), dialect)
    }

    #[test]
    fn a_port_of_its_own_comes_before_one_for_all() {
        let open = [open("[::1]:5050", None), open("127.0.0.1:8888", Some(Dialect::Rooms))];
        let hints = hints(&open, "den", false, |ip| ip.to_string());
        let firsts: Vec<_> = hints.iter().map(|hint| hint.first.as_str()).collect();
        assert_eq!(
            firsts,
            [
                "ws://[::1]:5050/",
                "nc ::1 5050",
                "nc 127.0.0.1 8888",
                "--server [::1]:5050",
                "nc ::1 5050",
                "/connect ::1 5050"
            ]
        );
        assert_eq!(hints[2].then, "then type: yourname_den");
    }

    #[test]
    fn irc_with_tls_has_a_port_of_its_own() {
        let irc = |open: &[(SocketAddr, Option<Dialect>)], secure| {
            hints(open, "den", secure, |ip| ip.to_string()).pop().map(|hint| (hint.first, hint.then)).unwrap()
        };
        let both = [
            open("127.0.0.1:5050", None),
            open("127.0.0.1:6667", Some(Dialect::Irc)),
            open("127.0.0.1:6697", Some(Dialect::Irc)),
        ];
        let (first, then) = irc(&both, true);
        assert_eq!(
            (first.as_str(), then.as_str()),
            ("/connect 127.0.0.1 6697", "in any IRC client with TLS, then: /join #den")
        );
        assert_eq!(irc(&both, false).0, "/connect 127.0.0.1 6667");
        assert_eq!(irc(&both[..2], true).0, "/connect 127.0.0.1 6667");
        assert_eq!(irc(&both[..1], true).0, "/connect 127.0.0.1 5050");
        assert_eq!(irc(&both[2..], false).0, "/connect 127.0.0.1 6697");
    }

    #[test]
    fn links_lead_where_browsers_are_answered() {
        let own = Some("198.51.100.7".parse().unwrap());
        let rooms = open("127.0.0.1:8888", Some(Dialect::Rooms));
        assert_eq!(web_url(&[rooms, open("0.0.0.0:5050", None)], false, own), "http://198.51.100.7:5050");
        assert_eq!(web_url(&[open("[::1]:1", Some(Dialect::Tmp))], true, own), "https://[::1]:1");
        assert_eq!(web_url(&[rooms], true, own), "");
    }

    #[test]
    fn protocols_that_nobody_listens_for_are_left_out() {
        let hints = hints(&[open("127.0.0.1:1", Some(Dialect::Muca))], "lobby", false, |ip| ip.to_string());
        assert_eq!(hints.iter().map(|hint| hint.dialect).collect::<Vec<_>>(), [Dialect::Muca]);
    }
}
