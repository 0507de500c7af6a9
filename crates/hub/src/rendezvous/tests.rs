//! The waiting line driven by hand. Rules are those of docs/protocols/bridge.md.

use std::time::Duration;

use super::*;
use crate::{
    Audience, Command, Dialect, Entrance, HubConfig, Kind, Leg, Login, Namespace, Outcome, Say, Style, To,
    Token,
};

const HERE: &str = "127.0.0.1";
const THERE: &str = "198.51.100.7";
const ELSEWHERE: &str = "203.0.113.9";

struct Desk {
    hub: Hub,
    now: Now,
    fx: Vec<Effect>,
    sessions: u32,
}

/// What a bridge client is answered, short enough to compare.
#[derive(Debug, PartialEq)]
enum Got {
    Registered,
    Waits,
    Peer(String),
    Forgotten,
    Attached { partner: Option<String> },
    Refused(&'static str),
}

#[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
fn desk() -> Desk {
    let now = Now { at: Instant::now(), unix_ms: 1_000_000 };
    Desk { hub: Hub::new(HubConfig::default()).unwrap(), now, fx: Vec::new(), sessions: 0 }
}

impl Desk {
    fn open(&mut self, dialect: Dialect, address: &str) -> SessionId {
        self.sessions += 1;
        let id = SessionId::new(0, 0, self.sessions);
        self.hub.open(id, Origin { dialect, address: address.parse().unwrap(), secure: false });
        id
    }

    fn apply(&mut self, from: SessionId, command: Command) {
        self.hub.apply(self.now, from, command, &mut self.fx);
    }

