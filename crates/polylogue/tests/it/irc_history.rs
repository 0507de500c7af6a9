//! What IRC clients that nobody here wrote show of what was said while they weren't there.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::clients::{Folder, Historian, Ii, Irssi, Lounge, Past, Returning, Socket, WeeChat};
use crate::fixture::Server;
use crate::people::People;
use crate::stream::PATIENCE;

const PASSWORD: &str = "correct-horse";
const NONE: [String; 0] = [];

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// The Lounge asks for what it missed (`znc.in/playback`) when it opens a room's window: from the last thing on that it
/// had written down, by the second.
#[test]
fn the_lounge_shows_what_it_missed() {
    let data = Folder::new("lounge-data");
    let server = Server::start_keeping(data.path());
    let mut people = People::gather(server.address());
    let before = people.talk("what was before");

    let mut lounge = Lounge::new();
    lounge.start();
    lounge.connect(server.address(), "lou");
    lounge.join("#lobby");
    lounge.shows("#lobby", &before);
    lounge.say("#lobby", "lou was here");
    people.max.expect("lou", "lou was here");
    people.oscar.expect("lou was here");
    let during = people.talk("what is now");
    let mine = [("lou".to_owned(), "lou was here".to_owned())];
    let so_far = [before, mine.into(), during].concat();
    lounge.shows("#lobby", &so_far);

    // It counts in seconds: what it saw in its last one it would be played again.
    let last = unix_ms() / 1000;
    while unix_ms() / 1000 == last {
        std::thread::sleep(Duration::from_millis(10));
    }
    people.oscar.send("PART #lobby\r\nJOIN #lobby\r\n");
    people.oscar.expect("366 oscar #lobby");
    lounge.part("#lobby");
    people.oscar.expect(":lou!");
    people.oscar.expect("PART #lobby");
    lounge.remembers("#lobby", false);
    people.oscar.send("MONITOR + lou\r\n");
    people.oscar.expect("730 oscar ");
    lounge.kill();
    people.oscar.expect("731 oscar :lou");
    let missed = people.talk("what lou missed");

    lounge.start();
    lounge.is_connected();
    lounge.join("#lobby");
    lounge.shows("#lobby", &[so_far.clone(), missed.clone()].concat());
    let after = people.talk("what comes after");
    lounge.shows("#lobby", &[so_far, missed, after].concat());
}

/// Makes an account, and leaves.
fn register(address: SocketAddr, name: &str) {
    let mut owner = Socket::connect(name, address);
    owner.send(&format!(
        "CAP REQ draft/account-registration\r\nNICK {name}\r\nUSER {name} 0 * :{name}\r\nCAP END\r\n"
    ));
    owner.expect(&format!(" 422 {name} "));
    owner.send(&format!("REGISTER * * {PASSWORD}\r\n"));
    owner.expect(" REGISTER SUCCESS ");
    owner.send("QUIT\r\n");
    owner.incoming.end();
}

/// Of a room whose window it has The Lounge asks nothing when it comes back: it is shown what it missed as every client
/// is that is logged in.
#[test]
fn the_lounge_comes_back_to_its_rooms() {
    let data = Folder::new("lounge-data");
    let server = Server::start_keeping(data.path());
    register(server.address(), "lou");
    let mut people = People::gather(server.address());
    let before = people.talk("what was before");
    let mut lounge = Lounge::new();
    lounge.start();
    lounge.connect_as(server.address(), "lou", PASSWORD);
    lounge.join("#lobby");
    lounge.shows("#lobby", &before);
    let during = people.talk("what is now");
    let so_far = [before, during].concat();
    lounge.shows("#lobby", &so_far);
    lounge.remembers("#lobby", true);
    lounge.kill();
    people.oscar.expect(" QUIT :");
    let missed = people.talk("what lou missed");

    lounge.start();
    lounge.is_connected();
    lounge.shows("#lobby", &[so_far.clone(), missed.clone()].concat());
    let after = people.talk("what comes after");
    lounge.shows("#lobby", &[so_far, missed, after].concat());
}

/// It is in the room, is gone for a while, and comes back: it has shown all, each once, in order. Returned is which
/// texts had a time before them.
fn comes_back(client: &mut impl Returning, people: &mut People) -> Vec<String> {
    let mut so_far = people.talk("what is now");
    shows(client, &so_far);
    client.kill();
    people.oscar.expect(" QUIT :");
    so_far.extend(people.talk("what was missed"));
    client.start_again();
    shows(client, &so_far);
    so_far.extend(people.talk("what comes after"));
    shows(client, &so_far);
    // What it was shown once it isn't shown again.
    client.kill();
    people.oscar.expect(" QUIT :");
    client.start_again();
    so_far.extend(people.talk("the end"));
    shows(client, &so_far);
    client.said().iter().filter_map(|(_, text)| Some(after_time(text)?.to_owned())).collect()
}

/// What stands after a time, if one stands before it.
fn after_time(text: &str) -> Option<&str> {
    let (time, rest) = text.strip_prefix('[')?.split_once("] ")?;
    (time.len() == "2026-01-01 12:00".len()).then_some(rest)
}

