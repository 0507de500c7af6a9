//! The client side: registers, bridges, then waits for its partner or calls it, and takes turns with it.

mod answers;

use bytes::{Bytes, BytesMut};

use super::block::put_header;
use super::{BLOCK_BYTES_MAX, ClientFrame, Contact, ServerFrame, peer};
use crate::ProtocolError;
use crate::client::{ClientOutbox, Happening, Link};

pub use answers::Answers;

/// Who the client is and where it is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name: letters and digits.
    pub id: String,
    /// The IPv4 address that it declares.
    pub ip: String,
    /// The port that it listens on while it waits.
    pub port: u16,
    /// The server, as `HOST:PORT`: half of the servers close after each answer and have to be dialled again.
    pub server: String,
}

/// A client of the bridge dialect.
///
/// It opens a conversation with a CHAT and its user writes first when it called, or reads first when it was
/// called. Between [`Happening::YourTurn`] and a text that opens the conversation a caller that writes without a
/// person should let [`super::OPENING_GAP`] pass.
#[derive(Debug)]
pub struct Client {
    me: Identity,
    stage: Stage,
    answers: Answers,
    /// Bytes of the other client that are no whole turn yet.
    turn: BytesMut,
    /// The other client's name, when known.
    partner: Option<String>,
    /// Whether the server's connection was opened again for the request under way.
    retried: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// REGISTER is under way, or will be when the connection is up.
    Registering,
    /// BRIDGE is under way, or will be when the connection is up again.
    Bridging,
    /// Calls the partner.
    Dialling,
    /// Waits for a partner.
    Listening,
    /// The other client writes.
    Reading,
    /// This one writes.
    Writing,
    Ended,
}

impl Client {
    /// A client that will register and look for a partner as soon as it is connected.
    #[must_use]
    pub fn new(me: Identity) -> Self {
        Self {
            me,
            stage: Stage::Registering,
            answers: Answers::new(BLOCK_BYTES_MAX),
            turn: BytesMut::new(),
            partner: None,
            retried: false,
        }
    }

    fn contact(&self) -> Contact {
        Contact { id: self.me.id.clone(), ip: self.me.ip.clone(), port: self.me.port.to_string() }
    }

    fn request(&mut self, out: &mut ClientOutbox) {
        let frame = match self.stage {
            Stage::Registering => ClientFrame::Register(self.contact()),
            Stage::Bridging => ClientFrame::Bridge { id: self.me.id.clone() },
            Stage::Dialling | Stage::Listening | Stage::Reading | Stage::Writing | Stage::Ended => return,
        };
        out.send(Link::Main, encode(&frame));
    }

    fn on_answer(&mut self, answer: ServerFrame, out: &mut ClientOutbox) {
        match (self.stage, answer) {
            (Stage::Registering, ServerFrame::RegAck { .. }) => {
                out.tell(Happening::SignedIn { name: self.me.id.clone() });
                self.stage = Stage::Bridging;
                self.retried = false;
                self.request(out);
            }
            (Stage::Registering, ServerFrame::Error { message }) => {
                out.tell(Happening::Refused { code: "ERROR".to_owned(), reason: message });
            }
            (Stage::Bridging, ServerFrame::Error { message }) => self.end(message, out),
            (Stage::Bridging, ServerFrame::BridgeAck(None)) => {
                self.stage = Stage::Listening;
                out.tell(Happening::Listen { port: self.me.port });
            }
            (Stage::Bridging, ServerFrame::BridgeAck(Some(contact))) => {
                self.stage = Stage::Dialling;
                out.tell(Happening::Dial {
                    link: Link::Peer,
                    address: format!("{}:{}", contact.ip, contact.port),
                });
                self.partner = Some(contact.id);
            }
            (_, ServerFrame::Error { message }) => out.tell(Happening::Undelivered { reason: message }),
            _ => {}
        }
    }

    fn on_peer_bytes(&mut self, bytes: &[u8], out: &mut ClientOutbox) {
        self.turn.extend_from_slice(bytes);
        if self.turn.len() > 16 * BLOCK_BYTES_MAX {
            let limit = 16 * BLOCK_BYTES_MAX;
            out.tell(Happening::Confused(ProtocolError::TooLong { what: "the other's turn", limit }));
            return self.end("the other client wrote too much at once".to_owned(), out);
        }
        // One read is one turn, unless it was plainly cut: inside a character or inside a block.
        let cut = std::str::from_utf8(&self.turn).is_err_and(|error| error.error_len().is_none());
        let block = self.turn.starts_with(b"CHAT\r\n") && !peer::is_complete(&self.turn);
        let body = block && [b"\r\n\r\n".as_slice(), b"\n\n"].iter().any(|end| contains(&self.turn, end));
        if cut || (block && !body) {
            return;
        }
        let turn = std::mem::take(&mut self.turn).freeze();
        self.on_turn(&turn, out);
    }

    fn on_turn(&mut self, bytes: &Bytes, out: &mut ClientOutbox) {
        let turn = peer::decode(bytes);
        if self.partner.is_none() {
            self.partner = turn.id;
        }
        let from = self.partner.clone().unwrap_or_default();
        let heard = !turn.texts.is_empty();
        for text in turn.texts {
            let text = peer::without_prompt(&text, &from).to_owned();
            out.tell(Happening::Message { from: from.clone(), text, private: true });
        }
        if turn.quit {
            self.end(format!("{} has left", if from.is_empty() { "the other client" } else { &from }), out);
        } else if heard {
            self.stage = Stage::Writing;
            out.tell(Happening::YourTurn);
        }
    }

