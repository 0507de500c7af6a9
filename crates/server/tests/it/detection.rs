//! One port, every protocol: first bytes one at a time, and two messages in one segment.

use std::time::Duration;

use tungstenite::Message;

use crate::fixture::{Fixture, Peer, header, read_text};

const JOIN: &str = r#"{"CMD": "JOIN", "UN": "mia", "UID": "mia@example.org"}"#;
const OKAY: &str = r#"{"CMD": "ACK", "TYPE": "OKAY"}"#;
const REGISTER: &str = "REGISTER\r\nclientID: bea\r\nIP: 127.0.0.1\r\nPort: 4001\r\n\r\n";
const REGACK: &str = "REGACK\r\nclientID: bea\r\nIP: 127.0.0.1\r\nPort: 4001\r\n\r\n";

/// What a client says first in each protocol, and the answer that proves that it was understood.
pub(crate) const GREETINGS: [(&str, &str); 8] = [
    ("CAP LS 302\r\n", ":polylogue.local CAP * LS "),
    (JOIN, OKAY),
    ("ana_den\n", "200\n"),
    ("bob_den", "200"),
    (REGISTER, REGACK),
    ("REGISTER TOSEND carl\n\n", "REGISTERED TOSEND carl\n\n"),
    ("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n"),
    ("no room here\n", "400\n"),
];

/// A server that takes nothing for the end of a message because a byte was late on a busy machine.
fn patient() -> Fixture {
    Fixture::with(|config| config.settings.pause = Duration::from_secs(2))
}

#[test]
fn the_first_bytes_may_come_one_at_a_time() {
    let server = patient();
    for (greeting, answer) in GREETINGS {
        let mut peer = server.connect();
        peer.send_bytewise(greeting.as_bytes());
        peer.expect(answer);
    }
}

#[test]
fn the_first_bytes_may_come_at_once() {
    let server = Fixture::start();
    for (greeting, answer) in GREETINGS {
        let mut peer = server.connect();
        peer.send(greeting);
        peer.expect(answer);
    }
}

#[test]
fn framed_protocols_are_told_by_what_follows_the_length() {
    let server = patient();
    let mut muca = server.connect();
    let mut framed = (JOIN.len() as u32).to_be_bytes().to_vec();
    framed.extend(JOIN.as_bytes());
    muca.send_bytewise(&framed);
    muca.expect(&format!("\0\0\0\u{1e}{OKAY}"));
    let mut messenger = server.connect();
    let register = "REGISTER TOSEND dora\n\n";
    messenger.send_bytewise(&[&(register.len() as u16).to_be_bytes(), register.as_bytes()].concat());
    messenger.expect("\0\u{18}REGISTERED TOSEND dora\n\n");
}

#[test]
fn a_websocket_may_come_one_byte_at_a_time() {
    let server = Fixture::start();
    let mut peer = server.connect();
    let head = "GET /den HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    peer.send_bytewise(head.as_bytes());
    let answer = peer.read_until("\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.to_lowercase().contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    assert!(!answer.to_lowercase().contains("extensions"), "{answer}");
    // A text frame of 64 bytes.
    let frame = [b"\x81\x40", header("STATE_UPG_1", "").as_bytes()].concat();
    peer.expect_bytes(&frame);
}

#[test]
fn two_messages_in_one_segment() {
    let server = Fixture::start();
    let mut ana = server.connect();
    ana.send("ana_lobby\nhello\n");
    ana.expect("200\nana - hello\n");

    let mut mia = server.connect();
    mia.send(&format!(r#"{JOIN}{{"CMD": "SEND", "MSG": "hi", "TO": [], "FROM": "x"}}"#));
    mia.expect(OKAY);
    ana.expect("mia - hi\n");

    let mut bea = server.connect();
    bea.send(&format!("{REGISTER}BRIDGE\r\nclientID: bea\r\n\r\n"));
    bea.expect(&format!("{REGACK}BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n\r\n"));

    let mut carl = server.connect();
    carl.send("REGISTER TOSEND carl\n\nREGISTER TORECV carl\n\n");
    carl.expect("REGISTERED TOSEND carl\n\nREGISTERED TORECV carl\n\n");
    carl.send("SEND ALL\nContent-length: 2\n\nyo");
    ana.expect("carl - yo\n");
}

#[test]
fn everybody_meets_in_the_lobby() {
    let server = Fixture::start();
    let mut ana = server.rooms("ana", "lobby");
    let mut zoe = server.tmp("Zoe");
    let (mut send, mut receive) = (server.connect(), server.connect());
    send.send("REGISTER TOSEND carl\n\n");
    send.expect("REGISTERED TOSEND carl\n\n");
    receive.send("REGISTER TORECV carl\n\n");
    receive.expect("REGISTERED TORECV carl\n\n");

    zoe.send(Message::text(format!("{}CHAT_MESSAGE hi all", header("CHAT_MSSG", "somebody else")))).unwrap();
    assert_eq!(read_text(&mut zoe), format!("{}CHAT_MESSAGE hi all", header("CHAT_MSSG", "Zoe")));
    ana.expect("Zoe - hi all\n");
    receive.expect("FORWARD Zoe\nContent-length: 6\n\nhi all");
    receive.send("RECEIVED Zoe\n\n");

    send.send("SEND ALL\nContent-length: 5\n\nhello");
    send.expect("SEND ALL\n\n");
    ana.expect("carl - hello\n");
    assert_eq!(read_text(&mut zoe), format!("{}CHAT_MESSAGE hello", header("CHAT_MSSG", "carl")));
}

#[test]
fn a_keyword_that_ends_early_is_a_bad_first_message() {
    let server = Fixture::start();
    let mut peer: Peer = server.connect();
    peer.send("GET");
    peer.finish();
    assert_eq!(peer.rest(), b"400");
}
