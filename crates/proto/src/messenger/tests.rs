//! Both codecs: what is read of every variant, and what must hold for all bytes.

use bytes::BytesMut;
use proptest::prelude::*;

use super::server::{Decoder, Voice};
use super::*;
use crate::ProtocolError;

fn decoder(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(4096);
    decoder.feed(bytes);
    decoder
}

fn only(bytes: &[u8]) -> ClientFrame {
    let mut decoder = decoder(bytes);
    let frame = decoder.next_frame().unwrap().expect("a frame");
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.is_empty());
    frame
}

fn after_pause(bytes: &[u8]) -> ClientFrame {
    let mut decoder = decoder(bytes);
    assert_eq!(decoder.next_frame(), Ok(None), "silence is needed");
    let frame = decoder.pause().unwrap().expect("a frame");
    assert!(decoder.is_empty());
    frame
}

fn register(name: &str, spaced: bool, end: End) -> ClientFrame {
    ClientFrame::Register { role: Role::ToSend, name: name.into(), spaced, end }
}

fn send(to: &str, body: &str) -> ClientFrame {
    ClientFrame::Send { to: to.into(), body: body.into(), layout: Layout::Lines, spaced: false }
}

fn fatal(bytes: &[u8]) -> ProtocolError {
    let mut decoder = decoder(bytes);
    let error = decoder.next_frame().unwrap_err();
    assert!(error.is_fatal(), "{error}");
    assert_eq!(decoder.next_frame(), Err(error.clone()), "it repeats");
    error
}

#[test]
fn register_however_it_ends() {
    assert_eq!(only(b"REGISTER TOSEND bob\n\n"), register("bob", false, End::EmptyLine));
    assert_eq!(only(b"register tosend bob\r\n\r\n"), register("bob", false, End::EmptyLine));
    assert_eq!(only(b"REGISTER TOSEND bob\n \n"), register("bob", false, End::BlankLine));
    assert_eq!(only(b"REGISTER TOSEND bob \n \n"), register("bob", true, End::BlankLine));
    assert_eq!(only(b"REGISTER TOSEND  bob \n\n"), register("bob", true, End::EmptyLine));
    assert_eq!(only(b"REGISTER TOSEND [bob]\n\n"), register("[bob]", false, End::EmptyLine));
    assert_eq!(after_pause(b"REGISTER TOSEND bob\n"), register("bob", false, End::LineFeed));
    assert_eq!(after_pause(b"REGISTER TOSEND bob"), register("bob", false, End::Nothing));
    assert_eq!(only(b"REGISTER TOSEND\n\n"), register("", false, End::EmptyLine));
    assert_eq!(unbracketed("[ bob ]"), "bob");
    assert_eq!(unbracketed("[bob"), "[bob");
}

#[test]
fn register_ends_where_the_next_message_begins() {
    let mut decoder = decoder(b"REGISTER TOSEND bob\nRECEIVED x\n");
    assert_eq!(decoder.next_frame(), Ok(Some(register("bob", false, End::LineFeed))));
    assert!(matches!(decoder.next_frame(), Ok(Some(ClientFrame::Received { .. }))));
}

#[test]
fn silence_while_typing_is_no_end() {
    for begun in
        ["REG", "REGISTER", "REGISTER TO", "REGISTER TOSEND ", "SEN", "SEND bob", "SEND bob\nContent-len"]
    {
        let mut decoder = decoder(begun.as_bytes());
        assert_eq!(decoder.pause(), Ok(None), "{begun}");
        assert!(!decoder.is_short(), "{begun}");
    }
}

