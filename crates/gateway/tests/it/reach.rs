//! The table in `docs/what-reaches-whom.md`, checked cell by cell: what ana does on each protocol that can express
//! it, and what bob gets on each.

use std::time::Duration;

use hub::Dialect;
use transcript::{Host, Opening, Pattern};

use crate::world::World;

const PAGE: &str = include_str!("../../../../docs/what-reaches-whom.md");

/// What people on IRC ask for here.
const CAPS: &str = "lobby+message-tags,echo-message,away-notify,draft/message-redaction";

/// How ana gets to keep order in the lobby.
const OPER: &str = "OPER root secret\r\n";

/// What the server does by itself.
const ANNOUNCEMENT: &str = "the server tells everybody `hi`";

/// Where a waiting bridge client listens.
const BOB_LISTENS: &str = "127.0.0.1:4001";

/// A row of the table: what happens, and what bob gets on each protocol.
struct Row {
    happens: String,
    cells: Vec<(Dialect, Vec<String>)>,
}

fn rows() -> Vec<Row> {
    let mut lines = PAGE.lines().skip_while(|line| !line.starts_with("| what happens")).map(cells);
    let head: Vec<Dialect> = lines
        .next()
        .unwrap()
        .iter()
        .skip(1)
        .map(|name| Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name).unwrap())
        .collect();
    assert_eq!(head.len(), Dialect::ALL.len(), "every protocol has a column");
    let rows = lines.skip(1).take_while(|cells| cells.len() > 1).map(|cells| Row {
        happens: cells[0].clone(),
        cells: head.iter().copied().zip(cells[1..].iter().map(|cell| spans(cell))).collect(),
    });
    rows.collect()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// A cell's code spans; none for a dash.
fn spans(cell: &str) -> Vec<String> {
    if cell == "–" {
        return Vec::new();
    }
    let spans: Vec<_> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(!spans.is_empty(), "a cell is a dash or has code spans: {cell}");
    spans
}