    fn ask(&mut self, from: SessionId, request: BridgeRequest) -> Got {
        self.apply(from, Command::Bridge(request));
        self.hub.rendezvous.check();
        match self.fx.pop() {
            Some(Effect::Reply { to, reply }) if to == from => match reply {
                Reply::Bridge(BridgeReply::Registered) => Got::Registered,
                Reply::Bridge(BridgeReply::Peer(None)) => Got::Waits,
                Reply::Bridge(BridgeReply::Peer(Some(peer))) => {
                    Got::Peer(format!("{} {}", peer.card.name(), peer.address))
                }
                Reply::Bridge(BridgeReply::Forgotten) => Got::Forgotten,
                Reply::Bridge(BridgeReply::Attached { partner, .. }) => {
                    Got::Attached { partner: partner.map(|card| card.name().to_string()) }
                }
                Reply::Refused { refusal, .. } => Got::Refused(refusal.reason()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// As most clients do it: a connection for each request.
    fn ask_from(&mut self, address: &str, request: BridgeRequest) -> Got {
        let from = self.open(Dialect::Bridge, address);
        let got = self.ask(from, request);
        self.hub.close(self.now, from, &mut self.fx);
        got
    }

    fn register_from(&mut self, address: &str, id: &str, port: u16) -> Got {
        let contact = Contact { ip: address.into(), port };
        self.ask_from(address, BridgeRequest::Register { id: id.into(), contact })
    }

    fn register(&mut self, id: &str, port: u16) {
        assert_eq!(self.register_from(HERE, id, port), Got::Registered);
    }

    fn bridge(&mut self, id: &str) -> Got {
        self.ask_from(HERE, BridgeRequest::Bridge { id: id.into() })
    }

    fn forget(&mut self, address: &str, id: &str) {
        assert_eq!(self.ask_from(address, BridgeRequest::Forget { id: id.into() }), Got::Forgotten);
    }

    fn waits(&mut self, id: &str, port: u16) {
        self.register(id, port);
        assert_eq!(self.bridge(id), Got::Waits);
    }

    /// Somebody who writes to bridge clients.
    fn writer(&mut self, name: &str) -> SessionId {
        let id = self.open(Dialect::Muca, HERE);
        let leg = Leg::Both;
        let login = Login {
            name: name.into(),
            handle: None,
            leg,
            entrance: Entrance::Lobby,
            profile: None,
            replay: false,
            roster: false,
            receipts: false,
        };
        self.apply(id, Command::Login(login));
        self.fx.clear();
        id
    }

    fn say(&mut self, from: SessionId, to: &str, token: u32) {
        let (to, text) = (To::User(to.into()), format!("text {token}").into());
        self.apply(
            from,
            Command::Say(Say {
                to,
                text,
                style: Style::Plain,
                tags: None,
                seams: Vec::new(),
                echo: false,
                token: Some(Token(token)),
                waits: true,
            }),
        );
        self.hub.rendezvous.check();
    }

    fn call(&self) -> (CallId, String) {
        let rings: Vec<_> = self
            .fx
            .iter()
            .filter_map(|fx| match fx {
                Effect::Ring { call, address } => Some((*call, address.to_string())),
                _ => None,
            })
            .collect();
        assert_eq!(rings.len(), 1, "{:?}", self.fx);
        rings[0].clone()
    }

    /// The one call that was asked for is taken.
    fn answer(&mut self) -> SessionId {
        let (call, _) = self.call();
        self.fx.clear();
        let session = self.open(Dialect::Bridge, HERE);
        self.hub.answered(self.now, call, session, &mut self.fx);
        self.hub.rendezvous.check();
        session
    }

    fn outcomes(&self, of: SessionId) -> Vec<(u32, Result<Outcome, &'static str>)> {
        let one = |fx: &Effect| match fx {
            Effect::Reply { to, reply: Reply::Outcome { token, outcome, .. } } if *to == of => {
                Some((token.0, Ok(*outcome)))
            }
            Effect::Reply { to, reply: Reply::Refused { token: Some(token), refusal } } if *to == of => {
                Some((token.0, Err(refusal.reason())))
            }
            Effect::Deliver { event, .. } => {
                let (_, token, outcome) = event.answer().filter(|(to, ..)| *to == of)?;
                Some((token.0, Ok(outcome)))
            }
            _ => None,
        };
        self.fx.iter().filter_map(one).collect()
    }

    fn texts(&self, of: SessionId) -> Vec<String> {
        let one = |fx: &Effect| match fx {
            Effect::Deliver { to: Audience::One(to), event } if *to == of => match &event.kind {
                Kind::Message { text, .. } => Some(text.as_str().to_owned()),
                _ => None,
            },
            _ => None,
        };
        self.fx.iter().filter_map(one).collect()
    }

    fn dismissed(&self, who: SessionId) -> bool {
        self.fx
            .iter()
            .any(|fx| matches!(fx, Effect::Reply { to, reply: Reply::Dismissed { .. } } if *to == who))
    }

    fn present(&self) -> Vec<String> {
        self.hub.present().map(|card| card.wire_name(Namespace::Muca).to_owned()).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        self.hub.on_timer(self.now, &mut self.fx);
        self.hub.rendezvous.check();
    }
}

fn peer(name: &str, port: u16) -> Got {
    Got::Peer(format!("{name} {HERE}:{port}"))
}

#[test]
fn rule_05_the_one_that_waits_longest_is_next() {
    let mut desk = desk();
    desk.waits("ana", 1);
    // Registered is not waiting: whoever only registered is nobody's partner.
    desk.register("idle", 9);
    desk.register("bob", 2);
    desk.register("cid", 3);
    desk.register("dan", 4);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
    assert_eq!(desk.bridge("cid"), Got::Waits);
    assert_eq!(desk.bridge("dan"), peer("cid", 3));
    assert_eq!(desk.present(), ["ana", "bob", "cid", "dan"]);
}

#[test]
fn rule_05_asking_again_is_never_answered_with_oneself() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("ana"), Got::Waits);
    assert_eq!(desk.bridge("ANA"), Got::Waits);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
}

#[test]
fn rule_05_a_pair_is_told_to_both() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.register("bob", 2);
    desk.waits_for_nobody("cid");
    for _ in 0..2 {
        assert_eq!(desk.bridge("bob"), peer("ana", 1));
        assert_eq!(desk.bridge("ana"), peer("bob", 2));
    }
}

impl Desk {
    fn waits_for_nobody(&mut self, id: &str) {
        assert_eq!(self.bridge(id), Got::Waits, "{id} is unknown");
        assert!(!self.present().contains(&id.to_owned()));
    }
}

#[test]
fn rule_05_an_unknown_name_is_told_that_nobody_is_there_and_waits_not() {
    let mut desk = desk();
    desk.waits_for_nobody("ana");
    desk.waits("ana", 1);
}

#[test]
fn rule_06_registering_again_overwrites_and_starts_over() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.register("ana", 11);
    assert_eq!(desk.present(), Vec::<String>::new());
    assert_eq!(desk.bridge("ana"), Got::Waits);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("bob"), peer("ana", 11));
    assert_eq!(desk.hub.registrations().count(), 2);
    // Starting over ends the pair: neither is thought to be talking any more.
    desk.register("ana", 12);
    assert_eq!(desk.present(), Vec::<String>::new());
    assert_eq!(desk.bridge("bob"), Got::Waits);
    assert_eq!(desk.bridge("ana"), peer("bob", 2));
}

