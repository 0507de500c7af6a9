//! What one call to a session leaves behind.

use bytes::Bytes;
use hub::Command;

/// What one call to a [`crate::Session`] leaves behind, for the caller to drain after each call: first the
/// commands are applied to the hub, then the wire is written, then the connection is closed if so asked.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Bytes for the peer. Each item is one message, whole: over TCP it goes out in one piece as far as the
    /// kernel allows, over WebSocket it is the payload of one frame.
    pub wire: Vec<Bytes>,
    /// Commands for the hub, in order.
    pub commands: Vec<Command>,
    /// Lines that the protocol wants on the server's log, to be written at level info. Free of control characters.
    pub notes: Vec<String>,
    /// Set when the session is over.
    pub close: Option<Close>,
}

impl Outbox {
    /// Queues one message for the peer.
    pub fn send(&mut self, message: impl Into<Bytes>) {
        self.wire.push(message.into());
    }

    /// Asks something of the hub.
    pub fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Writes a line to the server's log.
    pub fn note(&mut self, line: impl Into<String>) {
        self.notes.push(line.into());
    }

    /// Ends the session once what is queued has been written. The first reason counts.
    pub fn close(&mut self, reason: Close) {
        self.close.get_or_insert(reason);
    }

    /// Whether the call left nothing behind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty() && self.commands.is_empty() && self.notes.is_empty() && self.close.is_none()
    }
}

/// Why a session ends, for the log and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The peer asked for it, or closed.
    ByPeer,
    /// The peer broke the protocol.
    Protocol(proto::ProtocolError),
    /// The hub refused what the session can't go on without.
    Refused(hub::Refusal),
    /// Login was not finished in time.
    LoginTimeout,
    /// Nothing was said for too long.
    Idle,
    /// More is waiting for the peer than it may: it reads too slowly, or not at all.
    SlowReader {
        /// What waited, in bytes.
        queued: usize,
    },
    /// The user was ended elsewhere.
    Dismissed,
    /// The user was put out of the only room that the protocol knows.
    PutOut,
    /// Nobody may come from the peer's address.
    Banned,
    /// The server is going away.
    Shutdown,
}

impl Close {
    /// A short word for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ByPeer => "by_peer",
            Self::Protocol(_) => "protocol",
            Self::Refused(refusal) => refusal.reason(),
            Self::LoginTimeout => "login_timeout",
            Self::Idle => "idle",
            Self::SlowReader { .. } => "slow_reader",
            Self::Dismissed => "dismissed",
            Self::PutOut => "put_out",
            Self::Banned => "banned",
            Self::Shutdown => "shutdown",
        }
    }
}

impl std::fmt::Display for Close {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ByPeer => f.write_str("the peer left"),
            Self::Protocol(error) => write!(f, "the peer broke the protocol: {error}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::LoginTimeout => f.write_str("login was not finished in time"),
            Self::Idle => f.write_str("nothing was said for too long"),
            Self::SlowReader { queued } => {
                write!(f, "the peer doesn't read: {queued} bytes were waiting for it")
            }
            Self::Dismissed => f.write_str("the user was ended elsewhere"),
            Self::PutOut => f.write_str("the user was put out of its room"),
            Self::Banned => f.write_str("the peer's address is banned"),
            Self::Shutdown => f.write_str("the server is going away"),
        }
    }
}
