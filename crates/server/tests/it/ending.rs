//! The server goes: everybody is told in the own protocol's way.

use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::fixture::{Fixture, header, read_text};

#[test]
fn everybody_is_told_goodbye() {
    let mut server = Fixture::start();
    let mut lines = server.rooms("ana", "den");
    let mut plain = server.connect();
    plain.send("bob_den");
    plain.expect("200");
    let mut zoe = server.tmp("Zoe");
    let mut mia = server.connect();
    mia.send(r#"{"CMD": "JOIN", "UN": "mia", "UID": "mia@example.org"}"#);
    mia.expect(r#"{"CMD": "ACK", "TYPE": "OKAY"}"#);
    mia.read_until("]}");
    let silent = server.connect();
    server.end();
    assert_eq!(lines.rest(), b"/exit\n");
    assert_eq!(plain.rest(), b"/exit");
    assert_eq!(read_text(&mut zoe), header("DISCONNECT", ""));
    let Message::Close(Some(close)) = zoe.read().unwrap() else { panic!("no close frame") };
    assert_eq!(close.code, CloseCode::Normal);
    assert_eq!(mia.rest(), b"");
    let mut silent = silent;
    assert_eq!(silent.rest(), b"");
}
