//! What transcripts can't show: a hub that answers late, and events from other dialects made by hand.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hub::{Dialect, Effect, Hub, HubConfig, Origin, Outcome, RoomId, Say, SessionId, Style, To};

use super::*;

/// A hub with a session of each kind that a test needs, and a clock.
struct Bench {
    hub: Hub,
    now: Now,
    opened: u32,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
    fn new() -> Self {
        let now = Now { at: Instant::now(), unix_ms: 0 };
        Self { hub: Hub::new(HubConfig::default()).unwrap(), now, opened: 0 }
    }

    fn origin(dialect: Dialect) -> Origin {
        Origin { dialect, address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false }
    }

    fn open(&mut self, dialect: Dialect) -> SessionId {
        self.opened += 1;
        let id = SessionId::new(0, 0, self.opened);
        self.hub.open(id, Self::origin(dialect));
        id
    }

    fn session(&mut self) -> (SessionId, TmpSession) {
        let session = TmpSession::open(Arc::new(Settings::default()), self.now, None);
        (self.open(Dialect::Tmp), session)
    }

    /// Has the hub carry out what a call left behind.
    fn apply(&mut self, from: SessionId, out: &mut Outbox) -> Vec<Effect> {
        let mut fx = Vec::new();
        for command in out.commands.drain(..) {
            self.hub.apply(self.now, from, command, &mut fx);
        }
        fx
    }

    /// The replies to `to` among some effects.
    fn reply(&self, session: &mut TmpSession, to: SessionId, fx: Vec<Effect>, out: &mut Outbox) {
        for effect in fx {
            match effect {
                Effect::Reply { to: other, reply } if other == to => session.on_reply(self.now, reply, out),
                Effect::Reply { .. }
                | Effect::Deliver { .. }
                | Effect::Ring { .. }
                | Effect::Verify { .. }
                | Effect::Derive { .. }
                | Effect::Reload
                | Effect::Keep(..)
                | Effect::Recall { .. } => {}
            }
        }
    }

    /// A session that has its name, and the room it is in.
    fn named(&mut self, name: &str) -> (SessionId, TmpSession, RoomId) {
        let (id, mut session) = self.session();
        let mut out = Outbox::default();
        session.on_bytes(self.now, set_usr(name).as_bytes(), &mut out);
        let fx = self.apply(id, &mut out);
        self.reply(&mut session, id, fx, &mut out);
        let State::Active { room, .. } = &session.state else { panic!("{name} has no name") };
        let room = room.id();
        (id, session, room)
    }

    /// What somebody on another dialect says to everybody, as an event.
    fn said(&mut self, dialect: Dialect, name: &str, text: &str, bare: bool) -> Shared {
        let id = self.open(dialect);
        let login = Login {
            name: name.to_owned(),
            handle: None,
            leg: Leg::Both,
            entrance: hub::Entrance::Lobby,
            profile: None,
            replay: false,
            roster: false,
            receipts: false,
        };
        let mut fx = Vec::new();
        self.hub.apply(self.now, id, Command::Login(login), &mut fx);
        let room = fx.iter().find_map(|effect| match effect {
            Effect::Reply { reply: Reply::Welcome { room, .. }, .. } => room.clone(),
            Effect::Reply { .. }
            | Effect::Deliver { .. }
            | Effect::Ring { .. }
            | Effect::Verify { .. }
            | Effect::Derive { .. }
            | Effect::Reload
            | Effect::Keep(..)
            | Effect::Recall { .. } => None,
        });
        let style = if bare { Style::Bare } else { Style::Plain };
        let (to, text) = (To::Room(room.unwrap().id()), text.into());
        let say =
            Say { to, text, style, tags: None, seams: Vec::new(), echo: false, token: None, waits: true };
        fx.clear();
        self.hub.apply(self.now, id, Command::Say(say), &mut fx);
        let event = fx.into_iter().find_map(|effect| match effect {
            Effect::Deliver { event, .. } => Some(event),
            Effect::Reply { .. }
            | Effect::Ring { .. }
            | Effect::Verify { .. }
            | Effect::Derive { .. }
            | Effect::Reload
            | Effect::Keep(..)
            | Effect::Recall { .. } => None,
        });
        event.unwrap()
    }
}

fn frame(kind: &str, user: &str, body: &str) -> String {
    format!("tmp://{kind:32}::/{user:20}::/{body}")
}

