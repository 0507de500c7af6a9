//! The messenger protocol: SEND and FORWARD over one or two TCP connections.
//!
//! ```text
//! client-message = register / send / received / error / unregister
//! register       = "REGISTER " ("TOSEND" / "TORECV") SP name end
//! send           = "SEND " name LF "Content-length: " 1*DIGIT LF LF body
//! received       = "RECEIVED " name end
//! unregister     = "UNREGISTER" end
//! server-message = registered / sent / forward / error / unregistered
//! registered     = "REGISTERED " ("TOSEND" / "TORECV") SP name end
//! sent           = ("SEND " / "SENT ") name end
//! forward        = "FORWARD " name LF "Content-length: " 1*DIGIT LF LF body
//! error          = "ERROR " 3DIGIT SP text end
//! unregistered   = "UNREGISTERED" end
//! end            = LF LF
//! ```
//!
//! That is what a client should write. What clients do write differs, and [`server::Decoder`] takes it as it
//! comes; `docs/protocols/messenger.md` lists every variant. Two of them last as long as the connection and are
//! values here: how messages [`End`], and the [`Framing`].

mod body;
pub mod client;
#[doc(hidden)]
pub mod fuzz;
mod head;
pub mod server;
#[cfg(test)]
mod tests;
mod utf;

/// The recipient that means everybody.
pub const EVERYBODY: &str = "ALL";

/// What a connection is registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// To send messages to others.
    ToSend,
    /// To receive those of others.
    ToReceive,
}

impl Role {
    /// The role's word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToSend => "TOSEND",
            Self::ToReceive => "TORECV",
        }
    }

    fn parse(word: &[u8]) -> Option<Self> {
        [Self::ToSend, Self::ToReceive]
            .into_iter()
            .find(|role| word.eq_ignore_ascii_case(role.as_str().as_bytes()))
    }
}

/// How a message without a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum End {
    /// An empty line, as the protocol has it: `\n\n`.
    #[default]
    EmptyLine,
    /// A line with blanks in it: `\n \n`.
    BlankLine,
    /// One line feed.
    LineFeed,
    /// Nothing: silence follows.
    Nothing,
}

impl End {
    /// The bytes of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyLine => "\n\n",
            Self::BlankLine => "\n \n",
            Self::LineFeed => "\n",
            Self::Nothing => "",
        }
    }

    /// How a server ends its messages to a client that ends its own so. A client that writes a blank into the
    /// empty line compares replies with one in it; the others take an empty line.
    #[must_use]
    pub fn echoed(self) -> Self {
        match self {
            Self::BlankLine => Self::BlankLine,
            Self::EmptyLine | Self::LineFeed | Self::Nothing => Self::EmptyLine,
        }
    }
}

/// Whether messages are written one after the other or each in a frame of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Framing {
    /// One after the other.
    #[default]
    Bare,
    /// Each behind its length in two bytes, big-endian, in Java's modified UTF-8: what `DataOutputStream.writeUTF`
    /// writes and `readUTF` reads.
    Utf,
}

/// How the parts of a SEND or FORWARD are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// Two header lines, an empty line, the body.
    #[default]
    Lines,
    /// Two header lines and the body, without an empty line between them.
    NoEmptyLine,
    /// Everything on one line, the line feed at its end a part of the body.
    OneLine,
}

/// What clients write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Wants a role.
    Register {
        /// Which.
        role: Role,
        /// The name as it was written, brackets included, blanks around it not. See [`unbracketed`].
        name: String,
        /// Whether blanks stood between the name and the end of its line.
        spaced: bool,
        /// What ended it.
        end: End,
    },
    /// Says something.
    Send {
        /// The recipient as it was written, blanks around it not.
        to: String,
        /// What was said, as long as the header says.
        body: String,
        /// How it was laid out.
        layout: Layout,
        /// Whether blanks stood between the recipient and the end of its line.
        spaced: bool,
    },
    /// Has the message that was forwarded to it.
    Received {
        /// What followed the verb: by the protocol the sender's name, but some write other things.
        about: String,
        /// Whether the verb was written `RECIEVED`.
        misspelled: bool,
    },
    /// Couldn't understand what was sent to it.
    Error {
        /// Code and words.
        text: String,
    },
    /// Ends the registration.
    Unregister,
}

/// What servers write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// The role is given.
    Registered {
        /// Which.
        role: Role,
        /// The name as the client wrote it.
        name: String,
    },
    /// A message was delivered.
    Sent {
        /// With which of two words: `SENT` or, by the protocol's table, `SEND`.
        word: SentWord,
        /// The recipient as the client wrote it.
        to: String,
    },
    /// A message for this client.
    Forward {
        /// Who sent it.
        from: String,
        /// What was said.
        body: String,
    },
    /// Something went wrong.
    Error(ErrorCode),
    /// The registration has ended.
    Unregistered,
}

/// The word of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SentWord {
    /// `SEND`.
    #[default]
    Send,
    /// `SENT`.
    Sent,
}

impl SentWord {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "SEND",
            Self::Sent => "SENT",
        }
    }
}

/// The errors of the protocol, and those that servers have added to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    /// 100: the name can't be had.
    MalformedUsername,
    /// 101: nothing but REGISTER is allowed until both roles are registered.
    NoUserRegistered,
    /// 102: the message was not delivered.
    UnableToSend,
    /// 103: the message was not understood.
    HeaderIncomplete,
    /// Any other. Our server has none.
    Other {
        /// The number.
        code: u16,
        /// The words.
        text: String,
    },
}

impl ErrorCode {
    /// The number.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::MalformedUsername => 100,
            Self::NoUserRegistered => 101,
            Self::UnableToSend => 102,
            Self::HeaderIncomplete => 103,
            Self::Other { code, .. } => *code,
        }
    }

    /// The words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::MalformedUsername => "Malformed username",
            Self::NoUserRegistered => "No user registered",
            Self::UnableToSend => "Unable to send",
            Self::HeaderIncomplete => "Header incomplete",
            Self::Other { text, .. } => text,
        }
    }
}

/// A name without the brackets that some clients copy from the protocol's description.
#[must_use]
pub fn unbracketed(name: &str) -> &str {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inner) => inner.trim(),
        None => name,
    }
}

/// Whether a name is one by the protocol: ASCII letters and digits, and not the word for everybody.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !name.eq_ignore_ascii_case(EVERYBODY)
}
