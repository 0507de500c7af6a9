//! The client side: as strict about states as the protocol's own client, but it goes on where that one throws.

use bytes::BytesMut;

use super::header::{self, Message};
use super::{Body, ClientFrame, ServerFrame, USER_UNITS, server, trim, trim_end, user_units};
use crate::ProtocolError;
use crate::client::{Client, ClientOutbox, Happening, Link};

/// Reads one message of a server. Like the protocol's own client it trims the end of bodies and refuses a
/// `CHAT_MSSG` with nothing in it, or without a user.
///
/// # Errors
/// `Malformed` header, `Unknown` type, `Missing` name or body, `TooLong` body.
pub fn decode(message: &str, body_bytes_max: usize) -> Result<ServerFrame<'_>, ProtocolError> {
    let Message { kind, user, body } = Message::read(message, body_bytes_max)?;
    let name = || present(user, "user name");
    Ok(match kind {
        "STATE_UPG_1" => ServerFrame::StateUpg1,
        "STATE_UPG_2" => ServerFrame::StateUpg2 { name: name()? },
        "SET_USR_CONFLICT" => ServerFrame::SetUsrConflict { name: name()? },
        "CHAT_MSSG" => {
            ServerFrame::ChatMssg { user: name()?, body: Body::read(present(trim_end(body), "body")?) }
        }
        "DISCONNECT" => ServerFrame::Disconnect,
        "SERVER_CLIENT_LIMIT_REACHED" => ServerFrame::LimitReached,
        _ => return Err(ProtocolError::unknown("type", kind.as_bytes())),
    })
}

fn present<'a>(text: &'a str, what: &'static str) -> Result<&'a str, ProtocolError> {
    if text.is_empty() { Err(ProtocolError::Missing { what }) } else { Ok(text) }
}

/// Writes one message for a server. A name longer than the user field is clipped: check it first.
pub fn encode(frame: &ClientFrame<'_>, out: &mut BytesMut) {
    match *frame {
        ClientFrame::SetUsr { name } => header::write("SET_USR", name, out),
        ClientFrame::ChatMssg { user, body } => server::encode_chat(user, Body::Other(body), out),
        ClientFrame::ExitChat => header::write("EXIT_CHAT", "", out),
    }
}

/// The largest body that a server may send: the limit of the library below the reference server.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Stands before the text of a message that is for its reader alone, by Polylogue's convention.
const PRIVATE: &str = "(private) ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until `STATE_UPG_1`.
    Init,
    /// Until `STATE_UPG_2`.
    Unnamed,
    /// Until `DISCONNECT`.
    Named,
    Disconnected,
}

/// A tmp client. [`Client::on_bytes`] takes the payload of one text frame each time, and each item of the outbox
/// is the payload of one.
#[derive(Debug)]
pub struct TmpClient {
    state: State,
    name: String,
}

impl TmpClient {
    /// A client that will ask for this name.
    ///
    /// # Errors
    /// If it is blank or takes more than 20 UTF-16 units: no server can be asked for such a name.
    pub fn new(name: &str) -> Result<Self, ProtocolError> {
        Ok(Self { state: State::Init, name: check_name(name)? })
    }

    /// Asks for another name after [`Happening::Refused`].
    ///
    /// # Errors
    /// As [`TmpClient::new`]; `OutOfPlace` before the server has asked for a name and after it has accepted one.
    pub fn rename(&mut self, name: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.expect(State::Unnamed, "SET_USR")?;
        self.name = check_name(name)?;
        send(&ClientFrame::SetUsr { name: &self.name }, out);
        Ok(())
    }

    fn expect(&self, state: State, what: &'static str) -> Result<(), ProtocolError> {
        if self.state == state {
            return Ok(());
        }
        let when = match self.state {
            State::Init => "before STATE_UPG_1",
            State::Unnamed => "before STATE_UPG_2",
            State::Named => "once a name is set",
            State::Disconnected => "after DISCONNECT",
        };
        Err(ProtocolError::OutOfPlace { what, when })
    }

