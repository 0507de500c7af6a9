//! Orders to a running server: the command, and the API behind it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::clients::{Browser, Messenger, Socket, empty_page};
use crate::fixture::{Process, Server, polylogue};
use crate::stream::{PATIENCE, Stream};

/// A server with a folder.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(&[&["--data", self.folder()], arguments].concat())
    }

    /// Gives an order; exit code, output, errors.
    fn order(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = polylogue().args(["admin", "--data", self.folder()]).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// An order that succeeds.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let (code, text, errors) = self.order(arguments);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{arguments:?}: {text}");
        text
    }

    /// The same, as programs read it.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }
}

/// Asks the API itself.
fn ask(socket: &Path, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    // A body that is too long is answered before all of it is there.
    let _ = stream.write_all(body.as_bytes());
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = String::new();
    let _ = reader.read_to_string(&mut body);
    (status, serde_json::from_str(&body).unwrap())
}

/// Joins a room from one of this machine's addresses.
fn join_from(own: &str, address: SocketAddr, name: &str) -> (TcpStream, Stream) {
    let stream = connect_from(own, address);
    (&stream).write_all(format!("{name}_den\n").as_bytes()).unwrap();
    let mut incoming = Stream::new(name, stream.try_clone().unwrap());
    incoming.expect("200\n");
    (stream, incoming)
}

