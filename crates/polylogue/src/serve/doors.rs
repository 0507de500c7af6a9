//! Which sockets to open, and what to say when one can't be.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use hub::Dialect;
use server::Listener;

use crate::config::Listen;
use crate::failure::Failure;

/// A socket that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Door {
    /// Where.
    pub(super) address: SocketAddr,
    /// For what; `None`: found out from what each client says first.
    pub(super) dialect: Option<Dialect>,
    /// Who wants it.
    pub(super) wish: Wish,
}

impl Door {
    /// The door as the server takes it.
    pub(super) fn listener(&self) -> Listener {
        Listener { addr: self.address, dialect: self.dialect, optional: self.wish == Wish::Usual }
    }
}

/// Who wants a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nobody: it is one of the usual ports and can be left out.
    Usual,
    /// `--listen`
    Flag,
    /// The key `server.listen`.
    Key,
    /// `polylogue server -a -p`
    TcpChat,
}

impl Wish {
    /// The wish as its user wrote it, for the address and protocol of `listen`.
    fn spelled(self, listen: &Listen) -> String {
        match self {
            Self::Usual => "the usual ports".to_owned(),
            Self::Flag => format!("--listen {listen}"),
            Self::Key => format!("server.listen = [{:?}]", listen.to_string()),
            Self::TcpChat => {
                format!("-a {} -p {}", listen.host.as_deref().unwrap_or("localhost"), listen.port)
            }
        }
    }
}

/// The ports at which the clients of each protocol look by themselves.
const USUAL: [(u16, Option<Dialect>); 6] = [
    (5050, None),
    // The page of tmp's reference server.
    (5000, None),
    // Pinned: what any first message means there is what that protocol's users expect.
    (8888, Some(Dialect::Rooms)),
    (40452, Some(Dialect::Muca)),
    (5555, Some(Dialect::Bridge)),
    (6667, Some(Dialect::Irc)),
];

/// Where IRC clients look that want TLS. Like every port, it takes both.
const USUAL_TLS: (u16, Option<Dialect>) = (6697, Some(Dialect::Irc));

/// The usual doors, on loopback or all interfaces. `tls`: there is a certificate.
pub(super) fn usual(lan: bool, tls: bool) -> Vec<Door> {
    USUAL
        .into_iter()
        .chain(tls.then_some(USUAL_TLS))
        .map(|(port, dialect)| Door { address: (host(lan), port).into(), dialect, wish: Wish::Usual })
        .collect()
}

/// The doors that were asked for by name.
///
/// # Errors
/// A host that has no address.
pub(super) fn wanted(listen: &[Listen], lan: bool, wish: Wish) -> Result<Vec<Door>, Failure> {
    listen
        .iter()
        .map(|listen| {
            let ip = match &listen.host {
                None => host(lan),
                Some(name) => resolve(name).map_err(|error| {
                    Failure::run(
                        format!(
                            "no address is known for {name}, wanted by {}: {error}",
                            wish.spelled(listen)
                        ),
                        "give an address of this machine, as in 127.0.0.1:5050, or leave the host out",
                    )
                })?,
            };
            Ok(Door { address: (ip, listen.port).into(), dialect: listen.dialect, wish })
        })
        .collect()
}

fn host(lan: bool) -> IpAddr {
    if lan { Ipv4Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() }
}

/// One address for a name: the first of IPv4 if there is one, as most of the clients know nothing else.
fn resolve(name: &str) -> io::Result<IpAddr> {
    let all: Vec<IpAddr> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    let first = all.iter().find(|ip| ip.is_ipv4()).or(all.first()).copied();
    first.ok_or_else(|| io::Error::other("it has none"))
}