#[test]
fn rule_07_forgetting_frees_the_name_and_the_partner() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
    desk.forget(HERE, "ana");
    assert_eq!(desk.present(), Vec::<String>::new());
    assert_eq!(desk.hub.registrations().map(|it| it.id).collect::<Vec<_>>(), ["bob"]);
    desk.writer("ana");
    desk.forget(HERE, "nobody");
}

#[test]
fn rule_08_contacts_are_judged_when_handed_out() {
    let mut desk = desk();
    desk.hub.listens_on(vec!["192.0.2.1:5555".parse().unwrap()]);
    let declared = |ip: &str| Contact { ip: ip.into(), port: 7 };
    let ask = |desk: &mut Desk, id: &str, ip: &str| {
        let request = BridgeRequest::Register { id: id.into(), contact: declared(ip) };
        assert_eq!(desk.ask_from(THERE, request), Got::Registered);
        desk.ask_from(THERE, BridgeRequest::Bridge { id: id.into() })
    };
    for (ip, id) in [("192.0.2.1", "a1"), (ELSEWHERE, "a2"), (HERE, "a3"), ("localhost", "a4")] {
        assert_eq!(ask(&mut desk, id, ip), Got::Waits);
        assert_eq!(ask(&mut desk, &format!("b{id}"), THERE), Got::Peer(format!("{id} {THERE}:7")));
    }
}

#[test]
fn a_client_of_this_machine_is_no_partner_for_another_machine() {
    let mut desk = desk();
    desk.waits("ana", 1);
    assert_eq!(desk.register_from(THERE, "bob", 2), Got::Registered);
    assert_eq!(desk.ask_from(THERE, BridgeRequest::Bridge { id: "bob".into() }), Got::Waits);
    desk.register("cid", 3);
    assert_eq!(desk.bridge("cid"), peer("ana", 1));
    desk.register("dan", 4);
    assert_eq!(desk.bridge("dan"), Got::Peer(format!("bob {THERE}:2")));
}

#[test]
fn another_host_can_neither_take_nor_forget_a_client() {
    let mut desk = desk();
    desk.waits("ana", 1);
    assert_eq!(desk.register_from(THERE, "Ana", 2), Got::Refused("name_taken"));
    desk.forget(THERE, "ana");
    assert_eq!(desk.present(), ["ana"]);
    for request in [BridgeRequest::Bridge { id: "ana".into() }, BridgeRequest::Attach { id: "ana".into() }] {
        assert!(matches!(desk.ask_from(THERE, request), Got::Refused(_)));
    }
    // All of loopback is one host.
    desk.forget("127.0.1.1", "ana");
    assert_eq!(desk.present(), Vec::<String>::new());
}

#[test]
fn a_name_that_only_is_registered_can_be_registered_elsewhere_and_that_shows() {
    let mut desk = desk();
    desk.register("ana", 1);
    assert_eq!(desk.register_from(THERE, "ana", 2), Got::Registered);
    assert_eq!(desk.bridge("ana"), Got::Refused("name_taken"));
}

#[test]
fn names_are_shared_with_all_dialects() {
    let mut desk = desk();
    desk.writer("ana");
    assert_eq!(desk.register_from(HERE, "ANA", 1), Got::Refused("name_taken"));
    assert_eq!(desk.register_from(HERE, "polylogue", 1), Got::Refused("name_taken"));
    assert_eq!(desk.register_from(HERE, "all", 1), Got::Refused("name_malformed"));
    desk.register("bob", 1);
    desk.writer("bob");
    assert_eq!(desk.bridge("bob"), Got::Refused("name_taken"));
}

#[test]
fn registrations_are_bounded_in_all_and_by_host() {
    let mut desk = desk();
    for n in 0..64 {
        assert_eq!(desk.register_from(THERE, &format!("a{n}"), 1), Got::Registered);
    }
    assert_eq!(desk.register_from(THERE, "one2many", 1), Got::Refused("server_full"));
    assert_eq!(desk.register_from(THERE, "a7", 1), Got::Registered);
    assert_eq!(desk.register_from(ELSEWHERE, "b", 1), Got::Registered);
    desk.hub.config.registrations_max = 65;
    assert_eq!(desk.register_from(HERE, "c", 1), Got::Refused("server_full"));
}

