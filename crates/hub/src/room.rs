//! A room: its members and the audience they make.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxHasher;

use crate::{RoomCard, SessionId, UserId};

/// The members of a room, and the list of them that events share.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) card: Arc<RoomCard>,
    members: IndexMap<SessionId, UserId, BuildHasherDefault<FxHasher>>,
    /// Made when the first message after a change of members needs it.
    audience: Option<Arc<[SessionId]>>,
}

impl Room {
    pub(crate) fn new(card: RoomCard) -> Self {
        Self { card: Arc::new(card), members: IndexMap::default(), audience: None }
    }

    pub(crate) fn join(&mut self, session: SessionId, user: UserId) {
        self.members.insert(session, user);
        self.audience = None;
    }

    pub(crate) fn part(&mut self, session: SessionId) {
        self.members.swap_remove(&session);
        self.audience = None;
    }

    pub(crate) fn has(&self, session: SessionId) -> bool {
        self.members.contains_key(&session)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The members' users, each once, in order of arrival on the hub.
    pub(crate) fn users(&self) -> std::collections::BTreeSet<UserId> {
        self.members.values().copied().collect()
    }

    pub(crate) fn audience(&mut self) -> Arc<[SessionId]> {
        let members = &self.members;
        self.audience.get_or_insert_with(|| members.keys().copied().collect()).clone()
    }
}
