//! The codec against the protocol's page, and what must hold for any input.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::ProtocolError;

const JOIN: &[u8] = br#"{"CMD": "JOIN", "UN": "Tony", "UID": "tony@x"}"#;

fn tony() -> ClientFrame {
    ClientFrame::Join { name: "Tony".to_owned(), uid: "tony@x".to_owned() }
}

fn send(text: &str, to: Recipients) -> ClientFrame {
    ClientFrame::Send { text: text.to_owned(), to, from: "tony@x".to_owned() }
}

fn people(names: &[&str]) -> Recipients {
    Recipients::People(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Everything that a server reads, one byte at a time; what is malformed as `None`.
fn read(input: &[u8]) -> Vec<Option<ClientFrame>> {
    let mut decoder = server::Decoder::new(1000);
    let mut frames = Vec::new();
    for byte in input {
        decoder.feed(&[*byte]);
        while let Some(frame) = decoder.next_frame().transpose() {
            assert!(!frame.as_ref().is_err_and(ProtocolError::is_fatal), "{frame:?}");
            frames.push(frame.ok());
        }
    }
    frames
}

fn read_to(to: &str) -> Option<Recipients> {
    let input = format!(r#"{{"CMD": "SEND", "MSG": "hi", "TO": {to}, "FROM": "tony@x"}}"#);
    match read(input.as_bytes()).pop()?? {
        ClientFrame::Send { to, .. } => Some(to),
        ClientFrame::Join { .. } => None,
    }
}

#[test]
fn objects_need_nothing_between_them() {
    let send_hi = br#"{"FROM": "tony@x", "TO": [], "MSG": "hi", "CMD": "SEND"}"#;
    let both = [Some(tony()), Some(send("hi", Recipients::Everybody))];
    for between in [b"".as_slice(), b"\n", b" \r\n\t ", b"1", b", ", b"null"] {
        assert_eq!(read(&[JOIN, between, send_hi].concat()), both, "{between:?}");
    }
}

#[test]
fn values_that_are_no_objects_are_skipped() {
    for junk in
        ["1", "\"{\"", "\"\\\"{\"", "[{}, \"]\", [\"\\\"\"]]", "}", "]", "\u{feff}", "-1.5e3 true nil\0"]
    {
        assert_eq!(read(&[junk.as_bytes(), JOIN].concat()), [Some(tony())], "{junk}");
    }
}

#[test]
fn malformed_objects_are_given_up_and_reading_goes_on() {
    for junk in ["{}", "{bad}", "{'CMD': 'JOIN'}", r#"{"a": [}"#, r#"{"CMD": 1}"#, r#"{"CMD": "TEST"}"#] {
        assert_eq!(read(&[junk.as_bytes(), JOIN].concat()), [None, Some(tony())], "{junk}");
    }
}

#[test]
fn an_object_cut_short_costs_no_other() {
    for junk in ["{", r#"{"CMD": "SEND", "MSG": "hi""#, "{\"CMD\": \"JOIN\n", "{\"a\": \"\\\n"] {
        assert_eq!(read(&[junk.as_bytes(), JOIN].concat()), [None, Some(tony())], "{junk}");
    }
    for junk in ["\"abc\n", "[\"abc\n"] {
        assert_eq!(read(&[junk.as_bytes(), JOIN].concat()), [Some(tony())], "{junk}");
    }
}

#[test]
fn duplicate_unknown_and_escaped_keys() {
    let input = br#"{"X": {"CMD": "SEND"}, "CMD": "SEND", "UN": 1, "C\u004dD": "JOIN", "UID": "tony@x", "UN": "Tony"}"#;
    assert_eq!(read(input), [Some(tony())]);
}

#[test]
fn a_join_always_gets_through() {
    let nobody = ClientFrame::Join { name: String::new(), uid: String::new() };
    for input in [r#"{"CMD": "JOIN"}"#, r#"{"CMD": "JOIN", "UN": 5, "UID": ["x"]}"#] {
        assert_eq!(read(input.as_bytes()), [Some(nobody.clone())]);
    }
}

#[test]
fn recipients_are_trimmed_and_blanks_mean_everybody() {
    for to in ["[]", "[\"\"]", "[\" \"]", "[\"ALL\"]", "[\" all \"]", "\"\"", "\"ALL\""] {
        assert_eq!(read_to(to), Some(Recipients::Everybody), "{to}");
    }
    assert_eq!(read_to(r#"[" ana@x ", "", "bob\n", 5]"#), Some(people(&["ana@x", "bob"])));
    assert_eq!(read_to(r#""bob""#), Some(people(&["bob"])));
    assert_eq!(read_to(r#"["ALL", "bob"]"#), Some(people(&["ALL", "bob"])));
    for to in ["[1]", "[null, \"\"]", "[\"\", \"\"]", "null", "{}", "5"] {
        assert_eq!(read_to(to), None, "{to}");
    }
    assert_eq!(read(br#"{"CMD": "SEND", "MSG": "hi"}"#), [None]);
}

#[test]
fn too_many_recipients_are_refused() {
    let mut decoder = server::Decoder::new(1 << 16);
    for (count, fits) in [(RECIPIENTS_MAX, true), (RECIPIENTS_MAX + 1, false)] {
        let to = vec!["\"a\""; count].join(",");
        decoder.feed(format!(r#"{{"CMD": "SEND", "MSG": "hi", "TO": [{to}]}}"#).as_bytes());
        assert_eq!(decoder.next_frame().is_ok_and(|frame| frame.is_some()), fits);
    }
}

#[test]
fn one_final_line_feed_is_left_out() {
    for (sent, read_as) in
        [("hi\\n", "hi"), ("hi\\n\\n", "hi\n"), ("\\n", ""), ("a\\nb", "a\nb"), ("a ", "a ")]
    {
        let input = format!(r#"{{"CMD": "SEND", "MSG": "{sent}", "TO": [], "FROM": "tony@x"}}"#);
        assert_eq!(read(input.as_bytes()), [Some(send(read_as, Recipients::Everybody))]);
    }
}

#[test]
fn texts_with_braces_quotes_and_backslashes() {
    for (sent, read_as) in [
        (r"}{", "}{"),
        (r#"\"}{\""#, "\"}{\""),
        (r"\\", "\\"),
        (r#"{\"CMD\": \"JOIN\"}"#, r#"{"CMD": "JOIN"}"#),
        (r"it\'s", "it's"),
        (r"\\'\'", r"\''"),
        ("é🦀", "é🦀"),
        (r"\u00e9\ud83e\udd80\ud83e", "é🦀\u{fffd}"),
    ] {
        let input = format!(r#"{{"CMD": "SEND", "MSG": "{sent}", "TO": [], "FROM": "tony@x"}}"#);
        assert_eq!(read(input.as_bytes()), [Some(send(read_as, Recipients::Everybody))], "{sent}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    let input = b"{\"CMD\": \"SEND\", \"MSG\": \"a\xffb\", \"TO\": [], \"FROM\": \"tony@x\"}";
    assert_eq!(read(input), [Some(send("a\u{fffd}b", Recipients::Everybody))]);
}

#[test]
fn a_zero_byte_first_means_lengths() {
    let mut input = vec![0, 0, 0, 0, 0, 0, 0, JOIN.len() as u8];
    input.extend_from_slice(JOIN);
    input.extend_from_slice(&[0, 0, 0, 1, b'1']);
    input.extend_from_slice(&[0, 0, 0, JOIN.len() as u8]);
    input.extend_from_slice(JOIN);
    assert_eq!(read(&input), [Some(tony()), None, Some(tony())]);
}

#[test]
fn too_long_is_fatal_and_repeats_in_both_framings() {
    let error = ProtocolError::TooLong { what: "object", limit: JOIN.len() - 1 };
    let with_length = [&[0, 0, 0, JOIN.len() as u8], JOIN].concat();
    for input in [JOIN, &with_length] {
        let mut decoder = server::Decoder::new(JOIN.len());
        decoder.feed(input);
        assert_eq!(decoder.next_frame(), Ok(Some(tony())));
        let mut decoder = server::Decoder::new(JOIN.len() - 1);
        decoder.feed(input);
        assert_eq!(decoder.next_frame(), Err(error.clone()));
        decoder.feed(JOIN);
        assert_eq!((decoder.next_frame(), decoder.buffered()), (Err(error.clone()), 0));
    }
}

#[test]
fn junk_is_not_kept_and_nesting_has_an_end() {
    let mut decoder = server::Decoder::new(100_000);
    decoder.feed(&[b'1'; 200_000]);
    decoder.feed(&[b'['; 200_000]);
    assert_eq!((decoder.next_frame(), decoder.buffered()), (Ok(None), 0));
    decoder.feed(&[b']'; 200_000]);
    let deep = format!(r#"{{"CMD": {}{}, "UN": "Tony"}}"#, "[".repeat(40_000), "]".repeat(40_000));
    decoder.feed(deep.as_bytes());
    assert!(decoder.next_frame().is_err());
    decoder.feed(JOIN);
    assert_eq!((decoder.next_frame(), decoder.buffered()), (Ok(Some(tony())), 0));
}

#[test]
fn servers_write_as_python_does() {
    let mut out = BytesMut::new();
    let entry = |name: &str, uid: &str| Person { name: name.to_owned(), uid: uid.to_owned() };
    let frames = [
        ServerFrame::Ack { okay: true },
        ServerFrame::Ack { okay: false },
        ServerFrame::List(vec![entry("Mary", "mary@x"), entry("{é}", "henry@x")]),
        ServerFrame::Message { kind: Kind::Private, text: "a\n\"b\"".to_owned(), from: "mary@x".to_owned() },
    ];
    for frame in &frames {
        server::encode(frame, Framing::Bare, &mut out);
    }
    let expected = concat!(
        r#"{"CMD": "ACK", "TYPE": "OKAY"}{"CMD": "ACK", "TYPE": "FAIL"}"#,
        r#"{"CMD": "LIST", "DATA": [{"UN": "Mary", "UID": "mary@x"}, "#,
        r#"{"UN": "\u007b\u00e9\u007d", "UID": "henry@x"}]}"#,
        r#"{"CMD": "MSG", "TYPE": "PRIVATE", "MSG": "a\n\"b\"", "FROM": "mary@x"}"#,
    );
    assert_eq!(out, expected);
}

#[test]
fn clients_write_as_python_does() {
    let mut out = BytesMut::new();
    client::encode(&tony(), Framing::Bare, &mut out);
    client::encode(&send("hi", people(&["a", "b"])), Framing::Bare, &mut out);
    client::encode(&send("hi", Recipients::Everybody), Framing::Length, &mut out);
    let all = br#"{"CMD": "SEND", "MSG": "hi", "TO": [], "FROM": "tony@x"}"#;
    let two = br#"{"CMD": "SEND", "MSG": "hi", "TO": ["a", "b"], "FROM": "tony@x"}"#;
    assert_eq!(out, [JOIN, two, &[0, 0, 0, all.len() as u8], all].concat());
}

fn recipients() -> impl Strategy<Value = Recipients> {
    let names = prop::collection::vec("[a-z{}\"\\\\é🦀@.]{1,8}", 1..5);
    prop_oneof![
        Just(Recipients::Everybody),
        names
            .prop_filter("a word of its own", |names| names.len() > 1 || names != &["all"])
            .prop_map(Recipients::People)
    ]
}

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let text = || any::<String>();
    let not_ending_in_line_feed = |text: String| text.trim_end_matches('\n').to_owned();
    prop_oneof![
        (text(), text()).prop_map(|(name, uid)| ClientFrame::Join { name, uid }),
        (text().prop_map(not_ending_in_line_feed), recipients(), text())
            .prop_map(|(text, to, from)| ClientFrame::Send { text, to, from }),
    ]
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let text = || any::<String>();
    let person = (text(), text()).prop_map(|(name, uid)| Person { name, uid });
    let kind = prop_oneof![Just(Kind::All), Just(Kind::Group), Just(Kind::Private)];
    prop_oneof![
        any::<bool>().prop_map(|okay| ServerFrame::Ack { okay }),
        prop::collection::vec(person, 0..4).prop_map(ServerFrame::List),
        (kind, text(), text()).prop_map(|(kind, text, from)| ServerFrame::Message { kind, text, from }),
    ]
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::Bare), Just(Framing::Length)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn client_frames_survive(
        frames in prop::collection::vec(client_frame(), 1..4),
        framing in framing(),
        step in 1usize..50,
    ) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| client::encode(frame, framing, &mut bytes));
        prop_assert!(framing == Framing::Length || bytes.is_ascii());
        let mut decoder = server::Decoder::new(1 << 16);
        let mut read = Vec::new();
        for piece in bytes.chunks(step) {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_frame().unwrap() {
                read.push(frame);
            }
        }
        prop_assert_eq!(read, frames);
        prop_assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn server_frames_survive(
        frames in prop::collection::vec(server_frame(), 1..4),
        framing in framing(),
        step in 1usize..50,
    ) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| server::encode(frame, framing, &mut bytes));
        let mut decoder = client::Decoder::new(1 << 16);
        let mut read = Vec::new();
        for piece in bytes.chunks(step) {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_frame().unwrap() {
                read.push(frame);
            }
        }
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_bytes_hold(data in prop::collection::vec(any::<u8>(), 0..800)) {
        fuzz::fuzz(&data);
    }

    #[test]
    fn almost_json_holds(data in r#"[\x00]{0,1}([{}\[\]":, 1\\'u\nd8e]|"CMD"|"SEND"|"TO"|"MSG"|\{"CMD": "JOIN"\}|\\ud83e){0,60}"#) {
        fuzz::fuzz(data.as_bytes());
    }
}
