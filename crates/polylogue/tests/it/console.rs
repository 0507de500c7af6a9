//! The console of the running server.

use crate::clients::Socket;
use crate::fixture::Server;

#[test]
fn info_lists_bridge_registrations_as_id_and_contact() {
    let mut server = Server::start(&["--listen", "0=bridge"]);
    server.process().write("/info\n");
    assert_eq!(server.process().stdout.line(), "nobody is registered with bridge");

    let mut bridge = Socket::connect("bridge", server.pinned("bridge"));
    for (id, port) in [("ana", 1225), ("bob", 1226)] {
        bridge.send(&format!("REGISTER\r\nclientID: {id}\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
        bridge.expect(&format!("REGACK\r\nclientID: {id}\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
    }
    server.process().write("/info\n");
    assert_eq!(server.process().stdout.line(), "ana 127.0.0.1:1225");
    assert_eq!(server.process().stdout.line(), "bob 127.0.0.1:1226");
}

#[test]
fn help_lists_the_commands_and_unknown_ones_get_a_hint() {
    let mut server = Server::start(&[]);
    server.process().write("/help\n");
    assert_eq!(server.process().stdout.line(), "/info  who is registered with bridge, as ID IP:Port");
    server.process().stdout.expect("/help  this list\n");
    server.process().write("hello\n");
    assert_eq!(server.process().stdout.line(), "unknown command \"hello\"");
    assert_eq!(server.process().stdout.line(), "hint: /help lists the commands");
}

#[test]
fn quit_ends_the_server_after_a_goodbye() {
    let mut server = Server::start(&[]);
    let mut member = Socket::connect("rooms", server.address());
    member.send("ana_den");
    member.expect("200");
    server.process().write("/quit\n");
    assert_eq!(member.incoming.end(), "/exit");
    assert_eq!(server.process().wait().code(), Some(0));
}

#[test]
fn the_end_of_the_input_is_not_the_end_of_the_server() {
    let mut server = Server::start(&[]);
    server.process().write("/help\n");
    server.process().close_stdin();
    server.process().stdout.expect("/help  this list\n");
    let mut member = Socket::connect("rooms", server.address());
    member.send("ana_den");
    member.expect("200");
    assert!(server.process().is_running());
}
