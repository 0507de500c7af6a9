//! How the server ends.

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
    let mut command = polylogue();
    command.args(["serve", "--listen", "0"]);
    let mut server = Server::start_as(&mut command);
    let (_, standing_in) = (server.address(), member(&server));
    drop(standing_in);
    server.process().close_stdin();
    let mut member = Socket::connect("rooms", server.address());
    member.send("bob_den");
    member.expect("200");
    assert!(server.process().is_running());
}
