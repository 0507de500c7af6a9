//! Requests in every form that clients send, and the bytes of every answer.

use proptest::prelude::*;

use super::*;
use crate::bridge::client::Answers;

const REGISTER: &str = "REGISTER\r\nclientID: ana\r\nIP: 127.0.1.1\r\nPort: 1225\r\n\r\n";

fn decode_all(input: &[u8]) -> Vec<Result<ClientFrame, ProtocolError>> {
    decode_in_steps(input, input.len().max(1))
}

fn decode_in_steps(input: &[u8], step: usize) -> Vec<Result<ClientFrame, ProtocolError>> {
    let mut decoder = Decoder::new(1 << 20);
    let mut found = Vec::new();
    for part in input.chunks(step) {
        decoder.feed(part);
        while let Some(frame) = decoder.next_frame().transpose() {
            let fatal = frame.as_ref().is_err_and(ProtocolError::is_fatal);
            found.push(frame);
            if fatal {
                return found;
            }
        }
    }
    found.extend(decoder.finish().transpose());
    found
}

fn frame(input: &str) -> ClientFrame {
    let mut all = decode_all(input.as_bytes());
    assert_eq!(all.len(), 1, "{input:?}");
    all.remove(0).unwrap()
}

fn error(input: &str) -> String {
    decode_all(input.as_bytes()).remove(0).unwrap_err().to_string()
}

fn ana() -> Contact {
    Contact { id: "ana".to_owned(), ip: "127.0.1.1".to_owned(), port: "1225".to_owned() }
}

fn id(id: &str) -> Option<String> {
    Some(id.to_owned())
}

#[test]
fn requests_as_the_clients_send_them() {
    assert_eq!(frame(REGISTER), ClientFrame::Register(ana()));
    assert_eq!(frame("BRIDGE\r\nclientID: ana\r\n\r\n"), ClientFrame::Bridge { id: "ana".to_owned() });
    assert_eq!(frame("PROBE\r\n\r\n"), ClientFrame::Probe);
    assert_eq!(frame("INFO\r\n\r\n"), ClientFrame::Info);
    assert_eq!(frame("QUIT\r\nclientID: ana\r\n\r\n"), ClientFrame::Quit { id: id("ana") });
    assert_eq!(frame("QUIT\r\nMessage: bye\r\n\r\n"), ClientFrame::Quit { id: None });
    assert_eq!(frame("UNREGISTER\r\nclientID: ana\r\n\r\n"), ClientFrame::Unregister { id: id("ana") });
    let both = ClientFrame::ChatBoth { first: "ana".to_owned(), second: "bob".to_owned() };
    assert_eq!(frame("CHAT\r\nclientID1: ana\r\nclientID2: bob"), both);
    let message = Some("hi: you".to_owned());
    assert_eq!(
        frame("CHAT\r\nclientID: ana\r\nmessage: hi: you\r\n\r\n"),
        ClientFrame::Chat { id: id("ana"), message }
    );
    assert_eq!(
        frame("CHAT\r\nclientID: ana\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n"),
        ClientFrame::Chat { id: id("ana"), message: None }
    );
}

/// docs/protocols/bridge.md, rule 1.
#[test]
fn rule_01_either_line_end_any_case_empty_lines_before() {
    let bare = REGISTER.replace("\r\n", "\n");
    let lower = "\r\n\n".to_owned() + &REGISTER.to_lowercase();
    for input in [bare, lower, REGISTER.replace(": ", ":"), REGISTER.replace("\r\n\r\n", "\r\n\n")] {
        assert_eq!(frame(&input), ClientFrame::Register(ana()), "{input:?}");
    }
}

/// docs/protocols/bridge.md, rule 1.
#[test]
fn rule_01_a_silence_ends_a_request_but_not_half_of_one() {
    let mut decoder = Decoder::new(1 << 16);
    assert_eq!(decoder.pause(), Ok(None));
    decoder.feed(b"CHAT\r\nclientID1: ana\r\nclientID2: bob");
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(matches!(decoder.pause(), Ok(Some(ClientFrame::ChatBoth { .. }))));
    assert!(decoder.is_empty());

    for part in REGISTER.split_inclusive("\r\n").take(3) {
        decoder.feed(part.as_bytes());
        assert_eq!(decoder.pause(), Ok(None), "{part:?}");
    }
    decoder.feed(b"Port: 1225\r\n");
    assert_eq!(decoder.pause(), Ok(Some(ClientFrame::Register(ana()))));

    decoder.feed(b"CHAT\r\n");
    assert_eq!(decoder.pause(), Ok(None));
    assert_eq!(decoder.finish(), Ok(Some(ClientFrame::Chat { id: None, message: None })));
    decoder.feed(b"HELLO");
    assert!(decoder.pause().is_err());
    assert!(decoder.is_empty());
}