#[test]
fn send_however_it_is_laid_out() {
    let with = |layout, spaced| ClientFrame::Send { to: "bob".into(), body: "hello".into(), layout, spaced };
    let lines = with(Layout::Lines, false);
    for (bytes, frame) in [
        ("SEND bob\nContent-length: 5\n\nhello", lines.clone()),
        ("SEND bob \nContent-length: 5\n\nhello", with(Layout::Lines, true)),
        ("SEND bob\nContent-length: 5 \n\nhello", lines.clone()),
        ("SEND bob\nContent-length: 5\n \nhello", lines.clone()),
        ("SEND bob\nContent-length: 5\nhello", with(Layout::NoEmptyLine, false)),
        ("SEND bob Content-length: 5 hello", with(Layout::OneLine, false)),
        ("SEND bob\n Content-length: 5\n\n hello", lines.clone()),
        ("SEND bob\nContent-length:5\n\nhello", lines.clone()),
        ("SEND bob\nContent-length : 5\n\nhello", lines.clone()),
        ("Send bob\ncontent-LENGTH: 5\n\nhello", lines.clone()),
        ("SEND bob\r\nContent-length: 5\r\n\r\nhello", lines),
    ] {
        let mut decoder = decoder(bytes.as_bytes());
        let frame_seen = decoder.pause();
        assert_eq!(frame_seen, Ok(Some(frame)), "{bytes:?}");
        assert!(decoder.is_empty(), "{bytes:?}");
    }
    assert_eq!(
        only(b"SEND bob Content-length: 6 hello\n"),
        ClientFrame::Send {
            to: "bob".into(),
            body: "hello\n".into(),
            layout: Layout::OneLine,
            spaced: false
        }
    );
}

#[test]
fn bodies_are_counted_and_not_read() {
    assert_eq!(only(b"SEND bob\nContent-length: 12\n\nSEND eve\n\nhi"), send("bob", "SEND eve\n\nhi"));
    assert_eq!(only(b"SEND bob\nContent-length: 6\n\n hello"), send("bob", " hello"));
    assert_eq!(only(b"SEND bob\nContent-length: 0\n\n"), send("bob", ""));
}

#[test]
fn lengths_in_characters_or_bytes() {
    assert_eq!(only("SEND bob\nContent-length: 4\n\ncafé".as_bytes()), send("bob", "café"));
    assert_eq!(after_pause("SEND bob\nContent-length: 5\n\ncafé".as_bytes()), send("bob", "café"));
    assert_eq!(after_pause(b"SEND bob\nContent-length: 4\n\ncaf\xe9"), send("bob", "café"));
    let two = "SEND bob\nContent-length: 5\n\ncaféSEND bob\nContent-length: 4\n\nnéén";
    let mut decoder = decoder(two.as_bytes());
    assert_eq!(decoder.next_frame(), Ok(Some(send("bob", "café"))));
    assert_eq!(decoder.next_frame(), Ok(Some(send("bob", "néén"))));
}

#[test]
fn uncounted_line_feeds_are_dropped_and_noted() {
    let mut decoder = decoder(b"SEND bob\nContent-length: 2\n\nhi\n\nRECEIVED bob\n\n\n");
    assert_eq!(decoder.next_frame(), Ok(Some(send("bob", "hi"))));
    assert!(!decoder.newline_after_body());
    assert!(matches!(decoder.next_frame(), Ok(Some(ClientFrame::Received { .. }))));
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.newline_after_body() && decoder.is_empty());

    let mut decoder = Decoder::new(100);
    decoder
        .feed(b"REGISTER TOSEND x\n\n\nSEND bob\nContent-length: 2\n\nhiSEND bob\nContent-length: 2\n\nhi");
    while decoder.next_frame().unwrap().is_some() {}
    assert!(!decoder.newline_after_body());
}

#[test]
fn acknowledgements_by_their_beginning() {
    let received = |about: &str, misspelled| ClientFrame::Received { about: about.into(), misspelled };
    assert_eq!(only(b"RECEIVED bob\n\n"), received("bob", false));
    assert_eq!(only(b"RECEIVED bob\n \n"), received("bob", false));
    assert_eq!(only(b"RECEIVED bob\n"), received("bob", false));
    assert_eq!(only(b"RECIEVED bob\n\n"), received("bob", true));
    assert_eq!(only(b"RECEIVED ['FORWARD bob', '']\n\n"), received("['FORWARD bob', '']", false));
    assert_eq!(after_pause(b"RECEIVED bob"), received("bob", false));
    assert_eq!(only(b"\0\x0eRECEIVED bob\n\n"), received("bob", false));
    assert_eq!(
        only(b"ERROR 103 Header Incomplete\n\n"),
        ClientFrame::Error { text: "103 Header Incomplete".into() }
    );
}

