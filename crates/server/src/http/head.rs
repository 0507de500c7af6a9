//! The head of the first HTTP request on a connection: a WebSocket handshake, or something for the web service.

use tungstenite::handshake::derive_accept_key;

use crate::ws::room_of;

/// The longest head, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What a head asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// It isn't complete.
    Partial,
    /// A WebSocket. Any origin and any offered extension will do; no extension is taken up, and of the
    /// subprotocols only IRC's.
    Upgrade {
        /// The answer.
        response: String,
        /// What is spoken.
        protocol: Protocol,
        /// The room in the request's path.
        room: Option<String>,
        /// The head's length: what follows are frames.
        len: usize,
    },
    /// A handshake with a fault; answer this and close.
    Refused(&'static str),
    /// Any other request, right or wrong.
    Web,
}

/// What is spoken on a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// No subprotocol was offered that is known here.
    Tmp,
    /// `text.ircv3.net`
    IrcText,
    /// `binary.ircv3.net`
    IrcBinary,
}

impl Protocol {
    /// Its name among the subprotocols.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Tmp => None,
            Self::IrcText => Some("text.ircv3.net"),
            Self::IrcBinary => Some("binary.ircv3.net"),
        }
    }

    /// The first known one of those offered, which the client has put in the order of its preference.
    fn of<'a>(mut offered: impl Iterator<Item = &'a [u8]>) -> Self {
        let known = |name: &[u8]| {
            let mut all = [Self::IrcText, Self::IrcBinary].into_iter();
            all.find(|protocol| protocol.name().is_some_and(|known| known.as_bytes() == name))
        };
        offered.find_map(known).unwrap_or(Self::Tmp)
    }
}

const TOO_LONG: &str =
    "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const BAD_HANDSHAKE: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\
     Content-Length: 49\r\n\r\nA WebSocket handshake needs a Sec-WebSocket-Key.\n";
const BAD_VERSION: &str = "HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
/// For somebody whose address is banned.
pub(crate) const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// For when the web service has its hands full.
pub(crate) const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";

/// Looks at what has come so far, of which the last `new` bytes were not there the last time. `with_irc`: IRC may be
/// spoken where it came.
pub(crate) fn read_head(bytes: &[u8], new: usize, with_irc: bool) -> Head {
    // So that a head that comes byte by byte is not parsed as often.
    let unseen = bytes.get(bytes.len().saturating_sub(new + 3)..).unwrap_or_default();
    let blank_line =
        unseen.windows(2).any(|end| end == b"\n\n") || unseen.windows(3).any(|end| end == b"\n\r\n");
    if !blank_line {
        return if bytes.len() > HEAD_BYTES_MAX { Head::Refused(TOO_LONG) } else { Head::Partial };
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Head::Partial,
        // The web service has the words for what is wrong with it.
        Err(_) => return Head::Web,
    };
    let values = |name: &str| {
        let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect::<Vec<_>>()
    };
    let items = |name: &str| {
        let all = values(name).into_iter().flat_map(|value| value.split(|byte| *byte == b','));
        all.map(<[u8]>::trim_ascii).collect::<Vec<_>>()
    };
    let lists =
        |name: &str, token: &str| items(name).iter().any(|item| item.eq_ignore_ascii_case(token.as_bytes()));
    if request.method != Some("GET") || !lists("upgrade", "websocket") || !lists("connection", "upgrade") {
        return Head::Web;
    }
    if values("sec-websocket-version") != [b"13"] {
        return Head::Refused(BAD_VERSION);
    }
    let keys = values("sec-websocket-key");
    let [key] = keys.as_slice() else { return Head::Refused(BAD_HANDSHAKE) };
    let offered = if with_irc { items("sec-websocket-protocol") } else { Vec::new() };
    let protocol = Protocol::of(offered.into_iter());
    let chosen = protocol.name().map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{}\r\n",
        derive_accept_key(key.trim_ascii()),
        chosen.unwrap_or_default(),
    );
    Head::Upgrade { response, protocol, room: room_of(request.path.unwrap_or_default()), len }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: &str = "GET /den HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: null\r\n\r\n";

    #[test]
    fn the_handshake_of_the_specification() {
        for rest in ["", "frames"] {
            let bytes = format!("{HANDSHAKE}{rest}");
            let head = read_head(bytes.as_bytes(), bytes.len(), true);
            let Head::Upgrade { response, protocol: Protocol::Tmp, room, len } = head else {
                panic!("{head:?}")
            };
            assert!(response.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
            assert!(!response.contains("Extensions"));
            assert_eq!((room.as_deref(), len), (Some("den"), HANDSHAKE.len()));
        }
        for len in 1..HANDSHAKE.len() {
            assert_eq!(read_head(&HANDSHAKE.as_bytes()[..len], 1, true), Head::Partial, "{len}");
        }
        assert!(matches!(read_head(HANDSHAKE.as_bytes(), 1, true), Head::Upgrade { .. }));
    }

    #[test]
    fn the_client_s_first_known_subprotocol_is_taken() {
        for (offered, expected) in [
            ("Sec-WebSocket-Protocol: text.ircv3.net, binary.ircv3.net\r\n", Protocol::IrcText),
            ("Sec-WebSocket-Protocol: chat,binary.ircv3.net,text.ircv3.net\r\n", Protocol::IrcBinary),
            ("sec-websocket-protocol: chat\r\nSec-Websocket-Protocol: text.ircv3.net\r\n", Protocol::IrcText),
            ("Sec-WebSocket-Protocol: chat, TEXT.ircv3.net\r\n", Protocol::Tmp),
            ("Sec-WebSocket-Protocol: \r\n", Protocol::Tmp),
        ] {
            let bytes = HANDSHAKE.replace("Origin: null\r\n", offered);
            let head = read_head(bytes.as_bytes(), bytes.len(), true);
            let Head::Upgrade { response, protocol, .. } = head else { panic!("{head:?}") };
            assert_eq!(protocol, expected, "{offered}");
            let named =
                response.split("Sec-WebSocket-Protocol: ").nth(1).and_then(|rest| rest.lines().next());
            assert_eq!(named, expected.name());
            let elsewhere = read_head(bytes.as_bytes(), bytes.len(), false);
            assert!(matches!(elsewhere, Head::Upgrade { protocol: Protocol::Tmp, .. }), "{elsewhere:?}");
            assert!(response.ends_with("\r\n\r\n") && response.matches("\r\n\r\n").count() == 1);
        }
    }

    #[test]
    fn what_is_no_handshake() {
        let read_head = |bytes: &[u8]| read_head(bytes, bytes.len(), true);
        let without = |line: &str| HANDSHAKE.replace(line, "");
        assert_eq!(read_head(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Head::Web);
        assert_eq!(read_head(b"GET / HTTP/9\r\n\r\n"), Head::Web);
        assert_eq!(read_head(without("Upgrade: WebSocket\r\n").as_bytes()), Head::Web);
        let keyless = without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        assert_eq!(read_head(keyless.as_bytes()), Head::Refused(BAD_HANDSHAKE));
        let old = HANDSHAKE.replace("Version: 13", "Version: 8");
        assert_eq!(read_head(old.as_bytes()), Head::Refused(BAD_VERSION));
        let long = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(HEAD_BYTES_MAX));
        assert_eq!(read_head(long.as_bytes()), Head::Refused(TOO_LONG));
    }

    #[test]
    fn answers_have_the_length_they_say() {
        let (_, body) = BAD_HANDSHAKE.split_once("\r\n\r\n").unwrap();
        assert!(BAD_HANDSHAKE.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