    fn on_message(&mut self, message: &[u8], out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        let message = std::str::from_utf8(message).map_err(|_| ProtocolError::NotUtf8 { what: "message" })?;
        match decode(message, BODY_BYTES_MAX)? {
            ServerFrame::StateUpg1 => {
                self.expect(State::Init, "STATE_UPG_1")?;
                self.state = State::Unnamed;
                send(&ClientFrame::SetUsr { name: &self.name }, out);
            }
            ServerFrame::StateUpg2 { name } => {
                self.expect(State::Unnamed, "STATE_UPG_2")?;
                self.state = State::Named;
                self.name = name.to_owned();
                out.tell(Happening::SignedIn { name: name.to_owned() });
            }
            ServerFrame::SetUsrConflict { name } => {
                self.expect(State::Unnamed, "SET_USR_CONFLICT")?;
                let reason = format!("the name {name:?} is taken");
                out.tell(Happening::Refused { code: "SET_USR_CONFLICT".to_owned(), reason });
            }
            ServerFrame::ChatMssg { user, body } => {
                self.expect(State::Named, "CHAT_MSSG")?;
                // The echo of what this client said.
                if user != self.name {
                    out.tell(chat(user, body));
                }
            }
            ServerFrame::Disconnect => self.disconnect("the server ended the session", out)?,
            ServerFrame::LimitReached => self.disconnect("the server is full", out)?,
        }
        Ok(())
    }

    fn disconnect(&mut self, reason: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        if self.state == State::Disconnected {
            return self.expect(State::Named, "DISCONNECT");
        }
        self.end(reason, out);
        out.tell(Happening::Hangup { link: Link::Main });
        Ok(())
    }

    fn end(&mut self, reason: &str, out: &mut ClientOutbox) {
        if self.state != State::Disconnected {
            self.state = State::Disconnected;
            out.tell(Happening::Ended { reason: reason.to_owned() });
        }
    }

    fn chat(&mut self, body: Body<'_>, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.expect(State::Named, "CHAT_MSSG")?;
        if body.is_blank() {
            return Err(ProtocolError::Missing { what: "text" });
        }
        let mut bytes = BytesMut::new();
        server::encode_chat(&self.name, body, &mut bytes);
        out.send(Link::Main, bytes);
        Ok(())
    }
}

fn check_name(name: &str) -> Result<String, ProtocolError> {
    let name = present(trim(name), "user name")?;
    if user_units(name) > USER_UNITS {
        return Err(ProtocolError::malformed("user name (at most 20 UTF-16 units)", name.as_bytes()));
    }
    Ok(name.to_owned())
}

fn send(frame: &ClientFrame<'_>, out: &mut ClientOutbox) {
    let mut bytes = BytesMut::new();
    encode(frame, &mut bytes);
    out.send(Link::Main, bytes);
}

/// A body outside the convention is shown as text; the protocol's own page drops it.
fn chat(user: &str, body: Body<'_>) -> Happening {
    let from = user.to_owned();
    let text = match body {
        Body::Typing => return Happening::Typing { from },
        Body::Message(text) | Body::Other(text) => text,
    };
    let private = text.strip_prefix(PRIVATE).filter(|_| matches!(body, Body::Message(_)));
    Happening::Message { from, text: private.unwrap_or(text).to_owned(), private: private.is_some() }
}

impl Client for TmpClient {
    fn on_connected(&mut self, _link: Link, _out: &mut ClientOutbox) {
        // The server speaks first.
    }

    fn on_bytes(&mut self, _link: Link, bytes: &[u8], out: &mut ClientOutbox) {
        if let Err(error) = self.on_message(bytes, out) {
            out.tell(Happening::Confused(error));
        }
    }

    fn on_closed(&mut self, _link: Link, out: &mut ClientOutbox) {
        self.end("the server closed the connection", out);
    }

    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.chat(Body::Message(trim_end(text)), out)
    }

    /// By Polylogue's convention: the protocol has no private messages.
    fn tell(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        let text = present(trim_end(text), "text")?;
        self.chat(Body::Message(&format!("/msg {to} {text}")), out)
    }

    fn typing(&mut self, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.chat(Body::Typing, out)
    }

    fn leave(&mut self, out: &mut ClientOutbox) {
        if self.state != State::Disconnected {
            send(&ClientFrame::ExitChat, out);
        }
    }
}
