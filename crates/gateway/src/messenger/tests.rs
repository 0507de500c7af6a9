//! What transcripts can't show: bounds that only a flood reaches, and what an idle session owns.

use std::net::IpAddr;

use hub::{Command, Dialect, Hub, HubConfig, Origin, SessionId};

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
fn session() -> (MessengerSession, Now) {
    let now = Now { at: Instant::now(), unix_ms: 0 };
    (MessengerSession::open(Arc::new(Settings::default()), now), now)
}

/// A session with both roles, and what the hub made of its commands.
fn registered() -> (MessengerSession, Now, Hub, SessionId) {
    let (mut session, now) = session();
    let mut hub = Hub::new(HubConfig::default()).unwrap();
    let id = SessionId::new(0, 0, 1);
    hub.open(
        id,
        Origin { dialect: Dialect::Messenger, address: IpAddr::from([127, 0, 0, 1]), secure: false },
    );
    let mut out = Outbox::default();
    session.on_bytes(now, b"REGISTER TOSEND bob\n\nREGISTER TORECV bob\n\n", &mut out);
    while !out.commands.is_empty() {
        let mut fx = Vec::new();
        for command in std::mem::take(&mut out.commands) {
            hub.apply(now, id, command, &mut fx);
        }
        for effect in fx {
            if let hub::Effect::Reply { reply, .. } = effect {
                session.on_reply(now, reply, &mut out);
            }
        }
    }
    assert_eq!(out.wire, ["REGISTERED TOSEND bob\n\n", "REGISTERED TORECV bob\n\n"]);
    (session, now, hub, id)
}

#[test]
fn what_comes_while_the_hub_is_asked_is_bounded() {
    let (mut session, now) = session();
    let mut out = Outbox::default();
    session.on_bytes(now, b"REGISTER TOSEND bob\n\n", &mut out);
    let bytes = [b'x'; 64 * 1024];
    for _ in 0..17 {
        session.on_bytes(now, &bytes, &mut out);
    }
    let answer = Reply::Refused { token: None, refusal: hub::Refusal::NameTaken { name: "bob".into() } };
    session.on_reply(now, answer, &mut out);
    assert!(matches!(out.close, Some(Close::Protocol(ProtocolError::TooLong { .. }))));
    assert_eq!(out.wire, ["ERROR 100 Malformed username\n\n"]);
}

#[test]
fn sends_that_wait_are_bounded() {
    let (mut session, now, _, _) = registered();
    let mut out = Outbox::default();
    let send = b"SEND eve\nContent-length: 2\n\nhi";
    session.on_bytes(now, &send.repeat(1000), &mut out);
    assert_eq!(out.commands.len(), answers::SENDS_MAX);
    assert_eq!((out.wire.len(), out.close.as_ref()), (0, None), "answers wait for the first one");
    session.on_bytes(now, &send.repeat(1000), &mut out);
    assert!(matches!(out.commands.last(), Some(Command::Leave { .. })));
    assert!(matches!(session.phase, Phase::Closing(Close::Refused(hub::Refusal::TooManyWaiting))));
}

#[test]
fn an_idle_session_owns_no_buffer() {
    let (mut session, now, mut hub, id) = registered();
    let mut out = Outbox::default();
    session.on_bytes(now, b"SEND ALL\nContent-length: 2\n\nhi\n", &mut out);
    let mut fx = Vec::new();
    for command in std::mem::take(&mut out.commands) {
        hub.apply(now, id, command, &mut fx);
    }
    for effect in fx {
        match effect {
            hub::Effect::Reply { reply, .. } => session.on_reply(now, reply, &mut out),
            hub::Effect::Deliver { event, .. } => {
                session.on_event(now, &event, &mut out);
                let (_, token, outcome) = event.answer().unwrap();
                session.on_reply(now, Reply::Outcome { token, outcome, away: None }, &mut out);
            }
            hub::Effect::Ring { .. }
            | hub::Effect::Verify { .. }
            | hub::Effect::Derive { .. }
            | hub::Effect::Reload
            | hub::Effect::Keep(..)
            | hub::Effect::Recall { .. } => {
                unreachable!("nobody is called")
            }
        }
    }
    session.on_timer(now.plus(session.settings.messenger_gap), &mut out);
    assert_eq!(out.wire, ["SENT ALL\n\n"]);
    assert!(session.decoder.is_empty() && session.answers.is_empty() && session.outlet.is_answered());
    assert_eq!(session.wake_at(), None);
}

#[test]
fn sessions_are_small() {
    assert!(size_of::<MessengerSession>() <= 320, "{}", size_of::<MessengerSession>());
}
