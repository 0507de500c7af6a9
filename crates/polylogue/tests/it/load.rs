//! `polylogue load` against a real server: it finds nothing wrong there, and finds what is wrong with one that is.
//! No time is checked: how fast anything is depends on what else the machine does.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use crate::fixture::{Server, output};
use crate::tls::Identity;

pub(crate) const FEW: &str = "--members 6 --seconds 0.3 --warmup 0";

/// Runs a load, spelled in one line; its exit code and what it wrote.
pub(crate) fn load(line: &str) -> (Option<i32>, String, String) {
    let words: Vec<_> = ["load"].into_iter().chain(line.split_whitespace()).collect();
    let output = output(&words);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs a load in which everything has to be right; `AT` in its line is the server's address.
#[track_caller]
fn right(server: &Server, line: &str) -> Value {
    let line = format!("{line} --json --pid {}", server.pid()).replace("AT", &server.address().to_string());
    let (code, said, errors) = load(&line);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{line}: {said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(faults(&said), "", "{line}: {said}");
    assert!(said["deliveries"].as_u64() > Some(0), "{line}: {said}");
    assert!(said["latency_us"]["p50"].as_f64() > Some(0.0), "{line}: {said}");
    assert!(said["server"]["cpu_us_each"].is_f64(), "{line}: {said}");
    assert!(said["server"]["resident_after"].as_u64() > Some(0), "{line}: {said}");
    said
}

/// The faults that there were, as `missing 1, repeated 2`.
fn faults(said: &Value) -> String {
    let all = said["faults"].as_object().unwrap();
    let some = all.iter().filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
    some.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Runs each load against a server of its own, all at once: they wait more than they work.
#[track_caller]
fn all_right(arguments: &[&str], lines: impl IntoIterator<Item = String>) -> Vec<Value> {
    thread::scope(|scope| {
        let loads =
            lines.into_iter().map(|line| scope.spawn(move || right(&Server::start(arguments), &line)));
        let loads: Vec<_> = loads.collect();
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    })
}

#[test]
fn a_room_hears_everything_in_each_protocol_and_in_all_at_once() {
    let identity = Identity::new();
    let tls = ["--tls-cert", identity.cert(), "--tls-key", identity.key()];
    let schemes = ["irc", "ircs", "ircws", "ircwss", "tmp", "tmps", "rooms", "muca", "messenger"];
    let said = all_right(&tls, schemes.map(|scheme| format!("fanout {scheme}://AT {FEW}")));
    for (scheme, said) in schemes.into_iter().zip(said) {
        assert_eq!((&said["protocols"][0], &said["connections"]), (&scheme.into(), &6.into()));
    }
    let all = schemes.map(|scheme| format!("{scheme}://AT")).join(" ");
    let said = all_right(
        &tls,
        [
            format!("fanout {all} --members 18 --seconds 0.3 --warmup 0 --senders 9 --window 2"),
            format!("fanout rooms://AT {FEW} --room den --size 500 --rate 50 --sources 3"),
        ],
    );
    assert_eq!(said[0]["protocols"].as_array().unwrap().len(), 9);
}

#[test]
fn what_is_said_after_measuring_does_not_count() {
    let line = "fanout rooms://AT --members 3 --seconds 0.2 --warmup 0 --rate 20 --cooldown 2".to_owned();
    let said = all_right(&[], [line]);
    let sent = said[0]["sent"].as_u64();
    assert!(sent > Some(0) && sent < Some(24), "{}", said[0]);
}

#[test]
fn pairs_idlers_and_visitors_find_nothing_wrong() {
    for scheme in ["irc", "rooms", "tmp", "muca", "messenger", "bridge"] {
        let mut lines = vec![
            format!("churn {scheme}://AT --visits 40 --at-once 4"),
            format!("idle {scheme}://AT --connections 10 --seconds 0.1"),
        ];
        if scheme != "bridge" {
            lines.push(format!("direct {scheme}://AT --pairs 3 --seconds 0.2 --warmup 0"));
        }
        let said = all_right(&[], lines);
        let last = said[1]["figures"].as_array().and_then(|figures| figures.last());
        assert_eq!(last.map(|it| &it["name"]), Some(&"idle, processor time each".into()));
    }
    all_right(&[], ["idle irc://AT --join --connections 10 --seconds 0.1".to_owned()]);
}

#[test]
fn a_day_in_a_community_goes_well() {
    let lines = ["irc", "rooms", "tmp"].map(|scheme| {
        format!("mixed {scheme}://AT --people 20 --rooms 4 --rate 200 --seconds 0.5 --room {scheme}")
    });
    all_right(&[], lines);
}

#[test]
fn the_others_hear_everything_in_bad_weather() {
    let kinds = ["stopped", "slow", "silent", "flood", "fast"];
    let said = all_right(&[], kinds.map(|kind| format!("weather {kind} irc://AT --count 20 {FEW}")));
    assert!(said.iter().all(|said| said["connections"] == 26), "{said:?}");
    let silent = &said[2];
    let figures = ["connections made", "connections still there"].map(|name| figure(silent, name));
    assert_eq!(figures, [Some(20.0), Some(20.0)], "{silent}");
    assert!(figure(silent, "times as long then") > Some(0.0), "{silent}");
    assert!(figure(&said[3], "connections made") > Some(0.0), "{}", said[3]);
}

#[test]
fn those_who_misbehave_have_a_pace_and_a_processor() {
    let common = "irc://AT --members 2 --warmup 0 --core 0";
    let said = all_right(
        &[],
        [
            // All are there before it is asked how the others are, whatever the pace.
            format!("weather silent {common} --count 40 --pace 100 --seconds 0.1"),
            // Long enough for whoever makes them, who gives way to everybody, to make some on a busy machine too.
            format!("weather flood {common} --count 3 --pace 50 --seconds 2"),
        ],
    );
    assert_eq!(figure(&said[0], "connections still there"), Some(40.0), "{}", said[0]);
    let made = figure(&said[1], "connections made");
    assert!(made > Some(3.0) && made < Some(500.0), "{}", said[1]);
}

/// One of the figures that a scenario has for itself.
fn figure(said: &Value, name: &str) -> Option<f64> {
    let figures = said["figures"].as_array()?;
    figures.iter().find(|figure| figure["name"] == name)?["value"].as_f64()
}

#[test]
fn what_can_not_be_asked_for_is_told() {
    for (line, wanted) in [
        ("fanout 127.0.0.1:1", "has no protocol: PROTOCOL://HOST:PORT is wanted"),
        ("fanout xmpp://127.0.0.1:1", "\"xmpp\" is none of irc, ircs"),
        ("fanout irc://127.0.0.1", "\"127.0.0.1\" has no port: PROTOCOL://HOST:PORT is wanted"),
        (
            "fanout bridge://127.0.0.1:1",
            "error: bridge has no rooms\nhint: take another --room or protocol\n",
        ),
        ("direct bridge://127.0.0.1:1", "error: bridge's clients talk to each other directly"),
        ("fanout muca://127.0.0.1:1 --room den", "error: muca has no rooms but the lobby\nhint: "),
        ("fanout irc://127.0.0.1:1 --size 27", "28 bytes to 1 MiB: its number and its time alone take 28"),
        ("fanout irc://127.0.0.1:1 --size 401", "hint: --size takes up to 400 there\n"),
        ("fanout irc://127.0.0.1:1 --members 1", "1 is not in 2.."),
        ("fanout irc://127.0.0.1:1 --members 5 --senders 6", "error: 6 of 5 members talk\nhint: "),
        ("fanout irc://127.0.0.1:1 --rate 0", "\"0\" is not a number above 0"),
        ("fanout irc://127.0.0.1:1 --seconds nan", "\"nan\" is not a number above 0"),
        ("fanout irc://127.0.0.1:1 --warmup=-1", "\"-1\" is not a number from 0"),
        ("fanout irc://127.0.0.1:1 --sources 251", "251 is not in 1..=250"),
        ("direct irc://127.0.0.1:1 --pairs 0", "0 is not in 1.."),
        ("churn irc://127.0.0.1:1 --visits 0", "0 is not in 1.."),
        (
            "mixed irc://127.0.0.1:1 --people 5000",
            "error: 5000 people\nhint: at most 4096 can be told apart\n",
        ),
        ("weather storm irc://127.0.0.1:1", "[possible values: stopped, slow, silent, flood, fast]"),
        ("weather fast rooms://127.0.0.1:1", "hint: give an irc:// URL\n"),
        (
            "weather slow irc://127.0.0.1:1 --pace 5",
            "error: only the silent and a flood come at a pace\nhint: ",
        ),
        ("weather slow irc://127.0.0.1:1 --core 0", "\nhint: leave --core out\n"),
        ("weather flood irc://127.0.0.1:1 --pace 0", "\"0\" is not a number above 0"),
        ("weather flood irc://127.0.0.1:1 --core 1023", "error: processor 1023: "),
    ] {
        let (code, said, errors) = load(line);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{line}: {errors}");
        assert!(errors.contains(wanted), "{line}: {errors}");
    }
}

#[test]
fn a_server_or_process_that_is_not_there_is_told() {
    // A port that was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = "error: the first client could not sign in: Connection refused";
    let hint = "hint: is the server running, and is this the right protocol for the port?\n";
    for scenario in ["fanout", "direct", "idle", "churn", "mixed", "weather silent"] {
        let (code, said, errors) = load(&format!("{scenario} irc://{nobody}"));
        assert_eq!((code, said.as_str()), (Some(1), ""), "{scenario}: {errors}");
        assert!(errors.starts_with(refused) && errors.ends_with(hint), "{scenario}: {errors}");
    }
    let (code, _, errors) = load(&format!("fanout irc://{nobody} --pid 4294967295"));
    assert_eq!(code, Some(1));
    assert!(errors.contains("\nhint: --pid takes the number of the server's process\n"), "{errors}");
}

/// Whether the server goes on after a message, and what it passes on.
type Relay = fn(number: usize, line: String, held: &mut Vec<String>) -> Option<Vec<String>>;

/// An IRC server for two, of whom the first talks.
fn server_for_two(relay: Relay) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // Names are given out in alphabetical order.
        let mut two: BTreeMap<_, _> = (0..2).map(|_| welcome(listener.accept().unwrap().0)).collect();
        let (name, mut talker) = two.pop_first().unwrap();
        let (_, hearer) = two.pop_first().unwrap();
        let (mut line, mut number, mut held) = (String::new(), 0, Vec::new());
        while talker.read_line(&mut line).is_ok_and(|len| len > 0) {
            let Some(lines) = relay(number, format!(":{name}!u@h {line}"), &mut held) else { return };
            let sent = lines.iter().try_for_each(|line| hearer.get_ref().write_all(line.as_bytes()));
            if sent.is_err() {
                return;
            }
            number += 1;
            line.clear();
        }
    });
    address
}