fn connect_from(own: &str, address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&format!("{own}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

fn irc(address: SocketAddr, nick: &str) -> Socket {
    let mut socket = Socket::connect(nick, address);
    socket.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n"));
    socket.expect(" 001 ");
    socket.send("JOIN #lobby\r\n");
    socket.expect(" 366 ");
    socket
}

#[test]
fn words_to_everybody_reach_all_six_protocols() {
    let place = Place::new();
    let server = place.serve(&[]);
    let address = server.address();
    let mut rooms = Socket::connect("rooms", address);
    rooms.send("nora_den\n");
    rooms.expect("200\n");
    let tess = Browser::open(&empty_page());
    tess.join(address, "tess");
    let mut mia = Socket::connect("muca", address);
    mia.send(r#"{"CMD": "JOIN", "UN": "mia", "UID": "mia@test"}"#);
    mia.expect("OKAY");
    let mut max = Messenger::join(address, "max");
    let mut ida = irc(address, "ida");
    // A bridge client listens while it waits.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut ben = Socket::connect("bridge", address);
    ben.send(&format!("REGISTER\r\nclientID: ben\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
    ben.expect("REGACK");
    ben.send("BRIDGE\r\nclientID: ben\r\n\r\n");
    ben.expect("BRIDGEACK");

    assert_eq!(place.done(&["broadcast", "back", "at", "noon"]), "told 6 people\n");
    rooms.expect("polylogue (private) - back at noon\n");
    tess.expect("CHAT_MSSG|polylogue|CHAT_MESSAGE (private) back at noon");
    mia.expect(r#"{"UN": "polylogue", "UID": "polylogue@server"}"#);
    mia.expect(r#"{"CMD": "MSG", "TYPE": "PRIVATE", "MSG": "back at noon", "FROM": "polylogue@server"}"#);
    max.expect("polylogue", "back at noon");
    ida.expect(":polylogue.local NOTICE ida :back at noon\r\n");
    let (call, _) = listener.accept().unwrap();
    let mut call = Stream::new("ben's call", call);
    call.expect("CHAT\r\nclientID: polylogue\r\n");
    call.expect("back at noon");

    let (code, _, errors) = place.order(&["broadcast", " "]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.starts_with("error: ") && errors.contains("\nhint: "), "{errors}");
}

#[test]
fn sessions_are_listed_and_ended_with_a_reason() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut ana = Socket::connect("ana", server.address());
    ana.send("Ana Lee_den\n");
    ana.expect("200\n");
    let mut ida = irc(server.address(), "ida");
    let table = place.done(&["sessions"]);
    assert!(table.starts_with("NAME     ACCOUNT  PROTOCOL  ADDRESS"), "{table}");
    let line = table.lines().find(|line| line.starts_with("Ana Lee")).unwrap();
    assert!(line.contains(" rooms ") && line.contains(" 127.0.0.1 ") && line.ends_with(" den"), "{table}");
    let all = place.json(&["sessions"]);
    let all = all["sessions"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!((&all[1]["user"], &all[1]["protocol"]), (&"ida".into(), &"irc".into()));

    assert_eq!(place.done(&["sessions", "end", "ana lee", "--reason", "spam & more"]), "ended Ana Lee\n");
    ana.expect("polylogue (private) - Ended by whoever runs the server: spam & more\n");
    ana.incoming.end();
    place.done(&["sessions", "end", "ida"]);
    ida.expect("ERROR :Closing link: localhost (Ended by whoever runs the server)\r\n");
    let (code, _, errors) = place.order(&["sessions", "end", "ida"]);
    assert_eq!(code, Some(1));
    assert!(errors.ends_with("\nhint: polylogue admin sessions lists who is here\n"), "{errors}");
}

#[test]
fn rooms_are_shown_and_closed() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut ida = irc(server.address(), "ida");
    ida.send("JOIN #den\r\nTOPIC #den :tea\r\nMODE #den +k secret\r\n");
    ida.expect("MODE #den +k");
    let rooms = place.done(&["rooms"]);
    assert!(rooms.starts_with("ROOM   MEMBERS  MADE"), "{rooms}");
    let den = rooms.lines().find(|line| line.starts_with("den ")).unwrap();
    assert!(den.ends_with("Z  tea"), "{rooms}");
    let shown = place.done(&["rooms", "show", "#den"]);
    assert!(shown.contains("\ntopic   tea\n") && shown.contains(", key\n"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.lines().last().unwrap().starts_with("ida   -        irc       operator"), "{shown}");
    let mut nora = Socket::connect("nora", server.address());
    nora.send("nora_lobby\n");
    nora.expect("200\n");

    assert_eq!(place.done(&["rooms", "close", "den", "--reason", "late"]), "put out 1 person\n");
    ida.expect(":polylogue.local KICK #den ida :late\r\n");
    assert_eq!(place.done(&["rooms", "close", "lobby", "--reason", "late"]), "put out 2 people\n");
    ida.expect(":polylogue.local KICK #lobby ida :late\r\n");
    nora.expect("polylogue (private) - * the server put you out of the room (late)\n");
    nora.incoming.end();
    let rooms = place.json(&["rooms"]);
    assert_eq!(rooms["rooms"].as_array().unwrap().len(), 1, "{rooms}");
    assert_eq!(place.order(&["rooms", "show", "den"]).0, Some(1));
}

#[test]
fn a_ban_ends_and_refuses_and_outlasts_the_server() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let address = server.address();
    let (_ana, mut ana) = join_from("127.0.0.9", address, "ana");
    let (bob_out, mut bob) = join_from("127.0.0.1", address, "bob");
    // Those who haven't logged in, on each protocol that can be spoken without, go too.
    let begun =
        ["REGISTER\r\nclientID: ben\r\nIP: 127.0.0.1\r\nPort: 1\r\n\r\n", "NICK ida\r\n", "{", "SEND"];
    let begun = begun.map(|text| {
        let mut stream = connect_from("127.0.0.9", address);
        stream.write_all(text.as_bytes()).unwrap();
        Stream::new(text, stream)
    });
    let end = std::time::Instant::now() + PATIENCE;
    while place.json(&["status"])["sessions"] != 6 {
        assert!(std::time::Instant::now() < end, "not all have begun: {}", place.done(&["sessions"]));
    }
    assert_eq!(
        place.done(&["bans", "add", "127.0.0.8/30", "--reason", "rude"]),
        "banned 127.0.0.8/30 for ever; ended 5 sessions\n"
    );
    ana.expect("polylogue (private) - Banned: rude\n");
    ana.end();
    for mut begun in begun {
        begun.end();
    }
    let refused = |address| {
        let mut eve = connect_from("127.0.0.10", address);
        eve.write_all(b"NICK eve\r\nUSER eve 0 * :eve\r\n").unwrap();
        Stream::new("eve", eve).expect("ERROR :Closing link: 127.0.0.10 (Banned: rude)\r\n");
        let mut tim = connect_from("127.0.0.11", address);
        tim.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        Stream::new("tim", tim).expect("HTTP/1.1 403 Forbidden\r\n");
        let mut eva = connect_from("127.0.0.8", address);
        eva.write_all(b"eva_den\n").unwrap();
        assert_eq!(Stream::new("eva", eva).end(), "");
    };
    refused(address);
    // Nobody else is concerned.
    (&bob_out).write_all(b"still here\n").unwrap();
    bob.expect("bob - still here\n");
    let metrics = crate::http::ask(address, "GET", "/metrics", "").body;
    assert!(metrics.contains("polylogue_accepts_refused_total{reason=\"banned\"} 3"), "{metrics}");

    // It was acknowledged, so it is kept.
    server.process().signal(Signal::KILL);
    server.process().wait();
    let server = place.serve(&[]);
    refused(server.address());
    let bans = place.done(&["bans"]);
    assert!(bans.starts_with("NETWORK       SINCE"), "{bans}");
    assert!(bans.lines().nth(1).unwrap().ends_with("  -      rude"), "{bans}");
    assert_eq!(place.done(&["bans", "remove", "127.0.0.8/30"]), "no longer banned: 127.0.0.8/30\n");
    join_from("127.0.0.9", server.address(), "ana");
    assert_eq!(place.done(&["bans"]), "nobody is banned\n");

    let (code, _, errors) = place.order(&["bans", "remove", "127.0.0.8/30"]);
    assert_eq!(code, Some(1), "{errors}");
    let (code, _, errors) = place.order(&["bans", "add", "example.org"]);
    assert_eq!(
        (code, errors.as_str()),
        (
            Some(2),
            "error: \"example.org\" is no address and no network\n\
             hint: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32\n"
        )
    );
}

#[test]
fn what_can_not_be_kept_is_not_said_to_be() {
    use rustix::process::{Resource, Rlimit, prlimit};
    let place = Place::new();
    let mut server = place.serve(&[]);
    let limit = |server: &mut Server, current| {
        prlimit(Some(server.process().id()), Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
    };
    // From here on no file may be written to.
    limit(&mut server, Some(1));
    let (code, text, errors) = place.order(&["bans", "add", "192.0.2.1"]);
    assert_eq!((code, text.as_str()), (Some(0), "banned 192.0.2.1/32 for ever; ended 0 sessions\n"));
    assert_eq!(errors, "warning: it isn't kept: the next start of the server knows nothing of it\n");
    assert_eq!(place.json(&["status"])["store"]["failing"], true);
    assert!(place.done(&["status"]).contains(", CAN'T BE WRITTEN)"));
    let made = with_password(&place, &["accounts", "add", "ana"], "correct horse");
    assert!(made.1.ends_with("knows nothing of it\n"), "{}", made.1);

    limit(&mut server, None);
    place.done(&["bans", "add", "192.0.2.2"]);
    assert_eq!(place.json(&["status"])["store"]["failing"], false);
    server.process().signal(Signal::KILL);
    server.process().wait();
    let _server = place.serve(&[]);
    let bans = place.json(&["bans"]);
    assert_eq!(bans["bans"].as_array().unwrap().len(), 1, "{bans}");
    assert_eq!(place.done(&["accounts"]), "there are no accounts\n");
}

#[test]
fn a_ban_for_a_time_ends_by_itself() {
    let place = Place::new();
    let server = place.serve(&[]);
    let text = place.done(&["bans", "add", "127.0.0.9", "--for", "1s"]);
    assert!(text.starts_with("banned 127.0.0.9/32 until "), "{text}");
    let end = std::time::Instant::now() + PATIENCE;
    while place.done(&["bans"]) != "nobody is banned\n" {
        assert!(std::time::Instant::now() < end, "the ban doesn't end");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    join_from("127.0.0.9", server.address(), "ana");
}

#[test]
fn a_drained_server_takes_nobody_and_ends_when_all_have_left() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let (ana_out, mut ana) = join_from("127.0.0.1", server.address(), "ana");
    let text = place.done(&["drain", "--for", "1h", "moving house"]);
    assert!(text.starts_with("told 1 person; the server ends when all have left, at "), "{text}");
    ana.expect("polylogue (private) - moving house\n");
    let mut eve = Socket::connect("eve", server.address());
    eve.send("NICK eve\r\nUSER eve 0 * :eve\r\n");
    eve.expect("ERROR :Closing link: 127.0.0.1 (Server going down)\r\n");
    assert_eq!(crate::http::ask(server.address(), "GET", "/healthz", "").status, 503);
    assert!(place.done(&["status"]).contains("\nends by "));
    // Who is here is served.
    (&ana_out).write_all(b"bye\n").unwrap();
    ana.expect("ana - bye\n");

    assert_eq!(place.done(&["drain", "--cancel"]), "the server goes on\n");
    ana.expect("polylogue (private) - The server goes on after all.\n");
    let (bob_out, _bob) = join_from("127.0.0.1", server.address(), "bob");
    assert_eq!(place.order(&["drain", "--cancel"]).0, Some(1));

    place.done(&["drain", "--for", "1h"]);
    ana.expect("polylogue (private) - The server is ending in 3600 seconds, or when everybody has left.\n");
    for leaving in [ana_out, bob_out] {
        leaving.shutdown(std::net::Shutdown::Write).unwrap();
    }
    assert_eq!(server.process().wait().code(), Some(0));
    assert!(!place.socket().exists());
}

#[test]
fn a_drained_server_ends_when_the_time_is_over() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let (_out, mut ana) = join_from("127.0.0.1", server.address(), "ana");
    place.done(&["drain", "--for", "0"]);
    ana.expect("polylogue (private) - The server is ending now.\n");
    ana.expect("/exit");
    assert_eq!(server.process().wait().code(), Some(0));
}

#[test]
fn what_was_said_is_found_also_in_rooms_that_are_gone() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let (out, mut ana) = join_from("127.0.0.1", server.address(), "ana");
    let mut ida = irc(server.address(), "ida");
    for number in 1..=3 {
        (&out).write_all(format!("lunch number {number}\n").as_bytes()).unwrap();
        ana.expect(&format!("lunch number {number}\n"));
    }
    ida.send("PRIVMSG #lobby :\u{1}ACTION has lunch\u{1}\r\nPRIVMSG ana :a secret lunch\r\n");
    ana.expect("a secret lunch");
    server.process().signal(Signal::TERM);
    server.process().wait();
    let _server = place.serve(&[]);
    let texts = |answer: &Value| -> Vec<String> {
        let events = answer["events"].as_array().unwrap().iter();
        events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
    };
    let found = place.json(&["search", "lunch"]);
    assert_eq!(texts(&found), ["lunch number 1", "lunch number 2", "lunch number 3", "has lunch"]);
    assert_eq!(found["events"][0]["room"], "den");
    assert_eq!(texts(&place.json(&["search", "lunch", "2"])), ["lunch number 2"]);
    assert_eq!(texts(&place.json(&["search", "--from", "ida"])), ["has lunch"]);
    assert_eq!(texts(&place.json(&["search", "lunch", "--room", "#lobby"])), ["has lunch"]);
    let shown = place.done(&["search", "has"]);
    assert!(shown.ends_with("Z lobby * ida has lunch\n"), "{shown}");
    assert_eq!(place.done(&["search", "dinner"]), "nothing was found\n");

    let latest = place.json(&["rooms", "history", "den", "--limit", "2"]);
    assert_eq!(texts(&latest), ["lunch number 2", "lunch number 3"]);
    let id = latest["events"][0]["id"].as_str().unwrap();
    assert_eq!(texts(&place.json(&["rooms", "history", "den", "--before", id])), ["lunch number 1"]);
    assert_eq!(texts(&place.json(&["rooms", "history", "den", "--after", id])), ["lunch number 3"]);
    assert_eq!(texts(&place.json(&["rooms", "history", "den", "--after", "2100-01-01"])), [""; 0]);
    let (code, _, errors) = place.order(&["rooms", "history", "den", "--after", "noon"]);
    assert_eq!(code, Some(2));
    assert!(errors.starts_with("error: after is \"noon\"\nhint: write a message's id"), "{errors}");
}

/// Somebody on IRC who logs in to an account; what the server says to that.
fn log_in(address: SocketAddr, nick: &str, password: &str, wanted: &str) -> Socket {
    let mut socket = Socket::connect(nick, address);
    socket
        .send(&format!("CAP REQ :sasl\r\nNICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nAUTHENTICATE PLAIN\r\n"));
    socket.expect("AUTHENTICATE +\r\n");
    let proof = base64(format!("\0{nick}\0{password}").as_bytes());
    socket.send(&format!("AUTHENTICATE {proof}\r\n"));
    socket.expect(wanted);
    socket.send("CAP END\r\n");
    socket
}

fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            text.push(match digit <= three.len() {
                true => char::from(digits[(number >> (18 - 6 * digit)) as usize & 63]),
                false => '=',
            });
        }
    }
    text
}

/// An order that asks for a password.
fn with_password(place: &Place, arguments: &[&str], password: &str) -> (Option<i32>, String) {
    let mut command = polylogue();
    command.args(["admin", "--data", place.folder()]).args(arguments).stderr(std::process::Stdio::piped());
    let mut process = Process::start("polylogue admin", &mut command);
    process.write(&format!("{password}\n"));
    let text = process.stdout.end() + &process.stderr.as_mut().unwrap().end();
    (process.wait().code(), text)
}

#[test]
fn accounts_are_made_changed_given_out_erased_and_removed() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    assert_eq!(place.done(&["accounts"]), "there are no accounts\n");
    let made = with_password(&place, &["accounts", "add", "ana"], "correct horse");
    assert_eq!(made, (Some(0), "made the account ana\n".to_owned()));
    let again = with_password(&place, &["accounts", "add", "Ana"], "another one");
    assert_eq!(again.0, Some(1), "{}", again.1);
    let short = with_password(&place, &["accounts", "add", "bob"], "short");
    assert_eq!(short.0, Some(2), "{}", short.1);
    assert!(short.1.contains("it has fewer than 6 characters"), "{}", short.1);

    let mut ana = log_in(server.address(), "ana", "correct horse", " 903 ");
    ana.expect(" 001 ");
    ana.send("JOIN #den\r\nPRIVMSG #den :mine\r\nPRIVMSG #den :mine too\r\nPING done\r\n");
    ana.expect("PONG polylogue.local");
    let mut ida = irc(server.address(), "ida");
    ida.send("JOIN #den\r\nPRIVMSG #den :not hers\r\n");
    ana.expect("not hers");
    let accounts = place.done(&["accounts"]);
    assert!(accounts.starts_with("ACCOUNT  SINCE"), "{accounts}");
    let accounts = place.json(&["accounts"]);
    assert_eq!(
        (&accounts["accounts"][0]["name"], &accounts["accounts"][0]["sessions"]),
        (&"ana".into(), &1.into())
    );
    let shown = place.done(&["sessions"]);
    assert!(shown.lines().any(|line| line.starts_with("ana   ana      irc")), "{shown}");

    let changed = with_password(&place, &["accounts", "password", "ana"], "battery staple");
    assert_eq!(changed, (Some(0), "ana has another password\n".to_owned()));
    // It was acknowledged, so it is kept.
    server.process().signal(Signal::KILL);
    server.process().wait();
    let server = place.serve(&[]);
    log_in(server.address(), "ana", "correct horse", " 904 ");
    log_in(server.address(), "ana", "battery staple", " 903 ");

    let given = place.done(&["accounts", "export", "ana"]);
    let lines: Vec<Value> = given.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["account"], "ana");
    let texts: Vec<_> = lines[1..].iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["mine", "mine too"]);
    assert_eq!(place.done(&["accounts", "erase", "ana"]), "erased 2 messages\n");
    assert_eq!(place.done(&["accounts", "export", "ana"]).lines().count(), 1, "the account itself");
    let left = place.done(&["rooms", "history", "den"]);
    assert!(left.ends_with(" den <ida> not hers\n") && left.lines().count() == 1, "{left}");

    assert_eq!(place.done(&["accounts", "remove", "ana"]), "removed the account ana\n");
    assert_eq!(place.done(&["accounts"]), "there are no accounts\n");
    let (code, _, errors) = place.order(&["accounts", "remove", "ana"]);
    assert_eq!(code, Some(1));
    assert!(errors.ends_with("\nhint: polylogue admin accounts lists the accounts\n"), "{errors}");
}

