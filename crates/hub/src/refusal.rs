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
    /// Nothing is kept here that could be looked up.
    #[error("no history is kept here")]
    NoHistory,
    /// What was asked for could not be kept, so it was not done.
    #[error("it can't be kept now; try again later")]
    NotKept,
    /// The name belongs to an account that the session isn't logged in to.
    #[error("the name {name:?} belongs to an account; log in to it first")]
    NameRegistered {
        /// As it was wanted.
        name: String,
    },
    /// There is such an account already, or somebody has the name.
    #[error("there is an account {name:?} already")]
    AccountExists {
        /// As it was wanted.
        name: String,
    },
    /// Nobody makes accounts but whoever runs the server.
    #[error("only whoever runs this server makes accounts here")]
    RegistrationClosed,
    /// Nobody makes an account without an invitation.
    #[error("an account can only be made with an invitation: a link that somebody gives you")]
    InvitationNeeded,
    /// There is no such invitation, or not any more.
    #[error("there is no such invitation, or it was used up, taken back or has ended")]
    NoSuchInvitation,
    /// It can only be done by somebody who is logged in to an account.
    #[error("log in to an account first")]
    NoAccount,
    /// Several sessions of one account are one user: none of them alone can become somebody else.
    #[error("other clients of yours are here under this name: end them first, or this one")]
    NameShared,
    /// Too many passwords were wrong.
    #[error("too many wrong passwords; try again in {wait_s} s")]
    TooManyAttempts {
        /// When to try again, in seconds.
        wait_s: u64,
    },
    /// The password can't be one.
    #[error("this can't be a password: {rule}")]
    PasswordUnfit {
        /// The rule it breaks.
        rule: &'static str,
    },
    /// There is no room of that name, or it isn't shown to who asks.
    #[error("there is no room {name:?}")]
    NoSuchRoom {
        /// As it was named.
        name: String,
    },
    /// The room's name is taken by another one.
    #[error("the room {name:?} exists already")]
    RoomTaken {
        /// As it was wanted.
        name: String,
    },
    /// Somebody isn't in the room.
    #[error("{name:?} is not in that room")]
    NotAMember {
        /// Who.
        name: String,
    },
    /// Somebody is in the room already.
    #[error("{name:?} is in that room already")]
    MemberAlready {
        /// Who.
        name: String,
    },
    /// The session's user is in as many rooms as are allowed.
    #[error("in too many rooms: the limit is {rooms_max}")]
    TooManyRooms {
        /// The limit.
        rooms_max: usize,
    },
    /// Nobody comes in without an invitation.
    #[error("one has to be invited into that room")]
    InviteOnly,
    /// Nobody comes in without the key.
    #[error("that room has a key, and this is not it")]
    WrongKey,
    /// A ban holds for the user.
    #[error("banned from that room")]
    Banned,
    /// Nobody comes in, or speaks, who isn't logged in to an account.
    #[error("one has to be logged in to an account")]
    NeedsAccount,
    /// The user can't speak there.
    #[error("can't speak there: {why}")]
    CannotSpeak {
        /// Why not.
        why: &'static str,
    },
    /// The room wants more time between two messages.
    #[error("the room is slow: wait {wait_s} seconds")]
    TooSoon {
        /// How long still, in seconds.
        wait_s: u64,
    },
    /// The user's rank in the room is too low.
    #[error("that needs a higher rank in the room")]
    RankTooLow {
        /// The rank that would do.
        least: crate::Ranks,
    },
    /// Only server operators, or only some of them, may do that.
    #[error("that needs the privilege {privilege:?}")]
    NoPrivilege {
        /// Which would do.
        privilege: &'static str,
    },
    /// A key of public data has not the form of one.
    #[error("{key:?} is no key")]
    KeyMalformed {
        /// As it was written.
        key: String,
    },
    /// There is nothing under the key.
    #[error("nothing is set under {key:?}")]
    KeyNotSet {
        /// The key.
        key: String,
    },
    /// The data are somebody else's.
    #[error("{key:?} is not yours to set")]
    NotYours {
        /// The key.
        key: String,
    },
    /// The name and the password don't belong together.
    #[error("the password is wrong")]
    WrongPassword,
    /// A mask has not the form of one.
    #[error("{mask:?} is no mask")]
    MaskMalformed {
        /// As it was written.
        mask: String,
    },
    /// The list has as many masks as are allowed.
    #[error("the list is full: {entries_max} masks")]
    ListFull {
        /// The limit.
        entries_max: usize,
        /// The mask that found no place.
        mask: String,
    },
    /// A setting has not the form of one.
    #[error("{value:?} can't be set: {rule}")]
    SettingMalformed {
        /// As it was wanted.
        value: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The message is not known, or not any more.
    #[error("no such message is remembered")]
    NoSuchMessage,
    /// The message is somebody else's.
    #[error("that message is not yours")]
    NotYourMessage,
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
            Self::NoHistory => "no_history",
            Self::NotKept => "not_kept",
            Self::NameRegistered { .. } => "name_registered",
            Self::AccountExists { .. } => "account_exists",
            Self::RegistrationClosed => "registration_closed",
            Self::InvitationNeeded => "invitation_needed",
            Self::NoSuchInvitation => "no_such_invitation",
            Self::NoAccount => "no_account",
            Self::NameShared => "name_shared",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::PasswordUnfit { .. } => "password_unfit",
            Self::NoSuchRoom { .. } => "no_such_room",
            Self::RoomTaken { .. } => "room_taken",
            Self::NotAMember { .. } => "not_a_member",
            Self::MemberAlready { .. } => "member_already",
            Self::TooManyRooms { .. } => "too_many_rooms",
            Self::InviteOnly => "invite_only",
            Self::WrongKey => "wrong_key",
            Self::Banned => "banned",
            Self::NeedsAccount => "needs_account",
            Self::CannotSpeak { .. } => "cannot_speak",
            Self::TooSoon { .. } => "too_soon",
            Self::RankTooLow { .. } => "rank_too_low",
            Self::NoPrivilege { .. } => "no_privilege",
            Self::KeyMalformed { .. } => "key_malformed",
            Self::KeyNotSet { .. } => "key_not_set",
            Self::NotYours { .. } => "not_yours",
            Self::WrongPassword => "wrong_password",
            Self::MaskMalformed { .. } => "mask_malformed",
            Self::ListFull { .. } => "list_full",
            Self::SettingMalformed { .. } => "setting_malformed",
            Self::NoSuchMessage => "no_such_message",
            Self::NotYourMessage => "not_your_message",
            Self::ServerFull { .. } => "server_full",
        }
    }
}

/// How often each dialect was refused what.
pub type RefusalCounts = std::collections::BTreeMap<(Dialect, &'static str), u64>;
