//! What sessions ask of the hub, and what it answers.

use std::net::IpAddr;
use std::sync::Arc;

use crate::rendezvous::{BridgeReply, BridgeRequest};
use crate::{Card, Dialect, EventId, Refusal, RoomCard, RoomId, Token};

/// Who opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The protocol it speaks.
    pub dialect: Dialect,
    /// The address it was seen to come from.
    pub address: IpAddr,
}

impl Origin {
    /// Whether the peer is on this machine. Such peers have no rate limit.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }
}

/// A session's request. Every command is answered by exactly one [`Reply`] unless its own text says otherwise.
#[derive(Debug)]
pub enum Command {
    /// Takes a name. Answered by [`Reply::Welcome`].
    Login(Login),
    /// Says something. Answered by [`Reply::Outcome`] if it has a token; refusals are answered in any case.
    Say(Say),
    /// Shows that the user is writing. Not answered, not even when refused: it is gone in seconds.
    Typing {
        /// Where.
        room: RoomId,
    },
    /// What became of an event that had to be acknowledged by the recipient itself. Not answered.
    Receipt {
        /// The event.
        event: EventId,
        /// What became of it.
        verdict: Verdict,
    },
    /// As [`Command::Receipt`], but it came to the user's other session ([`Leg`]), which alone knows what it is
    /// for: that one is told by [`Reply::ReceiptElsewhere`]. Not answered.
    ReceiptElsewhere {
        /// What became of it; `None` if this is only about the client's habits.
        verdict: Option<Verdict>,
        /// What the session has seen of the client's ways, as far as they matter to the other one. The gateway
        /// numbers them; the hub passes them on.
        habits: u32,
    },
    /// Asks who is in a room. Answered by [`Reply::Members`].
    Who {
        /// Which.
        room: RoomId,
        /// Comes back with the answer.
        token: Option<Token>,
    },
    /// The bridge dialect's own requests. Answered by [`Reply::Bridge`].
    Bridge(BridgeRequest),
    /// The session can hold no more private messages for its bridge client, whose turn it is to write: until it
    /// takes this back, senders are refused with [`Refusal::TooManyWaiting`]. Not answered.
    Hold {
        /// Whether it is full.
        full: bool,
    },
    /// Ends the user: the name is free, all its sessions are dismissed. Not answered.
    Leave,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The wanted name, as the client spelled it.
    pub name: String,
    /// The handle that the client claims in a dialect that has handles beside names (muca's UID).
    pub handle: Option<String>,
    /// What this session does for its user.
    pub leg: Leg,
    /// The room to be in from the first moment, made if it doesn't exist. `None`: the lobby.
    pub room: Option<String>,
    /// Whether to be sent [`crate::Kind::Roster`] whenever who is present changes.
    pub roster: bool,
    /// Whether this session answers each message with a [`Command::Receipt`], and senders wait for it.
    pub receipts: bool,
}

/// What a session does for its user. A user is present once both directions are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Both directions: every dialect but messenger.
    Both,
    /// Messenger's TOSEND: speaks, is not spoken to.
    Send,
    /// Messenger's TORECV: is spoken to.
    Receive,
}

/// Something to say.
#[derive(Debug)]
pub struct Say {
    /// To whom.
    pub to: To,
    /// What. For [`To::Leading`] the name stands at its beginning.
    pub text: String,
    /// See [`crate::Kind::Message::bare`].
    pub bare: bool,
    /// If given, the outcome is told under it.
    pub token: Option<Token>,
}

/// To whom something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The members of a room, of which the sender is one.
    Room(RoomId),
    /// One user, by name or handle as the sender's dialect shows it.
    User(String),
    /// Some users; those that nobody knows are left out without a word.
    Group(Vec<String>),
    /// The user whose name the text begins with, up to white space (the longest such name if it could be
    /// several); the rest is what is said.
    Leading,
}

/// What a recipient's own acknowledgement said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has the message.
    Received,
    /// It answered with an error.
    Rejected,
    /// It never will: its connection ended first.
    Lost,
}

/// What became of something said, once it is known for all recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every recipient's queue, or the recipient itself where it acknowledges, has it.
    Delivered,
    /// At least one recipient answered with an error.
    Rejected,
    /// At least one recipient was lost before it had it.
    Undelivered,
}

/// The hub's answer to one session.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Logged in.
    Welcome {
        /// The user.
        card: Arc<Card>,
        /// The room it is in; `None` while the user's other direction is missing ([`Leg`]).
        room: Option<Arc<RoomCard>>,
    },
    /// A user's second direction has come ([`Leg`]); told to the session that came first.
    Complete {
        /// The room it is in now.
        room: Arc<RoomCard>,
    },
    /// A user's other direction has gone ([`Leg`]): it is not present until that comes back.
    Incomplete,
    /// The hub says no.
    Refused {
        /// The command's token if it had one.
        token: Option<Token>,
        /// Why.
        refusal: Refusal,
    },
    /// What became of something said.
    Outcome {
        /// The command's token.
        token: Token,
        /// What.
        outcome: Outcome,
    },
    /// The user's other session has seen something that is for this one: [`Command::ReceiptElsewhere`].
    ReceiptElsewhere {
        /// What an acknowledgement says, if one came.
        verdict: Option<Verdict>,
        /// The client's ways.
        habits: u32,
    },
    /// Who is in a room, in order of arrival.
    Members {
        /// The command's token if it had one.
        token: Option<Token>,
        /// The room.
        room: Arc<RoomCard>,
        /// Users.
        members: Vec<Arc<Card>>,
    },
    /// The answer to a [`Command::Bridge`].
    Bridge(BridgeReply),
    /// The user was ended, by another of its sessions or by the hub: say goodbye and close.
    Dismissed,
}
