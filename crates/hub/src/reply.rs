//! What the hub answers to one session.

use std::sync::Arc;

use crate::query::{Answer, Census, Member, RoomInfo};
use crate::rendezvous::BridgeReply;
use crate::{
    Card, MetadataAnswer, MetadataEntry, Recalled, Refusal, RoomCard, ScramKeys, SessionId, Token, UserFlags,
    Verdict,
};

/// What became of something said, once it is known for all recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every recipient's queue, or the recipient itself where it acknowledges, has it.
    Delivered,
    /// At least one recipient answered with an error.
    Rejected,
    /// At least one recipient was lost before it had it.
    Undelivered,
    /// It was handed out, but it could not be kept: it won't be in the history.
    NotKept,
}

/// The hub's answer to one session.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Logged in.
    Welcome {
        /// The session, so that it can tell what it did itself ([`crate::Event::by`]).
        session: SessionId,
        /// The user.
        card: Arc<Card>,
        /// The room it is in; `None` if it wanted none, or while its other direction is missing ([`crate::Leg`]).
        room: Option<Arc<RoomCard>>,
        /// How many there are of everything, the newcomer included.
        census: Census,
    },
    /// A user's second direction has come ([`crate::Leg`]); told to the session that came first.
    Complete {
        /// The room it is in now.
        room: Arc<RoomCard>,
    },
    /// A user's other direction has gone ([`crate::Leg`]): it is not present until that comes back.
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
        /// The message of the one recipient to those who look for it, if it is away.
        away: Option<Arc<str>>,
    },
    /// The user's other session has seen something that is for this one: [`crate::Command::ReceiptElsewhere`].
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
    /// The answer to a [`crate::Command::Bridge`].
    Bridge(BridgeReply),
    /// The user was ended, by another of its sessions or by the hub: say goodbye and close.
    Dismissed {
        /// By whom and why, if it wasn't the user itself.
        reason: Option<Arc<str>>,
    },
    /// It is done; who is concerned has been told.
    Done,
    /// In the room; its members, the newcomer too, have been told.
    Joined {
        /// What there is to know of it.
        room: Box<RoomInfo>,
        /// Who is in it, if that was asked for.
        members: Option<Vec<Member>>,
        /// What the session wants to know of the room and those in it.
        metadata: Vec<MetadataEntry>,
    },
    /// Asked into the room.
    Invited {
        /// Which.
        room: Arc<RoomCard>,
        /// Who.
        whom: Arc<Card>,
        /// Its message to those who look for it, if it is away.
        away: Option<Arc<str>>,
    },
    /// What could be changed of a room was, and its members were told.
    ModesSet {
        /// Which.
        room: Arc<RoomCard>,
        /// What could not be changed, by position in what was wanted.
        refused: Vec<(usize, Refusal)>,
    },
    /// The user's own flags.
    FlagsSet {
        /// That are on now and were off.
        on: UserFlags,
        /// That are off now and were on.
        off: UserFlags,
    },
    /// Who of those newly watched is here.
    Watched {
        /// Present, newly watched.
        online: Vec<Arc<Card>>,
        /// Not present, newly watched, as named.
        offline: Vec<String>,
        /// Not watched, because the list is full, as named.
        refused: Vec<String>,
    },
    /// What became of a [`crate::Command::Metadata`].
    Metadata(MetadataAnswer),
    /// The answer to a [`crate::Command::Ask`].
    Answer(Answer),
    /// Logged in to an account.
    LoggedIn {
        /// The account.
        account: Arc<str>,
    },
    /// The account is made, and the session logged in to it.
    Registered {
        /// The account.
        account: Arc<str>,
    },
    /// Up to when the user has read what was said at a place.
    Marker {
        /// Which, as it was named.
        target: String,
        /// Milliseconds since 1970; `None`: it has never said.
        read_ms: Option<u64>,
    },
    /// What a SCRAM proof is checked with.
    ScramKeys {
        /// The keys.
        keys: Box<ScramKeys>,
        /// Bytes that were never used before.
        nonce: [u8; 18],
    },
    /// The answer to a [`crate::Command::Recall`].
    Recalled(Recalled),
}
