//! What all clients are told alike when they register. It is worded once, when the first one does.

use std::sync::OnceLock;

use proto::irc::{Numeric, Writer};

use super::registration::version;
use super::{isupport, modes, wire};
use crate::Settings;

/// What all clients are told alike, once it is worded.
#[derive(Debug, Default)]
pub struct Greeting(OnceLock<Box<[Told]>>);

/// A line: its numeric, and what follows the client's nickname.
type Told = (Numeric, Box<str>);

// Copied settings may be changed, and then have a greeting of their own.
impl Clone for Greeting {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Greeting {
    /// Writes it to a client.
    pub(super) fn write(settings: &Settings, nick: &str, out: &mut Vec<u8>) {
        let lines = settings.irc_greeting.0.get_or_init(|| worded(settings));
        for (numeric, rest) in lines {
            Writer::new(out).source(&settings.irc_name).numeric(*numeric, nick).rest(rest);
        }
    }
}

fn worded(settings: &Settings) -> Box<[Told]> {
    let (name, version) = (&settings.irc_name, version());
    let mut lines = vec![
        (
            Numeric::RPL_YOURHOST,
            rest(|line| line.trailing(&format!("Your host is {name}, running version {version}"))),
        ),
        (
            Numeric::RPL_CREATED,
            rest(|line| {
                line.trailing(&format!("This server was started {}", wire::time(settings.started_ms)))
            }),
        ),
        (
            Numeric::RPL_MYINFO,
            rest(|line| {
                line.param(name)
                    .param(&version)
                    .param(modes::USER_LETTERS)
                    .param(modes::ROOM_LETTERS)
                    .param(modes::ROOM_LETTERS_WITH_PARAM)
                    .end();
            }),
        ),
    ];
    for tokens in isupport::lines(settings) {
        let supported = rest(|line| {
            let line = tokens.iter().fold(line, |line, token| line.param(token));
            line.trailing("are supported by this server");
        });
        lines.push((Numeric::RPL_ISUPPORT, supported));
    }
    lines.into()
}

/// What `write` adds to a line.
fn rest(write: impl FnOnce(Writer<'_>)) -> Box<str> {
    let mut line = Vec::new();
    write(Writer::new(&mut line).command(""));
    String::from_utf8_lossy(line.strip_suffix(b"\r\n").unwrap_or(&line)).into()
}
