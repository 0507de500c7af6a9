//! Open files, of which each connection is one: there is room for them from the beginning, and when there are no more,
//! newcomers are turned away and counted.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::fixture::Server;
use crate::http::ask;
use crate::stream::PATIENCE;

#[test]
fn the_kernel_has_room_for_all_connections_before_they_come() {
    let server = Server::start(&["--ephemeral"]);
    let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", server.pid())).unwrap();
    let number = |text: &str, name: &str, word: usize| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(word).and_then(|number| number.parse().ok()).unwrap_or(u64::MAX)
    };
    let room = number(&read("status"), "FDSize:", 1);
    let limit = number(&read("limits"), "Max open files", 3);
    assert!(room >= limit.min(100_000), "room for {room} of {limit} files");
}

#[test]
fn without_open_files_those_who_come_are_turned_away_and_nobody_else_is_counted() {
    let mut server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let server_id = server.process().id();
    // It has answered, so all that the server opens for itself is open.
    assert_eq!(ask(address, "GET", "/healthz", "").status, 200);
    let taken = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count() as u64;
    let usual = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(taken + 2), ..usual };
    let usual = prlimit(Some(server_id), Resource::Nofile, few).unwrap();
    let (mut inside, mut turned_away) = (Vec::new(), 0);
    while turned_away < 4 {
        let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
        stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        // The server may have hung up already; then the end is read, or a reset.
        let _ = writeln!(stream.get_ref(), "p{}_den", inside.len());
        match stream.read_line(&mut String::new()) {
            Ok(1..) => inside.push(stream),
            _ => turned_away += 1,
        }
    }
    prlimit(Some(server_id), Resource::Nofile, usual).unwrap();
    let metrics = ask(address, "GET", "/metrics", "").body;
    let wanted = format!("polylogue_accepts_refused_total{{reason=\"open_files\"}} {turned_away}");
    assert!(metrics.lines().any(|line| line == wanted), "{wanted} is missing in\n{metrics}");
    assert!(!inside.is_empty());
}