/// What to say when a socket couldn't be opened.
pub(super) fn refused(door: &Door, error: &io::Error) -> Failure {
    let Door { address, dialect, wish } = *door;
    let spelled = |port| wish.spelled(&Listen { host: Some(address.ip().to_string()), port, dialect });
    let (wanted, other) = (spelled(address.port()), spelled(0));
    let wanted = format!("{address} was wanted for {} by {wanted}", words(dialect));
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure::run(
            format!("port {port} is in use: {wanted}"),
            format!(
                "stop the program that has it, or name another port (0: any that is free), as in {other}"
            ),
        ),
        io::ErrorKind::PermissionDenied => Failure::run(
            format!("port {port} is not allowed: {wanted}"),
            format!("ports below 1024 are reserved; name another port, as in {other}"),
        ),
        io::ErrorKind::AddrNotAvailable => Failure::run(
            format!("{} is not an address of this machine: {wanted}", address.ip()),
            "`ip address` shows the addresses; 127.0.0.1 is always one, 0.0.0.0 means all of IPv4",
        ),
        _ => Failure::run(
            format!("can't listen: {wanted}: {error}"),
            format!("name another address or port, as in {other}"),
        ),
    }
}

/// The protocol of a door, for people.
pub(super) fn words(dialect: Option<Dialect>) -> &'static str {
    dialect.map_or("every protocol", Dialect::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_without_a_host_are_on_loopback_unless_the_lan_is_wanted() {
        let listen: Vec<Listen> =
            ["1", "127.0.0.2:2", "[::1]:3"].iter().map(|text| text.parse().unwrap()).collect();
        let at = |lan| -> Vec<String> {
            wanted(&listen, lan, Wish::Flag).unwrap().iter().map(|door| door.address.to_string()).collect()
        };
        assert_eq!(at(false), ["127.0.0.1:1", "127.0.0.2:2", "[::1]:3"]);
        assert_eq!(at(true), ["0.0.0.0:1", "127.0.0.2:2", "[::1]:3"]);
        assert!(usual(false, true).iter().all(|door| door.address.ip().is_loopback()));
        assert!(usual(true, true).iter().all(|door| door.address.ip().is_unspecified()));
    }

    #[test]
    fn the_port_for_irc_with_tls_is_usual_where_there_is_a_certificate() {
        let ports = |tls| usual(false, tls).iter().map(|door| door.address.port()).collect::<Vec<_>>();
        assert_eq!(ports(false), [5050, 5000, 8888, 40452, 5555, 6667]);
        assert_eq!(ports(true), [5050, 5000, 8888, 40452, 5555, 6667, 6697]);
    }

    #[test]
    fn a_host_without_an_address_is_named() {
        let listen = ["no-such-host.invalid:5050".parse().unwrap()];
        let failure = wanted(&listen, false, Wish::Flag).unwrap_err().to_string();
        assert!(
            failure.contains("no address is known for no-such-host.invalid, wanted by --listen no-such"),
            "{failure}"
        );
    }

    #[test]
    fn a_refused_door_says_which_why_and_what_to_do() {
        let door = Door {
            address: "127.0.0.1:8888".parse().unwrap(),
            dialect: Some(Dialect::Rooms),
            wish: Wish::Flag,
        };
        for (kind, expected) in [
            (
                io::ErrorKind::AddrInUse,
                "error: port 8888 is in use: 127.0.0.1:8888 was wanted for rooms by --listen 127.0.0.1:8888=rooms\n\
                 hint: stop the program that has it, or name another port (0: any that is free), as in \
                 --listen 127.0.0.1:0=rooms",
            ),
            (
                io::ErrorKind::PermissionDenied,
                "error: port 8888 is not allowed: 127.0.0.1:8888 was wanted for rooms by --listen 127.0.0.1:8888=rooms\n\
                 hint: ports below 1024 are reserved; name another port, as in --listen 127.0.0.1:0=rooms",
            ),
            (
                io::ErrorKind::AddrNotAvailable,
                "error: 127.0.0.1 is not an address of this machine: 127.0.0.1:8888 was wanted for rooms by --listen \
                 127.0.0.1:8888=rooms\n\
                 hint: `ip address` shows the addresses; 127.0.0.1 is always one, 0.0.0.0 means all of IPv4",
            ),
        ] {
            assert_eq!(refused(&door, &kind.into()).to_string(), expected);
        }
        for (wish, hint) in [
            (Wish::Key, "as in server.listen = [\"127.0.0.1:0=rooms\"]"),
            (Wish::TcpChat, "as in -a 127.0.0.1 -p 0"),
        ] {
            let failure =
                refused(&Door { wish, ..door.clone() }, &io::ErrorKind::AddrInUse.into()).to_string();
            assert!(failure.ends_with(hint), "{failure}");
        }
    }
}
