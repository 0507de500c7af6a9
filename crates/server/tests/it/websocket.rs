//! IRC over WebSocket: the subprotocol decides, each message is one line without its end.

use std::net::TcpStream;

use hub::Dialect;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::fixture::{Fixture, PATIENCE, header, read_text};

const TEXT: &str = "text.ircv3.net";
const BINARY: &str = "binary.ircv3.net";

/// Connects and gives the subprotocol that the server has chosen.
fn connect(server: &Fixture, offered: &str) -> (WebSocket<TcpStream>, Option<String>) {
    let stream = TcpStream::connect(server.addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("ws://{}/", server.addr).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_str(offered).unwrap());
    let (socket, response) = tungstenite::client(request, stream).unwrap();
    let chosen = response.headers().get("Sec-WebSocket-Protocol");
    (socket, chosen.map(|chosen| chosen.to_str().unwrap().to_owned()))
}

/// Connects with a subprotocol and registers.
fn join(server: &Fixture, protocol: &str, name: &str) -> WebSocket<TcpStream> {
    let (mut socket, chosen) = connect(server, protocol);
    assert_eq!(chosen.as_deref(), Some(protocol));
    say(&mut socket, protocol, &format!("NICK {name}"));
    say(&mut socket, protocol, &format!("USER {name} 0 * :{name}"));
    expect(&mut socket, protocol, &format!(" 001 {name} "));
    say(&mut socket, protocol, "JOIN #den");
    expect(&mut socket, protocol, " 366 ");
    socket
}

fn say(socket: &mut WebSocket<TcpStream>, protocol: &str, line: &str) {
    let message = if protocol == BINARY { Message::binary(line.to_owned()) } else { Message::text(line) };
    socket.send(message).unwrap();
}

/// One message, of the kind that the subprotocol has.
fn read(socket: &mut WebSocket<TcpStream>, protocol: &str) -> String {
    loop {
        let line = match socket.read().unwrap() {
            Message::Text(text) if protocol == TEXT => text.to_string(),
            Message::Binary(bytes) if protocol == BINARY => String::from_utf8(bytes.to_vec()).unwrap(),
            Message::Ping(_) | Message::Pong(_) => continue,
            other => panic!("{other:?} on {protocol}"),
        };
        assert!(!line.is_empty() && !line.contains(['\r', '\n']), "{line:?}");
        return line;
    }
}

/// Reads on until a line has this in it.
fn expect(socket: &mut WebSocket<TcpStream>, protocol: &str, wanted: &str) -> String {
    loop {
        let line = read(socket, protocol);
        if line.contains(wanted) {
            return line;
        }
    }
}

#[test]
fn each_message_is_one_line_in_both_directions() {
    let server = Fixture::start();
    let mut ana = server.rooms("ana", "den");
    let mut text = join(&server, TEXT, "tess");
    let mut binary = join(&server, BINARY, "bina");
    say(&mut text, TEXT, "PRIVMSG #den :from text");
    ana.expect("tess - from text\n");
    expect(&mut binary, BINARY, "PRIVMSG #den :from text");
    say(&mut binary, BINARY, "PRIVMSG #den :aus binär\r\n");
    ana.expect("bina - aus binär\n");
    expect(&mut text, TEXT, "PRIVMSG #den :aus binär");
    ana.send("hello\n");
    expect(&mut text, TEXT, "PRIVMSG #den :hello");
    expect(&mut binary, BINARY, "PRIVMSG #den :hello");
}

#[test]
fn the_client_s_preference_counts_and_what_is_unknown_is_tmp() {
    let server = Fixture::start();
    for (offered, expected) in [
        ("text.ircv3.net, binary.ircv3.net", Some(TEXT)),
        ("binary.ircv3.net, text.ircv3.net", Some(BINARY)),
        ("nonsense, text.ircv3.net", Some(TEXT)),
    ] {
        let (mut socket, chosen) = connect(&server, offered);
        assert_eq!(chosen.as_deref(), expected, "{offered}");
        let protocol = expected.unwrap();
        say(&mut socket, protocol, "PING token");
        expect(&mut socket, protocol, "token");
    }
    // The client library doesn't bear a handshake that takes up nothing.
    let mut peer = server.connect();
    peer.send(
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: nonsense\r\n\r\n",
    );
    let head = peer.read_until("\r\n\r\n");
    assert!(!head.to_lowercase().contains("protocol:"), "{head}");
    peer.expect_bytes(&[b"\x81\x40", header("STATE_UPG_1", "").as_bytes()].concat());
}

#[test]
fn text_that_is_no_text_is_closed_with_1007() {
    let server = Fixture::start();
    let mut socket = join(&server, TEXT, "tess");
    // A masked text frame of one byte that is no UTF-8.
    std::io::Write::write_all(socket.get_mut(), b"\x81\x81\0\0\0\0\xff").unwrap();
    let code = loop {
        match socket.read().unwrap() {
            Message::Close(close) => break close.unwrap().code,
            Message::Text(_) | Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, CloseCode::Invalid);
}

#[test]
fn a_port_for_tmp_speaks_tmp_whatever_is_offered() {
    let server = Fixture::pinned(Some(Dialect::Tmp), |_| {});
    let mut socket = server.websocket("/");
    assert_eq!(read_text(&mut socket), header("STATE_UPG_1", ""));
    let mut peer = server.connect();
    peer.send(
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: text.ircv3.net\r\n\r\n",
    );
    let head = peer.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("ircv3"), "{head}");
}
