//! The client driven by hand.

use proptest::prelude::*;

use super::*;
use crate::bridge::server::Decoder;
use crate::client::Client as _;

fn client(id: &str) -> Client {
    Client::new(Identity {
        id: id.to_owned(),
        ip: "127.0.0.1".to_owned(),
        port: 1225,
        server: "127.0.0.1:5555".to_owned(),
    })
}

fn wire(out: &mut ClientOutbox) -> Vec<(Link, String)> {
    let text = |(link, bytes): (Link, Bytes)| (link, String::from_utf8(bytes.to_vec()).unwrap());
    std::mem::take(&mut out.wire).into_iter().map(text).collect()
}

fn happened(out: &mut ClientOutbox) -> Vec<Happening> {
    std::mem::take(&mut out.happenings)
}

fn message(from: &str, text: &str) -> Happening {
    Happening::Message { from: from.to_owned(), text: text.to_owned(), private: true }
}

const EMPTY: &[u8] = b"BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n\r\n";

/// A client that waits and was called.
fn called() -> (Client, ClientOutbox) {
    let (mut bob, mut out) = (client("bob"), ClientOutbox::default());
    bob.on_connected(Link::Main, &mut out);
    bob.on_bytes(Link::Main, b"REGACK\r\nclientID: bob\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n", &mut out);
    bob.on_bytes(Link::Main, EMPTY, &mut out);
    bob.on_connected(Link::Peer, &mut out);
    assert_eq!(
        wire(&mut out).concat_texts(),
        "REGISTER\r\nclientID: bob\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\nBRIDGE\r\nclientID: bob\r\n\r\n"
    );
    let expected = [Happening::SignedIn { name: "bob".to_owned() }, Happening::Listen { port: 1225 }];
    assert_eq!(happened(&mut out), expected);
    (bob, out)
}

trait ConcatTexts {
    fn concat_texts(&self) -> String;
}

impl ConcatTexts for Vec<(Link, String)> {
    fn concat_texts(&self) -> String {
        self.iter().map(|(_, text)| text.as_str()).collect()
    }
}

#[test]
fn the_caller_writes_first_and_turns_alternate() {
    let (mut ana, mut out) = (client("ana"), ClientOutbox::default());
    ana.on_connected(Link::Main, &mut out);
    ana.on_bytes(
        Link::Main,
        b"REGACK\r\n\r\nBRIDGEACK\r\nclientID: bob\r\nIP: 127.0.1.1\r\nPort: 7\r\n\r\n",
        &mut out,
    );
    assert!(ana.say("too early", &mut out).is_err());
    let dial = Happening::Dial { link: Link::Peer, address: "127.0.1.1:7".to_owned() };
    assert_eq!(happened(&mut out).last(), Some(&dial));
    wire(&mut out);
    ana.on_connected(Link::Peer, &mut out);
    assert_eq!(happened(&mut out), [Happening::YourTurn]);
    ana.tell("bob", "hi\r\nbob", &mut out).unwrap();
    assert_eq!(
        wire(&mut out).concat_texts(),
        "CHAT\r\nclientID: ana\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\nhi bob"
    );
    assert!(matches!(ana.say("again", &mut out), Err(ProtocolError::OutOfPlace { .. })));
    ana.on_bytes(Link::Peer, b"bob> hello\r\n", &mut out);
    assert_eq!(happened(&mut out), [message("bob", "hello"), Happening::YourTurn]);
    ana.leave(&mut out);
    let last = vec![
        (Link::Peer, "QUIT\r\n\r\n".to_owned()),
        (Link::Main, "QUIT\r\nclientID: ana\r\n\r\n".to_owned()),
    ];
    assert_eq!(wire(&mut out), last);
    assert!(ana.say("gone", &mut out).is_err());
}

#[test]
fn the_called_reads_first_in_whatever_form_the_caller_writes() {
    let opening = "CHAT\r\nclientID: ana\r\nIP: 127.0.0.1\r\nPort: 1\r\n\r\n";
    for (reads, from) in [
        (vec![opening, "hi"], "ana"),
        (vec![&opening[..9], &opening[9..], "hi\r\n"], "ana"),
        (vec!["CHAT\r\nclientID: ana\r\ncontent: hi\r\n\r\n"], "ana"),
        (vec!["hi"], ""),
    ] {
        let (mut bob, mut out) = called();
        for read in &reads {
            bob.on_bytes(Link::Peer, read.as_bytes(), &mut out);
        }
        assert_eq!(happened(&mut out), [message(from, "hi"), Happening::YourTurn], "{reads:?}");
        bob.say("hello", &mut out).unwrap();
        assert_eq!(wire(&mut out), [(Link::Peer, "hello".to_owned())]);
        bob.on_bytes(Link::Peer, b"QUIT\r\n\r\n", &mut out);
        assert!(matches!(happened(&mut out).last(), Some(Happening::Ended { .. })));
    }
}

