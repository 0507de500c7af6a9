use bytes::BytesMut;
use proptest::prelude::*;

use super::client::{self, TmpClient};
use super::*;
use crate::ProtocolError;
use crate::client::{Client, ClientOutbox, Happening, Link};

const SET_USR: &str = "tmp://SET_USR                         ::/bob                 ::/";
const CHAT: &str = "tmp://CHAT_MSSG                       ::/bob                 ::/CHAT_MESSAGE hi";
const EXIT_CHAT: &str = "tmp://EXIT_CHAT                       ::/                    ::/";
const STATE_UPG_2: &str = "tmp://STATE_UPG_2                     ::/bob                 ::/";
const CONFLICT: &str = "tmp://SET_USR_CONFLICT                ::/bob                 ::/";

fn from_client(frame: &ClientFrame<'_>) -> String {
    let mut out = BytesMut::new();
    client::encode(frame, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn from_server(frame: &ServerFrame<'_>) -> String {
    String::from_utf8(server::message(frame).to_vec()).unwrap()
}

#[test]
fn each_client_frame_has_these_bytes() {
    let chat = ClientFrame::ChatMssg { user: "bob", body: "CHAT_MESSAGE hi" };
    for (frame, bytes) in
        [(ClientFrame::SetUsr { name: "bob" }, SET_USR), (chat, CHAT), (ClientFrame::ExitChat, EXIT_CHAT)]
    {
        assert_eq!(from_client(&frame), bytes);
        assert_eq!(server::decode(bytes, 100).unwrap(), frame);
    }
}

#[test]
fn each_server_frame_has_these_bytes() {
    let full = "tmp://SERVER_CLIENT_LIMIT_REACHED     ::/                    ::/";
    for (frame, bytes) in [
        (ServerFrame::StateUpg1, server::STATE_UPG_1),
        (ServerFrame::StateUpg2 { name: "bob" }, STATE_UPG_2),
        (ServerFrame::SetUsrConflict { name: "bob" }, CONFLICT),
        (ServerFrame::ChatMssg { user: "bob", body: Body::Message("hi") }, CHAT),
        (ServerFrame::Disconnect, server::DISCONNECT),
        (ServerFrame::LimitReached, full),
    ] {
        assert_eq!(from_server(&frame), bytes);
        assert_eq!(client::decode(bytes, 100).unwrap(), frame);
    }
    // What is written in one piece is what the writer of headers would write.
    let mut out = BytesMut::new();
    super::header::write("STATE_UPG_1", "", &mut out);
    super::header::write("DISCONNECT", "", &mut out);
    assert_eq!(out, [server::STATE_UPG_1, server::DISCONNECT].concat());
    assert_eq!(server::STATE_UPG_1.len(), HEADER_UNITS);
}

#[test]
fn headers_are_padded_in_utf16_units() {
    let message = from_server(&ServerFrame::StateUpg2 { name: "Zoé🦀" });
    assert_eq!(message, format!("tmp://STATE_UPG_2                     ::/Zoé🦀{}::/", " ".repeat(15)));
    assert_eq!(message.encode_utf16().count(), HEADER_UNITS);
    let message = from_server(&ServerFrame::SetUsrConflict { name: "a name that is far too long" });
    assert!(message.ends_with("::/a name that is far t::/"));
}

#[test]
fn a_chat_message_takes_one_allocation_of_its_size() {
    for user in ["bob", "Zoé🦀", "a name that is far too long"] {
        let mut out = BytesMut::new();
        server::encode_chat(user, Body::Message("hé"), &mut out);
        assert_eq!(out.capacity(), out.len());
    }
}

#[test]
fn what_a_server_refuses() {
    let unnamed = CHAT.replacen("bob", "   ", 1);
    let missing = ProtocolError::Missing { what: "user name" };
    assert_eq!(server::decode(&unnamed, 100), Err(missing.clone()));
    assert_eq!(server::decode(&SET_USR.replacen("bob", "\u{feff}\t\u{a0}", 1), 100), Err(missing));
    for kind in ["CHAT_MSGS", "set_usr  ", "         "] {
        let other = CHAT.replacen("CHAT_MSSG", kind, 1);
        let unknown = ProtocolError::Unknown { what: "type", value: kind.trim().to_owned() };
        assert_eq!(server::decode(&other, 100), Err(unknown));
    }
    assert!(server::decode(server::DISCONNECT, 100).is_err(), "a server's type from a client");
    assert_eq!(server::decode(CHAT, 14), Err(ProtocolError::TooLong { what: "body", limit: 14 }));
    let empty = CHAT.replacen("CHAT_MESSAGE hi", "", 1);
    assert_eq!(server::decode(&empty, 0), Ok(ClientFrame::ChatMssg { user: "bob", body: "" }));
}

#[test]
fn what_a_client_refuses() {
    let empty = CHAT.replacen("CHAT_MESSAGE hi", " \n", 1);
    assert_eq!(client::decode(&empty, 100), Err(ProtocolError::Missing { what: "body" }));
    let unnamed = STATE_UPG_2.replacen("bob", "   ", 1);
    assert_eq!(client::decode(&unnamed, 100), Err(ProtocolError::Missing { what: "user name" }));
    assert!(client::decode(SET_USR, 100).is_err(), "a client's type from a server");
}

#[test]
fn bodies_are_read_by_the_convention() {
    for (body, read) in [
        ("CHAT_MESSAGE hi ", Body::Message("hi ")),
        ("CHAT_MESSAGE  hi", Body::Message(" hi")),
        ("CHAT_MESSAGE", Body::Message("")),
        ("CHAT_MESSAGE ", Body::Message("")),
        ("CHAT_MESSAGEhi", Body::Other("CHAT_MESSAGEhi")),
        ("chat_message hi", Body::Other("chat_message hi")),
        ("CHAT_TYPING_INDICATOR", Body::Typing),
        ("CHAT_TYPING_INDICATOR \n", Body::Typing),
        ("CHAT_TYPING_INDICATOR x", Body::Other("CHAT_TYPING_INDICATOR x")),
        ("", Body::Other("")),
    ] {
        assert_eq!(Body::read(body), read, "{body:?}");
    }
    for blank in ["", " \t", "\u{feff}\u{3000}", "\u{85}\u{1c}"] {
        assert!(Body::Other(blank).is_blank() && Body::Message(blank).is_blank(), "{blank:?}");
    }
    assert!(!Body::Other("\u{1}").is_blank() && !Body::Typing.is_blank());
}

/// A client for `bob` that has been sent these messages, and what it did at the last.
fn after(messages: &[&str]) -> (TmpClient, ClientOutbox) {
    let mut client = TmpClient::new(" bob ").unwrap();
    let mut out = ClientOutbox::default();
    client.on_connected(Link::Main, &mut out);
    for message in messages {
        out = ClientOutbox::default();
        client.on_bytes(Link::Main, message.as_bytes(), &mut out);
    }
    (client, out)
}

fn sent(out: &ClientOutbox) -> Vec<&str> {
    out.wire.iter().map(|(_, bytes)| std::str::from_utf8(bytes).unwrap()).collect()
}

fn confusion(messages: &[&str]) -> String {
    match after(messages).1.happenings.as_slice() {
        [Happening::Confused(error)] => error.to_string(),
        other => panic!("not confused: {other:?}"),
    }
}

#[test]
fn a_client_signs_in_when_asked() {
    assert!(after(&[]).1.wire.is_empty(), "the server speaks first");
    assert_eq!(sent(&after(&[server::STATE_UPG_1]).1), [SET_USR]);
    let renamed = STATE_UPG_2.replacen("bob ", "bob2", 1);
    let (_, out) = after(&[server::STATE_UPG_1, &renamed]);
    assert_eq!(out.happenings, [Happening::SignedIn { name: "bob2".into() }]);
}

#[test]
fn a_client_tries_another_name() {
    let (mut client, out) = after(&[server::STATE_UPG_1, CONFLICT]);
    let refused =
        Happening::Refused { code: "SET_USR_CONFLICT".into(), reason: "the name \"bob\" is taken".into() };
    assert_eq!(out.happenings, [refused]);
    let mut out = ClientOutbox::default();
    client.rename("rob", &mut out).unwrap();
    assert_eq!(sent(&out), [SET_USR.replacen("bob", "rob", 1)]);
    assert!(client.rename(&"x".repeat(21), &mut out).is_err());
}

#[test]
fn names_that_do_not_fit_are_refused_before_they_are_sent() {
    assert!(TmpClient::new(" \t").is_err());
    assert!(TmpClient::new(&"x".repeat(20)).is_ok() && TmpClient::new(&"🦀".repeat(10)).is_ok());
    let error = TmpClient::new(&"🦀".repeat(11)).unwrap_err();
    assert!(error.to_string().contains("at most 20 UTF-16 units"), "{error}");
}

#[test]
fn a_client_hears_others_but_not_itself() {
    let named = [server::STATE_UPG_1, STATE_UPG_2];
    let hear = |message: &str| after(&[named[0], named[1], message]).1.happenings;
    let ana = |body: &str| CHAT.replacen("bob", "ana", 1).replacen("CHAT_MESSAGE hi", body, 1);
    let said = |text: &str, private| Happening::Message { from: "ana".into(), text: text.into(), private };
    assert_eq!(hear(CHAT), []);
    assert_eq!(hear(&ana("CHAT_MESSAGE hi")), [said("hi", false)]);
    assert_eq!(hear(&ana("CHAT_MESSAGE (private) hi")), [said("hi", true)]);
    assert_eq!(hear(&ana("hi")), [said("hi", false)]);
    assert_eq!(hear(&ana("CHAT_TYPING_INDICATOR")), [Happening::Typing { from: "ana".into() }]);
}

#[test]
fn a_client_is_confused_by_frames_in_the_wrong_state() {
    let (upg_1, end) = (server::STATE_UPG_1, server::DISCONNECT);
    assert_eq!(confusion(&[STATE_UPG_2]), "STATE_UPG_2 is not allowed before STATE_UPG_1");
    assert_eq!(confusion(&[CONFLICT]), "SET_USR_CONFLICT is not allowed before STATE_UPG_1");
    assert_eq!(confusion(&[upg_1, upg_1]), "STATE_UPG_1 is not allowed before STATE_UPG_2");
    assert_eq!(confusion(&[upg_1, CHAT]), "CHAT_MSSG is not allowed before STATE_UPG_2");
    assert_eq!(
        confusion(&[upg_1, STATE_UPG_2, STATE_UPG_2]),
        "STATE_UPG_2 is not allowed once a name is set"
    );
    assert_eq!(confusion(&[end, end]), "DISCONNECT is not allowed after DISCONNECT");
    assert_eq!(confusion(&["hello"]), "malformed header: \"hello\"");
}

#[test]
fn a_client_says_tells_types_and_leaves() {
    let (mut client, _) = after(&[server::STATE_UPG_1, STATE_UPG_2]);
    let mut out = ClientOutbox::default();
    client.say("hi \n", &mut out).unwrap();
    client.tell("ana", "psst", &mut out).unwrap();
    client.typing(&mut out).unwrap();
    client.leave(&mut out);
    let chat = |body| CHAT.replacen("CHAT_MESSAGE hi", body, 1);
    let wire = [
        CHAT.to_owned(),
        chat("CHAT_MESSAGE /msg ana psst"),
        chat("CHAT_TYPING_INDICATOR"),
        EXIT_CHAT.to_owned(),
    ];
    assert_eq!(sent(&out), wire);
    assert!(client.say(" ", &mut out).is_err() && client.tell("ana", "\n", &mut out).is_err());

    let mut out = ClientOutbox::default();
    client.on_bytes(Link::Main, server::DISCONNECT.as_bytes(), &mut out);
    client.on_closed(Link::Main, &mut out);
    let ended = Happening::Ended { reason: "the server ended the session".into() };
    assert_eq!(out.happenings, [ended, Happening::Hangup { link: Link::Main }]);
    assert!(client.say("hi", &mut out).is_err(), "after the end");
}

#[test]
fn a_client_says_nothing_before_it_has_a_name() {
    let (mut client, mut out) = after(&[server::STATE_UPG_1]);
    out.wire.clear();
    assert!(client.say("hi", &mut out).is_err() && client.typing(&mut out).is_err());
    assert!(out.wire.is_empty());
    client.on_closed(Link::Main, &mut out);
    let ended = Happening::Ended { reason: "the server closed the connection".into() };
    assert_eq!(out.happenings, [ended]);
}

#[test]
fn the_fuzz_hook_replays() {
    let all = [server::STATE_UPG_1, CONFLICT, STATE_UPG_2, CHAT, SET_USR, EXIT_CHAT, server::DISCONNECT];
    fuzz::fuzz(all.join("\n").as_bytes());
    for seed in [
        "",
        "tmp://",
        "\u{feff}",
        "tmp://CHAT_MSSG                       ::/\u{a0}x\u{feff}                 ::/CHAT_MESSAGE \u{85}",
        "tmp://CHAT_MSSG                       ::/🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀::/x",
        "tmp://CHAT_MSSG                       ::/ééé::/::/::/::/::/  ::/::/::/x",
    ] {
        fuzz::fuzz(seed.as_bytes());
        fuzz::fuzz(seed.repeat(2).as_bytes());
        fuzz::fuzz(format!("{seed}\n{seed}    ").as_bytes());
    }
}

/// Names that fit the field: trimmed and not empty.
fn name() -> impl Strategy<Value = String> {
    "[a-zé🦀:/ ]{1,20}"
        .prop_map(|name| clip_user(&name).to_owned())
        .prop_filter("blank", |name| !name.is_empty())
}

/// A header padded by somebody who counts otherwise.
fn padded(name: &str, body: &str, width: fn(char) -> usize) -> String {
    let pad = USER_UNITS.checked_sub(name.chars().map(width).sum()).unwrap();
    format!("tmp://CHAT_MSSG                       ::/{name}{}::/{body}", " ".repeat(pad))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn client_frames_survive_the_wire(name in name(), body in "\\PC{0,40}") {
        for frame in [
            ClientFrame::SetUsr { name: &name },
            ClientFrame::ChatMssg { user: &name, body: &body },
            ClientFrame::ExitChat,
        ] {
            let wire = from_client(&frame);
            prop_assert_eq!(server::decode(&wire, 1000), Ok(frame));
        }
    }

    #[test]
    fn server_frames_survive_the_wire(name in name(), text in "\\PC{0,40}x") {
        for frame in [
            ServerFrame::StateUpg2 { name: &name },
            ServerFrame::SetUsrConflict { name: &name },
            ServerFrame::ChatMssg { user: &name, body: Body::Message(&text) },
            ServerFrame::ChatMssg { user: &name, body: Body::Typing },
        ] {
            let wire = from_server(&frame);
            prop_assert_eq!(client::decode(&wire, 1000), Ok(frame));
        }
    }

    #[test]
    fn each_way_of_counting_is_understood(name in "[a-zé🦀]{1,5}", body in "[a-z🦀/ ]{0,9}") {
        // A body with a mark in just the wrong place could be read in two ways: then UTF-16 wins.
        for width in [char::len_utf16, |_| 1, char::len_utf8] {
            let frame = ClientFrame::ChatMssg { user: &name, body: &body };
            let wire = padded(&name, &body, width);
            prop_assert_eq!(server::decode(&wire, 1000), Ok(frame));
        }
    }

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::fuzz(&data);
    }

    #[test]
    fn anything_after_a_header_is_survived(
        kind in "SET_USR  |CHAT_MSSG|EXIT_CHAT|DISCONNECT",
        rest in "[ :/é🦀\u{feff}x]{0,60}",
    ) {
        fuzz::fuzz(format!("tmp://{kind}                       ::/{rest}").as_bytes());
    }
}