fn set_usr(name: &str) -> String {
    frame("SET_USR", name, "")
}

fn chat(user: &str, text: &str) -> String {
    frame("CHAT_MSSG", user, &format!("CHAT_MESSAGE {text}"))
}

fn texts(commands: &[Command]) -> Vec<&str> {
    commands
        .iter()
        .map(|command| if let Command::Say(say) = command { &*say.text } else { "not said" })
        .collect()
}

#[test]
fn what_comes_before_the_name_is_accepted_is_held_in_order() {
    let mut bench = Bench::new();
    let (id, mut session) = bench.session();
    let mut out = Outbox::default();
    for message in [set_usr("ana"), chat("ana", "one"), chat("ana", "two")] {
        session.on_bytes(bench.now, message.as_bytes(), &mut out);
    }
    assert_eq!(out.commands.len(), 1, "only the login");
    let fx = bench.apply(id, &mut out);
    bench.reply(&mut session, id, fx, &mut out);
    assert_eq!(out.wire, [frame("STATE_UPG_2", "ana", "")]);
    assert_eq!(texts(&out.commands), ["one", "two"]);
    assert!(session.held.is_none(), "nothing is kept of what was held");
}

#[test]
fn after_a_conflict_what_was_held_goes_on() {
    let mut bench = Bench::new();
    let _ana = bench.named("ana");
    let (id, mut session) = bench.session();
    let mut out = Outbox::default();
    for message in [set_usr("ana"), set_usr("bob"), chat("bob", "hi")] {
        session.on_bytes(bench.now, message.as_bytes(), &mut out);
    }
    let fx = bench.apply(id, &mut out);
    bench.reply(&mut session, id, fx, &mut out);
    assert_eq!(std::mem::take(&mut out.wire), [frame("SET_USR_CONFLICT", "ana", "")]);
    assert_eq!(out.commands.len(), 1, "the second login");
    let fx = bench.apply(id, &mut out);
    bench.reply(&mut session, id, fx, &mut out);
    assert_eq!(out.wire, [frame("STATE_UPG_2", "bob", "")]);
    assert_eq!(texts(&out.commands), ["hi"]);
}

#[test]
fn what_is_held_has_a_limit() {
    let mut bench = Bench::new();
    let (_, mut session) = bench.session();
    let mut out = Outbox::default();
    session.on_bytes(bench.now, set_usr("ana").as_bytes(), &mut out);
    let long = chat("ana", &"x".repeat(64 * 1024 - 200));
    for _ in 0..16 {
        session.on_bytes(bench.now, long.as_bytes(), &mut out);
    }
    assert_eq!(out.close, None);
    session.on_bytes(bench.now, long.as_bytes(), &mut out);
    assert_eq!(out.close.as_ref().map(Close::reason), Some("protocol"));
    assert_eq!(out.wire, [frame("DISCONNECT", "", "")]);
    assert!(session.held.is_none());
}

#[test]
fn what_was_sent_before_the_end_is_still_said() {
    let mut bench = Bench::new();
    let (id, mut session) = bench.session();
    let mut out = Outbox::default();
    session.on_bytes(bench.now, set_usr("ana").as_bytes(), &mut out);
    session.on_bytes(bench.now, chat("ana", "bye").as_bytes(), &mut out);
    session.on_eof(bench.now, &mut out);
    assert_eq!(out.close, None);
    let fx = bench.apply(id, &mut out);
    bench.reply(&mut session, id, fx, &mut out);
    assert_eq!(texts(&out.commands), ["bye"]);
    assert_eq!(out.close, Some(Close::ByPeer));
}

#[test]
fn disconnect_is_the_last_thing_said() {
    let mut bench = Bench::new();
    let (id, mut session) = bench.session();
    let mut out = Outbox::default();
    session.on_bytes(bench.now, set_usr("ana").as_bytes(), &mut out);
    session.on_timer(bench.now.plus(Duration::from_secs(45)), &mut out);
    assert_eq!(std::mem::take(&mut out.wire), [frame("DISCONNECT", "", "")]);
    assert_eq!(out.close.take(), Some(Close::LoginTimeout));
    // The hub's welcome comes too late, and so does everything else.
    let fx = bench.apply(id, &mut out);
    bench.reply(&mut session, id, fx, &mut out);
    session.on_reply(
        bench.now,
        Reply::Outcome { token: hub::Token(0), outcome: Outcome::Rejected, away: None },
        &mut out,
    );
    let event = bench.said(Dialect::Rooms, "bob", "hi", false);
    session.on_event(bench.now, &event, &mut out);
    for message in [set_usr("ana"), chat("ana", "hi"), "nonsense".to_owned()] {
        session.on_bytes(bench.now, message.as_bytes(), &mut out);
    }
    session.on_binary(bench.now, b"\x00", &mut out);
    session.on_timer(bench.now.plus(Duration::from_secs(4500)), &mut out);
    session.on_shutdown(bench.now, &mut out);
    assert!(out.is_empty(), "{out:?}");
    assert_eq!((session.wake_at(), session.user_name()), (None, None));
}