/// Brings somebody in who can be spoken to.
fn arrive(world: &mut World, name: &str, dialect: Dialect) {
    match dialect {
        Dialect::Tmp | Dialect::Muca | Dialect::Rooms | Dialect::Messenger => {
            world.joined(name, dialect, None)
        }
        Dialect::Irc => {
            world.joined(name, dialect, Some(CAPS));
        }
        Dialect::Bridge => {
            let port = if name == "bob" { 4001 } else { 4002 };
            let opening =
                Opening { name: name.to_owned(), dialect: "bridge".to_owned(), argument: None, from: None };
            world.open(&opening).unwrap();
            world
                .say(name, &format!("REGISTER\r\nclientID: {name}\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
            world.say(name, &format!("BRIDGE\r\nclientID: {name}\r\n\r\n"));
        }
    }
}

/// Lets what came be over.
fn forget(world: &mut World) {
    world.advance(Duration::from_secs(1));
    for name in world.names() {
        world.take(&name);
    }
}

fn leave(world: &mut World, name: &str, dialect: Dialect) {
    match dialect {
        Dialect::Tmp | Dialect::Muca | Dialect::Rooms | Dialect::Irc => Host::close(world, name).unwrap(),
        Dialect::Messenger => {
            Host::close(world, name).unwrap();
            Host::close(world, &format!("{name}.recv")).unwrap();
        }
        Dialect::Bridge => world.say(name, &format!("UNREGISTER\r\nclientID: {name}\r\n\r\n")),
    }
}

fn tmp_message(body: &str) -> String {
    tmp_message_of("ana", body)
}

fn tmp_message_of(name: &str, body: &str) -> String {
    format!("tmp://CHAT_MSSG                       ::/{name:20}::/{body}")
}

fn muca_send(text: &str, to: &str) -> String {
    format!(r#"{{"CMD": "SEND", "MSG": "{}", "TO": [{to}], "FROM": "ana"}}"#, text.replace('\n', "\\n"))
}

fn messenger_send(text: &str, to: &str) -> String {
    format!("SEND {to}\nContent-length: {}\n\n{text}", text.chars().count())
}

/// What ana sends to make it happen; `None`: her protocol can't express it. `dialect` is hers, `bobs` is bob's.
fn act(happens: &str, dialect: Dialect, bobs: Dialect, lunch: &str) -> Option<String> {
    let bob = bob_as_seen_by_muca(bobs);
    Some(match (happens, dialect) {
        ("ana says `hi` in the lobby", Dialect::Tmp) => tmp_message("CHAT_MESSAGE hi"),
        ("ana says `hi` in the lobby", Dialect::Muca) => muca_send("hi", ""),
        ("ana says `hi` in the lobby", Dialect::Rooms) => "hi".to_owned(),
        ("ana says `hi` in the lobby", Dialect::Messenger) => messenger_send("hi", "ALL"),
        ("ana says two lines, `one` and `two`", Dialect::Tmp) => tmp_message("CHAT_MESSAGE one\ntwo"),
        ("ana says two lines, `one` and `two`", Dialect::Muca) => muca_send("one\ntwo", ""),
        ("ana says two lines, `one` and `two`", Dialect::Rooms) => "one\ntwo".to_owned(),
        ("ana says two lines, `one` and `two`", Dialect::Messenger) => messenger_send("one\ntwo", "ALL"),
        ("ana writes `hi` to bob", Dialect::Tmp) => tmp_message("CHAT_MESSAGE /msg bob hi"),
        ("ana writes `hi` to bob", Dialect::Muca) => muca_send("hi", &format!("\"{bob}\"")),
        ("ana writes `hi` to bob", Dialect::Rooms) => "/msg bob hi".to_owned(),
        ("ana writes `hi` to bob", Dialect::Messenger) => messenger_send("hi", "bob"),
        ("ana writes `hi` to bob and carl", Dialect::Muca) => {
            muca_send("hi", &format!("\"{bob}\", \"carl@rooms\""))
        }
        ("ana is typing", Dialect::Tmp) => tmp_message("CHAT_TYPING_INDICATOR"),
        ("ana is typing", Dialect::Irc) => "@+typing=active TAGMSG #lobby\r\n".to_owned(),
        ("ana says `hi` in the lobby", Dialect::Irc) => "PRIVMSG #lobby :hi\r\n".to_owned(),
        ("ana writes `hi` to bob", Dialect::Irc) => "PRIVMSG bob :hi\r\n".to_owned(),
        ("ana does something: `waves`", Dialect::Irc) => {
            "PRIVMSG #lobby :\u{1}ACTION waves\u{1}\r\n".to_owned()
        }
        ("ana gives notice: `hi`", Dialect::Irc) => "NOTICE #lobby :hi\r\n".to_owned(),
        ("ana takes another name, `anna`", Dialect::Irc) => "NICK anna\r\n".to_owned(),
        ("ana goes away", Dialect::Irc) => "AWAY :lunch\r\n".to_owned(),
        ("ana asks bob's program something", Dialect::Irc) => "PRIVMSG bob :\u{1}VERSION\u{1}\r\n".to_owned(),
        ("ana sets the topic to `tea`", Dialect::Irc) => format!("{OPER}TOPIC #lobby :tea\r\n"),
        ("ana puts carl out of the lobby", Dialect::Irc) => format!("{OPER}KICK #lobby carl :rude\r\n"),
        ("ana makes carl an operator of the lobby", Dialect::Irc) => format!("{OPER}MODE #lobby +o carl\r\n"),
        ("ana asks bob into the room `den`", Dialect::Irc) => "JOIN #den\r\nINVITE bob #den\r\n".to_owned(),
        ("ana reacts with 👍 to `lunch?`", Dialect::Irc) => {
            format!("@+draft/react=👍;+draft/reply={lunch} TAGMSG #lobby\r\n")
        }
        ("ana takes back `lunch?`", Dialect::Irc) => format!("REDACT #lobby {lunch}\r\n"),
        _ => return None,
    })
}

/// The id of a message that ana has said, where her protocol tells ids.
fn say_lunch(world: &mut World, dialect: Dialect) -> String {
    if dialect != Dialect::Irc {
        return String::new();
    }
    world.say("ana", "PRIVMSG #lobby :lunch?\r\n");
    let echo = world.texts("ana").concat();
    let id = echo.split("msgid=").nth(1).unwrap().split([' ', ';']).next().unwrap().to_owned();
    forget(world);
    id
}

fn bob_as_seen_by_muca(dialect: Dialect) -> String {
    match dialect {
        Dialect::Muca => "bob@muca.test".to_owned(),
        Dialect::Tmp | Dialect::Rooms | Dialect::Bridge | Dialect::Messenger | Dialect::Irc => {
            format!("bob@{}", dialect.as_str())
        }
    }
}

/// Whether a cell's span, as the page writes it, is what came.
fn fits(happens: &str, span: &str, came: &str, (bobs, anas): (Dialect, Dialect)) -> bool {
    let mut written = match bobs {
        // Who has another name speaks under that one.
        Dialect::Tmp if span.ends_with("anna") => tmp_message_of("anna", span),
        Dialect::Tmp if happens == ANNOUNCEMENT => tmp_message_of("polylogue", span),
        Dialect::Tmp => tmp_message(span),
        Dialect::Muca | Dialect::Rooms | Dialect::Bridge | Dialect::Messenger | Dialect::Irc => {
            span.to_owned()
        }
    };
    let mark = match (bobs, anas) {
        (Dialect::Irc, Dialect::Irc) => "~ana",
        (Dialect::Muca, Dialect::Muca) => "muca.test",
        _ => anas.as_str(),
    };
    written = written.replace("DIALECT", mark).replace('…', "[..]");
    Pattern::parse(&written).unwrap().matches(came.as_bytes())
}

/// What bob gets in the next seconds, on whatever connection it comes to him.
fn take(world: &mut World, dialect: Dialect) -> Vec<String> {
    let mut came = Vec::new();
    for _ in 0..40 {
        if world.calls().iter().any(|called| called == BOB_LISTENS) {
            world.answer("bob.rung", BOB_LISTENS).unwrap();
        }
        world.advance(Duration::from_millis(50));
        for ear in ["bob", "bob.recv", "bob.rung"] {
            came.extend(world.texts(ear));
        }
    }
    // A presence list is a snapshot: only the last one counts.
    if dialect == Dialect::Muca {
        came.dedup_by(|later, earlier| {
            later.starts_with(r#"{"CMD": "LIST""#) && earlier.starts_with(r#"{"CMD": "LIST""#)
        });
    }
    came
}

#[test]
fn every_cell_of_the_page_holds() {
    let mut checked = 0;
    for row in rows() {
        for (bobs, expected) in &row.cells {
            for anas in Dialect::ALL {
                checked += usize::from(holds(&row.happens, anas, *bobs, expected));
            }
        }
    }
    // 5 protocols can say things to a room and to a person, 1 to a group, 4 several lines, 2 type, 6 come and go, 1
    // does the other 11; and the server speaks; to 6 each.
    assert_eq!(checked, (5 + 5 + 1 + 4 + 2 + 6 + 6 + 11 + 1) * 6);
}

/// Plays one case; whether there was anything to play.
fn holds(happens: &str, anas: Dialect, bobs: Dialect, expected: &[String]) -> bool {
    let mut world = World::default();
    arrive(&mut world, "bob", bobs);
    arrive(&mut world, "carl", Dialect::Rooms);
    forget(&mut world);
    arrive(&mut world, "ana", anas);
    if happens == ANNOUNCEMENT {
        // It is the same whoever else is here.
        if anas != Dialect::Irc {
            return false;
        }
        forget(&mut world);
        world.order(|hub, now, fx| hub.broadcast(now, "hi", fx)).unwrap();
    } else if happens != "ana arrives" {
        forget(&mut world);
        let lunch = say_lunch(&mut world, anas);
        match act(happens, anas, bobs, &lunch) {
            _ if happens == "ana leaves" => leave(&mut world, "ana", anas),
            Some(bytes) => world.say("ana", &bytes),
            None => return false,
        }
    }
    let came = take(&mut world, bobs);
    // Who waits for a call is in no room.
    let unseen = (anas, bobs) == (Dialect::Bridge, Dialect::Irc) && happens != "ana writes `hi` to bob";
    let expected = if unseen { &[] } else { expected };
    let fit = came.len() == expected.len()
        && expected.iter().zip(&came).all(|(span, came)| fits(happens, span, came, (bobs, anas)));
    assert!(
        fit,
        "{happens}, on {} to {}: expected {expected:?}, came {came:?}",
        anas.as_str(),
        bobs.as_str()
    );
    true
}
