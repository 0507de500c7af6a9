//! How the server ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use rustix::process::Signal;

use crate::clients::Socket;
use crate::fixture::{Server, polylogue};

fn member(server: &Server) -> Socket {
    let mut member = Socket::connect("rooms", server.address());
    member.send("ana_den");
    assert_eq!(member.expect("200"), "");
    member
}

#[test]
fn sigterm_and_sigint_say_goodbye_and_end_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        let mut member = member(&server);
        server.process().signal(signal);
        assert_eq!(member.incoming.end(), "/exit");
        assert_eq!(server.process().wait().code(), Some(0));
        let log = server.process().stderr.as_mut().unwrap().end();
        assert!(log.contains("told to end: saying goodbye to everybody"), "{log}");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_the_goodbyes() {
    // The goodbye may not follow the 200 sooner, so the server can't be done.
    let mut command = polylogue();
    command.args(["serve", "--listen", "0"]);
    command.env("POLYLOGUE_ROOMS__GAP_MS", "10000").env("POLYLOGUE_LIMITS__DRAIN_S", "600");
    let mut server = Server::start_as(&mut command);
    let _member = member(&server);
    server.process().signal(Signal::INT);
    let log = server.process().stderr.as_mut().unwrap();
    log.expect("told to end: saying goodbye");
    server.process().signal(Signal::INT);
    assert_eq!(server.process().wait().code(), Some(1));
    let log = server.process().stderr.as_mut().unwrap().end();
    assert!(log.contains("told to end again: ending at once"), "{log}");
}

#[test]
fn sighup_reads_the_log_level_again_and_names_what_it_can_not_take_over() {
    let file = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("reload-{}.toml", std::process::id()));
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").unwrap();
    let mut server = Server::start(&["--config", file.to_str().unwrap()]);

    std::fs::write(&file, "[log]\nlevel = \"debug\"\n[limits]\nlogin_s = 3\n").unwrap();
    server.process().signal(Signal::HUP);
    let log = server.process().stderr.as_mut().unwrap();
    log.expect("reloaded: log.level is debug");
    log.expect("changed in the configuration, but only a restart takes over: limits.login_s");

    std::fs::write(&file, "[log]\nlevel = \"loud\"\n").unwrap();
    server.process().signal(Signal::HUP);
    let log = server.process().stderr.as_mut().unwrap();
    log.expect(&format!("not reloaded: {}:2: log.level is wrong", file.display()));
    std::fs::remove_file(file).unwrap();
    assert!(server.process().is_running());
}

#[test]
fn a_closed_standard_output_is_not_the_end() {
    let mut child = polylogue()
        .args(["serve", "--listen", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    // What it prints now goes nowhere.
    child.stdin.as_mut().unwrap().write_all(b"/help\n/quit\n").unwrap();
    let status = child.wait().unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    assert_eq!(status.code(), Some(0));
}
