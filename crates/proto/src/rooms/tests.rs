//! The codec from both sides.

use proptest::prelude::*;

use super::*;
use crate::ProtocolError;
use crate::client::{Client as _, ClientOutbox, Happening, Link};

fn first(name: &str, room: &str) -> ClientFrame {
    ClientFrame::First { name: name.to_owned(), room: room.to_owned() }
}

fn text(text: &str) -> ClientFrame {
    ClientFrame::Text(text.to_owned())
}

fn drain(decoder: &mut Decoder) -> Vec<ClientFrame> {
    std::iter::from_fn(|| decoder.next_frame().unwrap()).collect()
}

fn fails(first: &[u8]) -> ProtocolError {
    let mut decoder = Decoder::new(100);
    decoder.feed(first);
    decoder.pause();
    let error = decoder.next_frame().unwrap_err();
    decoder.feed(b"bob_den\n");
    assert_eq!(decoder.next_frame(), Err(error.clone()), "errors repeat");
    assert!(error.is_fatal() && decoder.buffered() == 0);
    error
}

#[test]
fn a_first_message_without_line_feed_is_complete_after_a_pause() {
    let mut decoder = Decoder::new(100);
    for byte in b"bob_den" {
        decoder.feed(&[*byte]);
        assert_eq!(decoder.next_frame(), Ok(None));
    }
    decoder.pause();
    assert_eq!(decoder.next_frame(), Ok(Some(first("bob", "den"))));
    assert_eq!((decoder.framing(), decoder.buffered()), (Some(Framing::Reads), 0));
    decoder.feed(b"hi\nthere");
    assert_eq!(drain(&mut decoder), [text("hi\nthere")]);
}

#[test]
fn a_line_feed_makes_it_lines() {
    for end in ["\n", "\r\n"] {
        let mut decoder = Decoder::new(100);
        decoder.feed(format!("bob_den{end}hi{end}there").as_bytes());
        assert_eq!(drain(&mut decoder), [first("bob", "den"), text("hi")]);
        assert_eq!(decoder.framing(), Some(Framing::Lines));
        decoder.feed(end.as_bytes());
        assert_eq!(drain(&mut decoder), [text("there")]);
        decoder.feed(b"and\xff");
        decoder.finish();
        assert_eq!(drain(&mut decoder), [text("and\u{fffd}")]);
        assert_eq!(decoder.buf.capacity(), 0);
    }
}

#[test]
fn first_messages_that_are_none() {
    let malformed = ["bob", "bob_", "_den", "_", "a_b_c", "bob__den", "\n", "bob_\r\n", "bob\n_den"];
    for message in malformed {
        let error = fails(message.as_bytes());
        assert!(error.to_string().starts_with("malformed first message"), "{message}: {error}");
    }
    assert!(fails(b"b\xffb_den").to_string().contains("UTF-8"));
    let long = |len: usize| format!("bob_{}", "x".repeat(len - 4)).into_bytes();
    assert!(fails(&long(FIRST_BYTES_MAX + 1)).to_string().contains("longer than 1024 bytes"));
    assert!(fails(&long(100 * FIRST_BYTES_MAX)).to_string().contains("longer than 1024 bytes"));
    for end in ["", "\n", "\r\n"] {
        let mut decoder = Decoder::new(100);
        decoder.feed(&[long(FIRST_BYTES_MAX), end.as_bytes().to_vec()].concat());
        decoder.pause();
        assert!(matches!(decoder.next_frame(), Ok(Some(ClientFrame::First { .. }))), "{end:?}");
    }
}

#[test]
fn lines_have_a_limit() {
    let mut decoder = Decoder::new(5);
    decoder.feed(b"bob_den\n12345\n");
    assert_eq!(drain(&mut decoder), [first("bob", "den"), text("12345")]);
    decoder.feed(b"123456");
    assert_eq!(decoder.next_frame().unwrap_err().to_string(), "a line is longer than 5 bytes");
}

#[test]
fn characters_cut_between_reads_are_whole_again() {
    let mut decoder = Decoder::new(100);
    decoder.feed(b"bob_den");
    decoder.pause();
    drain(&mut decoder);
    let mut texts = Vec::new();
    for read in [b"caf\xc3".as_slice(), b"\xa9 \xf0", b"\x9f", b"\xa6", b"\x80!", b"\xff\xfe", b"\xe2\x82"] {
        decoder.feed(read);
        texts.extend(drain(&mut decoder));
    }
    assert_eq!(texts, [text("caf"), text("é "), text("🦀!"), text("\u{fffd}\u{fffd}")]);
    decoder.finish();
    assert_eq!(drain(&mut decoder), [text("\u{fffd}")]);
}

