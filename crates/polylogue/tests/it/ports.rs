//! Ports: free ones, taken ones, the usual ones.

use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::Signal;

use crate::fixture::{Process, Server, output, polylogue};

fn stderr(arguments: &[&str]) -> (Option<i32>, String) {
    let output = output(arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_taken_port_that_was_named_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (arguments, wish, other) in [
        (
            vec!["serve".to_owned(), "--listen".to_owned(), format!("{port}=rooms")],
            format!("--listen 127.0.0.1:{port}=rooms"),
            "--listen 127.0.0.1:0=rooms",
        ),
        (
            vec!["server".to_owned(), "-p".to_owned(), port.to_string()],
            format!("-a 127.0.0.1 -p {port}"),
            "-a 127.0.0.1 -p 0",
        ),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let protocol = if arguments[0] == "serve" { "rooms" } else { "every protocol" };
        let (code, text) = stderr(&arguments);
        assert_eq!(code, Some(1));
        let expected = format!(
            "error: port {port} is in use: 127.0.0.1:{port} was wanted for {protocol} by {wish}\n\
             hint: stop the program that has it, or name another port (0: any that is free), as in {other}\n"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn a_taken_usual_port_is_left_out_with_a_warning() {
    // Whoever has the port, this test or a program of the machine's user: it is taken. All the others may be
    // taken too; then that is the error that follows.
    let _taken = TcpListener::bind("127.0.0.1:5000");
    let mut server = Process::start("polylogue", polylogue().arg("serve").stderr(Stdio::piped()));
    let log = server.stderr.as_mut().unwrap();
    let before = log.expect("127.0.0.1:5000");
    assert!(before.lines().last().is_some_and(|line| line.contains("WARN")), "{before}");
    let reason = log.line();
    assert!(reason.contains("in use"), "{reason}");
    server.signal(Signal::TERM);
    let code = server.wait().code();
    let printed = server.stdout.end();
    assert!(!printed.contains("127.0.0.1:5000"), "{printed}");
    let log = server.stderr.as_mut().unwrap().end();
    match code {
        Some(0) => assert!(printed.contains("listening on 127.0.0.1:"), "{printed}"),
        Some(1) => assert!(log.contains("error: none of the usual ports can be had\nhint: "), "{log}"),
        code => panic!("{code:?}: {log}"),
    }
}

#[test]
fn the_spelling_of_tcp_chat_listens_where_it_says() {
    let mut server = Server::start_as(polylogue().args(["server", "-a", "127.0.0.1", "-p", "0"]));
    assert_eq!(server.address().ip().to_string(), "127.0.0.1");
    assert!(server.process().is_running());
}

#[test]
fn each_pinned_port_is_printed_with_its_protocol() {
    let server =
        Server::start(&["--listen", "0=rooms", "--listen", "127.0.0.1:0=muca", "--listen", "0=detect"]);
    assert_ne!(server.pinned("rooms"), server.pinned("muca"));
    assert_ne!(server.pinned("rooms").port(), 0);
}

#[test]
fn an_address_of_another_machine_is_an_error() {
    let (code, text) = stderr(&["serve", "--listen", "192.0.2.1:0"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: 192.0.2.1 is not an address of this machine"), "{text}");
}