#[test]
fn a_bad_header_ends_the_stream() {
    for bytes in [
        "SEND bob\n\nhello",
        "SEND bob\nhello",
        "SEND bob\nContent-length: x\n\nhello",
        "SEND bob\nContent-length: \n\nhello",
        "SEND bob\nContent-length: -5\n\nhello",
        "SEND bob\nContent-length 5\n\nhello",
        "SEND \nContent-length: 5\n\nhello",
        "SEND Content-length: 5\n\nhello",
        "SEND bob\nContent-length: 4097\n\n",
        "SEND bob\nContent-length: 99999999999999999999999\n\n",
    ] {
        fatal(bytes.as_bytes());
    }
    let mut short = decoder(b"SEND bob\nContent-length: 6\n\nhello");
    assert_eq!((short.next_frame(), short.pause(), short.is_short()), (Ok(None), Ok(None), true));
    assert_eq!(short.give_up(), Err(ProtocolError::Truncated { what: "a body" }));
}

#[test]
fn unknown_verbs_cost_their_line() {
    let mut decoder = decoder(b"HELLO there\nREGISTER PK x\n\nUNREGISTER\n\n");
    assert_eq!(
        decoder.next_frame(),
        Err(ProtocolError::Unknown { what: "verb", value: "HELLO there".into() })
    );
    assert_eq!(decoder.next_frame(), Err(ProtocolError::Unknown { what: "role", value: "PK".into() }));
    assert_eq!(decoder.next_frame(), Ok(Some(ClientFrame::Unregister)));
}

#[test]
fn lines_are_bounded() {
    let mut decoder = Decoder::new(100);
    decoder.feed(&[b'x'; 101]);
    assert!(matches!(decoder.next_frame(), Err(ProtocolError::TooLong { limit: 100, .. })));
    decoder.feed(&[b'x'; 101]);
    assert_eq!(decoder.buffered(), 0, "after a fatal error nothing is kept");
}

