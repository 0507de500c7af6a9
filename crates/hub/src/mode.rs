//! What can be set on rooms, their members and users.

use std::sync::Arc;

use crate::Card;

bitflags::bitflags! {
    /// What a member may do in a room. A member can have several.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
    pub struct Ranks: u8 {
        /// Speaks where not everybody may.
        const VOICE = 1;
        /// Keeps order, below operators.
        const HALF_OPERATOR = 2;
        /// Keeps order.
        const OPERATOR = 4;
        /// As an operator, and operators can't touch it.
        const ADMIN = 8;
        /// Owns the room.
        const FOUNDER = 16;
    }

    /// What holds for a room: each on or off.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct RoomFlags: u16 {
        /// Only who was invited comes in.
        const INVITE_ONLY = 1;
        /// Only members with a rank speak.
        const MODERATED = 2;
        /// Only members speak.
        const NO_EXTERNAL = 4;
        /// Not shown to who isn't a member.
        const SECRET = 8;
        /// Only who keeps order sets the topic.
        const TOPIC_LOCKED = 16;
        /// Only who is logged in to an account comes in.
        const ACCOUNTS_ONLY = 32;
        /// Only who is logged in to an account, or has a rank, speaks.
        const ACCOUNTS_SPEAK = 64;
        /// No client-to-client requests, except actions.
        const NO_CTCP = 128;
    }

    /// What holds for a user: each on or off.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct UserFlags: u8 {
        /// Only found by name, or by who shares a room.
        const INVISIBLE = 1;
        /// Is told what operators tell everybody who wants to know.
        const WALLOPS = 2;
        /// A server operator.
        const OPERATOR = 4;
        /// A program.
        const BOT = 8;
        /// Private messages only from who is logged in to an account.
        const ACCOUNTS_ONLY = 16;
    }
}

impl Ranks {
    /// The highest of them alone.
    #[must_use]
    pub fn highest(self) -> Self {
        let bits = self.bits();
        if bits == 0 { self } else { Self::from_bits_truncate(1 << (7 - bits.leading_zeros())) }
    }

    /// Whether one of them is `least` or higher.
    #[must_use]
    pub fn reach(self, least: Self) -> bool {
        self.highest().bits() >= least.bits().max(1)
    }
}

/// A room's lists of masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MaskList {
    /// Who can't come in or speak; mutes too (`~m:`).
    Bans,
    /// Whom a ban doesn't hold for.
    BanExceptions,
    /// Who needs no invitation.
    InviteExceptions,
}

/// A mask on one of a room's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskEntry {
    /// In its normal form.
    pub mask: Arc<str>,
    /// Who put it there, as `nick!user@host`.
    pub by: Arc<str>,
    /// When: milliseconds since 1970.
    pub unix_ms: u64,
}

/// A room's settings, but for its lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomModes {
    /// What is on.
    pub flags: RoomFlags,
    /// What one has to know to come in.
    pub key: Option<Arc<str>>,
    /// How many members it takes.
    pub limit: Option<u32>,
    /// How many seconds a member without rank has to wait from one message to the next.
    pub slow_s: Option<u32>,
}

/// A change that somebody wants of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedChange {
    /// A flag.
    Flags(RoomFlags, bool),
    /// The key; `None`: none.
    Key(Option<String>),
    /// The limit of members; `None`: none.
    Limit(Option<u32>),
    /// Seconds between messages; `None`: none.
    Slow(Option<u32>),
    /// A member's rank.
    Rank {
        /// One.
        rank: Ranks,
        /// The member, as the client named it.
        whom: String,
        /// Given or taken.
        given: bool,
    },
    /// A mask on a list.
    Mask {
        /// Which.
        list: MaskList,
        /// As the client wrote it.
        mask: String,
        /// Put there or taken away.
        added: bool,
    },
}

/// A change that was made to a room.
#[derive(Debug, Clone)]
pub enum Change {
    /// A flag.
    Flags(RoomFlags, bool),
    /// The key; `None`: taken away.
    Key(Option<Arc<str>>),
    /// The limit of members; `None`: taken away.
    Limit(Option<u32>),
    /// Seconds between messages; `None`: taken away.
    Slow(Option<u32>),
    /// A member's rank.
    Rank {
        /// One.
        rank: Ranks,
        /// The member.
        whom: Arc<Card>,
        /// Given or taken.
        given: bool,
    },
    /// A mask on a list.
    Mask {
        /// Which.
        list: MaskList,
        /// In its normal form.
        mask: Arc<str>,
        /// Put there or taken away.
        added: bool,
    },
}

/// What a room is about.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The words.
    pub text: Arc<str>,
    /// Who set it, as `nick!user@host`.
    pub by: Arc<str>,
    /// When: milliseconds since 1970.
    pub unix_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_compared_by_the_highest() {
        let both = Ranks::VOICE | Ranks::OPERATOR;
        assert_eq!(both.highest(), Ranks::OPERATOR);
        assert!(both.reach(Ranks::HALF_OPERATOR) && both.reach(Ranks::OPERATOR) && !both.reach(Ranks::ADMIN));
        assert!(!Ranks::empty().reach(Ranks::VOICE) && !Ranks::empty().reach(Ranks::empty()));
    }
}
