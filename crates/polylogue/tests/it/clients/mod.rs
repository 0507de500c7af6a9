//! Clients: other people's programs, and bare sockets where nobody's program can be had.

mod browser;
#[allow(dead_code, reason = "the other tests use the rest of it")]
mod folder;
mod historian;
mod ii;
mod irc;
mod lounge;
mod messenger;
mod python;
mod socket;

pub(crate) use browser::{Browser, empty_page};
pub(crate) use folder::Folder;
pub(crate) use historian::{Historian, Past};
pub(crate) use ii::Ii;
pub(crate) use irc::{IrcClient, Irssi, Returning, Scripted, WeeChat};
pub(crate) use lounge::Lounge;
pub(crate) use messenger::Messenger;
pub(crate) use python::ConsoleClient;
pub(crate) use socket::Socket;

use std::net::SocketAddr;
use std::process::Command;

use crate::fixture::Process;

/// `nc`, connected.
pub(crate) fn nc(address: SocketAddr) -> Process {
    Process::start("nc", Command::new("nc").args([address.ip().to_string(), address.port().to_string()]))
}
