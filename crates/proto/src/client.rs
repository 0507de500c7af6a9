//! What the client sides of all dialects have in common, so that the terminal client, the load generator and
//! the tests drive any of them alike.
//!
//! A [`Client`] is a state machine: the caller owns the sockets, feeds what arrives with
//! [`Client::on_bytes`], calls the verbs, and after each call drains the [`ClientOutbox`].

use std::any::Any;

use bytes::Bytes;

use crate::ProtocolError;

/// Which of a client's sockets some bytes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// The connection to the server; the only one in most dialects. For messenger, the TOSEND socket.
    Main,
    /// Messenger's TORECV socket, to the same server.
    Receive,
    /// Bridge's connection to the other client.
    Peer,
}

/// What a client has to tell its user, or to ask of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Signed in, under this name.
    SignedIn {
        /// The name that the server gave.
        name: String,
    },
    /// The server refused the name or the login; another try may follow where the protocol allows one.
    Refused {
        /// The protocol's own code or word, such as `403` or `SET_USR_CONFLICT`.
        code: String,
        /// What it means, for a person.
        reason: String,
    },
    /// A message came in.
    Message {
        /// The sender, as the server names it.
        from: String,
        /// The text.
        text: String,
        /// Whether it was for this client alone, or for some but not all.
        private: bool,
    },
    /// What was said earlier, and was looked up.
    Earlier {
        /// The sender, as the server names it.
        from: String,
        /// The text.
        text: String,
    },
    /// Somebody is typing.
    Typing {
        /// Who.
        from: String,
    },
    /// Everybody who is present, the whole list each time.
    People {
        /// Names, in the server's order.
        names: Vec<String>,
    },
    /// The server acknowledged a message of ours.
    Delivered {
        /// The recipient as it was addressed.
        to: String,
    },
    /// The server could not deliver a message of ours.
    Undelivered {
        /// The protocol's own words.
        reason: String,
    },
    /// Open a connection of this kind; bytes for it are queued in the outbox already or will follow.
    Dial {
        /// Which socket.
        link: Link,
        /// `HOST:PORT`.
        address: String,
    },
    /// Listen on this port; what connects is [`Link::Peer`].
    Listen {
        /// TCP port.
        port: u16,
    },
    /// Close this connection once what is queued for it has been written.
    Hangup {
        /// Which socket.
        link: Link,
    },
    /// It is this client's turn to write (protocols that take turns).
    YourTurn,
    /// The session is over.
    Ended {
        /// Why, for a person.
        reason: String,
    },
    /// The server sent something its protocol doesn't have. The client goes on.
    Confused(ProtocolError),
}

/// What one call left behind: bytes to write, in order, and happenings.
#[derive(Debug, Default)]
pub struct ClientOutbox {
    /// Each item is one message and should be written with one `send`.
    pub wire: Vec<(Link, Bytes)>,
    /// What happened, in order.
    pub happenings: Vec<Happening>,
}

impl ClientOutbox {
    /// Queues one message for a socket.
    pub fn send(&mut self, link: Link, bytes: impl Into<Bytes>) {
        self.wire.push((link, bytes.into()));
    }

    /// Tells the user something.
    pub fn tell(&mut self, happening: Happening) {
        self.happenings.push(happening);
    }
}

/// The client side of a dialect. Verbs that a protocol has not, or not now, fail with
/// [`ProtocolError::OutOfPlace`].
pub trait Client: Any + Send {
    /// A connection that was asked for is open. The first call is for [`Link::Main`].
    fn on_connected(&mut self, link: Link, out: &mut ClientOutbox);

    /// Bytes arrived, cut in any way (where the protocol has framing).
    fn on_bytes(&mut self, link: Link, bytes: &[u8], out: &mut ClientOutbox);

    /// The other side closed.
    fn on_closed(&mut self, link: Link, out: &mut ClientOutbox);

    /// Says something to everybody in the room.
    ///
    /// # Errors
    /// `OutOfPlace` if the protocol can't, or not now.
    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError>;

    /// Writes to one person.
    ///
    /// # Errors
    /// `OutOfPlace` if the protocol can't, or not now.
    fn tell(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError>;

    /// Shows that the user is typing.
    ///
    /// # Errors
    /// `OutOfPlace` if the protocol can't, or not now.
    fn typing(&mut self, out: &mut ClientOutbox) -> Result<(), ProtocolError>;

    /// Leaves in the protocol's own way.
    fn leave(&mut self, out: &mut ClientOutbox);
}
