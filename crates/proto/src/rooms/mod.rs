//! rooms: plain text after a first message `NAME_ROOM` (`docs/protocols/rooms.md`).
//!
//! ```text
//! first    = name "_" room            ; neither part has a "_" or is empty; at most 1024 bytes
//! code     = "200" / "400" / "403"    ; the server's answer to the first message
//! text     = 1*char                   ; what a member says
//! message  = name [" (private)"] " - " text
//! exit     = "/exit"                  ; the server is going away
//! ```
//!
//! Nothing stands between messages: a read is a message ([`Framing::Reads`]). A client whose first message ends
//! in a line feed has its messages, and those to it, end in one too ([`Framing::Lines`]).

mod client;
#[doc(hidden)]
pub mod fuzz;
mod server;

pub use client::{Client, Options, encode as encode_client};
pub use server::{Decoder, encode, encode_message, message_bytes};

use bytes::BytesMut;

/// The longest first message, in bytes.
pub const FIRST_BYTES_MAX: usize = 1024;

/// What stands between a message's sender and its text.
const SEPARATOR: &str = " - ";
/// What stands behind the sender of a private message.
const PRIVATE: &str = " (private)";
/// The server's last message.
const EXIT: &str = "/exit";

/// How messages on a connection are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Each read is a message, as the protocol has it.
    Reads,
    /// Each line is a message: for `nc` and `telnet`, which can't help ending what they send so.
    Lines,
}

/// What clients send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// The first message.
    First {
        /// The wanted name.
        name: String,
        /// The room to be in.
        room: String,
    },
    /// Every other message.
    Text(String),
}

/// What servers send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// The answer to the first message.
    Code(Code),
    /// Somebody said something.
    Message {
        /// Who.
        from: String,
        /// Whether for this client alone.
        private: bool,
        /// What.
        text: String,
    },
    /// The server is going away.
    Exit,
    /// A text that has not the form of a message. Only clients meet it.
    Other(String),
}

/// The answers to a first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// `200`: the client is in the room.
    Welcome,
    /// `400`: the first message has not the form of one, or its names not that of names.
    Invalid,
    /// `401`: said by the first servers where later ones say `400`. Only clients meet it.
    InvalidOld,
    /// `403`: the name is taken.
    Taken,
}

impl Code {
    /// The three digits.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "200",
            Self::Invalid => "400",
            Self::InvalidOld => "401",
            Self::Taken => "403",
        }
    }

    /// The code of these digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let all = [Self::Welcome, Self::Invalid, Self::InvalidOld, Self::Taken];
        all.into_iter().find(|code| code.as_str().as_bytes() == digits)
    }
}

/// How many of these bytes are whole characters, or will never be any: what is left at the end is a character
/// whose other bytes are still to come.
fn whole_chars(bytes: &[u8]) -> usize {
    for tail_len in 1..=bytes.len().min(3) {
        let start = bytes.len() - tail_len;
        let tail = bytes.get(start..).unwrap_or_default();
        // An error without a length is one that more bytes could mend.
        if std::str::from_utf8(tail)
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        {
            return start;
        }
    }
    bytes.len()
}

/// Takes the first `len` bytes as text.
fn take_text(buf: &mut BytesMut, len: usize) -> String {
    let bytes = buf.split_to(len.min(buf.len()));
    if buf.is_empty() {
        *buf = BytesMut::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes what a read gave as text, at most `bytes_max` bytes of it. A character that is cut at the end stays
/// for the next read, unless there is none.
fn take_read(buf: &mut BytesMut, bytes_max: usize, is_last: bool) -> Option<String> {
    let len = match buf.get(..bytes_max) {
        Some(head) if buf.len() > bytes_max => whole_chars(head),
        _ if is_last => buf.len(),
        _ => whole_chars(buf),
    };
    (len > 0).then(|| take_text(buf, len))
}

#[cfg(test)]
mod tests;