#[test]
fn what_is_wrong_is_said_and_the_next_request_is_read() {
    assert_eq!(error("HELLO\r\n\r\n"), "unknown request: \"HELLO\"");
    assert_eq!(error("REGISTER\r\nclientID: a\r\nIP: 1.2.3.4\r\n\r\n"), "missing Port");
    for port in ["", "0", "65536", "-1", "port"] {
        let input = format!("REGISTER\r\nclientID: a\r\nIP: 1.2.3.4\r\nPort: {port}\r\n\r\n");
        assert_eq!(error(&input), format!("malformed Port: {port:?}"));
    }
    assert_eq!(error("BRIDGE\r\n\r\n"), "missing clientID");
    let all = decode_all(b"BRIDGE\r\nclientID: \xff\r\n\r\nPROBE\r\n\r\n");
    assert_eq!(all, [Err(ProtocolError::NotUtf8 { what: "the block of headers" }), Ok(ClientFrame::Probe)]);
}

/// docs/protocols/bridge.md, rules 2 and 3.
#[test]
fn rule_02_answers_byte_for_byte() {
    let cases = [
        (
            ServerFrame::RegAck { contact: ana(), status: false },
            "REGACK\r\nclientID: ana\r\nIP: 127.0.1.1\r\nPort: 1225\r\n\r\n",
        ),
        (
            ServerFrame::RegAck { contact: ana(), status: true },
            "REGACK\r\nclientID: ana\r\nIP: 127.0.1.1\r\nPort: 1225\r\nStatus: registered\r\n\r\n",
        ),
        (
            ServerFrame::BridgeAck(Some(ana())),
            "BRIDGEACK\r\nclientID: ana\r\nIP: 127.0.1.1\r\nPort: 1225\r\n\r\n",
        ),
        (ServerFrame::BridgeAck(None), "BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n\r\n"),
        (ServerFrame::ProbeAck, "PROBEACK\r\n\r\n"),
        (ServerFrame::QuitAck, "QUITACK\r\n\r\n"),
        (ServerFrame::UnregAck, "UNREGACK\r\n\r\n"),
        (ServerFrame::ChatAck { delivered: false }, "CHATACK\r\n\r\n"),
        (ServerFrame::ChatAck { delivered: true }, "CHATACK\r\nStatus: delivered\r\n\r\n"),
        (ServerFrame::Info { lines: vec!["ana 1.2.3.4:5".into()] }, "INFOACK\r\nana 1.2.3.4:5\r\n\r\n"),
        (ServerFrame::Error { message: "no\r\n\r\nQUIT".into() }, "ERROR\r\nMessage: noQUIT\r\n\r\n"),
    ];
    for (frame, bytes) in cases {
        let mut out = BytesMut::new();
        encode(&frame, &mut out);
        assert_eq!(out, bytes);
    }
}

/// A value that survives trimming.
const VALUE: &str = "[!-9;-~]([ -~]{0,20}[!-~])?";

fn contact() -> impl Strategy<Value = Contact> {
    (VALUE, VALUE, 1u16..).prop_map(|(id, ip, port)| Contact { id, ip, port: port.to_string() })
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        (contact(), any::<bool>()).prop_map(|(contact, status)| ServerFrame::RegAck { contact, status }),
        proptest::option::of(contact()).prop_map(ServerFrame::BridgeAck),
        any::<bool>().prop_map(|delivered| ServerFrame::ChatAck { delivered }),
        proptest::collection::vec(VALUE, 0..4).prop_map(|lines| ServerFrame::Info { lines }),
        VALUE.prop_map(|message| ServerFrame::Error { message }),
        Just(ServerFrame::ProbeAck),
        Just(ServerFrame::QuitAck),
        Just(ServerFrame::UnregAck),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_server_writes_a_client_reads(frames in proptest::collection::vec(server_frame(), 1..4)) {
        let (mut out, mut answers) = (BytesMut::new(), Answers::new(1 << 20));
        for frame in &frames {
            encode(frame, &mut out);
        }
        answers.feed(&out);
        for frame in frames {
            prop_assert_eq!(answers.next_frame().unwrap(), Some(frame));
        }
        prop_assert_eq!(answers.next_frame().unwrap(), None);
    }

    #[test]
    fn any_split_gives_the_same_requests(
        input in "((REGISTER|BRIDGE|CHAT|QUIT|x)\r?\n|(clientID|IP|Port|message): ?[a-z0-9]{0,4}\r?\n|\r?\n){0,20}",
        step in 1usize..20,
    ) {
        prop_assert_eq!(decode_in_steps(input.as_bytes(), step), decode_all(input.as_bytes()));
    }

    #[test]
    fn random_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..6000), step in 1usize..500) {
        crate::bridge::fuzz::fuzz(&input);
        decode_in_steps(&input, step);
    }
}

#[test]
fn the_fuzz_hook_accepts_what_is_known() {
    for seed in
        [REGISTER, "CHAT\r\nclientID1: a\r\nclientID2: b", "QUIT\r\n\r\n\r\n", "hi\r\nQUIT\r\n\r\n", "\r"]
    {
        crate::bridge::fuzz::fuzz(seed.as_bytes());
    }
}