#[test]
fn server_frames_as_bytes() {
    let bytes = |frame: &ServerFrame, framing| {
        let mut out = BytesMut::new();
        encode(frame, framing, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    };
    let message = |private| ServerFrame::Message { from: "bob".to_owned(), private, text: "hi".to_owned() };
    assert_eq!(bytes(&ServerFrame::Code(Code::Taken), Framing::Reads), "403");
    assert_eq!(bytes(&message(false), Framing::Reads), "bob - hi");
    assert_eq!(bytes(&message(true), Framing::Lines), "bob (private) - hi\n");
    assert_eq!(bytes(&ServerFrame::Exit, Framing::Lines), "/exit\n");
}

/// A connected client, and what it was told by these reads.
fn told(framing: Framing, reads: &[&str]) -> (Client, ClientOutbox) {
    let mut client = Client::new(Options {
        name: "bob".to_owned(),
        room: "den".to_owned(),
        framing,
        commands: true,
        line_bytes_max: 1000,
    });
    let mut out = ClientOutbox::default();
    client.on_connected(Link::Main, &mut out);
    for read in reads {
        client.on_bytes(Link::Main, read.as_bytes(), &mut out);
    }
    (client, out)
}

fn said(from: &str, text: &str, private: bool) -> Happening {
    Happening::Message { from: from.to_owned(), text: text.to_owned(), private }
}

#[test]
fn a_client_signs_in_and_talks() {
    for (framing, end) in [(Framing::Reads, ""), (Framing::Lines, "\n")] {
        let reads = [
            format!("200{end}"),
            format!("ana - hi - there{end}"),
            format!("ana (private) - psst{end}"),
            format!("/exit{end}"),
        ];
        let (_, out) = told(framing, &reads.each_ref().map(String::as_str));
        assert_eq!(
            out.happenings,
            [
                Happening::SignedIn { name: "bob".to_owned() },
                said("ana", "hi - there", false),
                said("ana", "psst", true),
                Happening::Hangup { link: Link::Main },
                Happening::Ended { reason: "the server is going away".to_owned() },
            ]
        );
        let (mut client, mut out) = told(framing, &[&reads[0]]);
        client.say("hello", &mut out).unwrap();
        client.tell("ana", "psst", &mut out).unwrap();
        let wire: Vec<_> = out.wire.into_iter().map(|(_, bytes)| bytes).collect();
        let expected = ["bob_den", "hello", "/msg ana psst"].map(|text| format!("{text}{end}"));
        assert_eq!(wire, expected);
    }
}

#[test]
fn a_client_is_refused() {
    let (mut client, mut out) = told(Framing::Reads, &["403"]);
    assert!(matches!(&out.happenings[0], Happening::Refused { code, .. } if code == "403"));
    assert!(client.say("hi", &mut out).is_err());
    let (_, out) = told(Framing::Reads, &["HTTP/1.1 400 Bad Request"]);
    assert!(matches!(&out.happenings[0], Happening::Confused(error) if error.is_fatal()));
}

#[test]
fn a_client_whose_server_has_no_commands_keeps_secrets() {
    let (mut client, mut out) = told(Framing::Reads, &["200"]);
    client.options.commands = false;
    assert!(client.tell("ana", "psst", &mut out).is_err());
}

#[test]
fn what_the_fuzzer_could_say() {
    for data in [
        b"\x00".as_slice(),
        b"\x01bob_den\nhi",
        b"\x02\r\r\n\n\xc3\xa9\xff\xf0\x9f\xa6\x80",
        b"\x07_\n_\n\xe2\x82",
        &[b'x'; 2000],
        &[0xc3; 900],
    ] {
        fuzz::fuzz(data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_keep_the_rules(data in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::fuzz(&data);
    }

    #[test]
    fn utf8_like_bytes_keep_the_rules(data in "[\\PC\r\n_]{0,200}") {
        fuzz::fuzz(data.as_bytes());
    }

    #[test]
    fn frames_come_back(name in "[^_\r\n]{1,20}", room in "[^_\r\n]{1,20}", texts in prop::collection::vec("[^\r\n]{0,40}", 0..8)) {
        let frames: Vec<_> = std::iter::once(first(&name, &room)).chain(texts.iter().map(|t| text(t))).collect();
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| encode_client(frame, Framing::Lines, &mut bytes));
        let mut decoder = Decoder::new(1000);
        decoder.feed(&bytes);
        prop_assert_eq!(drain(&mut decoder), frames);
    }
}