/// Waits until a client has shown the last of these, and sees that it has shown exactly these.
#[track_caller]
fn shows(client: &impl Returning, wanted: &[(String, String)]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let timeless = |(who, text): (String, String)| match after_time(&text) {
            Some(text) => (who, text.to_owned()),
            None => (who, text),
        };
        let said: Vec<_> = client.said().into_iter().map(timeless).collect();
        if said.last() == wanted.last() || Instant::now() > deadline {
            return assert_eq!(said, wanted);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn weechat_is_shown_what_it_missed() {
    let data = Folder::new("weechat-data");
    let server = Server::start_keeping(data.path());
    register(server.address(), "wendy");
    let mut people = People::gather(server.address());
    let mut client = WeeChat::log_in(server.address(), "wendy", PASSWORD, "#lobby");
    // It is told otherwise when a message was said.
    assert_eq!(comes_back(&mut client, &mut people), NONE);
}

#[test]
fn irssi_is_shown_what_it_missed() {
    let data = Folder::new("irssi-data");
    let server = Server::start_keeping(data.path());
    register(server.address(), "iris");
    let mut people = People::gather(server.address());
    let mut client = Irssi::log_in(server.address(), "iris", PASSWORD, "#lobby");
    assert_eq!(comes_back(&mut client, &mut people), NONE);
}

#[test]
fn ii_is_shown_what_it_missed() {
    let data = Folder::new("ii-data");
    let server = Server::start_keeping(data.path());
    register(server.address(), "ivan");
    let mut people = People::gather(server.address());
    let mut client = Ii::log_in(server.address(), "ivan", PASSWORD, "#lobby");
    // It knows no times but its own.
    let missed = ["nora", "tess", "mia", "max", "oscar"].map(|who| format!("{who} on what was missed"));
    assert_eq!(comes_back(&mut client, &mut people), missed);
}

#[test]
fn irc_framework_reads_what_was_said_before_it_came() {
    let data = Folder::new("framework-data");
    let server = Server::start_keeping(data.path());
    let mut people = People::gather(server.address());
    let began = unix_ms();
    let mut said = people.talk("the weather");
    people.oscar.send("PRIVMSG #lobby :\u{1}ACTION waves\u{1}\r\nNOTICE #lobby :mind the step\r\n");
    people.max.expect("oscar", "* oscar waves");
    people.max.expect("oscar", "mind the step");
    said.extend(people.talk("the news"));
    let ended = unix_ms();

    let mut frank = Historian::start(server.address(), "frank", "#lobby");
    let whole = frank.ask("LATEST #lobby * 100");
    said.splice(5..5, [("oscar", "waves"), ("oscar", "mind the step")].map(|(a, b)| (a.into(), b.into())));
    let shown: Vec<_> = whole.iter().map(|past| (past.nick.clone(), past.text.clone())).collect();
    assert_eq!(shown, said);
    assert!(whole.iter().all(|past| (began..=ended).contains(&past.unix_ms)), "{began} {ended} {whole:?}");
    assert!(whole.is_sorted_by_key(|past| past.unix_ms), "{whole:?}");
    assert!(whole.is_sorted_by(|one, next| one.msgid < next.msgid), "{whole:?}");
    let kinds: Vec<&str> = whole.iter().map(|past| past.kind.as_str()).collect();
    assert_eq!(kinds[4..8], ["privmsg", "action", "notice", "privmsg"]);

    // The same, as a client that scrolls up has it.
    let mut pages: Vec<Past> = frank.ask("LATEST #lobby * 5");
    loop {
        let page = frank.ask(&format!("BEFORE #lobby msgid={} 5", pages[0].msgid));
        let is_last = page.len() < 5;
        pages.splice(..0, page);
        if is_last {
            break;
        }
    }
    assert_eq!(pages, whole);
    let earlier = frank.ask(&format!("BEFORE #lobby timestamp=@{} 100", whole[3].unix_ms));
    assert!(!earlier.is_empty() && earlier.iter().all(|past| past.unix_ms < whole[3].unix_ms), "{earlier:?}");
    assert_eq!(earlier, whole[..earlier.len()]);
}

/// What has to be looked up is answered whenever it is found; a client gets it in the order in which it asked.
#[test]
fn requests_for_several_rooms_are_answered_in_order() {
    let data = Folder::new("playback-data");
    let server = Server::start_keeping(data.path());
    let rooms: Vec<String> = (0..20).map(|number| format!("#r{number}")).collect();
    let mut oscar = Socket::connect("oscar", server.address());
    oscar.send(&format!("NICK oscar\r\nUSER oscar 0 * :Oscar\r\nJOIN {}\r\n", rooms.join(",")));
    for (number, room) in rooms.iter().enumerate() {
        for count in 0..=(number * 7) % 20 {
            oscar.send(&format!("PRIVMSG {room} :{count} in {room}\r\n"));
        }
    }
    oscar.send("PING done\r\n");
    oscar.expect(" PONG ");
    let mut eve = Socket::connect("eve", server.address());
    eve.send(
        "CAP REQ :batch no-implicit-names znc.in/playback\r\nNICK eve\r\nUSER eve 0 * :Eve\r\nCAP END\r\n",
    );
    eve.expect(" 422 eve ");
    eve.send(&format!("JOIN {}\r\nPING joined\r\n", rooms.join(",")));
    eve.expect(" PONG ");
    for _ in 0..5 {
        // Between rooms that are played, some that are not: those are answered at once.
        eve.send(&format!("ZNC *playback PLAY {} 0\r\nPING done\r\n", rooms.join(",#nowhere,nobody,")));
        for (number, room) in rooms.iter().enumerate() {
            assert_eq!(eve.expect(&format!(" znc.in/playback {room}\r\n")).matches("PRIVMSG").count(), 0);
            for count in 0..=(number * 7) % 20 {
                let between = eve.expect(&format!(" PRIVMSG {room} :{count} in {room}\r\n"));
                assert!(!between.contains("PRIVMSG"), "{between}");
            }
        }
        eve.expect(" PONG ");
    }
}
