//! What transcripts can't show: a hub that answers late, limits inside, and that bytes are shared.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hub::{Dialect, Effect, Hub, HubConfig, Origin, SessionId};

use super::*;

/// A hub, and sessions whose replies and events wait until a test hands them over.
struct Bench {
    hub: Hub,
    now: Now,
    opened: u32,
    settings: Arc<Settings>,
}

struct Peer {
    id: SessionId,
    session: MucaSession,
    out: Outbox,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
        let now = Now { at: Instant::now(), unix_ms: 0 };
        Self { hub: Hub::new(HubConfig::default()).unwrap(), now, opened: 0, settings: Arc::new(settings) }
    }

    fn open(&mut self) -> Peer {
        let origin =
            Origin { dialect: Dialect::Muca, address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false };
        self.opened += 1;
        let id = SessionId::new(0, 0, self.opened);
        self.hub.open(id, origin);
        let session = MucaSession::open(self.settings.clone(), self.now);
        Peer { id, session, out: Outbox::default() }
    }

    /// Has the hub carry out what a peer asked for.
    fn effects(&mut self, peer: &mut Peer) -> Vec<Effect> {
        let mut fx = Vec::new();
        for command in peer.out.commands.drain(..) {
            self.hub.apply(self.now, peer.id, command, &mut fx);
        }
        fx
    }

    /// Carries effects to the peers they are for.
    fn carry(&mut self, fx: Vec<Effect>, peers: &mut [&mut Peer]) {
        for effect in fx {
            match effect {
                Effect::Reply { to, reply } => {
                    for peer in peers.iter_mut().filter(|peer| peer.id == to) {
                        peer.session.on_reply(self.now, reply.clone(), &mut peer.out);
                    }
                }
                Effect::Deliver { to, event } => {
                    for peer in peers.iter_mut().filter(|peer| to.sessions().contains(&peer.id)) {
                        peer.session.on_event(self.now, &event, &mut peer.out);
                    }
                }
                Effect::Ring { .. }
                | Effect::Verify { .. }
                | Effect::Derive { .. }
                | Effect::Reload
                | Effect::Keep(..)
                | Effect::Recall { .. } => {}
            }
        }
    }

    fn joined(&mut self, name: &str) -> Peer {
        let mut peer = self.open();
        peer.feed(self.now, &join(name));
        let fx = self.effects(&mut peer);
        self.carry(fx, &mut [&mut peer]);
        assert_eq!(peer.sent(), [ACK_OKAY]);
        peer
    }

    fn roster(&mut self) -> Vec<Effect> {
        self.now = self.now.plus(Duration::from_secs(1));
        let mut fx = Vec::new();
        self.hub.on_timer(self.now, &mut fx);
        fx
    }
}

impl Peer {
    fn feed(&mut self, now: Now, text: &str) {
        self.session.on_bytes(now, text.as_bytes(), &mut self.out);
    }

    fn sent(&mut self) -> Vec<String> {
        self.out.wire.drain(..).map(|message| String::from_utf8(message.to_vec()).unwrap()).collect()
    }
}

const ACK_OKAY: &str = r#"{"CMD": "ACK", "TYPE": "OKAY"}"#;
const ACK_FAIL: &str = r#"{"CMD": "ACK", "TYPE": "FAIL"}"#;

