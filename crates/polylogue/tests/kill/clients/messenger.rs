//! messenger, on two sockets.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use super::wire::Wire;
use super::{Client, Happening};
use crate::check::{Said, Sees};

/// The socket that sends, and is told what became of it.
pub(crate) struct MessengerSender {
    wire: Wire,
    name: String,
    /// What is not answered yet; answers come in the order of the messages.
    open: VecDeque<u32>,
}

/// The socket that is sent to.
pub(crate) struct MessengerReceiver {
    wire: Wire,
    name: String,
}

/// Registers both.
pub(crate) fn join(address: SocketAddr, name: &str) -> (MessengerSender, MessengerReceiver) {
    let register = |role: &str| {
        let mut wire = Wire::connect(address);
        wire.send(&format!("REGISTER {role} {name}\n\n")).unwrap();
        wire.expect(&format!("REGISTERED {role} {name}"));
        wire.expect("");
        wire
    };
    let sender = MessengerSender { wire: register("TOSEND"), name: name.to_owned(), open: VecDeque::new() };
    (sender, MessengerReceiver { wire: register("TORECV"), name: name.to_owned() })
}

impl MessengerSender {
    /// The first line of the next answer.
    pub(crate) fn answer(&mut self) -> io::Result<String> {
        let answer = self.wire.line()?;
        match self.wire.line()?.as_str() {
            "" => Ok(answer),
            more => Err(io::Error::other(format!("{answer:?} goes on with {more:?}"))),
        }
    }
}

impl Client for MessengerSender {
    fn name(&self) -> &str {
        &self.name
    }

    fn sees(&self) -> Sees {
        Sees::Nothing
    }

    fn say(&mut self, number: u32, text: &str) -> io::Result<()> {
        self.open.push_back(number);
        self.wire.send(&format!("SEND ALL\nContent-length: {}\n\n{text}", text.len()))
    }

    fn next(&mut self) -> io::Result<Happening> {
        match self.answer()?.as_str() {
            "SEND ALL" => Ok(Happening::Acknowledged(self.open.pop_front().unwrap())),
            other => Err(io::Error::other(other.to_owned())),
        }
    }
}

impl Client for MessengerReceiver {
    fn name(&self) -> &str {
        &self.name
    }

    fn sees(&self) -> Sees {
        Sees::Others
    }

    fn say(&mut self, _: u32, _: &str) -> io::Result<()> {
        Err(io::Error::other("this socket doesn't send"))
    }

    fn next(&mut self) -> io::Result<Happening> {
        let (header, length, empty) = (self.wire.line()?, self.wire.line()?, self.wire.line()?);
        let from = header.strip_prefix("FORWARD ");
        let bytes = length.strip_prefix("Content-length: ").and_then(|length| length.parse().ok());
        let (Some(from), Some(bytes), "") = (from, bytes, empty.as_str()) else {
            return Err(io::Error::other(format!("{header:?}, {length:?}, {empty:?}")));
        };
        let text = self.wire.exactly(bytes)?;
        self.wire.send(&format!("RECEIVED {from}\n\n"))?;
        Ok(Happening::Said(Said { from: from.to_owned(), text }))
    }
}
