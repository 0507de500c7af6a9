//! The hub driven by hand: names, rooms, messages, acknowledgements, rosters.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    Audience, Dialect, Entrance, Leg, Login, Namespace, Outcome, Say, Scope, Style, To, Token, Typing,
    Verdict,
};

/// A hub, its clock and what it asked to be done.
struct Desk {
    hub: Hub,
    now: Now,
    fx: Vec<Effect>,
    sessions: u32,
}

/// An effect for one session, short enough to compare.
#[derive(Debug, PartialEq)]
enum Got {
    Message(String, String),
    Roster(Vec<String>),
    Typing(String),
    Outcome(Outcome),
    Refused(&'static str),
    Other,
}

#[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
fn desk(config: HubConfig) -> Desk {
    let now = Now { at: Instant::now(), unix_ms: 1_000_000 };
    Desk { hub: Hub::new(config).unwrap(), now, fx: Vec::new(), sessions: 0 }
}

fn login(name: &str) -> Login {
    Login {
        name: name.into(),
        handle: None,
        leg: Leg::Both,
        entrance: Entrance::Lobby,
        profile: None,
        replay: false,
        roster: false,
        receipts: false,
    }
}

impl Desk {
    fn open_from(&mut self, dialect: Dialect, address: &str) -> SessionId {
        self.sessions += 1;
        let id = SessionId::new(0, 0, self.sessions);
        self.hub.open(id, Origin { dialect, address: address.parse().unwrap(), secure: false });
        id
    }

    fn open(&mut self, dialect: Dialect) -> SessionId {
        self.open_from(dialect, "127.0.0.1")
    }

    fn apply(&mut self, from: SessionId, command: Command) {
        self.hub.apply(self.now, from, command, &mut self.fx);
    }

    /// Opens a session, logs it in, and gives its room.
    fn join(&mut self, dialect: Dialect, login: Login) -> (SessionId, Option<RoomId>) {
        let id = self.open(dialect);
        let room = self.log_in(id, login).unwrap();
        (id, room)
    }