#[test]
fn the_status_tells_what_there_is() {
    let place = Place::new();
    let server = place.serve(&["--listen", "0=rooms"]);
    let status = place.json(&["status"]);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["listening"][1]["address"], server.pinned("rooms").to_string());
    assert_eq!(status["listening"][1]["protocol"], "rooms");
    assert_eq!(status["store"]["failing"], false);
    assert!(status["store"]["bytes"].as_u64().unwrap() > 0);
    let text = place.done(&["status"]);
    assert!(text.starts_with(concat!("version      ", env!("CARGO_PKG_VERSION"), "\n")), "{text}");
}

#[test]
fn a_socket_is_found_where_a_server_is_and_no_other_takes_it() {
    let place = Place::new();
    let (code, text, errors) = place.order(&["status"]);
    let socket = place.socket();
    let expected = format!(
        "error: no server is running there: nobody listens at {}\n\
         hint: polylogue serve starts one; --data DIR or --socket PATH name another\n",
        socket.display()
    );
    assert_eq!((code, text.as_str(), errors), (Some(1), "", expected));

    let mut server = place.serve(&[]);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let path = socket.to_str().unwrap();
    let output = polylogue().args(["serve", "--listen", "0", "--admin-socket", path]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("is the socket of another server, which runs\nhint: "), "{errors}");

    // One that was killed leaves its socket, and the next takes it over.
    server.process().signal(Signal::KILL);
    server.process().wait();
    assert!(socket.exists());
    assert_eq!(place.order(&["status"]).0, Some(1));
    let mut server = place.serve(&[]);
    place.done(&["status"]);
    server.process().signal(Signal::TERM);
    server.process().wait();
    assert!(!socket.exists());
}