#[test]
fn requests_from_elsewhere_have_a_rate() {
    let mut desk = desk();
    let from = desk.open(Dialect::Bridge, THERE);
    let ask = |desk: &mut Desk| desk.ask(from, BridgeRequest::Bridge { id: "ana".into() });
    for _ in 0..30 {
        assert_eq!(ask(&mut desk), Got::Waits);
    }
    assert_eq!(ask(&mut desk), Got::Refused("too_fast"));
}

#[test]
fn waiting_and_pairs_end_after_an_hour() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.pass(Duration::from_secs(1800));
    assert_eq!(desk.bridge("ana"), Got::Waits);
    desk.pass(Duration::from_secs(3599));
    assert_eq!(desk.present(), ["ana"]);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.hub.registrations().map(|it| it.id).collect::<Vec<_>>(), ["bob"]);
    desk.pass(Duration::from_secs(3599));
    assert_eq!(desk.hub.registrations().count(), 0);
    assert_eq!(desk.hub.rendezvous_due(), None);
}

#[test]
fn a_waiting_client_is_rung_and_gets_what_was_held() {
    let mut desk = desk();
    let (eve, fay) = (desk.writer("eve"), desk.writer("fay"));
    desk.waits("ana", 1225);
    desk.say(eve, "ana", 1);
    desk.say(fay, "ana", 2);
    assert_eq!(desk.call().1, format!("{HERE}:1225"));
    assert_eq!(desk.outcomes(eve), [], "not acknowledged before it is there");
    // It is nobody's partner now, and asking again doesn't put it back in line.
    desk.register("bob", 2);
    assert_eq!(desk.bridge("ana"), Got::Waits);
    assert_eq!(desk.bridge("bob"), Got::Waits);

    let session = desk.answer();
    let welcome = matches!(&desk.fx[0], Effect::Reply { to, reply: Reply::Welcome { card, room: None, .. } }
        if *to == session && card.name().as_str() == "ana");
    assert!(welcome, "{:?}", desk.fx);
    assert_eq!(desk.texts(session), ["text 1", "text 2"]);
    assert_eq!(desk.outcomes(eve), [(1, Ok(Outcome::Delivered))]);
    assert_eq!(desk.outcomes(fay), [(2, Ok(Outcome::Delivered))]);

    // From now on it is written to, and writes, like anybody.
    desk.say(eve, "ana", 3);
    assert_eq!(desk.texts(session).len(), 3);
    desk.fx.clear();
    desk.say(session, "eve", 4);
    assert_eq!(desk.texts(eve), ["text 4"]);

    // It hangs up: registered, no longer present.
    desk.hub.close(desk.now, session, &mut desk.fx);
    assert!(!desk.present().contains(&"ana".to_owned()));
    desk.fx.clear();
    desk.say(eve, "ana", 5);
    assert_eq!(desk.outcomes(eve), [(5, Err("no_such_user"))]);
    assert_eq!(desk.bridge("ana"), peer("bob", 2));
}

#[test]
fn a_client_that_does_not_answer_is_gone_and_its_senders_know() {
    let mut desk = desk();
    let (eve, fay) = (desk.writer("eve"), desk.writer("fay"));
    desk.waits("ana", 1);
    desk.say(eve, "ana", 1);
    desk.say(fay, "ana", 2);
    let (call, _) = desk.call();
    desk.fx.clear();
    desk.hub.unanswered(desk.now, call, &mut desk.fx);
    assert_eq!(desk.outcomes(eve), [(1, Ok(Outcome::Undelivered))]);
    assert_eq!(desk.outcomes(fay), [(2, Ok(Outcome::Undelivered))]);
    assert_eq!(desk.present(), ["eve", "fay"]);
    // Too late: whoever answers now is sent away.
    let late = desk.open(Dialect::Bridge, HERE);
    desk.hub.answered(desk.now, call, late, &mut desk.fx);
    assert!(desk.dismissed(late));
    desk.hub.unanswered(desk.now, call, &mut desk.fx);
    assert_eq!(desk.bridge("ana"), Got::Waits);
}

