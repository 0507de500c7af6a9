//! A room: its members and the audience they make, and what is set on it.

use std::collections::BTreeSet;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxHasher;
use smallvec::SmallVec;

use crate::kept_rooms::Registration;
use crate::mask::BanMask;
use crate::pace::Pace;
use crate::{
    HistoryKey, MaskEntry, MaskList, Ranks, RoomCard, RoomFlags, RoomModes, SessionId, Topic, UserId,
};

/// The members of a room, the list of them that events share, and what is set on it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) card: Arc<RoomCard>,
    pub(crate) history: HistoryKey,
    /// Set if it is registered.
    pub(crate) registration: Option<Box<Registration>>,
    /// Whether it was said of the history that it is closed to some.
    pub(crate) sealed: bool,
    members: IndexMap<UserId, Membership, BuildHasherDefault<FxHasher>>,
    /// Made when the first event after a change of members needs it.
    audience: Option<Arc<[SessionId]>>,
    /// When it was made; for the room that always exists, when somebody first came.
    pub(crate) made_ms: u64,
    pub(crate) topic: Option<Topic>,
    pub(crate) modes: RoomModes,
    /// Rarely anything in it.
    pub(crate) lists: Box<Lists>,
    pub(crate) pace: Pace,
}

/// Who may come in or speak, besides what holds for all.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub(crate) bans: Vec<(BanMask, MaskEntry)>,
    pub(crate) ban_exceptions: Vec<(BanMask, MaskEntry)>,
    pub(crate) invite_exceptions: Vec<(BanMask, MaskEntry)>,
    pub(crate) invited: BTreeSet<UserId>,
    pub(crate) metadata: crate::metadata::Metadata,
}

impl Lists {
    pub(crate) fn of(&self, list: MaskList) -> &Vec<(BanMask, MaskEntry)> {
        match list {
            MaskList::Bans => &self.bans,
            MaskList::BanExceptions => &self.ban_exceptions,
            MaskList::InviteExceptions => &self.invite_exceptions,
        }
    }

    pub(crate) fn of_mut(&mut self, list: MaskList) -> &mut Vec<(BanMask, MaskEntry)> {
        match list {
            MaskList::Bans => &mut self.bans,
            MaskList::BanExceptions => &mut self.ban_exceptions,
            MaskList::InviteExceptions => &mut self.invite_exceptions,
        }
    }
}

/// A user's place in a room.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    pub(crate) ranks: Ranks,
    /// Whether the others were told that it has come ([`Pace`]).
    pub(crate) told: bool,
    /// When it last said something, for slow rooms: milliseconds since 1970.
    pub(crate) spoke_ms: u64,
    /// The user's sessions that hear what happens here.
    sessions: SmallVec<[SessionId; 1]>,
}

impl Room {
    pub(crate) fn new(made_ms: u64, card: RoomCard) -> Self {
        Self {
            history: HistoryKey::of_room(&card.name),
            registration: None,
            sealed: false,
            card: Arc::new(card),
            members: IndexMap::default(),
            audience: None,
            made_ms,
            topic: None,
            modes: RoomModes {
                flags: RoomFlags::NO_EXTERNAL | RoomFlags::TOPIC_LOCKED,
                ..RoomModes::default()
            },
            lists: Box::default(),
            pace: Pace::default(),
        }
    }

    pub(crate) fn join(&mut self, user: UserId, ranks: Ranks, sessions: SmallVec<[SessionId; 1]>) {
        self.members.insert(user, Membership { ranks, told: false, spoke_ms: 0, sessions });
        self.audience = None;
    }

    pub(crate) fn part(&mut self, user: UserId) -> Option<Membership> {
        self.audience = None;
        self.lists.invited.remove(&user);
        self.members.swap_remove(&user)
    }

    /// A member has one session more.
    pub(crate) fn attach(&mut self, user: UserId, session: SessionId) {
        if let Some(member) = self.members.get_mut(&user) {
            member.sessions.push(session);
            self.audience = None;
        }
    }

    /// One of a member's sessions is gone.
    pub(crate) fn detach(&mut self, user: UserId, session: SessionId) {
        if let Some(member) = self.members.get_mut(&user) {
            member.sessions.retain(|other| *other != session);
            self.audience = None;
        }
    }

    pub(crate) fn member(&self, user: UserId) -> Option<&Membership> {
        self.members.get(&user)
    }

    pub(crate) fn member_mut(&mut self, user: UserId) -> Option<&mut Membership> {
        self.members.get_mut(&user)
    }

    pub(crate) fn has(&self, user: UserId) -> bool {
        self.members.contains_key(&user)
    }

    pub(crate) fn ranks(&self, user: UserId) -> Ranks {
        self.members.get(&user).map_or(Ranks::empty(), |member| member.ranks)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The members in order of arrival on the hub, with their ranks.
    pub(crate) fn members(&self) -> Vec<(UserId, Ranks)> {
        let mut members: Vec<_> = self.members.iter().map(|(user, member)| (*user, member.ranks)).collect();
        members.sort_unstable_by_key(|(user, _)| *user);
        members
    }

    /// All that hear what happens here.
    pub(crate) fn audience(&mut self) -> Arc<[SessionId]> {
        let members = &self.members;
        self.audience
            .get_or_insert_with(|| members.values().flat_map(|member| &member.sessions).copied().collect())
            .clone()
    }

    /// Those of them whose ranks reach `least`, and all of `also`'s.
    pub(crate) fn audience_from(&self, least: Ranks, also: UserId) -> Arc<[SessionId]> {
        self.members
            .iter()
            .filter(|(user, member)| member.ranks.reach(least) || **user == also)
            .flat_map(|(_, member)| &member.sessions)
            .copied()
            .collect()
    }

    /// The sessions of one member.
    pub(crate) fn sessions_of(&self, user: UserId) -> &[SessionId] {
        self.members.get(&user).map(|member| member.sessions.as_slice()).unwrap_or_default()
    }
}
