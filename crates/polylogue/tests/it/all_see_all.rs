//! The promise: people with clients that nobody here wrote, and of every protocol, are in one room.

use crate::clients::{Browser, ConsoleClient, Messenger, Socket, empty_page, nc};
use crate::fixture::Server;

#[test]
fn five_clients_of_four_protocols_see_each_other() {
    let server = Server::start(&[]);
    let address = server.address();

    let mut pat = ConsoleClient::start(address, "pat", "lobby");
    pat.screen.expect("Connected!");
    pat.screen.expect(">> ");

    let mut nora = nc(address);
    nora.write("nora_lobby\n");
    assert_eq!(nora.stdout.line(), "200");

    let tess = Browser::open(&empty_page());
    tess.join(address, "tess");

    let mut mia = Socket::connect("muca", address);
    mia.send(r#"{"CMD": "JOIN", "UN": "mia", "UID": "mia@test"}"#);
    mia.expect("OKAY");
    mia.expect("LIST");

    let mut max = Messenger::join(address, "max");

    pat.type_line("pat was here");
    nora.stdout.expect("pat - pat was here\n");
    tess.expect("CHAT_MSSG|pat|CHAT_MESSAGE pat was here");
    mia.expect("pat was here");
    max.expect("pat", "pat was here");
    pat.screen.expect("pat - pat was here");

    nora.write("¡nora también!\n");
    pat.screen.expect("nora - ¡nora también!");
    tess.expect("CHAT_MSSG|nora|CHAT_MESSAGE ¡nora también!");
    // Its clients decode ASCII.
    mia.expect(r"\u00a1nora tambi\u00e9n!");
    max.expect("nora", "¡nora también!");

    tess.say("CHAT_MESSAGE tess was here");
    pat.screen.expect("tess - tess was here");
    nora.stdout.expect("tess - tess was here\n");
    mia.expect("tess was here");
    max.expect("tess", "tess was here");

    mia.send(r#"{"CMD": "SEND", "MSG": "mia was here", "TO": [], "FROM": "mia@test"}"#);
    pat.screen.expect("mia - mia was here");
    nora.stdout.expect("mia - mia was here\n");
    tess.expect("CHAT_MSSG|mia|CHAT_MESSAGE mia was here");
    max.expect("mia", "mia was here");

    max.say("max was here");
    pat.screen.expect("max - max was here");
    nora.stdout.expect("max - max was here\n");
    tess.expect("CHAT_MSSG|max|CHAT_MESSAGE max was here");
    mia.expect("max was here");

    pat.type_line("/exit");
    pat.screen.expect("Closing...");
}

#[test]
fn a_taken_name_is_refused_in_the_console_client_s_own_words() {
    let server = Server::start(&[]);
    let mut nora = nc(server.address());
    nora.write("pat_lobby\n");
    assert_eq!(nora.stdout.line(), "200");
    let mut pat = ConsoleClient::start(server.address(), "pat", "lobby");
    pat.screen.expect("The user with such name already connect");
}

#[test]
fn the_console_client_is_told_when_the_server_ends() {
    let mut server = Server::start(&["--listen", "0=rooms"]);
    let mut pat = ConsoleClient::start(server.pinned("rooms"), "pat", "den");
    pat.screen.expect("Connected!");
    pat.screen.expect(">> ");
    server.process().signal(rustix::process::Signal::TERM);
    pat.screen.expect("Stop listening...");
    assert!(server.process().wait().success());
    // It would have printed anything but an exact /exit as a message.
    assert!(!pat.screen.seen().contains("/exit"), "{}", pat.screen.seen());
}
