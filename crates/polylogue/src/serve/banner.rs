//! What a person reads when the server starts: where it listens, the page to open, and how to join from each
//! protocol at the addresses that are really open.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use hub::Dialect;
use server::Hint;

use super::doors::words;

/// An open socket.
pub(super) type Open = (SocketAddr, Option<Dialect>);

/// What else there is to say of a server.
pub(super) struct Page<'p> {
    /// The room for those who name none.
    pub(super) lobby: &'p str,
    /// Whether every port takes TLS as well.
    pub(super) tls: bool,
    /// Where messages are kept, if they are.
    pub(super) folder: Option<&'p Path>,
}

/// The banner. `own` is this machine's address as others see it; `colour`: with the terminal's colours.
pub(super) fn render(open: &[Open], page: &Page<'_>, own: IpAddr, colour: bool) -> String {
    let Page { lobby, tls, folder } = *page;
    let (bold, plain) = if colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut text = String::new();
    for (address, dialect) in open {
        let _ = writeln!(text, "listening on {address} for {}", words(*dialect));
    }
    let at = |dialect: Option<Dialect>| {
        let pinned = open.iter().find(|(_, pinned)| dialect.is_some() && *pinned == dialect);
        let door = pinned.or_else(|| open.iter().find(|(_, pinned)| pinned.is_none()));
        door.map(|(address, _)| reachable(*address, own))
    };
    // A port that is pinned to tmp answers a browser too.
    if let Some(address) = at(None).or_else(|| at(Some(Dialect::Tmp))) {
        let _ = writeln!(text, "\nopen {bold}http://{address}/{plain}");
        if tls {
            let _ = writeln!(text, "or   {bold}https://{address}/{plain}");
        }
    }
    if tls {
        text.push_str("\nevery port takes TLS as well: wss:// instead of ws://, and so on\n");
    }
    text.push_str("\nhow to join from each protocol:\n");
    let host = |ip: IpAddr| if ip.is_unspecified() { own.to_string() } else { ip.to_string() };
    for Hint { dialect, first, then } in server::hints(open, lobby, false, host) {
        let _ = writeln!(text, "  {:<10} {bold}{first:<26}{plain} {then}", dialect.as_str());
    }
    let _ = match folder {
        Some(folder) => writeln!(text, "\nmessages are kept in {}", folder.display()),
        None => writeln!(text, "\nnothing is kept: what was said is gone when the server ends"),
    };
    text
}

/// Where a client can reach a socket that is open on all interfaces.
fn reachable(address: SocketAddr, own: IpAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::new(own, address.port()) } else { address }
}

/// This machine's address as others on its network see it; loopback if it is on none.
pub(super) fn own_address() -> IpAddr {
    // Connecting a datagram socket sends nothing; it only asks the kernel which of its addresses would be used
    // for, here, an address that is set apart for documentation.
    let asked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect(("192.0.2.1", 9)).and_then(|()| socket.local_addr()));
    asked.map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

    fn shown(open: &[Open], lobby: &str, tls: bool, colour: bool) -> String {
        render(open, &Page { lobby, tls, folder: None }, OWN, colour)
    }

    fn open(address: &str, dialect: Option<Dialect>) -> Open {
        (address.parse().unwrap(), dialect)
    }

    #[test]
    fn each_protocol_is_joined_at_its_own_port_or_at_one_for_all() {
        let open = [open("127.0.0.1:5050", None), open("127.0.0.1:8888", Some(Dialect::Rooms))];
        let expected = "\
listening on 127.0.0.1:5050 for every protocol
listening on 127.0.0.1:8888 for rooms

open http://127.0.0.1:5050/

how to join from each protocol:
  tmp        ws://127.0.0.1:5050/       /NAME instead of / is the room NAME
  muca       nc 127.0.0.1 5050          then type: {\"CMD\": \"JOIN\", \"UN\": \"yourname\", \"UID\": \"yourname\"}
  rooms      nc 127.0.0.1 8888          then type: yourname_den
  bridge     --server 127.0.0.1:5050    what to tell your client, beside its own --id and --port
  messenger  nc 127.0.0.1 5050          then type: REGISTER TOSEND yourname (TORECV in a second one), Enter twice
  irc        /connect 127.0.0.1 5050    in any IRC client, then: /join #den

nothing is kept: what was said is gone when the server ends
";
        assert_eq!(shown(&open, "den", false, false), expected);
    }

    #[test]
    fn an_unspecified_address_is_shown_as_one_that_can_be_reached() {
        let text = shown(&[open("0.0.0.0:5050", None)], "lobby", false, false);
        assert!(text.contains("listening on 0.0.0.0:5050 for"), "{text}");
        assert!(text.contains("open http://198.51.100.7:5050/"), "{text}");
        assert!(text.contains("nc 198.51.100.7 5050"), "{text}");
    }

    #[test]
    fn protocols_that_nobody_listens_for_are_left_out() {
        let text = shown(&[open("127.0.0.1:1", Some(Dialect::Muca))], "lobby", false, false);
        assert!(text.contains("muca") && !text.contains("rooms") && !text.contains("open http"), "{text}");
    }

    #[test]
    fn tls_is_offered_where_there_is_a_certificate() {
        let open = [open("127.0.0.1:5050", None)];
        let text = shown(&open, "lobby", true, false);
        assert!(text.contains("or   https://127.0.0.1:5050/\n\nevery port takes TLS as well"), "{text}");
        assert!(!shown(&open, "lobby", false, false).contains("TLS"));
    }

    #[test]
    fn colour_only_where_it_was_asked_for() {
        let open = [open("127.0.0.1:5050", None)];
        assert!(shown(&open, "lobby", false, true).contains("\x1b[1mhttp://127.0.0.1:5050/\x1b[0m"));
        assert!(!shown(&open, "lobby", false, false).contains('\x1b'));
    }
}
