//! tmp://: 64-character headers in WebSocket text frames (`docs/protocols/tmp.md`).
//!
//! ```text
//! message = "tmp://" type "::/" user "::/" body
//! type    = 32 units: the type, then spaces
//! user    = 20 units: a name, then spaces; all spaces where the type has no user
//! body    = the rest, no end mark
//! ```
//!
//! WebSocket does the framing: one text frame is one message, so there is no stateful decoder here.
//! [`server::decode`] and [`client::decode`] take one message and borrow from it.

pub mod client;
#[doc(hidden)]
pub mod fuzz;
mod header;
pub mod server;

pub use header::{clip_user, user_units};

/// What a header begins with.
pub const SCHEME: &str = "tmp://";
/// What ends the type and the user field.
pub const MARK: &str = "::/";
/// Length of the type field, in units.
pub const TYPE_UNITS: usize = 32;
/// Length of the user field, in UTF-16 units; so a name can't be longer.
pub const USER_UNITS: usize = 20;
/// Length of the whole header, in units.
pub const HEADER_UNITS: usize = 64;

/// Stands before the text in the body of a chat message.
pub const MESSAGE_WORD: &str = "CHAT_MESSAGE";
/// The whole body of a chat message that says only that its sender is typing.
pub const TYPING_WORD: &str = "CHAT_TYPING_INDICATOR";

/// What clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFrame<'a> {
    /// `SET_USR`: asks for a name. A body is ignored.
    SetUsr {
        /// Trimmed, not empty.
        name: &'a str,
    },
    /// `CHAT_MSSG`: says something.
    ChatMssg {
        /// The name that the client claims. Trimmed, not empty.
        user: &'a str,
        /// As it came. May be empty.
        body: &'a str,
    },
    /// `EXIT_CHAT`: leaves. User and body are ignored.
    ExitChat,
}

/// What servers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerFrame<'a> {
    /// `STATE_UPG_1`: the connection is accepted, a name is expected.
    StateUpg1,
    /// `STATE_UPG_2`: the name is accepted.
    StateUpg2 {
        /// The accepted name.
        name: &'a str,
    },
    /// `SET_USR_CONFLICT`: the name is taken, another is expected.
    SetUsrConflict {
        /// The refused name.
        name: &'a str,
    },
    /// `CHAT_MSSG`: somebody said something.
    ChatMssg {
        /// Who.
        user: &'a str,
        /// What.
        body: Body<'a>,
    },
    /// `DISCONNECT`: the end.
    Disconnect,
    /// `SERVER_CLIENT_LIMIT_REACHED`: in the protocol's text, but no known server sends it: they send
    /// `DISCONNECT` at once. Understood as that.
    LimitReached,
}

/// The body of a chat message, by the convention of the protocol's own page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// `CHAT_MESSAGE text`.
    Message(&'a str),
    /// `CHAT_TYPING_INDICATOR`.
    Typing,
    /// Anything else, as it is.
    Other(&'a str),
}

impl<'a> Body<'a> {
    /// Reads a body. Nothing of a text is taken away but the word and the one space after it.
    #[must_use]
    pub fn read(body: &'a str) -> Self {
        if trim_end(body) == TYPING_WORD {
            return Self::Typing;
        }
        match body.strip_prefix(MESSAGE_WORD) {
            Some("") => Self::Message(""),
            Some(rest) => rest.strip_prefix(' ').map_or(Self::Other(body), Self::Message),
            None => Self::Other(body),
        }
    }

    /// Whether a client that trims it has nothing left to show. The reference client fails on an `Other` of that
    /// kind, and its page shows an empty bubble for a `Message`.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Message(text) | Self::Other(text) => text.chars().all(is_space),
            Self::Typing => false,
        }
    }
}

/// What any of the known clients and servers trims: JavaScript takes U+FEFF for space, Python and Rust take
/// U+0085, Python also the separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{1c}'..='\u{1f}')
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

#[cfg(test)]
mod tests;
