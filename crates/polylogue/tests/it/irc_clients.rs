//! IRC clients that nobody here wrote, in one conversation with people of the other protocols.

use crate::clients::{Ii, IrcClient, Irssi, Scripted, WeeChat};
use crate::fixture::Server;
use crate::people::People;

/// Everything that a client has to be good for, with everybody else. It is on `#lobby`.
fn converse(client: &mut dyn IrcClient, nick: &str, people: &mut People) {
    let People { nora, tess, mia, max, oscar } = people;

    let text = format!("{nick} was here");
    client.say(&text);
    nora.stdout.expect(&format!("{nick} - {text}\n"));
    tess.expect(&format!("CHAT_MSSG|{nick}|CHAT_MESSAGE {text}"));
    mia.expect(&text);
    max.expect(nick, &text);

    nora.write(&format!("nora to {nick}\n"));
    client.screen().expect(&format!("nora to {nick}"));
    max.expect("nora", &format!("nora to {nick}"));
    tess.say(&format!("CHAT_MESSAGE tess to {nick}"));
    client.screen().expect(&format!("tess to {nick}"));
    max.expect("tess", &format!("tess to {nick}"));
    mia.send(&format!(r#"{{"CMD": "SEND", "MSG": "mia to {nick}", "TO": [], "FROM": "mia@test"}}"#));
    client.screen().expect(&format!("mia to {nick}"));
    max.expect("mia", &format!("mia to {nick}"));
    max.say(&format!("max to {nick}"));
    client.screen().expect(&format!("max to {nick}"));

    client.tell("nora", &format!("secret of {nick}"));
    nora.stdout.expect(&format!("{nick} (private) - secret of {nick}\n"));
    nora.write(&format!("/msg {nick} secret of nora\n"));
    client.screen().expect("secret of nora");
    mia.send(&format!(
        r#"{{"CMD": "SEND", "MSG": "secret of mia", "TO": ["{nick}@irc"], "FROM": "mia@test"}}"#
    ));
    client.screen().expect("secret of mia");
    max.tell(nick, "secret of max");
    client.screen().expect("secret of max");

    client.join("#stage");
    oscar.send(&format!("KICK #stage {nick} :enough\r\n"));
    let kicked = client.kicked("#stage", "oscar");
    client.screen().expect(&kicked);

    let renamed = format!("{nick}2");
    client.rename(&renamed);
    nora.stdout.expect(&format!("* {nick} is now called {renamed}\n"));
    max.expect(&renamed, &format!("* {nick} is now called {renamed}"));
    mia.expect(&format!("{renamed}@irc"));
    nora.write(&format!("/msg {renamed} still there?\n"));
    client.screen().expect("still there?");

    client.quit();
    oscar.expect(&format!(":{renamed}!"));
    oscar.expect(" QUIT :");
    client.is_gone();
}

#[test]
fn weechat_talks_with_everybody() {
    let server = Server::start(&[]);
    let mut people = People::gather(server.address());
    let mut client = WeeChat::start(server.address(), "wendy", "#lobby");
    converse(&mut client, "wendy", &mut people);
}

#[test]
fn irssi_talks_with_everybody() {
    let server = Server::start(&[]);
    let mut people = People::gather(server.address());
    let mut client = Irssi::start(server.address(), "iris", "#lobby");
    converse(&mut client, "iris", &mut people);
}

#[test]
fn ii_talks_with_everybody() {
    let server = Server::start(&[]);
    let mut people = People::gather(server.address());
    let mut client = Ii::start(server.address(), "ivan", "#lobby");
    converse(&mut client, "ivan", &mut people);
}

#[test]
fn the_python_package_talks_with_everybody() {
    let server = Server::start(&[]);
    let mut people = People::gather(server.address());
    let mut client = Scripted::python(server.address(), "petra", "#lobby");
    converse(&mut client, "petra", &mut people);
}

#[test]
fn irc_framework_talks_with_everybody() {
    let server = Server::start(&[]);
    let mut people = People::gather(server.address());
    let mut client = Scripted::framework(server.address(), "frank", "#lobby");
    converse(&mut client, "frank", &mut people);
}
