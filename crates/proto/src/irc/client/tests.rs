use super::*;
use crate::client::Client as _;

fn client(capabilities: &[&str]) -> Client {
    let capabilities = capabilities.iter().map(|&name| name.to_owned()).collect();
    let room = Some("#den".to_owned());
    Client::new(Options { nick: "ana".to_owned(), room, capabilities, people: true, password: None })
}

/// What a client writes and tells after it has read this, cut in pieces of `cut` bytes.
fn after(client: &mut Client, input: &str, cut: usize) -> (String, Vec<Happening>) {
    let mut out = ClientOutbox::default();
    for piece in input.as_bytes().chunks(cut) {
        client.on_bytes(Link::Main, piece, &mut out);
    }
    let wire = out.wire.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    (wire, out.happenings)
}

const WELCOME: &str = ":s 001 ana :hi\r\n:s 375 ana :motd\r\n:s 376 ana :end\r\n";
const JOINED: &str = ":ana!a@h JOIN #den\r\n:s 353 ana = #den :@ana +bob\r\n:s 366 ana #den :end\r\n";

#[test]
fn signs_in_and_hears_however_the_bytes_are_cut() {
    for cut in 1..80 {
        let mut ana = client(&[]);
        let mut out = ClientOutbox::default();
        ana.on_connected(Link::Main, &mut out);
        assert_eq!(&*out.wire[0].1, b"NICK ana\r\nUSER ana 0 * :ana\r\n");
        assert_eq!(after(&mut ana, WELCOME, cut).0, "JOIN #den\r\n");
        let names = vec!["ana".to_owned(), "bob".to_owned()];
        let signed_in = Happening::SignedIn { name: "ana".to_owned() };
        assert_eq!(after(&mut ana, JOINED, cut).1, [Happening::People { names }, signed_in]);
        let said = ":bob!b@h PRIVMSG #den :hi: there\r\n:s NOTICE * :x\n:bob!b@h PRIVMSG ana hi\r\n";
        let message = |text: &str, private| Happening::Message {
            from: "bob".to_owned(),
            text: text.to_owned(),
            private,
        };
        assert_eq!(after(&mut ana, said, cut).1, [message("hi: there", false), message("hi", true)]);
        assert_eq!(after(&mut ana, "PING :a b\r\n", cut).0, "PONG :a b\r\n");
    }
}

#[test]
fn capabilities_are_asked_for_if_they_are_offered() {
    let mut ana = client(&["echo-message", "message-tags", "none"]);
    let mut out = ClientOutbox::default();
    ana.on_connected(Link::Main, &mut out);
    assert!(out.wire[0].1.starts_with(b"CAP LS 302\r\n"));
    assert_eq!(after(&mut ana, ":s CAP * LS * :a=1 echo-message\r\n", 9).0, "");
    let asked = after(&mut ana, ":s CAP * LS :message-tags sasl=PLAIN\r\n", 9).0;
    assert_eq!(asked, "CAP REQ :echo-message message-tags\r\n");
    assert_eq!(after(&mut ana, ":s CAP ana ACK :echo-message message-tags\r\n", 9).0, "CAP END\r\n");
    after(&mut ana, WELCOME, 99);
    after(&mut ana, JOINED, 99);
    assert!(ana.has("echo-message"));
    let echo = after(&mut ana, "@a=b :ana!a@h PRIVMSG #den :x\r\n", 9).1;
    assert_eq!(echo, [Happening::Delivered { to: "#den".to_owned() }]);
    let typing = after(&mut ana, "@+typing=active :bob!b@h TAGMSG #den\r\n", 9).1;
    assert_eq!(typing, [Happening::Typing { from: "bob".to_owned() }]);
    ana.typing(&mut out).unwrap();
    assert_eq!(out.wire.last().unwrap().1, "@+typing=active TAGMSG #den\r\n");
}

#[test]
fn refusals_and_ends() {
    let mut ana = client(&[]);
    let (_, told) = after(&mut ana, ":s 433 * ana :taken\r\n", 99);
    assert_eq!(told, [Happening::Refused { code: "433".to_owned(), reason: "taken".to_owned() }]);
    let mut out = ClientOutbox::default();
    assert!(ana.say("x", &mut out).is_err());
    ana.try_nick("eve", &mut out);
    assert_eq!(out.wire[0].1, "NICK eve\r\n");
    let (_, told) = after(&mut ana, "ERROR :bye\r\n", 99);
    let ended = Happening::Ended { reason: "bye".to_owned() };
    assert_eq!(told, [Happening::Hangup { link: Link::Main }, ended]);
    // A line without an end is not gathered for ever.
    let mut ana = client(&[]);
    let (_, told) = after(&mut ana, &"x".repeat(9000), 1000);
    assert!(matches!(told.as_slice(), [Happening::Confused(_), Happening::Hangup { .. }, ..]));
}

#[test]
fn what_is_said_is_one_line_each() {
    let mut ana = client(&[]);
    after(&mut ana, WELCOME, 99);
    after(&mut ana, JOINED, 99);
    let mut out = ClientOutbox::default();
    ana.say("a\r\nQUIT\n\nb", &mut out).unwrap();
    ana.tell("bob", "c", &mut out).unwrap();
    ana.history(5, &mut out);
    ana.capabilities = vec!["draft/chathistory".to_owned()];
    ana.history(5, &mut out);
    ana.move_to("#attic", &mut out);
    ana.say("d", &mut out).unwrap();
    ana.leave(&mut out);
    let wire: Vec<_> = out.wire.iter().map(|(_, bytes)| bytes.clone()).collect();
    let expected =
        ["PRIVMSG #den :a\r\n", "PRIVMSG #den :QUIT\r\n", "PRIVMSG #den :b\r\n", "PRIVMSG bob :c\r\n"];
    assert_eq!(wire[..4], expected);
    assert_eq!(
        wire[4..],
        [
            "CHATHISTORY LATEST #den * 5\r\n",
            "PART #den\r\n",
            "JOIN #attic\r\n",
            "PRIVMSG #attic :d\r\n",
            "QUIT\r\n"
        ]
    );
}