fn framed(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

#[test]
fn frames_of_java_clients() {
    let mut decoder = Decoder::new(4096);
    decoder.feed(&framed("REGISTER TOSEND bob\n\n\n"));
    assert_eq!(decoder.next_frame(), Ok(Some(register("bob", false, End::EmptyLine))));
    assert_eq!(decoder.framing(), Framing::Utf);
    for byte in framed("SEND eve\nContent-length:4\n\ncafé") {
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.feed(&[byte]);
    }
    assert_eq!(decoder.next_frame(), Ok(Some(send("eve", "café"))));
    decoder.feed(&framed("SEND eve\nContent-length: 5\n\ncafé"));
    assert_eq!(decoder.next_frame(), Ok(Some(send("eve", "café"))), "counted in bytes");
    decoder.feed(&framed("RECEIVED bob\n\n"));
    assert!(matches!(decoder.next_frame(), Ok(Some(ClientFrame::Received { .. }))));
    decoder.feed(&framed("SEND eve\nContent-length: 6\n\ncafé"));
    assert_eq!(decoder.next_frame(), Err(ProtocolError::Truncated { what: "a SEND" }));
}

fn encoded(frame: &ServerFrame, voice: Voice) -> BytesMut {
    let mut out = BytesMut::new();
    server::encode(frame, voice, &mut out);
    out
}

#[test]
fn what_a_server_writes() {
    let plain = Voice::default();
    let spaced = Voice { end: End::BlankLine, ..plain };
    let registered = ServerFrame::Registered { role: Role::ToReceive, name: "[bob]".into() };
    assert_eq!(encoded(&registered, plain), "REGISTERED TORECV [bob]\n\n");
    assert_eq!(encoded(&registered, spaced), "REGISTERED TORECV [bob]\n \n");
    let sent = |word| ServerFrame::Sent { word, to: "bob".into() };
    assert_eq!(encoded(&sent(SentWord::Send), plain), "SEND bob\n\n");
    assert_eq!(encoded(&sent(SentWord::Sent), spaced), "SENT bob\n \n");
    assert_eq!(encoded(&ServerFrame::Unregistered, plain), "UNREGISTERED\n\n");
    for (code, text) in [
        (ErrorCode::MalformedUsername, "ERROR 100 Malformed username\n\n"),
        (ErrorCode::NoUserRegistered, "ERROR 101 No user registered\n\n"),
        (ErrorCode::UnableToSend, "ERROR 102 Unable to send\n\n"),
        (ErrorCode::HeaderIncomplete, "ERROR 103 Header incomplete\n\n"),
    ] {
        assert_eq!(encoded(&ServerFrame::Error(code), plain), text);
    }
    let forward = ServerFrame::Forward { from: "bob".into(), body: "café".into() };
    let laid_out = |layout, newline_after_body| Voice { layout, newline_after_body, ..spaced };
    assert_eq!(encoded(&forward, spaced), "FORWARD bob\nContent-length: 4\n\ncafé");
    assert_eq!(encoded(&forward, laid_out(Layout::Lines, true)), "FORWARD bob\nContent-length: 4\n\ncafé\n");
    assert_eq!(
        encoded(&forward, laid_out(Layout::NoEmptyLine, false)),
        "FORWARD bob\nContent-length: 4\ncafé"
    );
    assert_eq!(encoded(&forward, laid_out(Layout::OneLine, false)), "FORWARD bob Content-length: 5 café\n");
    let framed = Voice { framing: Framing::Utf, ..plain };
    let bytes = encoded(&ServerFrame::Forward { from: "bob".into(), body: "🦀".into() }, framed);
    assert_eq!(bytes.len(), 2 + "FORWARD bob\nContent-length: 1\n\n".len() + 6);
    assert_eq!(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])), bytes.len() - 2);
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9]{1,12}"
}

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let end = prop_oneof![Just(End::EmptyLine), Just(End::BlankLine)];
    let role = prop_oneof![Just(Role::ToSend), Just(Role::ToReceive)];
    prop_oneof![
        (role, name(), any::<bool>(), end).prop_map(|(role, name, spaced, end)| ClientFrame::Register {
            role,
            name,
            spaced,
            end
        }),
        (name(), "[ -~\n]{0,80}", any::<bool>()).prop_map(|(to, body, spaced)| ClientFrame::Send {
            to,
            body,
            layout: Layout::Lines,
            spaced
        }),
        (name(), any::<bool>()).prop_map(|(about, misspelled)| ClientFrame::Received { about, misspelled }),
        Just(ClientFrame::Unregister),
    ]
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let word = prop_oneof![Just(SentWord::Send), Just(SentWord::Sent)];
    prop_oneof![
        name().prop_map(|name| ServerFrame::Registered { role: Role::ToSend, name }),
        (word, name()).prop_map(|(word, to)| ServerFrame::Sent { word, to }),
        (name(), "\\PC{0,80}").prop_map(|(from, body)| ServerFrame::Forward { from, body }),
        Just(ServerFrame::Error(ErrorCode::UnableToSend)),
        Just(ServerFrame::Unregistered),
    ]
}

/// Acknowledgements, and what may be taken for one.
fn acknowledgement() -> impl Strategy<Value = String> {
    let word = prop_oneof![Just("RECEIVED"), Just("recieved"), Just("RECEIVE"), Just("SEND")];
    let end = prop_oneof![Just("\n\n"), Just("\n"), Just("\r\n \r\n"), Just(""), Just("\n\nERROR 103\n")];
    ("[ \n]{0,1}", word, "[ bo]{0,4}", end)
        .prop_map(|(start, word, name, end)| format!("{start}{word}{name}{end}"))
}

/// Decoders that have read the same, before which nothing waits.
fn drained() -> impl Strategy<Value = [Decoder; 2]> {
    let read =
        vec!["", "REGISTER TORECV bob\n\n", "SEND bob\nContent-length: 2\n\nhi", "\0\x0eRECEIVED bob\n\n"];
    proptest::sample::select(read).prop_map(|read| {
        [(); 2].map(|()| {
            let mut decoder = decoder(read.as_bytes());
            assert!(read.is_empty() || decoder.next_frame().unwrap().is_some());
            assert!(decoder.is_empty());
            decoder
        })
    })
}