    fn write(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        let when = match self.stage {
            Stage::Writing => {
                let line =
                    text.split(['\r', '\n']).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
                if line.is_empty() {
                    return Err(ProtocolError::Missing { what: "a text" });
                }
                out.send(Link::Peer, line);
                self.stage = Stage::Reading;
                return Ok(());
            }
            Stage::Reading => "while it is the other's turn",
            Stage::Ended => "after the end",
            Stage::Registering | Stage::Bridging | Stage::Dialling | Stage::Listening => {
                "before a partner is there"
            }
        };
        Err(ProtocolError::OutOfPlace { what: "a text", when })
    }

    fn end(&mut self, reason: String, out: &mut ClientOutbox) {
        if self.stage != Stage::Ended {
            if matches!(self.stage, Stage::Reading | Stage::Writing) {
                out.tell(Happening::Hangup { link: Link::Peer });
            }
            self.stage = Stage::Ended;
            out.tell(Happening::Ended { reason });
        }
    }
}

impl crate::client::Client for Client {
    fn on_connected(&mut self, link: Link, out: &mut ClientOutbox) {
        match (link, self.stage) {
            (Link::Main, _) => self.request(out),
            (Link::Peer, Stage::Dialling) => {
                let mut opening = BytesMut::new();
                peer::encode_opening(&self.contact(), &mut opening);
                out.send(Link::Peer, opening);
                self.stage = Stage::Writing;
                out.tell(Happening::YourTurn);
            }
            (Link::Peer, Stage::Listening) => self.stage = Stage::Reading,
            (Link::Peer | Link::Receive, _) => out.tell(Happening::Hangup { link }),
        }
    }

    fn on_bytes(&mut self, link: Link, bytes: &[u8], out: &mut ClientOutbox) {
        match link {
            Link::Main => {
                self.answers.feed(bytes);
                loop {
                    match self.answers.next_frame() {
                        Ok(Some(answer)) => self.on_answer(answer, out),
                        Ok(None) => return,
                        Err(error) => {
                            let fatal = error.is_fatal();
                            out.tell(Happening::Confused(error));
                            if fatal {
                                return;
                            }
                        }
                    }
                }
            }
            Link::Peer if matches!(self.stage, Stage::Reading | Stage::Writing) => {
                self.on_peer_bytes(bytes, out)
            }
            Link::Peer | Link::Receive => {}
        }
    }

    fn on_closed(&mut self, link: Link, out: &mut ClientOutbox) {
        match (link, self.stage) {
            (Link::Main, Stage::Registering | Stage::Bridging) => {
                if let Ok(Some(answer)) = self.answers.finish() {
                    self.on_answer(answer, out);
                }
                if !matches!(self.stage, Stage::Registering | Stage::Bridging) {
                    return;
                }
                // The server closes after each answer, or at once if it doesn't like us.
                if self.retried {
                    return self.end("the server closed the connection".to_owned(), out);
                }
                self.retried = true;
                out.wire.retain(|(link, _)| *link != Link::Main);
                out.tell(Happening::Dial { link: Link::Main, address: self.me.server.clone() });
            }
            (Link::Peer, Stage::Reading | Stage::Writing) => {
                let rest = std::mem::take(&mut self.turn).freeze();
                self.on_turn(&rest, out);
                self.end("the other client has closed".to_owned(), out);
            }
            (Link::Peer, Stage::Dialling) => self.end("the other client can't be reached".to_owned(), out),
            _ => {}
        }
    }

    /// There is no room: the partner is all there is.
    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.write(text, out)
    }

    /// The partner is whom the server chose: `to` is not looked at.
    fn tell(&mut self, _to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.write(text, out)
    }

    fn typing(&mut self, _out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        Err(ProtocolError::OutOfPlace { what: "typing", when: "in this protocol" })
    }

    fn leave(&mut self, out: &mut ClientOutbox) {
        if matches!(self.stage, Stage::Reading | Stage::Writing) {
            out.send(Link::Peer, peer::QUIT);
        }
        if self.stage != Stage::Ended {
            out.send(Link::Main, encode(&ClientFrame::Quit { id: Some(self.me.id.clone()) }));
            self.end("you have left".to_owned(), out);
            out.tell(Happening::Hangup { link: Link::Main });
        }
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Writes a request, in the form that all known clients use.
#[must_use]
pub fn encode(frame: &ClientFrame) -> Bytes {
    let mut out = BytesMut::with_capacity(128);
    let mut block = |verb: &str, headers: &[(&str, Option<&str>)]| {
        out.extend_from_slice(verb.as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in headers {
            if let Some(value) = value {
                put_header(&mut out, name, value);
            }
        }
        out.extend_from_slice(b"\r\n");
    };
    match frame {
        ClientFrame::Register(Contact { id, ip, port }) => {
            block("REGISTER", &[("clientID", Some(id)), ("IP", Some(ip)), ("Port", Some(port))]);
        }
        ClientFrame::Bridge { id } => block("BRIDGE", &[("clientID", Some(id))]),
        ClientFrame::Chat { id, message } => {
            block("CHAT", &[("clientID", id.as_deref()), ("message", message.as_deref())]);
        }
        ClientFrame::ChatBoth { first, second } => {
            block("CHAT", &[("clientID1", Some(first)), ("clientID2", Some(second))]);
        }
        ClientFrame::Probe => block("PROBE", &[]),
        ClientFrame::Quit { id } => block("QUIT", &[("clientID", id.as_deref())]),
        ClientFrame::Unregister { id } => block("UNREGISTER", &[("clientID", id.as_deref())]),
        ClientFrame::Info => block("INFO", &[]),
    }
    out.freeze()
}

#[cfg(test)]
mod tests;