fn join(name: &str) -> String {
    format!(r#"{{"CMD": "JOIN", "UN": "{name}", "UID": "{name}@x"}}"#)
}

fn send(text: &str, to: &str) -> String {
    format!(r#"{{"CMD": "SEND", "MSG": "{text}", "TO": {to}, "FROM": "me"}}"#)
}

#[test]
fn what_follows_a_join_waits_for_its_ack_even_if_the_client_has_gone() {
    let mut bench = Bench::new(Settings::default());
    let mut bob = bench.joined("bob");
    let mut ana = bench.open();
    ana.feed(bench.now, &(join("ana") + &send("bye", "[]")));
    ana.session.on_eof(bench.now, &mut ana.out);
    assert_eq!((ana.out.commands.len(), &ana.out.close), (1, &None));
    let fx = bench.effects(&mut ana);
    bench.carry(fx, &mut [&mut ana, &mut bob]);
    assert_eq!((ana.sent(), &ana.out.close), (vec![ACK_OKAY.to_owned()], &Some(Close::ByPeer)));
    let fx = bench.effects(&mut ana);
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.carry(fx, &mut [&mut bob]);
    bob.session.on_timer(bench.now.plus(Duration::from_secs(1)), &mut bob.out);
    let list = r#"{"CMD": "LIST", "DATA": [{"UN": "bob", "UID": "bob@x"}, {"UN": "ana", "UID": "ana@x"}]}"#;
    let bye = r#"{"CMD": "MSG", "TYPE": "ALL", "MSG": "bye", "FROM": "ana@x"}"#;
    assert_eq!(bob.sent(), [list, bye]);
}

#[test]
fn what_follows_a_join_is_bounded() {
    let mut bench = Bench::new(Settings { queue_bytes_max: 1000, ..Settings::default() });
    let mut ana = bench.open();
    ana.feed(bench.now, &join("ana"));
    ana.feed(bench.now, &send("hi", "[]").repeat(20));
    assert!(matches!(ana.out.close, Some(Close::Protocol(ProtocolError::TooLong { limit: 1000, .. }))));
}

#[test]
fn messages_before_the_first_list_wait_for_it() {
    let mut bench = Bench::new(Settings { muca_gap: Duration::ZERO, ..Settings::default() });
    let mut bob = bench.joined("bob");
    let fx = bench.roster();
    bench.carry(fx, &mut [&mut bob]);
    let mut ana = bench.joined("ana");
    bob.feed(bench.now, &send("hi", "[]"));
    // The hub tells the list first; if that came late, the message would wait for it.
    let mut fx = bench.effects(&mut bob);
    assert_eq!(fx.len(), 2);
    let list = fx.remove(0);
    bench.carry(fx, &mut [&mut ana]);
    assert!(ana.out.is_empty());
    bench.carry(vec![list], &mut [&mut ana]);
    let sent = ana.sent();
    assert!(sent[0].starts_with(r#"{"CMD": "LIST""#) && sent[1].starts_with(r#"{"CMD": "MSG""#), "{sent:?}");
    assert_eq!(sent.len(), 2);
}

#[test]
fn recipients_share_the_bytes() {
    let mut bench = Bench::new(Settings { muca_gap: Duration::ZERO, ..Settings::default() });
    let (mut ana, mut bob, mut cid) = (bench.joined("ana"), bench.joined("bob"), bench.joined("cid"));
    let fx = bench.roster();
    bench.carry(fx, &mut [&mut ana, &mut bob, &mut cid]);
    cid.feed(bench.now, &send("hi", "[]"));
    let fx = bench.effects(&mut cid);
    bench.carry(fx, &mut [&mut ana, &mut bob]);
    assert_eq!(ana.out.wire.len(), 2);
    for (one, other) in ana.out.wire.iter().zip(&bob.out.wire) {
        assert_eq!(one.as_ptr(), other.as_ptr());
    }
}

#[test]
fn a_reader_that_falls_behind_is_closed_at_the_bound() {
    let mut bench = Bench::new(Settings { queue_bytes_max: 1000, ..Settings::default() });
    let mut ana = bench.joined("ana");
    for _ in 0..34 {
        ana.feed(bench.now, &join("ana"));
    }
    assert_eq!(ana.out.close, Some(Close::SlowReader { queued: 34 * 30 }));
    assert_eq!(ana.session.wake_at(), None);
}

#[test]
fn lists_replace_each_other_and_never_pass_a_message() {
    let mut bench = Bench::new(Settings::default());
    let (mut ana, mut bob) = (bench.joined("ana"), bench.joined("bob"));
    let mut lists = Vec::new();
    for name in ["cid", "dan"] {
        lists.push(bench.roster());
        bench.joined(name);
    }
    ana.feed(bench.now, &join("again"));
    for list in lists {
        bench.carry(list, &mut [&mut ana, &mut bob]);
    }
    bob.feed(bench.now, &send("hi", "[]"));
    let fx = bench.effects(&mut bob);
    bench.carry(fx, &mut [&mut ana]);
    bench.joined("eve");
    let fx = bench.roster();
    bench.carry(fx, &mut [&mut ana]);
    for step in 1..10 {
        ana.session.on_timer(bench.now.plus(Duration::from_millis(100 * step)), &mut ana.out);
    }
    let shapes: Vec<_> = ana
        .sent()
        .iter()
        .map(|sent| (sent[9..].split('"').next().unwrap().to_owned(), sent.matches("UN").count()))
        .collect();
    let expected = [("ACK", 0), ("LIST", 4), ("MSG", 0), ("LIST", 5)];
    assert_eq!(shapes, expected.map(|(verb, people)| (verb.to_owned(), people)));
}

#[test]
fn a_name_is_free_again_for_the_next_join_after_fail() {
    let mut bench = Bench::new(Settings { muca_gap: Duration::ZERO, ..Settings::default() });
    let _ana = bench.joined("ana");
    let mut bob = bench.open();
    bob.feed(bench.now, &(join("ana") + &join("bob")));
    for answer in [ACK_FAIL, ACK_OKAY] {
        let fx = bench.effects(&mut bob);
        bench.carry(fx, &mut [&mut bob]);
        assert_eq!(bob.sent(), [answer]);
    }
    assert_eq!(bob.session.user_name(), Some("bob"));
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<MucaSession>() <= 400, "{}", size_of::<MucaSession>());
}
