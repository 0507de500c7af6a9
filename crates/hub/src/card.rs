//! Public faces: what others may know of a user and of a room.

use crate::names::WireNames;
use crate::{Dialect, Name, Namespace, RoomId, RoomName, UserId};

/// A user's public face. It doesn't change while the user is present.
#[derive(Debug)]
pub struct Card {
    pub(crate) user: UserId,
    pub(crate) name: Name,
    pub(crate) dialect: Dialect,
    pub(crate) wire: WireNames,
}

impl Card {
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
        self.wire[space.index()].as_deref().unwrap_or_else(|| self.name.as_str())
    }
}

/// A room's public face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCard {
    pub(crate) id: RoomId,
    pub(crate) name: RoomName,
}

impl RoomCard {
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
}
