//! rooms, by lines, as with `nc`.

use std::io;
use std::net::SocketAddr;

use super::wire::Wire;
use super::{Client, Happening};
use crate::check::{Said, Sees};

/// A line client in the lobby.
pub(crate) struct Rooms {
    wire: Wire,
    name: String,
}

impl Rooms {
    pub(crate) fn join(address: SocketAddr, name: &str) -> Self {
        let mut wire = Wire::connect(address);
        wire.send(&format!("{name}_lobby\n")).unwrap();
        wire.expect("200");
        Self { wire, name: name.to_owned() }
    }
}

impl Client for Rooms {
    fn name(&self) -> &str {
        &self.name
    }

    fn sees(&self) -> Sees {
        Sees::All
    }

    fn say(&mut self, _: u32, text: &str) -> io::Result<()> {
        self.wire.send(&format!("{text}\n"))
    }

    fn next(&mut self) -> io::Result<Happening> {
        let line = self.wire.line()?;
        match line.split_once(" - ") {
            Some((from, text)) if !from.ends_with(" (private)") => {
                Ok(Happening::Said(Said { from: from.to_owned(), text: text.to_owned() }))
            }
            _ => Err(io::Error::other(line)),
        }
    }
}