#[test]
fn a_server_that_keeps_nothing_takes_orders_where_it_is_told() {
    let place = Place::new();
    let socket = place.socket();
    let path = socket.to_str().unwrap();
    let _server = Server::start(&["--ephemeral", "--admin-socket", path]);
    let order = |arguments: &[&str]| {
        let output = polylogue().args(["admin", "--socket", path]).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, text, _) = order(&["status"]);
    assert!(code == Some(0) && text.contains("nothing is kept"), "{text}");
    let (code, _, errors) = order(&["bans", "add", "192.0.2.0/24"]);
    assert_eq!(code, Some(0));
    assert!(errors.starts_with("warning: it isn't kept"), "{errors}");
    let (code, _, errors) = order(&["search", "x"]);
    assert_eq!(
        (code, errors.as_str()),
        (Some(1), "error: this server keeps nothing\nhint: start it without --ephemeral\n")
    );
    // Nobody has said where.
    let output = polylogue().args(["admin", "status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_api_answers_mistakes_with_what_and_hint() {
    let place = Place::new();
    let _server = place.serve(&[]);
    let socket = place.socket();
    let long = format!("{{\"text\": \"{}\"}}", "x".repeat(70_000));
    for (method, path, body, status) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/", "", 404),
        ("POST", "/status", "", 405),
        ("GET", "/broadcast", "", 405),
        ("PUT", "/rooms/den", "", 405),
        ("POST", "/broadcast", "", 400),
        ("POST", "/broadcast", "{", 400),
        ("POST", "/broadcast", r#"{"text": 1}"#, 400),
        ("POST", "/broadcast", r#"{"text": "x", "too": "x"}"#, 400),
        ("POST", "/broadcast", &long, 413),
        ("POST", "/drain", r#"{"seconds": 99999999}"#, 400),
        ("DELETE", "/drain", "", 409),
        ("DELETE", "/sessions/nobody", "", 404),
        ("DELETE", "/sessions/%FF", "", 400),
        ("GET", "/rooms/nowhere", "", 404),
        ("GET", "/rooms/lobby/history?limit=0", "", 400),
        ("GET", "/history/search?txet=x", "", 400),
        ("DELETE", "/bans/192.0.2.0/24", "", 404),
        ("POST", "/bans", r#"{"net": "192.0.2.1", "for_s": 0}"#, 400),
    ] {
        let (found, answer) = ask(&socket, method, path, body);
        assert_eq!(found, status, "{method} {path}: {answer}");
        for word in ["what", "hint"] {
            assert!(
                answer["error"][word].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path}: {answer}"
            );
        }
    }
    let (status, answer) = ask(&socket, "POST", "/bans", r#"{"net": "192.0.2.9/24"}"#);
    assert_eq!((status, &answer["net"], &answer["kept"]), (201, &"192.0.2.0/24".into(), &true.into()));
    assert_eq!(ask(&socket, "DELETE", "/bans/192.0.2.0/24", "").0, 200);
}

#[test]
fn nobody_else_gives_orders_and_the_network_has_none() {
    let place = Place::new();
    let server = place.serve(&[]);
    assert_eq!(crate::http::ask(server.address(), "GET", "/status", "").status, 404);
    assert_eq!(crate::http::ask(server.address(), "GET", "/sessions", "").status, 404);
    if !rustix::process::geteuid().is_root() {
        // To be somebody else takes root; what is left to see is that the file keeps others out.
        assert_eq!(std::fs::metadata(place.socket()).unwrap().permissions().mode() & 0o077, 0);
        return;
    }
    // Even if the file were open to everybody.
    std::fs::set_permissions(place.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(place.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX)\n\
                  s.connect(sys.argv[1])\n\
                  s.sendall(b'POST /drain HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n')\n\
                  while part := s.recv(4096): sys.stdout.write(part.decode())\n";
    let mut stranger = Command::new("python3");
    stranger.args(["-c", script]).arg(place.socket());
    std::os::unix::process::CommandExt::uid(&mut stranger, 65_534);
    let mut stranger = Process::start("python3", &mut stranger);
    stranger.stdout.expect("HTTP/1.1 403 Forbidden\r\n");
    stranger.stdout.expect("only the user that the server runs as, and root, may give it orders");
    assert!(place.done(&["status"]).contains("running for"));
}

/// The examples of the page, in order, against one server.
#[test]
fn the_examples_of_the_page_do_what_they_show() {
    const PAGE: &str = include_str!("../../../../docs/admin.md");
    let place = Place::new();
    let server = place.serve(&[]);
    let mut ana = Socket::connect("ana", server.address());
    ana.send("ana_den\n");
    ana.expect("200\n");
    ana.send("lunch at noon?\n");
    ana.expect("ana - lunch at noon?\n");
    let mut bo = irc(server.address(), "bo");
    let (mut orders, mut requests) = (0, 0);
    for block in PAGE.split("```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').unwrap();
        for example in text.split("$ polylogue admin ").skip(1).filter(|_| kind == "console") {
            let (arguments, expected) = example.split_once('\n').unwrap();
            let arguments = words(arguments);
            let came = place.done(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert_fits(expected.trim_end(), came.trim_end());
            orders += 1;
            // Nobody is counted who is about to go.
            match arguments[0].as_str() {
                "sessions" if arguments.len() > 1 => drop(bo.incoming.expect("ERROR")),
                "rooms" if arguments.iter().any(|word| word == "close") => drop(ana.incoming.end()),
                _ => {}
            }
        }
        let lines: Vec<_> = text.lines().filter(|_| kind == "http").collect();
        for exchange in lines.chunks(2) {
            let mut request = exchange[0].splitn(3, ' ');
            let (method, path) = (request.next().unwrap(), request.next().unwrap());
            let (status, answer) = ask(&place.socket(), method, path, request.next().unwrap_or_default());
            assert_fits(exchange[1], &format!("{status} {answer}"));
            requests += 1;
        }
    }
    assert_eq!((orders, requests), (18, 4), "each example is run");
}

/// A command line's words.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// Fails unless each line is what was expected, with anything for `…`; how far columns are apart doesn't matter.
#[track_caller]
fn assert_fits(expected: &str, came: &str) {
    let closed_up = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = |expected: &str, came: &str| {
        let mut parts = expected.split('…');
        let Some(mut rest) = came.strip_prefix(parts.next().unwrap()) else { return false };
        let mut last = None;
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
            last = Some(part);
        }
        rest.is_empty() || last == Some("")
    };
    let all = expected.lines().count() == came.lines().count()
        && expected
            .lines()
            .zip(came.lines())
            .all(|(expected, came)| fits(&closed_up(expected), &closed_up(came)));
    assert!(all, "expected:\n{expected}\ncame:\n{came}");
}
