//! bridge: a rendezvous server for peers that then talk to each other (`docs/protocols/bridge.md`).
//!
//! Both ways, a message is a block of lines that ends with an empty one:
//!
//! ```text
//! block  = verb EOL *( name ":" [SP] value EOL ) EOL
//! EOL    = CRLF / LF
//! ```
//!
//! A client asks the server with REGISTER, BRIDGE, CHAT, PROBE, QUIT, UNREGISTER and INFO, and is answered with a
//! block each time. What two clients then say to each other has no framing at all: see [`peer`].

mod block;
pub mod client;
#[doc(hidden)]
pub mod fuzz;
pub mod peer;
pub mod server;

use std::time::Duration;

pub use client::{Client, Identity};

/// The longest block that either side takes, in bytes. The longest that any known client sends has about 120.
pub const BLOCK_BYTES_MAX: usize = 4096;

/// How long a caller lets pass between the opening of a conversation and its first text: some clients read the
/// two with one `recv` each.
pub const OPENING_GAP: Duration = Duration::from_millis(300);

/// Where a client listens for its partner, as it is written on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The client's name.
    pub id: String,
    /// Its address, by convention dotted IPv4.
    pub ip: String,
    /// Its TCP port, 1 to 65535 where a client sent it.
    pub port: String,
}

/// What clients send to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Takes down where the client listens. The three values are kept exactly as they were sent.
    Register(Contact),
    /// Asks for a partner, or to wait for one.
    Bridge {
        /// The client's name.
        id: String,
    },
    /// Wants to talk by way of the server.
    Chat {
        /// The name in `clientID`.
        id: Option<String>,
        /// A first text.
        message: Option<String>,
    },
    /// Says that two clients have found each other and wait no longer.
    ChatBoth {
        /// The name in `clientID1`.
        first: String,
        /// The name in `clientID2`.
        second: String,
    },
    /// Asks whether a server is there.
    Probe,
    /// Leaves.
    Quit {
        /// The client's name, if it gives one.
        id: Option<String>,
    },
    /// Leaves.
    Unregister {
        /// The client's name, if it gives one.
        id: Option<String>,
    },
    /// Asks who is registered.
    Info,
}

/// What servers send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// The answer to REGISTER, with the three values as they were sent.
    RegAck {
        /// The values.
        contact: Contact,
        /// Whether a fourth header says `Status: registered`.
        status: bool,
    },
    /// The answer to BRIDGE: the partner, or that there is none yet.
    BridgeAck(Option<Contact>),
    /// The answer to PROBE.
    ProbeAck,
    /// The answer to QUIT.
    QuitAck,
    /// The answer to UNREGISTER.
    UnregAck,
    /// The answer to CHAT.
    ChatAck {
        /// Whether the conversation, or a text, has got through.
        delivered: bool,
    },
    /// The answer to INFO.
    Info {
        /// A line `ID IP:Port` for each registration.
        lines: Vec<String>,
    },
    /// A refusal, or a request that the server doesn't understand.
    Error {
        /// Why, for a person.
        message: String,
    },
}
