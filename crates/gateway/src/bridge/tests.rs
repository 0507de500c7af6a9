//! What transcripts can't show: log lines, and bounds that only a flood reaches.

use std::net::IpAddr;

use hub::{Dialect, Hub};

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
fn session() -> (BridgeSession, Now) {
    let now = Now { at: Instant::now(), unix_ms: 0 };
    let origin = Origin { dialect: Dialect::Bridge, address: IpAddr::from([127, 0, 0, 1]), secure: false };
    (BridgeSession::open(Arc::new(Settings::default()), origin, now), now)
}

#[test]
fn requests_are_logged_on_one_line() {
    let (mut session, now) = session();
    let mut out = Outbox::default();
    let register = b"REGISTER\r\nclientID: an\x1ba\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n";
    session.on_bytes(now, register, &mut out);
    assert_eq!(out.notes, ["REGISTER: ana from 127.0.0.1:1225 received"]);
    session.on_reply(now, Reply::Bridge(BridgeReply::Registered), &mut out);
    session.on_bytes(now, b"BRIDGE\r\nclientID: ana\r\n\r\n", &mut out);
    session.on_reply(now, Reply::Bridge(BridgeReply::Peer(None)), &mut out);
    assert_eq!(out.notes[1..], ["BRIDGE: ana has no partner yet"]);
    assert_eq!(session.user_name(), Some("an\u{1b}a"));
}

#[test]
fn a_flood_of_requests_is_bounded_while_the_hub_is_asked() {
    let (mut session, now) = session();
    let mut out = Outbox::default();
    let bridge = b"BRIDGE\r\nclientID: ana\r\n\r\n".repeat(100);
    for _ in 0..100 {
        session.on_bytes(now, &bridge, &mut out);
        assert!(session.decoder.buffered() <= Settings::default().frame_bytes_max);
    }
    assert_eq!(out.commands.len(), 1);
    session.on_reply(now, Reply::Bridge(BridgeReply::Peer(None)), &mut out);
    assert!(matches!(out.close, Some(Close::Protocol(ProtocolError::TooLong { .. }))));
}

#[test]
fn sessions_are_small() {
    assert!(size_of::<BridgeSession>() <= 320, "{}", size_of::<BridgeSession>());
    assert!(size_of::<RingSession>() <= 64, "{}", size_of::<RingSession>());
}

#[test]
fn an_idle_session_owns_no_buffer() {
    let (mut session, now) = session();
    let mut out = Outbox::default();
    session.on_bytes(now, b"PROBE\r\n\r\n\r\n", &mut out);
    assert_eq!(out.wire, ["PROBEACK\r\n\r\n"]);
    assert!(session.decoder.is_empty());
    assert_eq!(session.wake_at(), Some(session.silent_at));
}

#[test]
fn after_the_end_nothing_more_is_said() {
    let mut desk = Hub::new(hub::HubConfig::default()).unwrap();
    let (mut session, now) = session();
    let id = hub::SessionId::new(0, 0, 1);
    desk.open(id, session.origin);
    let mut said = Vec::new();
    let reads: [&[u8]; 3] = [
        b"REGISTER\r\nclientID: ana\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n",
        b"CHAT\r\nclientID: ana\r\n\r\n",
        b"QUIT\r\n\r\n",
    ];
    for bytes in reads {
        let mut out = Outbox::default();
        session.on_bytes(now, bytes, &mut out);
        let mut fx = Vec::new();
        for command in out.commands.drain(..) {
            desk.apply(now, id, command, &mut fx);
        }
        // Forgetting the client dismisses its conversation, which has said goodbye by then.
        for effect in fx {
            if let hub::Effect::Reply { reply, .. } = effect {
                session.on_reply(now, reply, &mut out);
            }
        }
        session.on_timer(now.plus(std::time::Duration::from_secs(1)), &mut out);
        said.extend(out.wire);
    }
    assert_eq!(said.last().map(|last| last.as_ref()), Some(b"QUITACK\r\n\r\n".as_slice()));
    assert!(matches!(session.state, State::Closed));
    assert_eq!(session.wake_at(), None);
}
