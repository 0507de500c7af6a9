//! muca: JSON objects over TCP, with no delimiter between them (`docs/protocols/muca.md`).
//!
//! A client sends JOIN once and SEND as often as it likes; a server answers JOIN with ACK, tells everybody who is
//! present with LIST whenever that changes, and passes on what was said with MSG. All in a stream of objects, one
//! `send` each: bare, or behind a 4-byte big-endian length if the client opened with one.
//!
//! `objects.rs` cuts the stream into objects, `json.rs` reads and writes their fields; neither knows the commands.

pub mod client;
#[doc(hidden)]
pub mod fuzz;
mod json;
mod objects;
pub mod server;

use bytes::BytesMut;

pub use json::escaped_len;

/// The word that means everybody where a client writes recipients. No UID may be it.
pub const EVERYBODY: &str = "ALL";

/// Recipients that one SEND may name; each costs the server a look-up.
pub const RECIPIENTS_MAX: usize = 1000;

/// How a connection's objects are kept apart, both ways. The client's first byte settles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// One object after the other; white space between them means nothing.
    Bare,
    /// Each behind its length in bytes, 4 bytes big-endian.
    Length,
}

/// What clients send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Wants to be present. What is missing or no string is empty here: it has to be answered all the same.
    Join {
        /// UN, the nickname.
        name: String,
        /// UID.
        uid: String,
    },
    /// Says something.
    Send {
        /// MSG, without the one final line feed that most clients' input boxes leave there.
        text: String,
        /// TO.
        to: Recipients,
        /// FROM, the sender's claim about itself; empty if missing. Servers don't believe it.
        from: String,
    },
}

/// To whom something is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// `[]`, `[""]`, `["ALL"]`, or one of these words outside of a list.
    Everybody,
    /// Those named, trimmed; at least one, at most [`RECIPIENTS_MAX`].
    People(Vec<String>),
}

/// What servers send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// The answer to a JOIN.
    Ack {
        /// OKAY or FAIL.
        okay: bool,
    },
    /// Everybody who is present, in order of arrival, the receiver included.
    List(Vec<Person>),
    /// What somebody said.
    Message {
        /// TYPE.
        kind: Kind,
        /// MSG.
        text: String,
        /// FROM, a UID out of the last LIST.
        from: String,
    },
}

/// For whom a message was, from the number of recipients that its sender named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// None: everybody.
    All,
    /// Several.
    Group,
    /// One.
    Private,
}

impl Kind {
    /// As it is on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Group => "GROUP",
            Self::Private => "PRIVATE",
        }
    }
}

/// An entry of a LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// UN, the nickname.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// Appends what `write` writes as one frame.
fn framed(framing: Framing, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    if framing == Framing::Length {
        out.extend_from_slice(&[0; 4]);
    }
    let body = out.len();
    write(out);
    if framing == Framing::Length {
        // An object of 4 GiB can't be built from texts and names that have limits.
        let length = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
        if let Some(prefix) = out.get_mut(start..body) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