#[test]
fn whoever_talks_to_a_partner_is_busy() {
    let mut desk = desk();
    let eve = desk.writer("eve");
    desk.waits("ana", 1);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
    for (to, token) in [("ana", 1), ("bob", 2)] {
        desk.say(eve, to, token);
    }
    assert_eq!(desk.outcomes(eve), [(1, Err("busy")), (2, Err("busy"))]);
    desk.fx.clear();
    // One of several is left out.
    let to = To::Group(vec!["ana".into(), "eve".into()]);
    let say = Say {
        to,
        text: "hi".into(),
        style: Style::Plain,
        tags: None,
        seams: Vec::new(),
        echo: false,
        token: None,
        waits: true,
    };
    desk.apply(eve, Command::Say(say));
    assert_eq!(desk.texts(eve), ["hi"]);
}

#[test]
fn what_is_held_is_bounded() {
    let mut desk = desk();
    let eve = desk.writer("eve");
    desk.waits("ana", 1);
    for token in 0..101 {
        desk.say(eve, "ana", token);
    }
    assert_eq!(desk.outcomes(eve), [(100, Err("too_many_waiting"))]);
    let session = desk.answer();
    assert_eq!(desk.texts(session).len(), 100);

    // The conversation says itself when it holds enough.
    desk.fx.clear();
    desk.apply(session, Command::Hold { full: true });
    desk.say(eve, "ana", 200);
    desk.apply(session, Command::Hold { full: false });
    desk.say(eve, "ana", 201);
    assert_eq!(desk.outcomes(eve), [(200, Err("too_many_waiting")), (201, Ok(Outcome::Delivered))]);
    assert_eq!(desk.texts(session), ["text 201"]);
}

#[test]
fn rule_07_a_pair_can_talk_by_way_of_the_server() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
    let bob = desk.open(Dialect::Bridge, HERE);
    let attached = desk.ask(bob, BridgeRequest::Attach { id: "bob".into() });
    assert_eq!(attached, Got::Attached { partner: Some("ana".into()) });

    // Ana waits for a call, and gets it from the server.
    desk.say(bob, "ana", 1);
    assert_eq!(desk.call().1, format!("{HERE}:1"));
    assert_eq!(desk.bridge("ana"), peer("bob", 2));
    let ana = desk.answer();
    assert_eq!(desk.texts(ana), ["text 1"]);
    desk.say(ana, "bob", 2);
    assert_eq!(desk.texts(bob), ["text 2"]);

    // When one leaves, the other one's conversation is over too.
    desk.hub.close(desk.now, ana, &mut desk.fx);
    desk.hub.rendezvous.check();
    assert!(desk.dismissed(bob));
    assert_eq!(desk.present(), Vec::<String>::new());
}

#[test]
fn rule_07_both_may_talk_by_way_of_the_server() {
    let mut desk = desk();
    desk.waits("ana", 1);
    desk.register("bob", 2);
    assert_eq!(desk.bridge("bob"), peer("ana", 1));
    let sessions = ["ana", "bob"].map(|id| {
        let session = desk.open(Dialect::Bridge, HERE);
        desk.ask(session, BridgeRequest::Attach { id: id.into() });
        session
    });
    desk.say(sessions[0], "bob", 1);
    desk.say(sessions[1], "ana", 2);
    assert_eq!(
        (desk.texts(sessions[1]), desk.texts(sessions[0])),
        (vec!["text 1".into()], vec!["text 2".into()])
    );
    // A second conversation of the same client is refused.
    let third = desk.open(Dialect::Bridge, HERE);
    assert_eq!(desk.ask(third, BridgeRequest::Attach { id: "ana".into() }), Got::Refused("busy"));
    assert_eq!(desk.ask(third, BridgeRequest::Attach { id: "cid".into() }), Got::Refused("no_such_user"));
    assert_eq!(
        desk.ask(sessions[0], BridgeRequest::Attach { id: "ana".into() }),
        Got::Refused("logged_in_already")
    );
}

#[test]
fn a_lone_client_can_talk_by_way_of_the_server_too() {
    let mut desk = desk();
    let eve = desk.writer("eve");
    desk.register("ana", 1);
    let ana = desk.open(Dialect::Bridge, HERE);
    assert_eq!(desk.ask(ana, BridgeRequest::Attach { id: "ana".into() }), Got::Attached { partner: None });
    desk.say(eve, "ana", 1);
    assert_eq!(desk.texts(ana), ["text 1"]);
    desk.apply(ana, Command::Leave { reason: None });
    desk.hub.rendezvous.check();
    assert_eq!(desk.present(), ["eve"]);
}
