//! What sessions ask of the hub, and what it answers.

use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::query::Query;
use crate::rendezvous::BridgeRequest;
use crate::{
    Dialect, EventId, Fingerprint, MetadataAction, MetadataTarget, Proof, Ranks, RoomId, Secret, Style,
    Token, Typing, UserFlags, WantedChange, Wish,
};

/// Who opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The protocol it speaks.
    pub dialect: Dialect,
    /// The address it was seen to come from.
    pub address: IpAddr,
    /// Whether nobody on the way can read along: TLS.
    pub secure: bool,
}

impl Origin {
    /// Whether the peer is on this machine. Such peers have no rate limit.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }
}

/// A session's request. Every command is answered by exactly one [`crate::Reply`] unless its own text says otherwise.
#[derive(Debug)]
pub enum Command {
    /// Takes a name. Answered by [`crate::Reply::Welcome`].
    Login(Login),
    /// Says something. Answered by [`crate::Reply::Outcome`] if it has a token; refusals are answered in any case.
    Say(Say),
    /// Shows that the user is writing, or no longer. Not answered, not even when refused: it is gone in seconds.
    Typing {
        /// To whom.
        to: To,
        /// What it does.
        state: Typing,
    },
    /// Says something in tags alone. Answered by [`crate::Reply::Done`].
    Tags {
        /// To whom.
        to: To,
        /// Client-only tags, as IRC writes them; checked by the session.
        tags: String,
        /// The reaction in them: with what, and the id of the message that it is for.
        reaction: Option<(String, Option<EventId>)>,
        /// That the user is writing, or no longer, if they say nothing else.
        typing: Option<Typing>,
        /// See [`Say::echo`].
        echo: bool,
    },
    /// Takes a message back. Answered by [`crate::Reply::Done`].
    Redact {
        /// Where it was said.
        to: To,
        /// Which.
        message: EventId,
        /// Why.
        reason: Option<String>,
        /// See [`Say::echo`].
        echo: bool,
    },
    /// Comes into a room, made if it doesn't exist. Answered by [`crate::Reply::Joined`].
    Join {
        /// Which, as the session's dialect writes it.
        room: String,
        /// The key that the client knows.
        key: Option<String>,
        /// Whether the answer is to name the members.
        members: bool,
    },
    /// Leaves a room. Answered by [`crate::Reply::Done`].
    Part {
        /// Which.
        room: String,
        /// Why.
        reason: Option<String>,
    },
    /// Puts somebody out of a room. Answered by [`crate::Reply::Done`].
    Kick {
        /// Which.
        room: String,
        /// Whom.
        whom: String,
        /// Why.
        reason: Option<String>,
    },
    /// Asks somebody into a room. Answered by [`crate::Reply::Invited`].
    Invite {
        /// Which.
        room: String,
        /// Whom.
        whom: String,
    },
    /// Sets a room's topic. Answered by [`crate::Reply::Done`].
    SetTopic {
        /// Which.
        room: String,
        /// The words; empty: none.
        text: String,
    },
    /// Changes what is set on a room. Answered by [`crate::Reply::ModesSet`].
    SetModes {
        /// Which.
        room: String,
        /// What.
        wanted: Vec<WantedChange>,
    },
    /// Gives a room another name. Answered by [`crate::Reply::Done`].
    RenameRoom {
        /// Which.
        room: String,
        /// The new one.
        name: String,
        /// Why.
        reason: Option<String>,
    },
    /// Takes another name. Answered by [`crate::Reply::Done`].
    Rename {
        /// The wanted one.
        name: String,
    },
    /// Goes away, or comes back. Answered by [`crate::Reply::Done`].
    SetAway {
        /// What those who look for the user are told; `None`: it is back.
        message: Option<String>,
    },
    /// Changes the real name. Answered by [`crate::Reply::Done`].
    SetRealName {
        /// The new one.
        text: String,
    },
    /// Changes the user's own flags. Answered by [`crate::Reply::FlagsSet`].
    SetFlags {
        /// To be on.
        on: UserFlags,
        /// To be off.
        off: UserFlags,
    },
    /// Changes whom the session watches. Answered by [`crate::Reply::Watched`].
    Watch {
        /// Watch these too.
        add: Vec<String>,
        /// Don't watch these.
        remove: Vec<String>,
        /// First of all, watch nobody.
        clear: bool,
    },
    /// Does something about public data. Answered by [`crate::Reply::Metadata`].
    Metadata {
        /// Whose.
        target: MetadataTarget,
        /// What.
        action: MetadataAction,
    },
    /// Becomes a server operator. Answered by [`crate::Reply::FlagsSet`].
    Oper {
        /// The operator's name.
        name: String,
        /// The password.
        password: Secret,
    },
    /// Ends somebody. Answered by [`crate::Reply::Done`].
    Kill {
        /// Whom.
        whom: String,
        /// Why.
        reason: String,
    },
    /// Speaks to all who want to hear operators. Answered by [`crate::Reply::Done`].
    Wallops {
        /// What.
        text: String,
    },
    /// Has the configuration read again. Answered by [`crate::Reply::Done`].
    Rehash,
    /// Logs in to an account, before or after a login under a name. Answered by [`crate::Reply::LoggedIn`].
    LogIn(Proof),
    /// Logs out of the account. Answered by [`crate::Reply::Done`].
    LogOut,
    /// Makes an account and logs in to it. Answered by [`crate::Reply::Registered`].
    Register {
        /// Its name; `*`: the session's own.
        account: String,
        /// Its password.
        password: Secret,
    },
    /// Asks for what a SCRAM proof is checked with. Answered by [`crate::Reply::ScramKeys`].
    ScramKeys {
        /// Of which account.
        account: String,
    },
    /// A SCRAM proof was wrong. Not answered.
    WrongProof {
        /// For which account.
        account: String,
    },
    /// The session has shown a certificate. Not answered.
    Certificate(Fingerprint),
    /// Notes up to when the user has read what was said at a place. Answered by [`crate::Reply::Marker`].
    MarkRead {
        /// A channel or a person, as IRC names it.
        target: String,
        /// Milliseconds since 1970; `None`: only asks.
        read_ms: Option<u64>,
    },
    /// Asks something. Answered by [`crate::Reply::Answer`].
    Ask(Query),
    /// Asks for something of the past. Answered by [`crate::Reply::Recalled`].
    Recall(Wish),
    /// What became of an event that had to be acknowledged by the recipient itself. Not answered.
    Receipt {
        /// The event.
        event: EventId,
        /// What became of it.
        verdict: Verdict,
    },
    /// As [`Command::Receipt`], but it came to the user's other session ([`Leg`]), which alone knows what it is
    /// for: that one is told by [`crate::Reply::ReceiptElsewhere`]. Not answered.
    ReceiptElsewhere {
        /// What became of it; `None` if this is only about the client's habits.
        verdict: Option<Verdict>,
        /// What the session has seen of the client's ways, as far as they matter to the other one. The gateway
        /// numbers them; the hub passes them on.
        habits: u32,
    },
    /// Asks who is in a room. Answered by [`crate::Reply::Members`].
    Who {
        /// Which.
        room: RoomId,
        /// Comes back with the answer.
        token: Option<Token>,
    },
    /// The bridge dialect's own requests. Answered by [`crate::Reply::Bridge`].
    Bridge(BridgeRequest),
    /// The session can hold no more private messages for its bridge client, whose turn it is to write: until it
    /// takes this back, senders are refused with [`crate::Refusal::TooManyWaiting`]. Not answered.
    Hold {
        /// Whether it is full.
        full: bool,
    },
    /// Ends the user: the name is free, all its sessions are dismissed. Not answered.
    Leave {
        /// Why, in its own words.
        reason: Option<String>,
    },
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
    /// Where it goes first.
    pub entrance: Entrance,
    /// What an IRC client says of its user; elsewhere it is derived.
    pub profile: Option<Box<ClientProfile>>,
    /// Whether to be sent what was said while this device of an account's owner was away.
    pub replay: bool,
    /// Whether to be sent [`crate::Kind::Roster`] whenever who is present changes.
    pub roster: bool,
    /// Whether this session answers each message with a [`Command::Receipt`], and senders wait for it.
    pub receipts: bool,
}

