//! The client's side: [`Client`] registers on two connections, says things one at a time and acknowledges what
//! comes.

mod codec;

use std::collections::VecDeque;

use bytes::BytesMut;

pub use codec::{Decoder, encode};

use super::{ClientFrame, EVERYBODY, End, ErrorCode, Layout, Role, ServerFrame, is_name};
use crate::ProtocolError;
use crate::client::{ClientOutbox, Happening, Link};

/// How many messages may wait for the one before to be acknowledged.
const WAITING_MAX: usize = 1000;

/// A client as the protocol describes it.
#[derive(Debug)]
pub struct Client {
    name: String,
    address: String,
    sending: Decoder,
    receiving: Decoder,
    receiving_is_open: bool,
    state: State,
    /// Recipient and text of what wasn't sent yet.
    waiting: VecDeque<(String, String)>,
    /// The recipient of what is sent and not acknowledged.
    unanswered: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first connection isn't open.
    Closed,
    /// The first connection is open, and registering or refused.
    Sending,
    /// The second connection was asked for, or is registering or refused.
    Receiving,
    /// Both are registered.
    Ready,
}

impl Client {
    /// A client that will register as `name`. `address` (`HOST:PORT`) is where the second connection goes to;
    /// frames may have `bytes_max` bytes.
    #[must_use]
    pub fn new(name: &str, address: &str, bytes_max: usize) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            sending: Decoder::new(bytes_max),
            receiving: Decoder::new(bytes_max),
            receiving_is_open: false,
            state: State::Closed,
            waiting: VecDeque::new(),
            unanswered: None,
        }
    }

    /// Tries another name after a refusal.
    ///
    /// # Errors
    /// `OutOfPlace` if the client is not registering.
    pub fn try_name(&mut self, name: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        match self.state {
            // If the first connection has the old name, it is registered anew before the second.
            State::Sending | State::Receiving => self.state = State::Sending,
            State::Closed => return Err(out_of_place("REGISTER", "before the connection is open")),
            State::Ready => return Err(out_of_place("REGISTER", "after registration")),
        }
        name.clone_into(&mut self.name);
        self.register(Link::Main, out);
        Ok(())
    }

    fn register(&self, link: Link, out: &mut ClientOutbox) {
        let role = if link == Link::Receive { Role::ToReceive } else { Role::ToSend };
        let name = self.name.clone();
        send(link, &ClientFrame::Register { role, name, spaced: false, end: End::EmptyLine }, out);
    }

    fn queue(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        if self.state != State::Ready {
            return Err(out_of_place("SEND", "before registration"));
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(out_of_place("SEND", "while a thousand messages wait"));
        }
        self.waiting.push_back((to.to_owned(), text.to_owned()));
        self.send_next(out);
        Ok(())
    }

    /// Many servers take one message at a time, so the next one goes when the last was answered.
    fn send_next(&mut self, out: &mut ClientOutbox) {
        if self.unanswered.is_some() {
            return;
        }
        let Some((to, body)) = self.waiting.pop_front() else { return };
        self.unanswered = Some(to.clone());
        send(Link::Main, &ClientFrame::Send { to, body, layout: Layout::Lines, spaced: false }, out);
    }

    fn answered(&mut self, happening: impl FnOnce(String) -> Happening, out: &mut ClientOutbox) {
        if let Some(to) = self.unanswered.take() {
            out.tell(happening(to));
        }
        self.send_next(out);
    }

    fn on_frame(&mut self, link: Link, frame: ServerFrame, out: &mut ClientOutbox) {
        match frame {
            ServerFrame::Registered { role: Role::ToSend, .. } if self.state == State::Sending => {
                self.state = State::Receiving;
                if self.receiving_is_open {
                    self.register(Link::Receive, out);
                } else {
                    out.tell(Happening::Dial { link: Link::Receive, address: self.address.clone() });
                }
            }
            ServerFrame::Registered { role: Role::ToReceive, name } if self.state == State::Receiving => {
                self.state = State::Ready;
                out.tell(Happening::SignedIn { name });
            }
            ServerFrame::Sent { .. } => self.answered(|to| Happening::Delivered { to }, out),
            ServerFrame::Forward { from, body } => {
                send(link, &ClientFrame::Received { about: from.clone(), misspelled: false }, out);
                out.tell(Happening::Message { from, text: body, private: false });
            }
            ServerFrame::Error(code) => self.on_error(&code, out),
            ServerFrame::Unregistered => {
                out.tell(Happening::Ended { reason: "unregistered".to_owned() });
            }
            ServerFrame::Registered { .. } => {
                out.tell(Happening::Confused(out_of_place("REGISTERED", "now")));
            }
        }
    }

    fn on_error(&mut self, code: &ErrorCode, out: &mut ClientOutbox) {
        let reason = code.text().to_owned();
        if self.state == State::Ready {
            self.answered(|_| Happening::Undelivered { reason }, out);
        } else {
            out.tell(Happening::Refused { code: code.code().to_string(), reason });
        }
    }
}

