//! Over a limit: told so in the own protocol's way where it is known, counted, and room again afterwards.

use std::time::Duration;

use hub::Dialect;
use tungstenite::Message;

use crate::fixture::{Fixture, header, read_text};

#[test]
fn a_full_server_turns_newcomers_away_and_recovers() {
    let server = Fixture::with(|config| config.limits.connections_max = 2);
    let mut ana = server.rooms("ana", "den");
    let bob = server.rooms("bob", "den");
    let mut zoe = server.websocket("/");
    assert_eq!(read_text(&mut zoe), header("DISCONNECT", ""));
    assert!(matches!(zoe.read().unwrap(), Message::Close(_)));
    let mut eve = server.connect();
    eve.send("eve_den\n");
    eve.rest();
    drop((bob, zoe, eve));
    server.until("there is room again", |server| server.metric("polylogue_connections{") == 1);
    let mut carl = server.rooms("carl", "den");
    ana.send("welcome\n");
    carl.expect("ana - welcome\n");
}

#[test]
fn a_login_that_is_begun_has_to_be_finished() {
    let server = Fixture::with(|config| config.settings.login = Duration::from_millis(300));
    let mut half = server.connect();
    half.send("REGISTER TO");
    assert_eq!(half.rest(), b"400", "begun, and undecided");
    let mut zoe = server.websocket("/");
    assert_eq!(read_text(&mut zoe), header("STATE_UPG_1", ""));
    assert_eq!(read_text(&mut zoe), header("DISCONNECT", ""));
    let mut carl = server.connect();
    carl.send("REGISTER TOSEND not!a!name\n\n");
    carl.expect("ERROR 100 Malformed username\n\nERROR 101 No user registered\n\n");
    assert_eq!(carl.rest(), b"");
}

#[test]
fn silence_before_the_first_byte_is_borne_for_a_while() {
    let server = Fixture::with(|config| config.settings.silence = Duration::from_millis(300));
    let mut silent = server.connect();
    assert_eq!(silent.rest(), b"");
    assert_eq!(server.metric("polylogue_closes_total{dialect=\"undecided\",reason=\"idle\"}"), 1);
}

#[test]
fn a_pinned_port_speaks_its_protocol_whatever_comes() {
    let server = Fixture::pinned(Some(Dialect::Rooms), |_| {});
    let mut peer = server.connect();
    peer.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(peer.rest(), b"400\n");
    let mut odd = server.connect();
    odd.send("{_den\n");
    odd.expect("200\n");
}

#[test]
fn a_frame_over_the_limit_ends_its_sender_alone() {
    let server = Fixture::with(|config| config.settings.frame_bytes_max = 4096);
    let mut ana = server.rooms("ana", "den");
    let mut bob = server.rooms("bob", "den");
    bob.send(&"x".repeat(10_000));
    bob.rest();
    ana.send("alone\n");
    ana.expect("ana - alone\n");
    let mut zoe = server.tmp("Zoe");
    zoe.send(Message::text("y".repeat(10_000))).unwrap();
    while let Ok(message) = zoe.read() {
        if let Message::Close(Some(close)) = message {
            assert_eq!(u16::from(close.code), 1009);
        }
    }
}