    fn log_in(&mut self, id: SessionId, login: Login) -> Result<Option<RoomId>, Refusal> {
        self.apply(id, Command::Login(login));
        let index =
            self.fx.iter().rposition(|fx| matches!(fx, Effect::Reply { to, .. } if *to == id)).unwrap();
        match self.fx.remove(index) {
            Effect::Reply { reply: Reply::Welcome { room, .. }, .. } => Ok(room.map(|room| room.id())),
            Effect::Reply { reply: Reply::Refused { refusal, .. }, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    fn say(&mut self, from: SessionId, to: To, text: &str, token: Option<u32>) {
        self.apply(
            from,
            Command::Say(Say {
                to,
                text: text.into(),
                style: Style::Plain,
                tags: None,
                seams: Vec::new(),
                echo: false,
                token: token.map(Token),
                waits: true,
            }),
        );
    }

    fn close(&mut self, id: SessionId) {
        self.hub.close(self.now, id, &mut self.fx);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        self.hub.on_timer(self.now, &mut self.fx);
    }

    /// What came for a session since the last time anybody asked.
    fn got(&mut self, id: SessionId) -> Vec<Got> {
        let mut got = Vec::new();
        for fx in &self.fx {
            match fx {
                Effect::Deliver { to, event } => {
                    if to.sessions().contains(&id) {
                        got.extend(happened(&event.kind));
                    }
                    let answer = event.answer().filter(|(to, ..)| *to == id);
                    got.extend(answer.map(|(_, _, outcome)| Got::Outcome(outcome)));
                }
                Effect::Reply { to, reply } if *to == id => got.push(match reply {
                    Reply::Outcome { outcome, .. } => Got::Outcome(*outcome),
                    Reply::Refused { refusal, .. } => Got::Refused(refusal.reason()),
                    _ => Got::Other,
                }),
                _ => {}
            }
        }
        got
    }

    fn forget(&mut self) {
        self.fx.clear();
    }
}

fn happened(kind: &Kind) -> Option<Got> {
    Some(match kind {
        Kind::Message { from, text, .. } => Got::Message(from.name().to_string(), text.as_str().to_owned()),
        Kind::Typing { from, .. } => Got::Typing(from.name().to_string()),
        Kind::Roster { present } => Got::Roster(present.iter().map(|card| card.name().to_string()).collect()),
        // Comings and goings have tests of their own.
        _ => return None,
    })
}

fn message(from: &str, text: &str) -> Got {
    Got::Message(from.into(), text.into())
}

#[test]
fn a_room_message_reaches_all_members_and_nobody_else() {
    let mut desk = desk(HubConfig::default());
    let den = |name| Login { entrance: Entrance::Room("Den".into()), ..login(name) };
    let (ana, room) = desk.join(Dialect::Rooms, den("ana"));
    let (bob, same) =
        desk.join(Dialect::Tmp, Login { entrance: Entrance::Room("den".into()), ..login("bob") });
    let (eve, lobby) = desk.join(Dialect::Rooms, login("eve"));
    assert_eq!(room, same, "room names are folded");
    desk.say(ana, To::Room(room.unwrap()), "hi", None);
    assert_eq!((desk.got(ana), desk.got(bob)), (vec![message("ana", "hi")], vec![message("ana", "hi")]));
    assert_eq!(desk.got(eve), []);
    desk.forget();
    desk.say(ana, To::Room(lobby.unwrap()), "let me in", None);
    assert_eq!(desk.got(ana), [Got::Refused("not_in_room")]);
    assert_eq!(desk.got(eve), []);
}

#[test]
fn ids_are_a_rooms_order() {
    let mut desk = desk(HubConfig::default());
    let (ana, room) = desk.join(Dialect::Rooms, login("ana"));
    for text in ["1", "2", "3"] {
        desk.say(ana, To::Room(room.unwrap()), text, None);
    }
    let ids: Vec<_> = desk
        .fx
        .iter()
        .filter_map(|fx| match fx {
            Effect::Deliver { event, .. } => Some(event.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.is_sorted() && ids[0] < ids[2]);
}

#[test]
fn a_name_is_taken_across_dialects_and_free_when_its_user_goes() {
    let mut desk = desk(HubConfig::default());
    let (bob, _) = desk.join(Dialect::Rooms, login("Bob"));
    let second = desk.open(Dialect::Messenger);
    let taken = Refusal::NameTaken { name: "bob".into() };
    assert_eq!(desk.log_in(second, login("bob")), Err(taken));
    desk.close(bob);
    assert!(desk.log_in(second, login("bob")).is_ok());
    assert_eq!(desk.hub.counts().refusals[&(Dialect::Messenger, "name_taken")], 1);
    let server = desk.open(Dialect::Tmp);
    assert!(matches!(desk.log_in(server, login("Polylogue")), Err(Refusal::NameTaken { .. })));
}

#[test]
fn a_room_goes_with_its_last_member_and_the_lobby_stays() {
    let mut desk = desk(HubConfig::default());
    let (ana, room) =
        desk.join(Dialect::Rooms, Login { entrance: Entrance::Room("den".into()), ..login("ana") });
    assert_eq!(desk.hub.room_count(), 2);
    desk.close(ana);
    assert_eq!(desk.hub.room_count(), 1);
    let (bob, again) =
        desk.join(Dialect::Rooms, Login { entrance: Entrance::Room("den".into()), ..login("bob") });
    assert_ne!(room, again, "a room made anew is another room");
    desk.close(bob);
}

#[test]
fn limits_refuse() {
    let mut desk =
        desk(HubConfig { room_members_max: 1, users_max: 2, text_bytes_max: 4, ..HubConfig::default() });
    let (ana, lobby) = desk.join(Dialect::Rooms, login("ana"));
    let second = desk.open(Dialect::Rooms);
    assert_eq!(desk.log_in(second, login("bob")), Err(Refusal::RoomFull { members_max: 1 }));
    assert!(desk.log_in(second, Login { entrance: Entrance::Room("b".into()), ..login("bob") }).is_ok());
    let third = desk.open(Dialect::Rooms);
    let full = desk.log_in(third, Login { entrance: Entrance::Room("c".into()), ..login("eve") });
    assert_eq!(full, Err(Refusal::ServerFull { what: "users" }));
    desk.say(ana, To::Room(lobby.unwrap()), "12345", None);
    desk.say(ana, To::Room(lobby.unwrap()), "", None);
    assert_eq!(desk.got(ana), [Got::Refused("text_too_long"), Got::Refused("text_empty")]);
    assert_eq!(desk.log_in(ana, login("ana2")), Err(Refusal::LoggedInAlready { name: "ana".into() }));
}

#[test]
fn peers_off_this_machine_have_a_rate() {
    let mut desk = desk(HubConfig { messages_per_s: 10, messages_burst: 30, ..HubConfig::default() });
    let far = desk.open_from(Dialect::Rooms, "198.51.100.7");
    let lobby = desk.log_in(far, login("far")).unwrap().unwrap();
    for _ in 0..40 {
        desk.say(far, To::Room(lobby), "x", None);
    }
    let refused = desk.got(far).iter().filter(|got| **got == Got::Refused("too_fast")).count();
    assert_eq!(refused, 10);
    desk.forget();
    desk.pass(Duration::from_secs(1));
    for _ in 0..20 {
        desk.say(far, To::Room(lobby), "x", None);
    }
    let passed = desk.got(far).iter().filter(|got| matches!(got, Got::Message(..))).count();
    assert_eq!(passed, 10);

    let (near, lobby) = desk.join(Dialect::Rooms, login("near"));
    desk.forget();
    for _ in 0..1000 {
        desk.say(near, To::Room(lobby.unwrap()), "x", None);
    }
    assert_eq!(desk.got(near).len(), 1000);
}

#[test]
fn a_name_means_whoever_has_it_now() {
    let mut desk = desk(HubConfig::default());
    let (ana, _) = desk.join(Dialect::Irc, login("ana"));
    let (bob, _) = desk.join(Dialect::Irc, login("bob"));
    let say = |desk: &mut Desk, to: &str| {
        desk.forget();
        desk.say(ana, To::User(to.into()), "hi", Some(1));
    };
    say(&mut desk, "bob");
    assert_eq!(desk.got(bob), [message("ana", "hi")]);
    say(&mut desk, "BOB");
    assert_eq!(desk.got(bob), [message("ana", "hi")]);
    desk.apply(bob, Command::Rename { name: "bert".into() });
    say(&mut desk, "bob");
    assert_eq!((desk.got(bob), desk.got(ana)), (vec![], vec![Got::Refused("no_such_user")]));
    let (other, _) = desk.join(Dialect::Irc, login("bob"));
    say(&mut desk, "bob");
    assert_eq!((desk.got(bob), desk.got(other)), (vec![], vec![message("ana", "hi")]));
    desk.close(other);
    say(&mut desk, "bob");
    assert_eq!(desk.got(ana), [Got::Refused("no_such_user")]);
    say(&mut desk, "bert");
    assert_eq!(desk.got(bob), [message("ana", "hi")]);
}

#[test]
fn private_messages_go_by_wire_name_both_ways() {
    let mut desk = desk(HubConfig::default());
    let (ana, _) = desk.join(Dialect::Tmp, login("Ana María"));
    let (carl, _) = desk.join(Dialect::Messenger, login("carl"));
    let (bob, _) = desk.join(Dialect::Rooms, login("bob"));
    desk.say(carl, To::User("AnaMaria".into()), "hola", Some(7));
    assert_eq!(desk.got(ana), [message("carl", "hola")]);
    assert_eq!(desk.got(carl), [Got::Outcome(Outcome::Delivered)]);
    assert_eq!(desk.got(bob), []);
    desk.forget();
    desk.say(ana, To::Leading, "bob  how are you", None);
    desk.say(bob, To::Leading, "ana maría   fine, and you?", None);
    assert_eq!(desk.got(bob), [message("Ana María", "how are you")]);
    assert_eq!(desk.got(ana), [message("bob", "fine, and you?")]);
    desk.forget();
    desk.say(bob, To::Leading, "nobody at home", Some(1));
    assert_eq!(desk.got(bob), [Got::Refused("no_such_user")]);
}

#[test]
fn the_longest_name_that_a_text_begins_with_is_meant() {
    let mut desk = desk(HubConfig::default());
    let (ann, _) = desk.join(Dialect::Tmp, login("ann"));
    let (ann_lee, _) = desk.join(Dialect::Tmp, login("ann lee"));
    let (bob, _) = desk.join(Dialect::Rooms, login("bob"));
    desk.say(bob, To::Leading, "ann lee hi", None);
    assert_eq!((desk.got(ann), desk.got(ann_lee)), (vec![], vec![message("bob", "hi")]));
    desk.forget();
    desk.say(bob, To::Leading, "ann left already", None);
    assert_eq!(desk.got(ann), [message("bob", "left already")]);
    desk.forget();
    desk.say(bob, To::Leading, "ann", None);
    assert_eq!(desk.got(bob), [Got::Refused("text_empty")]);
}

#[test]
fn a_group_leaves_out_whom_nobody_knows_but_counts_them() {
    let mut desk = desk(HubConfig::default());
    let (ana, _) = desk.join(Dialect::Muca, Login { handle: Some("ana@example.org".into()), ..login("ana") });
    let (bob, _) = desk.join(Dialect::Rooms, login("bob"));
    let (eve, _) = desk.join(Dialect::Rooms, login("eve"));
    let names = ["bob@rooms", "eve", "nobody", "bob"].map(String::from).to_vec();
    desk.say(ana, To::Group(names), "party", None);
    assert_eq!((desk.got(bob).len(), desk.got(eve).len()), (1, 1));
    let named = desk.fx.iter().find_map(|fx| match fx {
        Effect::Deliver { event, .. } => match &event.kind {
            Kind::Message { scope: Scope::Private { named, .. }, .. } => Some(*named),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(named, Some(4));
}

#[test]
fn rosters_are_gathered_and_never_come_after_a_strangers_message() {
    let mut desk = desk(HubConfig::default());
    let muca = |name: &str| Login { roster: true, handle: Some(format!("{name}@x.org")), ..login(name) };
    let (ana, _) = desk.join(Dialect::Muca, muca("ana"));
    let (bob, lobby) = desk.join(Dialect::Rooms, login("bob"));
    assert_eq!(desk.got(ana), []);
    desk.pass(Duration::from_millis(50));
    let all = |names: &[&str]| Got::Roster(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(desk.got(ana), [all(&["ana", "bob"])]);
    assert_eq!(desk.hub.wake_at(), None);
    desk.forget();

    let (eve, _) = desk.join(Dialect::Rooms, login("eve"));
    desk.say(eve, To::Room(lobby.unwrap()), "hi", None);
    assert_eq!(desk.got(ana), [all(&["ana", "bob", "eve"]), message("eve", "hi")]);
    desk.forget();
    desk.close(bob);
    desk.say(eve, To::Room(lobby.unwrap()), "again", None);
    assert_eq!(desk.got(ana), [message("eve", "again")], "a sender who is known needs no list");
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.got(ana), [message("eve", "again"), all(&["ana", "eve"])]);

    // A subscriber's own first list also comes before any message.
    desk.forget();
    let (zoe, _) = desk.join(Dialect::Muca, muca("zoe"));
    desk.say(eve, To::Room(lobby.unwrap()), "welcome", None);
    assert_eq!(desk.got(zoe), [all(&["ana", "eve", "zoe"]), message("eve", "welcome")]);
}

/// Logs in both legs of a messenger user.
fn messenger(desk: &mut Desk, name: &str) -> (SessionId, SessionId) {
    let (send, _) = desk.join(Dialect::Messenger, Login { leg: Leg::Send, ..login(name) });
    let (receive, _) = desk.join(Dialect::Messenger, receiving(name));
    (send, receive)
}

fn receiving(name: &str) -> Login {
    Login { leg: Leg::Receive, receipts: true, ..login(name) }
}

fn event_for(desk: &Desk, id: SessionId) -> EventId {
    let found = desk.fx.iter().rev().find_map(|fx| match fx {
        Effect::Deliver { to, event } if to.sessions().contains(&id) => Some(event.id),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn a_user_of_two_legs_is_present_once_both_are_there() {
    let mut desk = desk(HubConfig::default());
    let (bob, lobby) = desk.join(Dialect::Rooms, login("bob"));
    let (send, room) = desk.join(Dialect::Messenger, Login { leg: Leg::Send, ..login("carl") });
    assert_eq!(room, None);
    desk.say(send, To::User("bob".into()), "too early", Some(1));
    assert_eq!(desk.got(send), [Got::Refused("not_logged_in")]);
    desk.say(bob, To::Leading, "carl hi", Some(1));
    assert_eq!(desk.got(bob), [Got::Refused("no_such_user")]);
    desk.forget();
    let (receive, room) = desk.join(Dialect::Messenger, receiving("carl"));
    assert_eq!(room, lobby);
    assert_eq!(desk.got(send), [Got::Other], "told that it is complete");
    desk.forget();
    desk.say(send, To::Room(lobby.unwrap()), "hello", None);
    assert_eq!((desk.got(bob), desk.got(send)), (vec![message("carl", "hello")], vec![]));
    assert_eq!(desk.got(receive), [message("carl", "hello")]);

    desk.forget();
    desk.close(receive);
    desk.say(send, To::Room(lobby.unwrap()), "half", Some(2));
    assert_eq!(desk.got(send), [Got::Other, Got::Refused("not_logged_in")]);
    let (_, room) = desk.join(Dialect::Messenger, receiving("carl"));
    assert_eq!(room, lobby, "the lost leg may come back");
}

#[test]
fn a_leg_is_only_taken_from_its_own_host_and_dialect() {
    let mut desk = desk(HubConfig::default());
    let send = desk.open_from(Dialect::Messenger, "198.51.100.7");
    desk.log_in(send, Login { leg: Leg::Send, ..login("carl") }).unwrap();
    let thief = desk.open_from(Dialect::Messenger, "203.0.113.9");
    assert!(matches!(desk.log_in(thief, receiving("carl")), Err(Refusal::NameTaken { .. })));
    let stranger = desk.open_from(Dialect::Rooms, "198.51.100.7");
    assert!(matches!(desk.log_in(stranger, login("carl")), Err(Refusal::NameTaken { .. })));
    let twice = desk.open_from(Dialect::Messenger, "198.51.100.7");
    let again = desk.log_in(twice, Login { leg: Leg::Send, ..login("carl") });
    assert!(matches!(again, Err(Refusal::NameTaken { .. })));
    assert!(desk.log_in(twice, receiving("carl")).is_ok());
}

#[test]
fn one_connection_may_take_both_legs() {
    let mut desk = desk(HubConfig::default());
    let (both, _) = desk.join(Dialect::Messenger, Login { leg: Leg::Send, ..login("carl") });
    assert!(desk.log_in(both, receiving("carl")).unwrap().is_some());
    let (bob, _) = desk.join(Dialect::Rooms, login("bob"));
    desk.say(bob, To::Leading, "carl hi", None);
    assert_eq!(desk.got(both), [message("bob", "hi")]);
    desk.close(both);
    assert_eq!(desk.hub.present().count(), 1);
}

#[test]
fn a_sender_hears_when_all_who_acknowledge_have_done_so() {
    let mut desk = desk(HubConfig::default());
    let (carl, _) = messenger(&mut desk, "carl");
    let (_, dora) = messenger(&mut desk, "dora");
    let (_, emil) = messenger(&mut desk, "emil");
    let (_, lobby) = desk.join(Dialect::Rooms, login("bob"));
    desk.forget();
    desk.say(carl, To::Room(lobby.unwrap()), "hi all", Some(3));
    assert_eq!(desk.got(carl), []);
    let event = event_for(&desk, dora);
    desk.apply(dora, Command::Receipt { event, verdict: Verdict::Received });
    desk.apply(dora, Command::Receipt { event, verdict: Verdict::Received });
    assert_eq!(desk.got(carl), []);
    desk.apply(emil, Command::Receipt { event, verdict: Verdict::Received });
    assert_eq!(desk.got(carl), [Got::Outcome(Outcome::Delivered)]);
    assert!(desk.hub.receipts.is_settled());
}

#[test]
fn the_worst_answer_counts() {
    let mut desk = desk(HubConfig::default());
    let (carl, _) = messenger(&mut desk, "carl");
    let (_, dora) = messenger(&mut desk, "dora");
    let (_, emil) = messenger(&mut desk, "emil");
    let (_, lobby) = desk.join(Dialect::Rooms, login("bob"));
    for (first, second, outcome) in [
        (Verdict::Rejected, Verdict::Received, Outcome::Rejected),
        (Verdict::Received, Verdict::Rejected, Outcome::Rejected),
        (Verdict::Lost, Verdict::Rejected, Outcome::Undelivered),
    ] {
        desk.forget();
        desk.say(carl, To::Room(lobby.unwrap()), "hi", Some(1));
        let event = event_for(&desk, dora);
        desk.apply(dora, Command::Receipt { event, verdict: first });
        desk.apply(emil, Command::Receipt { event, verdict: second });
        assert_eq!(desk.got(carl), [Got::Outcome(outcome)]);
    }
    desk.forget();
    desk.say(carl, To::User("dora".into()), "hi", Some(1));
    desk.close(dora);
    assert_eq!(desk.got(carl), [Got::Outcome(Outcome::Undelivered)]);
    assert!(desk.hub.receipts.is_settled());
}

#[test]
fn an_acknowledgement_on_the_other_leg_is_passed_on() {
    let mut desk = desk(HubConfig::default());
    let (send, receive) = messenger(&mut desk, "carl");
    desk.forget();
    desk.apply(send, Command::ReceiptElsewhere { verdict: Some(Verdict::Received), habits: 5 });
    assert!(matches!(
        desk.fx.as_slice(),
        [Effect::Reply { to, reply: Reply::ReceiptElsewhere { verdict: Some(Verdict::Received), habits: 5 } }]
            if *to == receive
    ));
}

#[test]
fn leaving_ends_every_leg() {
    let mut desk = desk(HubConfig::default());
    let (send, receive) = messenger(&mut desk, "carl");
    desk.forget();
    desk.apply(send, Command::Leave { reason: None });
    assert!(matches!(&desk.fx[..], [Effect::Reply { to, reply: Reply::Dismissed { .. } }] if *to == receive));
    let (_, _) = messenger(&mut desk, "carl");
    desk.close(send);
    desk.close(receive);
    assert_eq!(desk.hub.present().count(), 1, "the old connections don't take the new user with them");
}

#[test]
fn typing_and_who_stay_in_the_room() {
    let mut desk = desk(HubConfig::default());
    let (ana, lobby) = desk.join(Dialect::Tmp, login("ana"));
    let (bob, _) = desk.join(Dialect::Rooms, login("bob"));
    let (eve, _) =
        desk.join(Dialect::Rooms, Login { entrance: Entrance::Room("den".into()), ..login("eve") });
    desk.apply(ana, Command::Typing { to: To::Room(lobby.unwrap()), state: Typing::Active });
    desk.apply(eve, Command::Typing { to: To::Room(lobby.unwrap()), state: Typing::Active });
    assert_eq!(desk.got(bob), [Got::Typing("ana".into())]);
    desk.forget();
    desk.apply(eve, Command::Who { room: lobby.unwrap(), token: None });
    desk.apply(ana, Command::Who { room: lobby.unwrap(), token: None });
    assert_eq!(desk.got(eve), [Got::Refused("not_in_room")]);
    let names = desk.fx.iter().find_map(|fx| match fx {
        Effect::Reply { reply: Reply::Members { members, .. }, .. } => {
            Some(members.iter().map(|card| card.wire_name(Namespace::Rooms).to_owned()).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(names.unwrap(), ["ana", "bob"]);
}

#[test]
fn an_audience_is_made_once_while_members_stay() {
    let mut desk = desk(HubConfig::default());
    let (ana, lobby) = desk.join(Dialect::Rooms, login("ana"));
    for _ in 0..2 {
        desk.say(ana, To::Room(lobby.unwrap()), "hi", None);
    }
    let lists: Vec<_> = desk
        .fx
        .iter()
        .filter_map(|fx| match fx {
            Effect::Deliver { to: Audience::Many(list), .. } => Some(list.clone()),
            _ => None,
        })
        .collect();
    assert!(Arc::ptr_eq(&lists[0], &lists[1]));
}

#[test]
fn a_name_that_becomes_free_in_a_moment_is_waited_for() {
    let grace = Duration::from_millis(25);
    let mut desk = desk(HubConfig { name_grace: grace, ..HubConfig::default() });
    let (old, _) = desk.join(Dialect::Rooms, login("bob"));
    let (new, late) = (desk.open(Dialect::Tmp), desk.open(Dialect::Rooms));
    desk.forget();
    desk.apply(new, Command::Login(login("bob")));
    desk.apply(late, Command::Login(login("bob")));
    assert_eq!((desk.got(new), desk.got(late)), (vec![], vec![]));
    assert_eq!(desk.hub.wake_at(), Some(desk.now.at + grace));
    desk.close(old);
    assert_eq!((desk.got(new), desk.got(late)), (vec![Got::Other], vec![]), "the first to ask has it");
    desk.pass(grace);
    assert_eq!(desk.got(late), [Got::Refused("name_taken")]);

    desk.forget();
    desk.apply(late, Command::Login(login("bob")));
    desk.apply(late, Command::Login(login("bob")));
    assert_eq!(desk.got(late), [Got::Refused("name_taken")], "one wait at a time");
    desk.close(late);
    desk.pass(grace);
    assert!(desk.hub.waiting.is_empty());
}

#[test]
fn a_session_that_watches_its_own_name_is_not_told_of_its_own_end() {
    let mut desk = desk(HubConfig::default());
    let (ana, _) = desk.join(Dialect::Irc, login("ana"));
    desk.apply(ana, Command::Watch { add: vec!["ana".into()], remove: Vec::new(), clear: false });
    desk.forget();
    desk.close(ana);
    assert!(desk.fx.is_empty(), "{:?}", desk.fx);
}