impl crate::client::Client for Client {
    fn on_connected(&mut self, link: Link, out: &mut ClientOutbox) {
        match link {
            Link::Main => self.state = State::Sending,
            Link::Receive => self.receiving_is_open = true,
            Link::Peer => return,
        }
        self.register(link, out);
    }

    fn on_bytes(&mut self, link: Link, bytes: &[u8], out: &mut ClientOutbox) {
        self.decoder(link).feed(bytes);
        loop {
            match self.decoder(link).next_frame() {
                Ok(Some(frame)) => self.on_frame(link, frame, out),
                Ok(None) => return,
                Err(error) => {
                    let is_fatal = error.is_fatal();
                    if is_fatal && link == Link::Receive {
                        let text = "103 Header Incomplete".to_owned();
                        send(link, &ClientFrame::Error { text }, out);
                    }
                    out.tell(Happening::Confused(error));
                    if is_fatal {
                        return;
                    }
                }
            }
        }
    }

    fn on_closed(&mut self, link: Link, out: &mut ClientOutbox) {
        let (what, other) = match link {
            Link::Main => ("sending", Link::Receive),
            Link::Receive | Link::Peer => ("receiving", Link::Main),
        };
        if self.state != State::Closed {
            self.state = State::Closed;
            out.tell(Happening::Ended { reason: format!("the server closed the {what} connection") });
            out.tell(Happening::Hangup { link: other });
        }
    }

    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.queue(EVERYBODY, text, out)
    }

    fn tell(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        if !is_name(to) {
            return Err(ProtocolError::malformed("recipient", to.as_bytes()));
        }
        self.queue(to, text, out)
    }

    fn typing(&mut self, _: &mut ClientOutbox) -> Result<(), ProtocolError> {
        Err(out_of_place("typing", "in this protocol"))
    }

    fn leave(&mut self, out: &mut ClientOutbox) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        send(Link::Main, &ClientFrame::Unregister, out);
        for link in [Link::Main, Link::Receive] {
            out.tell(Happening::Hangup { link });
        }
    }
}

impl Client {
    fn decoder(&mut self, link: Link) -> &mut Decoder {
        if link == Link::Receive { &mut self.receiving } else { &mut self.sending }
    }
}

fn out_of_place(what: &'static str, when: &'static str) -> ProtocolError {
    ProtocolError::OutOfPlace { what, when }
}

