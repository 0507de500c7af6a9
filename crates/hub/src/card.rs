//! Public faces: what others may know of a user and of a room.

use std::fmt;
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
    pub(crate) party: Remembered,
}

/// As whom a card's owner takes part in conversations, once that was asked. A copy is about to be changed, and has
/// forgotten.
#[derive(Default)]
pub(crate) struct Remembered(OnceLock<Party>);

impl fmt::Debug for Remembered {
    /// Says nothing: a card is the same before and after it was asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}

impl Clone for Remembered {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Remembered {
    pub(crate) fn get_or_init(&self, find: impl FnOnce() -> Party) -> &Party {
        self.0.get_or_init(find)
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
        let (name, party) = (Name::kept(&face.name), Remembered::default());
        Self { user: UserId(0), name, dialect: face.dialect, wire, profile, party }
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
