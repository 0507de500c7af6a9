//! Clients of several protocols, by hand: what they send is acknowledged, and what they are shown is written down.

mod irc;
pub(crate) mod messenger;
mod rooms;
mod tmp;
mod wire;

pub(crate) use irc::Irc;
pub(crate) use rooms::Rooms;
pub(crate) use tmp::Tmp;

use std::io;

use crate::check::{Said, Sees};

/// Somebody in the lobby, on one connection.
pub(crate) trait Client: Send {
    /// The user's name.
    fn name(&self) -> &str;

    /// What of the lobby this connection is shown. Who sees its own has it acknowledged by that.
    fn sees(&self) -> Sees;

    /// Says something there. The number comes back if the protocol has an acknowledgement with one.
    fn say(&mut self, number: u32, text: &str) -> io::Result<()>;

    /// Waits for what happens next. A refusal is an error of the kind `Other`.
    fn next(&mut self) -> io::Result<Happening>;
}

/// What comes to a client.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Somebody said something in the lobby.
    Said(Said),
    /// The message with this number is acknowledged.
    Acknowledged(u32),
}
