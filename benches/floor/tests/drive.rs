//! The floor does what a server does: everything arrives, once and in order, also where somebody reads late.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running floor; ended with the test.
struct Floor {
    process: Child,
    address: String,
}

impl Floor {
    fn start(flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_polylogue-floor"))
            .arg("0")
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

struct Client {
    socket: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Client {
    fn register(floor: &Floor, nick: &str) -> Self {
        let socket = TcpStream::connect(&floor.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let lines = BufReader::new(socket.try_clone().unwrap());
        let mut client = Self { socket, lines };
        client.send(&format!("CAP LS 302\r\nNICK {nick}\r\nUSER {nick} 0 * :x\r\nCAP END\r\n"));
        assert_eq!(client.line(), ":polylogue.local CAP * LS :");
        let welcome = format!(
            ":polylogue.local 001 {nick} :Welcome to the Polylogue IRC Network {nick}!~{nick}@localhost"
        );
        assert_eq!(client.line(), welcome);
        while client.line() != format!(":polylogue.local 422 {nick} :MOTD File is missing") {}
        client
    }

    fn join(&mut self, nick: &str, room: &str) {
        self.send(&format!("JOIN {room}\r\n"));
        assert_eq!(self.line(), format!(":{nick}!~{nick}@localhost JOIN {room}"));
        assert_eq!(self.line(), format!(":polylogue.local 353 {nick} = {room} :{nick}"));
        assert_eq!(self.line(), format!(":polylogue.local 366 {nick} {room} :End of /NAMES list"));
    }

    fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("the connection ended after {line:?}")).to_owned()
    }
}

fn everything_arrives_once_and_in_order(flags: &[&str]) {
    let floor = Floor::start(flags);
    let mut ana = Client::register(&floor, "ana");
    let mut bob = Client::register(&floor, "bob");
    let mut eve = Client::register(&floor, "eve");
    for (client, nick) in [(&mut ana, "ana"), (&mut bob, "bob"), (&mut eve, "eve")] {
        client.join(nick, "#room");
    }
    for turn in 0..100 {
        let burst: String = (0..16).map(|n| format!("PRIVMSG #room :{turn} {n}\r\n")).collect();
        // A line may come in pieces.
        let (start, end) = burst.split_at(turn * 3);
        ana.send(start);
        bob.send(&format!("PRIVMSG eve :{turn}\r\n"));
        ana.send(end);
        for n in 0..16 {
            assert_eq!(bob.line(), format!(":ana!~ana@localhost PRIVMSG #room :{turn} {n}"));
        }
    }
    let heard: Vec<String> = (0..1700).map(|_| eve.line()).collect();
    let of = |who: &str| heard.iter().filter(|line| line.starts_with(who)).cloned().collect::<Vec<_>>();
    let said = |n| format!(":ana!~ana@localhost PRIVMSG #room :{} {}", n / 16, n % 16);
    assert_eq!(of(":ana!"), (0..1600).map(said).collect::<Vec<_>>());
    assert_eq!(
        of(":bob!"),
        (0..100).map(|n| format!(":bob!~bob@localhost PRIVMSG eve :{n}")).collect::<Vec<_>>()
    );
    // The sender heard nothing of its own, and nobody anything twice.
    for client in [&mut ana, &mut bob, &mut eve] {
        client.send("PING :end\r\n");
        assert_eq!(client.line(), ":polylogue.local PONG polylogue.local :end");
        client.send("QUIT :bye\r\n");
        assert_eq!(client.line(), "ERROR :Closing link: localhost (Quit)");
        assert_eq!(client.lines.read(&mut [0]).unwrap(), 0);
    }
}

fn a_late_reader_misses_nothing(flags: &[&str]) {
    const MESSAGES: usize = 40_000;
    let floor = Floor::start(flags);
    let mut ana = Client::register(&floor, "ana");
    let mut bob = Client::register(&floor, "bob");
    let mut eve = Client::register(&floor, "eve");
    for (client, nick) in [(&mut ana, "ana"), (&mut bob, "bob"), (&mut eve, "eve")] {
        client.join(nick, "#room");
    }
    // Far more than the kernel keeps for a reader.
    let padding = "x".repeat(300);
    let text = |n| format!("PRIVMSG #room :{n} {padding}");
    for first in (0..MESSAGES).step_by(100) {
        let burst: String = (first..first + 100).map(|n| text(n) + "\r\n").collect();
        ana.send(&burst);
        for n in first..first + 100 {
            assert_eq!(bob.line(), format!(":ana!~ana@localhost {}", text(n)));
        }
    }
    for n in 0..MESSAGES {
        assert_eq!(eve.line(), format!(":ana!~ana@localhost {}", text(n)));
    }
    ana.send(&(text(0) + "\r\n"));
    assert_eq!(eve.line(), format!(":ana!~ana@localhost {}", text(0)));
}

#[test]
fn everything_arrives_once_and_in_order_sent_at_once() {
    everything_arrives_once_and_in_order(&[]);
}

#[test]
fn everything_arrives_once_and_in_order_batched() {
    everything_arrives_once_and_in_order(&["--batching"]);
}

#[test]
fn everything_arrives_once_and_in_order_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().to_str().unwrap();
    everything_arrives_once_and_in_order(&["--keep", keep]);
    everything_arrives_once_and_in_order(&["--batching", "--keep", keep]);
}

#[test]
fn what_was_heard_is_kept() {
    const MESSAGES: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let floor = Floor::start(&["--keep", folder.path().to_str().unwrap()]);
    let mut ana = Client::register(&floor, "ana");
    let mut bob = Client::register(&floor, "bob");
    let text = |n| format!("PRIVMSG bob :number {n}");
    for first in (0..MESSAGES).step_by(10) {
        let burst: String = (first..first + 10).map(|n| text(n) + "\r\n").collect();
        ana.send(&burst);
        for n in first..first + 10 {
            assert_eq!(bob.line(), format!(":ana!~ana@localhost {}", text(n)));
        }
    }
    // A sudden end.
    drop(floor);
    let db = rusqlite::Connection::open(folder.path().join("floor.db")).unwrap();
    let mut rows = db.prepare("SELECT events FROM block ORDER BY id").unwrap();
    let rows = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap().map(Result::unwrap);
    let logs = ["log-1", "log-2"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    // What was being entered may be in both.
    let kept = rows.chain(logs).collect::<Vec<_>>().concat();
    let kept = String::from_utf8(kept).unwrap();
    let lines: std::collections::HashSet<&str> = kept.lines().collect();
    for n in 0..MESSAGES {
        let said = format!(":ana!~ana@localhost {}", text(n));
        assert!(lines.contains(said.as_str()), "{n}");
    }
}

#[test]
fn a_late_reader_misses_nothing_sent_at_once() {
    a_late_reader_misses_nothing(&[]);
}

#[test]
fn a_late_reader_misses_nothing_batched() {
    a_late_reader_misses_nothing(&["--batching"]);
}

#[test]
fn a_name_that_is_no_port_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_polylogue-floor")).arg("chat").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: \"chat\" is not a port"));
}