#[test]
fn a_timer_that_comes_early_does_nothing() {
    let mut bench = Bench::new();
    let (_, mut session) = bench.session();
    let mut out = Outbox::default();
    session.on_timer(bench.now.plus(Duration::from_millis(44_999)), &mut out);
    assert!(out.is_empty());
}

#[test]
fn a_private_message_that_is_lost_is_told() {
    let mut bench = Bench::new();
    let (_, mut session, _) = bench.named("ana");
    for (outcome, text) in [
        (Outcome::Rejected, "CHAT_MESSAGE (private) not delivered: the other side refused it"),
        (Outcome::Undelivered, "CHAT_MESSAGE (private) not delivered: the other side left first"),
    ] {
        let mut out = Outbox::default();
        session.on_reply(bench.now, Reply::Outcome { token: hub::Token(0), outcome, away: None }, &mut out);
        assert_eq!(out.wire, [frame("CHAT_MSSG", "polylogue", text)]);
    }
}

#[test]
fn what_others_say_loses_its_control_characters_and_what_is_blank_is_left_out() {
    let mut bench = Bench::new();
    let hear = |event: &Shared| wire::encode(event).to_vec();
    let plain = bench.said(Dialect::Rooms, "bob", "a\u{1b}[2Jb\tc", false);
    assert_eq!(hear(&plain), [chat("bob", "a[2Jb\tc")]);
    let verbatim = bench.said(Dialect::Tmp, "ana", "a\u{1b}[2Jb \n", true);
    assert_eq!(hear(&verbatim), [frame("CHAT_MSSG", "ana", "a\u{1b}[2Jb \n")]);
    for (name, blank) in [("cid", " \t"), ("dan", "\u{7}"), ("eve", "\u{feff}\u{85}\r\n")] {
        let event = bench.said(Dialect::Rooms, name, blank, false);
        assert!(hear(&event).is_empty(), "{blank:?}");
    }
    let word = bench.said(Dialect::Rooms, "fay", "CHAT_TYPING_INDICATOR", false);
    assert_eq!(hear(&word), [chat("fay", "CHAT_TYPING_INDICATOR")]);
}

#[test]
fn everybody_gets_the_same_bytes() {
    let mut bench = Bench::new();
    let (_, mut ana, _) = bench.named("ana");
    let (_, mut cid, _) = bench.named("cid");
    let event = bench.said(Dialect::Rooms, "bob", "hi", false);
    let mut out = Outbox::default();
    ana.on_event(bench.now, &event, &mut out);
    cid.on_event(bench.now, &event, &mut out);
    assert_eq!(out.wire[0], chat("bob", "hi"));
    assert_eq!(out.wire[0].as_ptr(), out.wire[1].as_ptr(), "encoded once");
}

#[test]
fn people_beyond_a_number_are_counted() {
    let mut bench = Bench::new();
    let (id, mut session, room) = bench.named("user000");
    for number in 1..=200 {
        bench.named(&format!("user{number:03}"));
    }
    let mut out = Outbox::default();
    out.command(Command::Who { room, token: None });
    let fx = bench.apply(id, &mut out);
    bench.reply(&mut session, id, fx, &mut out);
    let text = String::from_utf8(out.wire[0].to_vec()).unwrap();
    assert!(text.ends_with(", user198, user199 and 1 more"), "{text}");
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<TmpSession>() <= 96, "{}", size_of::<TmpSession>());
}

#[test]
fn a_full_server_says_disconnect_and_nothing_before_it() {
    let mut bench = Bench::new();
    let (_, mut session) = bench.session();
    let mut out = Outbox::default();
    // This is how the server turns away who is too many: without `on_open`.
    session.on_shutdown(bench.now, &mut out);
    assert_eq!(out.wire, [frame("DISCONNECT", "", "")]);
}