fn send(link: Link, frame: &ClientFrame, out: &mut ClientOutbox) {
    let mut bytes = BytesMut::new();
    encode(frame, &mut bytes);
    out.send(link, bytes.freeze());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client as _;

    /// What a call left behind, as text.
    fn drain(out: &mut ClientOutbox) -> (Vec<(Link, String)>, Vec<Happening>) {
        let wire = std::mem::take(&mut out.wire);
        let wire = wire.into_iter().map(|(link, bytes)| (link, String::from_utf8(bytes.to_vec()).unwrap()));
        (wire.collect(), std::mem::take(&mut out.happenings))
    }

    fn wire(link: Link, text: &str) -> Vec<(Link, String)> {
        vec![(link, text.to_owned())]
    }

    fn dial() -> Happening {
        Happening::Dial { link: Link::Receive, address: "here:5050".into() }
    }

    fn ready() -> (Client, ClientOutbox) {
        let (mut client, mut out) = (Client::new("bob", "here:5050", 4096), ClientOutbox::default());
        client.on_connected(Link::Main, &mut out);
        assert_eq!(drain(&mut out), (wire(Link::Main, "REGISTER TOSEND bob\n\n"), vec![]));
        client.on_bytes(Link::Main, b"REGISTERED TOSEND bob\n\n", &mut out);
        assert_eq!(drain(&mut out), (vec![], vec![dial()]));
        client.on_connected(Link::Receive, &mut out);
        assert_eq!(drain(&mut out), (wire(Link::Receive, "REGISTER TORECV bob\n\n"), vec![]));
        client.on_bytes(Link::Receive, b"REGISTERED TORECV bob\n\n", &mut out);
        assert_eq!(drain(&mut out), (vec![], vec![Happening::SignedIn { name: "bob".into() }]));
        (client, out)
    }

    #[test]
    fn one_message_waits_for_the_other() {
        let (mut client, mut out) = ready();
        client.say("hi", &mut out).unwrap();
        client.tell("eve", "psst", &mut out).unwrap();
        assert_eq!(drain(&mut out).0, wire(Link::Main, "SEND ALL\nContent-length: 2\n\nhi"));
        client.on_bytes(Link::Main, b"SEND ALL\n\n", &mut out);
        assert_eq!(
            drain(&mut out),
            (
                wire(Link::Main, "SEND eve\nContent-length: 4\n\npsst"),
                vec![Happening::Delivered { to: "ALL".into() }]
            )
        );
        client.on_bytes(Link::Main, b"ERROR 102 Unable to send\n\n", &mut out);
        let reason = "Unable to send".to_owned();
        assert_eq!(drain(&mut out), (vec![], vec![Happening::Undelivered { reason }]));
        assert!(client.tell("e ve", "psst", &mut out).is_err() && client.typing(&mut out).is_err());
    }

    #[test]
    fn what_comes_is_acknowledged() {
        let (mut client, mut out) = ready();
        client.on_bytes(Link::Receive, "FORWARD eve\nContent-length: 2\n\né".as_bytes(), &mut out);
        assert_eq!(drain(&mut out), (vec![], vec![]));
        client.on_bytes(Link::Receive, b"!", &mut out);
        let message = Happening::Message { from: "eve".into(), text: "é!".into(), private: false };
        assert_eq!(drain(&mut out), (wire(Link::Receive, "RECEIVED eve\n\n"), vec![message]));
        client.on_bytes(Link::Receive, b"FORWARD eve\n\nhi", &mut out);
        assert_eq!(drain(&mut out).0, wire(Link::Receive, "ERROR 103 Header Incomplete\n\n"));
    }

    #[test]
    fn another_name_after_a_refusal() {
        let (mut client, mut out) = (Client::new("bob", "here:5050", 4096), ClientOutbox::default());
        assert!(client.try_name("eve", &mut out).is_err() && client.say("hi", &mut out).is_err());
        client.on_connected(Link::Main, &mut out);
        drain(&mut out);
        client.on_bytes(Link::Main, b"ERROR 100 Malformed username\n\n", &mut out);
        let refused = Happening::Refused { code: "100".into(), reason: "Malformed username".into() };
        assert_eq!(drain(&mut out), (vec![], vec![refused]));
        client.try_name("eve", &mut out).unwrap();
        assert_eq!(drain(&mut out).0, wire(Link::Main, "REGISTER TOSEND eve\n\n"));
    }

    #[test]
    fn leaving_hangs_up_on_both() {
        let (mut client, mut out) = ready();
        client.leave(&mut out);
        let hangups = [Link::Main, Link::Receive].map(|link| Happening::Hangup { link }).to_vec();
        assert_eq!(drain(&mut out), (wire(Link::Main, "UNREGISTER\n\n"), hangups));
        client.on_closed(Link::Main, &mut out);
        assert_eq!(drain(&mut out), (vec![], vec![]));
    }
}
