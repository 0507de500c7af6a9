//! What a rooms client reads and writes, and the client itself.

use bytes::{BufMut, BytesMut};
use memchr::memchr;

use super::{ClientFrame, Code, EXIT, Framing, PRIVATE, SEPARATOR, ServerFrame, take_read, take_text};
use crate::ProtocolError;
use crate::client::{ClientOutbox, Happening, Link};

/// The length of an answer to the first message.
const CODE_LEN: usize = 3;

/// Bytes from a server in, frames out. Drained, it owns no memory.
#[derive(Debug)]
struct Decoder {
    buf: BytesMut,
    framing: Framing,
    line_bytes_max: usize,
    /// Whether the answer to the first message is still to come.
    waits_for_code: bool,
}

impl Decoder {
    fn new(framing: Framing, line_bytes_max: usize) -> Self {
        Self { buf: BytesMut::new(), framing, line_bytes_max: line_bytes_max.max(4), waits_for_code: true }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    fn next_frame(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        if self.waits_for_code {
            return self.code();
        }
        let text = match self.framing {
            Framing::Reads => take_read(&mut self.buf, self.line_bytes_max, false),
            Framing::Lines => match memchr(b'\n', &self.buf) {
                Some(end) => Some(self.take_line(end)),
                None if self.buf.len() > self.line_bytes_max => {
                    return Err(ProtocolError::TooLong { what: "a line", limit: self.line_bytes_max }.fatal());
                }
                None => None,
            },
        };
        Ok(text.map(message))
    }

    fn code(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        let Some(digits) = self.buf.get(..CODE_LEN) else { return Ok(None) };
        let code = Code::parse(digits)
            .ok_or_else(|| ProtocolError::unknown("answer to the first message", &self.buf).fatal())?;
        if self.framing == Framing::Lines {
            let Some(end) = memchr(b'\n', &self.buf) else { return Ok(None) };
            self.take_line(end);
        } else {
            // Servers that let the next message follow at once are forgiven.
            take_text(&mut self.buf, CODE_LEN);
        }
        self.waits_for_code = false;
        Ok(Some(ServerFrame::Code(code)))
    }

    fn take_line(&mut self, end: usize) -> String {
        let mut line = take_text(&mut self.buf, end + 1);
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        line
    }
}

/// What a text from a server means.
fn message(text: String) -> ServerFrame {
    if text == EXIT {
        return ServerFrame::Exit;
    }
    let Some((from, said)) = text.split_once(SEPARATOR) else { return ServerFrame::Other(text) };
    let (from, private) = from.strip_suffix(PRIVATE).map_or((from, false), |from| (from, true));
    ServerFrame::Message { from: from.to_owned(), private, text: said.to_owned() }
}

/// Appends a frame. A text has to be on one line where lines are messages.
pub fn encode(frame: &ClientFrame, framing: Framing, out: &mut BytesMut) {
    match frame {
        ClientFrame::First { name, room } => {
            for part in [name, "_", room] {
                out.put_slice(part.as_bytes());
            }
        }
        ClientFrame::Text(text) => out.put_slice(text.as_bytes()),
    }
    if framing == Framing::Lines {
        out.put_u8(b'\n');
    }
}

/// Choices of a [`Client`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The wanted name.
    pub name: String,
    /// The room to be in.
    pub room: String,
    /// Every server understands [`Framing::Reads`]; [`Framing::Lines`] never runs two messages together, but
    /// only some servers offer it.
    pub framing: Framing,
    /// Whether the server takes `/msg NAME text` as a private message. One that doesn't shows it to everybody.
    pub commands: bool,
    /// What may wait for its end, in bytes.
    pub line_bytes_max: usize,
}

/// The client side of the protocol.
#[derive(Debug)]
pub struct Client {
    pub(super) options: Options,
    decoder: Decoder,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first message is not answered yet.
    Greeting,
    Active,
    Ended,
}

impl Client {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let decoder = Decoder::new(options.framing, options.line_bytes_max);
        Self { options, decoder, state: State::Greeting }
    }

    fn send(&self, frame: &ClientFrame, out: &mut ClientOutbox) {
        let mut bytes = BytesMut::new();
        encode(frame, self.options.framing, &mut bytes);
        out.send(Link::Main, bytes.freeze());
    }

    fn send_text(&self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        let when = match self.state {
            State::Active => {
                if !text.is_empty() {
                    self.send(&ClientFrame::Text(text.to_owned()), out);
                }
                return Ok(());
            }
            State::Greeting => "before login",
            State::Ended => "after the end",
        };
        Err(ProtocolError::OutOfPlace { what: "a text", when })
    }

    fn end(&mut self, reason: &str, out: &mut ClientOutbox) {
        if self.state != State::Ended {
            self.state = State::Ended;
            out.tell(Happening::Hangup { link: Link::Main });
            out.tell(Happening::Ended { reason: reason.to_owned() });
        }
    }

    fn on_frame(&mut self, frame: ServerFrame, out: &mut ClientOutbox) {
        match frame {
            ServerFrame::Code(Code::Welcome) => {
                self.state = State::Active;
                out.tell(Happening::SignedIn { name: self.options.name.clone() });
            }
            ServerFrame::Code(code) => {
                let reason = match code {
                    Code::Taken => format!("the name {:?} is taken", self.options.name),
                    Code::Welcome | Code::Invalid | Code::InvalidOld => {
                        let Options { name, room, .. } = &self.options;
                        format!("the server doesn't take the name {name:?} with the room {room:?}")
                    }
                };
                out.tell(Happening::Refused { code: code.as_str().to_owned(), reason: reason.clone() });
                self.end(&reason, out);
            }
            ServerFrame::Message { from, private, text } => {
                out.tell(Happening::Message { from, text, private });
            }
            ServerFrame::Exit => self.end("the server is going away", out),
            ServerFrame::Other(text) => {
                out.tell(Happening::Confused(ProtocolError::malformed("message", text.as_bytes())));
            }
        }
    }
}

impl crate::client::Client for Client {
    fn on_connected(&mut self, _: Link, out: &mut ClientOutbox) {
        let Options { name, room, .. } = &self.options;
        self.send(&ClientFrame::First { name: name.clone(), room: room.clone() }, out);
    }

    fn on_bytes(&mut self, _: Link, bytes: &[u8], out: &mut ClientOutbox) {
        self.decoder.feed(bytes);
        while self.state != State::Ended {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.on_frame(frame, out),
                Ok(None) => return,
                Err(error) => {
                    let reason = error.to_string();
                    out.tell(Happening::Confused(error));
                    self.end(&reason, out);
                }
            }
        }
    }

    fn on_closed(&mut self, _: Link, out: &mut ClientOutbox) {
        self.end("the server closed the connection", out);
    }

    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        match self.options.framing {
            Framing::Reads => self.send_text(text, out),
            Framing::Lines => text.lines().try_for_each(|line| self.send_text(line, out)),
        }
    }

    fn tell(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        if !self.options.commands {
            return Err(ProtocolError::OutOfPlace { what: "a private message", when: "in rooms" });
        }
        text.lines().try_for_each(|line| self.send_text(&format!("/msg {to} {line}"), out))
    }

    fn typing(&mut self, _: &mut ClientOutbox) -> Result<(), ProtocolError> {
        Err(ProtocolError::OutOfPlace { what: "typing", when: "in rooms" })
    }

    fn leave(&mut self, out: &mut ClientOutbox) {
        // The protocol's way is to hang up.
        self.end("left", out);
    }
}
