//! The library `irc-framework`, with the few lines that make somebody of it who reads the past.

use std::net::SocketAddr;
use std::process::Command;

use super::irc::script;
use super::python::tools;
use crate::fixture::Process;

/// Somebody who asks for the past with CHATHISTORY.
pub(crate) struct Historian(Process);

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    /// `privmsg`, `action` or `notice`.
    pub(crate) kind: String,
    pub(crate) unix_ms: u64,
    pub(crate) msgid: String,
    pub(crate) nick: String,
    pub(crate) text: String,
}

impl Historian {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(script("irc_historian.js")).env("NODE_PATH", tools().join("node/node_modules"));
        command.args([&address.ip().to_string(), &address.port().to_string(), nick, room]);
        let mut process = Process::start("irc-framework", &mut command);
        process.stdout.expect(&format!("on|{room}\n"));
        Self(process)
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, request: &str) -> Vec<Past> {
        self.0.write(&format!("CHATHISTORY {request}\n"));
        let mut past = Vec::new();
        loop {
            let line = self.0.stdout.line();
            let words: Vec<&str> = line.splitn(6, '|').collect();
            match *words.as_slice() {
                ["past", kind, unix_ms, msgid, nick, text] => past.push(Past {
                    kind: kind.to_owned(),
                    unix_ms: unix_ms.parse().unwrap(),
                    msgid: msgid.to_owned(),
                    nick: nick.to_owned(),
                    text: text.to_owned(),
                }),
                ["end", ..] => return past,
                _ => {}
            }
        }
    }
}