/// Lets somebody in; the name, and what comes after that.
fn welcome(stream: TcpStream) -> (String, BufReader<TcpStream>) {
    let mut stream = BufReader::new(stream);
    let (mut name, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the end before JOIN");
        let (command, rest) = line.trim_end().split_once(' ').unwrap();
        match command {
            "NICK" => rest.clone_into(&mut name),
            "USER" => write!(stream.get_ref(), ":s 001 {name} :hi\r\n:s 422 {name} :none\r\n").unwrap(),
            "JOIN" => {
                write!(stream.get_ref(), ":s 366 {name} {rest} :end\r\n").unwrap();
                return (name, stream);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn faults_are_found() {
    let cases: [(Relay, &str); 5] = [
        (|_, line, _| Some(vec![line]), ""),
        (|number, line, _| Some(if number == 5 { vec![] } else { vec![line] }), "missing 1"),
        (|number, line, _| Some(vec![line; if number == 5 { 2 } else { 1 }]), "repeated 1"),
        (
            |number, line, held| match number {
                5 => {
                    held.push(line);
                    Some(vec![])
                }
                _ => Some([line].into_iter().chain(held.drain(..)).collect()),
            },
            "out_of_order 1",
        ),
        (|number, line, _| (number < 5).then_some(vec![line]), "lost_connections 2"),
    ];
    for (relay, wanted) in cases {
        let address = server_for_two(relay);
        let line =
            format!("fanout irc://{address} --members 2 --seconds 0.2 --warmup 0 --window 4 --patience 0.2");
        let (code, said, errors) = load(&format!("{line} --json"));
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{wanted}: {said}{errors}"));
        let found = faults(&said);
        // Whoever hangs up leaves things undelivered, too.
        assert!(
            found == wanted || wanted.starts_with("lost") && found.starts_with(wanted),
            "{wanted}: {said}"
        );
        let told = "error: the server did not do everything right\nhint: see the faults above\n";
        let fine = wanted.is_empty();
        assert_eq!((code, errors.as_str()), if fine { (Some(0), "") } else { (Some(1), told) });
    }
}

#[test]
fn a_server_that_says_something_and_hangs_up_is_not_waited_for() {
    for scenario in ["fanout", "churn"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut line = String::new();
            while !line.contains("USER") {
                assert!(stream.read_line(&mut line).unwrap() > 0);
            }
            stream.get_ref().write_all(b":s NOTICE * :not today\r\n").unwrap();
        });
        let (code, _, errors) = load(&format!("{scenario} irc://{address} --at-once 1"));
        server.join().unwrap();
        let wanted = "error: the first client could not sign in: the server closed the connection\nhint: ";
        assert!(code == Some(1) && errors.starts_with(wanted), "{scenario}: {code:?} {errors}");
    }
}