#[test]
fn characters_cut_between_reads_stay_whole() {
    let (mut bob, mut out) = called();
    let text = "né".as_bytes();
    bob.on_bytes(Link::Peer, &text[..2], &mut out);
    assert!(out.happenings.is_empty());
    bob.on_bytes(Link::Peer, &text[2..], &mut out);
    assert_eq!(happened(&mut out), [message("", "né"), Happening::YourTurn]);
    bob.on_closed(Link::Peer, &mut out);
    assert!(matches!(happened(&mut out).last(), Some(Happening::Ended { .. })));
}

#[test]
fn a_server_that_closes_after_each_answer_is_dialled_again() {
    let (mut ana, mut out) = (client("ana"), ClientOutbox::default());
    ana.on_connected(Link::Main, &mut out);
    ana.on_bytes(Link::Main, b"REGACK\r\nclientID: ana\r\n", &mut out);
    wire(&mut out);
    // The answer's empty line never came.
    ana.on_closed(Link::Main, &mut out);
    let dial = Happening::Dial { link: Link::Main, address: "127.0.0.1:5555".to_owned() };
    assert_eq!(happened(&mut out), [Happening::SignedIn { name: "ana".to_owned() }, dial]);
    ana.on_connected(Link::Main, &mut out);
    assert_eq!(wire(&mut out), [(Link::Main, "BRIDGE\r\nclientID: ana\r\n\r\n".to_owned())]);
    ana.on_closed(Link::Main, &mut out);
    assert!(matches!(happened(&mut out).as_slice(), [Happening::Ended { .. }]));
}

#[test]
fn refusals_are_told() {
    let (mut ana, mut out) = (client("ana"), ClientOutbox::default());
    ana.on_connected(Link::Main, &mut out);
    ana.on_bytes(Link::Main, b"ERROR\r\nMessage: no\r\n\r\nnonsense\r\n\r\n", &mut out);
    let happened = happened(&mut out);
    assert_eq!(happened[0], Happening::Refused { code: "ERROR".to_owned(), reason: "no".to_owned() });
    assert!(matches!(happened[1], Happening::Confused(_)));
}

/// A value that survives trimming.
const VALUE: &str = "[!-9;-~]([ -~]{0,20}[!-~])?";

fn request() -> impl Strategy<Value = ClientFrame> {
    let id = || proptest::option::of(VALUE);
    prop_oneof![
        (VALUE, VALUE, 1u16..)
            .prop_map(|(id, ip, port)| { ClientFrame::Register(Contact { id, ip, port: port.to_string() }) }),
        VALUE.prop_map(|id| ClientFrame::Bridge { id }),
        (id(), id()).prop_map(|(id, message)| ClientFrame::Chat { id, message }),
        (VALUE, VALUE).prop_map(|(first, second)| ClientFrame::ChatBoth { first, second }),
        id().prop_map(|id| ClientFrame::Quit { id }),
        id().prop_map(|id| ClientFrame::Unregister { id }),
        Just(ClientFrame::Probe),
        Just(ClientFrame::Info),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_client_writes_a_server_reads(requests in proptest::collection::vec(request(), 1..4), step in 1usize..30) {
        let wire: Vec<u8> = requests.iter().flat_map(encode).collect();
        let mut decoder = Decoder::new(1 << 16);
        let mut found = Vec::new();
        for part in wire.chunks(step) {
            decoder.feed(part);
            while let Some(frame) = decoder.next_frame().unwrap() {
                found.push(frame);
            }
        }
        prop_assert_eq!(found, requests);
        prop_assert!(decoder.is_empty());
    }

    #[test]
    fn no_peer_or_server_can_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..200), step in 1usize..50) {
        for link in [Link::Main, Link::Peer] {
            let (mut bob, mut out) = called();
            for part in input.chunks(step) {
                bob.on_bytes(link, part, &mut out);
            }
            bob.on_closed(link, &mut out);
        }
    }
}