#[test]
fn a_receipt_is_read_where_it_is() {
    let mut decoder = decoder(b"REGISTER TORECV bob\n\n");
    assert_eq!(decoder.receipt(b"RECEIVED bob\n\n"), None, "something waits");
    decoder.next_frame().unwrap();
    assert_eq!(decoder.receipt(b"RECEIVED bob\n\n"), Some(false));
    assert_eq!(decoder.receipt(b"RECIEVED bob\r\n"), Some(true));
    let long = [b"RECEIVED".as_slice(), &[b' '; 4096], b"\n"].concat();
    for other in [b"RECEIVED bob".as_slice(), b"RECEIVED bob\n\nSEND", b"SEND bob\n", &long] {
        assert_eq!(decoder.receipt(other), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn receipts_are_what_they_would_be_otherwise(
        [mut one, mut other] in drained(),
        bytes in acknowledgement(),
        next in "[\n ]{0,3}",
    ) {
        let Some(misspelled) = one.receipt(bytes.as_bytes()) else { return Ok(()) };
        other.feed(bytes.as_bytes());
        let read = other.next_frame().unwrap();
        let Some(ClientFrame::Received { misspelled: its, .. }) = read else { panic!("{read:?}") };
        prop_assert_eq!(its, misspelled);
        for decoder in [&mut one, &mut other] {
            decoder.feed(next.as_bytes());
            prop_assert_eq!(decoder.next_frame(), Ok(None));
            prop_assert!(decoder.is_empty());
        }
        prop_assert_eq!(one.newline_after_body(), other.newline_after_body());
    }

    #[test]
    fn what_a_client_writes_is_read_back(
        frames in proptest::collection::vec(client_frame(), 1..6),
        size in 1usize..40,
    ) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| client::encode(frame, &mut bytes));
        let mut decoder = Decoder::new(4096);
        let mut seen = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_frame().unwrap() {
                seen.push(frame);
            }
        }
        prop_assert_eq!(seen, frames);
        prop_assert!(decoder.is_empty());
    }

    #[test]
    fn characters_are_read_back(body in "\\PC{1,60}") {
        let frame = send("bob", &body);
        let mut bytes = BytesMut::new();
        client::encode(&frame, &mut bytes);
        let mut decoder = decoder(&bytes);
        let seen = match decoder.next_frame().unwrap() {
            None => decoder.pause().unwrap(),
            seen => seen,
        };
        prop_assert_eq!(seen, Some(frame));
    }

    #[test]
    fn what_a_server_writes_is_read_back(
        frames in proptest::collection::vec(server_frame(), 1..6),
        size in 1usize..40,
    ) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| server::encode(frame, Voice::default(), &mut bytes));
        let mut decoder = client::Decoder::new(4096);
        let mut seen = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_frame().unwrap() {
                seen.push(frame);
            }
        }
        prop_assert_eq!(seen, frames);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz::fuzz(&bytes);
    }

    #[test]
    fn bytes_like_messages(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("SEND "), Just("REGISTER "), Just("TOSEND "), Just("RECEIVED "), Just("FORWARD "),
                Just("UNREGISTER"), Just("Content-length:"), Just(" "), Just("\n"), Just("\r\n"), Just("bob"),
                Just("4"), Just("1"), Just("é"), Just("🦀"), Just("\0"), Just("SENT"), Just("ERROR 103"), Just("x"),
            ],
            0..24,
        ),
    ) {
        fuzz::fuzz(parts.concat().as_bytes());
    }
}

#[test]
fn seeds_of_the_fuzzer() {
    for seed in [
        "REGISTER TOSEND bob\n\nSEND eve\nContent-length: 5\n\nhello",
        "SEND bob\nContent-length: 4\n\ncafé\nRECIEVED bob\n\nUNREGISTER\n\n",
        "\0\x15REGISTER TOSEND bob\n\n\0\x0eRECEIVED bob\n\n",
        "FORWARD bob\nContent-length: 4\n\ncaféERROR 102 Unable to send\n \nREGISTERED TORECV x\n",
    ] {
        fuzz::fuzz(seed.as_bytes());
    }
}
