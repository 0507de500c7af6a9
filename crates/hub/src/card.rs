//! Public faces: what others may know of a user and of a room.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::names::WireNames;
use crate::{Dialect, Name, Namespace, Party, RoomId, RoomName, UserId};

/// A user's public face as it is now. When something of it changes, the user gets another one.
#[derive(Debug, Clone)]
pub struct Card {
    pub(crate) user: UserId,
    pub(crate) name: Name,
    pub(crate) dialect: Dialect,
    pub(crate) wire: WireNames,
    pub(crate) profile: Profile,
    pub(crate) notes: Notes,
}

/// What is found out of a card, or put there, and is no part of it. A copy is about to be changed, and has nothing of it.
#[derive(Default)]
pub(crate) struct Notes {
    /// As whom the card's owner takes part in conversations, once that was asked.
    party: OnceLock<Party>,
    label: Label,
}

/// Two numbers that whoever keeps what is said puts on a card to know it again: they mean something to it alone, and are
/// for one at a time to read and to write.
#[derive(Debug, Default)]
pub struct Label {
    lot: AtomicU64,
    number: AtomicI64,
}

impl Label {
    /// What was put there last; zeros before that.
    #[must_use]
    pub fn get(&self) -> (u64, i64) {
        (self.lot.load(Ordering::Relaxed), self.number.load(Ordering::Relaxed))
    }

    /// Puts something there.
    pub fn set(&self, lot: u64, number: i64) {
        self.lot.store(lot, Ordering::Relaxed);
        self.number.store(number, Ordering::Relaxed);
    }
}

impl fmt::Debug for Notes {
    /// Says nothing: a card is the same with and without them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

impl Clone for Notes {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Notes {
    pub(crate) fn party(&self, find: impl FnOnce() -> Party) -> &Party {
        self.party.get_or_init(find)
    }
}

/// What is known of a user besides its name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) username: Arc<str>,
    pub(crate) host: Arc<str>,
    pub(crate) real_name: Arc<str>,
    pub(crate) account: Option<Arc<str>>,
    pub(crate) bot: bool,
}

/// A public face of the past, as it was kept.
#[derive(Debug, Clone)]
pub struct FormerFace {
    /// The canonical name.
    pub name: String,
    /// The name on IRC.
    pub nick: String,
    /// The user part of `nick!user@host`.
    pub username: String,
    /// The host that others saw.
    pub host: String,
    /// The account.
    pub account: Option<String>,
    /// The dialect that the user came with.
    pub dialect: Dialect,
    /// Whether it was a program.
    pub bot: bool,
}

impl Card {
    /// The card of somebody who was here once. It is nobody who is present.
    #[must_use]
    pub fn former(face: FormerFace) -> Self {
        let nick = (face.nick != face.name).then_some(face.nick);
        let wire = WireNames::new(|space| nick.clone().filter(|_| space == Namespace::Irc));
        let profile = Profile {
            username: face.username.into(),
            host: face.host.into(),
            real_name: "".into(),
            account: face.account.map(Into::into),
            bot: face.bot,
        };
        let (name, notes) = (Name::kept(&face.name), Notes::default());
        Self { user: UserId(0), name, dialect: face.dialect, wire, profile, notes }
    }

    /// What whoever keeps what is said knows it by.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.notes.label
    }

    /// Who it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The canonical name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The dialect that the user came with.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The name as one namespace shows it: legal there, unique, and leading back to this user.
    #[must_use]
    pub fn wire_name(&self, space: Namespace) -> &str {
        self.wire.get(space).unwrap_or_else(|| self.name.as_str())
    }

    /// The user part of `nick!user@host`: what an IRC client claims, with `~` before it; else the dialect.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.profile.username
    }

    /// The host that others see: never the address itself, unless it is this machine's.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.profile.host
    }

    /// What the user says it is called outside of here.
    #[must_use]
    pub fn real_name(&self) -> &str {
        &self.profile.real_name
    }

    /// The account that the user is logged in to.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.profile.account.as_deref()
    }

    /// Whether the user is a program, as it says itself.
    #[must_use]
    pub fn is_bot(&self) -> bool {
        self.profile.bot
    }

    /// `nick!user@host`, as IRC writes it.
    #[must_use]
    pub fn hostmask(&self) -> String {
        [self.wire_name(Namespace::Irc), "!", self.username(), "@", self.host()].concat()
    }
}

/// A room's public face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCard {
    pub(crate) id: RoomId,
    pub(crate) name: RoomName,
    pub(crate) channel: Box<str>,
}

impl RoomCard {
    /// The card of a room that was here once. It is no room that exists.
    #[must_use]
    pub fn former(name: RoomName) -> Self {
        let channel = format!("#{}", name.as_str()).into();
        Self { id: RoomId(0), name, channel }
    }

    /// Which room.
    #[must_use]
    pub fn id(&self) -> RoomId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// Its name as IRC writes it: with `#`, and legal there.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_no_label() {
        let ana = Card::former(FormerFace {
            name: "ana".to_owned(),
            nick: "ana".to_owned(),
            username: "~ana".to_owned(),
            host: "gate.example".to_owned(),
            account: None,
            dialect: Dialect::Irc,
            bot: false,
        });
        ana.label().set(7, 11);
        assert_eq!((ana.label().get(), ana.clone().label().get()), ((7, 11), (0, 0)));
    }
}
