//! The hub's no.

use crate::Dialect;

/// Why the hub refuses a command. An expected answer, not a fault: each dialect has words for every one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name, or the handle, is in use; or it is so like one in use that people would confuse them.
    #[error("the name {name:?} is taken")]
    NameTaken {
        /// As it was wanted.
        name: String,
    },
    /// The name has not the form of a name.
    #[error("{name:?} can't be a name: {rule}")]
    NameMalformed {
        /// As it was wanted.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The room's name has not the form of a room's name.
    #[error("{name:?} can't be a room's name: {rule}")]
    RoomMalformed {
        /// As it was wanted.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The room has as many members as are allowed.
    #[error("the room is full: {members_max} members")]
    RoomFull {
        /// The limit.
        members_max: usize,
    },
    /// The session is logged in already.
    #[error("already logged in as {name:?}")]
    LoggedInAlready {
        /// Under which name.
        name: String,
    },
    /// The session is not logged in, or its user isn't complete ([`crate::Leg`]).
    #[error("not logged in")]
    NotLoggedIn,
    /// The sender is not in the room.
    #[error("not in that room")]
    NotInRoom,
    /// Nobody is there under that name.
    #[error("nobody here is called {name:?}")]
    NoSuchUser {
        /// As it was addressed.
        name: String,
    },
    /// The recipient is there but can't be written to now (a bridge client in a conversation).
    #[error("{name:?} is talking to somebody else")]
    Busy {
        /// The recipient.
        name: String,
    },
    /// The text is empty.
    #[error("the text is empty")]
    TextEmpty,
    /// The text is longer than allowed.
    #[error("the text has {bytes} bytes, the limit is {bytes_max}")]
    TextTooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// More messages in a short time than allowed.
    #[error("too many messages: the limit is {per_s} a second")]
    TooFast {
        /// The limit.
        per_s: u32,
    },
    /// As many messages wait for this recipient, or of this sender, as are allowed.
    #[error("too many messages are waiting")]
    TooManyWaiting,
    /// The server takes no more of these.
    #[error("the server is full: {what}")]
    ServerFull {
        /// What there are too many of.
        what: &'static str,
    },
}

impl Refusal {
    /// A short word for logs and metrics, the same for all values.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "name_taken",
            Self::NameMalformed { .. } => "name_malformed",
            Self::RoomMalformed { .. } => "room_malformed",
            Self::RoomFull { .. } => "room_full",
            Self::LoggedInAlready { .. } => "logged_in_already",
            Self::NotLoggedIn => "not_logged_in",
            Self::NotInRoom => "not_in_room",
            Self::NoSuchUser { .. } => "no_such_user",
            Self::Busy { .. } => "busy",
            Self::TextEmpty => "text_empty",
            Self::TextTooLong { .. } => "text_too_long",
            Self::TooFast { .. } => "too_fast",
            Self::TooManyWaiting => "too_many_waiting",
            Self::ServerFull { .. } => "server_full",
        }
    }
}

/// How often each dialect was refused what.
pub type RefusalCounts = std::collections::BTreeMap<(Dialect, &'static str), u64>;