/// Where a user goes with its login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entrance {
    /// The lobby.
    Lobby,
    /// A room, made if it doesn't exist.
    Room(String),
    /// Nowhere yet.
    Nowhere,
}

/// What a client says of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProfile {
    /// The user part of `nick!user@host`, without mark.
    pub username: String,
    /// What the user is called outside of here.
    pub real_name: String,
    /// What those who look for it are told if it is away from the first moment.
    pub away: Option<String>,
    /// Flags that are on from the first moment.
    pub flags: UserFlags,
    /// Public data that are there from the first moment; what can't be is left out.
    pub metadata: Vec<(String, String)>,
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
    pub text: Arc<str>,
    /// How.
    pub style: Style,
    /// Client-only tags, as IRC writes them; checked by the session.
    pub tags: Option<String>,
    /// Where the client cut lines that belong together ([`crate::Kind::Message`]).
    pub seams: Vec<usize>,
    /// Whether what is said privately comes to the sender's own sessions too. What is said in a room always does.
    pub echo: bool,
    /// If given, the outcome is told under it.
    pub token: Option<Token>,
    /// Whether the outcome waits for recipients that acknowledge themselves.
    pub waits: bool,
}

/// To whom something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The members of a room, of which the sender is one.
    Room(RoomId),
    /// The members of a room, as the sender's dialect writes it.
    Channel(String),
    /// The members of a room from a rank on.
    Ranked(String, Ranks),
    /// One user, by name or handle as the sender's dialect shows it.
    User(SmolStr),
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
