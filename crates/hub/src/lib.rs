//! The state that every protocol shares: who is present under which name, who is in which room, what was said
//! and in which order.
//!
//! A [`Hub`] is a state machine. Whoever owns the connections tells it of sessions that open and close, applies
//! their [`Command`]s one at a time, and carries out the [`Effect`]s that each call leaves behind, in order. The
//! hub does no input or output, asks no clock and has no thread: the same calls give the same effects.
//!
//! What is *not* here: bytes on the wire (`proto`), what a protocol makes of an event (`gateway`), queues and
//! sockets (`server`).

mod accounts;
mod addressing;
mod admin;
mod ask;
mod card;
mod chanserv;
mod command;
mod config;
mod effect;
mod event;
mod history;
mod host;
mod ids;
mod keep;
mod kept_rooms;
mod login;
mod markers;
mod mask;
mod membership;
mod metadata;
mod mode;
mod moderation;
mod names;
mod now;
mod operator;
mod pace;
mod profile;
mod query;
mod recent;
mod refusal;
mod rendezvous;
mod reply;
mod room;
mod roster;
mod say;
mod services;
mod state;
mod text;
mod watch;

pub use accounts::{
    Account, Admission, AppPassword, Credentials, Done, Fingerprint, INVITATION_USES_MAX, Invitation,
    InvitationDigest, NewInvitation, Presence, Proof, SCRAM_ITERATIONS, ScramKeys,
};
pub use admin::{ServerBan, SessionInfo};
pub use card::{Card, FormerFace, Label, RoomCard};
pub use command::{ClientProfile, Command, Entrance, Leg, Login, Origin, Say, To, Verdict};
pub use config::HubConfig;
pub use effect::{Audience, Effect, Purpose};
pub use event::{Actor, Chunks, Event, Form, Kind, MetadataOf, News, Reaction, Scope, Shared, Style, Typing};
pub use history::Wish;
pub use ids::{CallId, EventId, NoEventId, RoomId, SessionId, Token, UserId};
pub use keep::{HistoryKey, Kept, Party, Recall, Recalled, Wanted, Whose, Window};
pub use kept_rooms::KeptRoom;
pub use metadata::{
    METADATA_KEYS_MAX, METADATA_VALUE_BYTES_MAX, METADATA_WANTED_MAX, MetadataAction, MetadataAnswer,
    MetadataEntry, MetadataTarget,
};
pub use mode::{Change, MaskEntry, MaskList, Ranks, RoomFlags, RoomModes, Topic, UserFlags, WantedChange};
pub use names::{Dialect, NAME_CHARS_MAX, Name, Namespace, ROOM_CHARS_MAX, RoomName};
pub use now::Now;
pub use operator::{Operator, Operators, Privileges, Secret};
pub use query::{Answer, Census, Former, Member, Person, Place, Query, RoomFilter, RoomInfo};
pub use refusal::{Refusal, RefusalCounts};
pub use rendezvous::{AddressPolicy, BridgeReply, BridgeRequest, Contact, Peer, Registration};
pub use reply::{Outcome, Reply};
pub use state::{Counts, Hub};
pub use text::Text;
