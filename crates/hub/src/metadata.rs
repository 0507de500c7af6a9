//! Public data of users and rooms, by key, and who wants to be told of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::membership::no_room;
use crate::{
    Audience, Card, Effect, Hub, Kind, MetadataOf, Now, Ranks, Refusal, Reply, RoomId, SessionId, UserId,
};

/// Keys that one user or room has.
pub const METADATA_KEYS_MAX: usize = 20;
/// Bytes of one value.
pub const METADATA_VALUE_BYTES_MAX: usize = 300;
/// Keys of which one session wants to be told.
pub const METADATA_WANTED_MAX: usize = 50;
/// Bytes of a key.
const KEY_BYTES_MAX: usize = 64;
/// In rooms with more members a newcomer isn't told everybody's data.
const SYNC_MEMBERS_MAX: usize = 1_000;

/// Values by key.
pub(crate) type Metadata = BTreeMap<Arc<str>, Arc<str>>;

/// A value that somebody has under a key.
pub type MetadataEntry = (MetadataOf, Arc<str>, Arc<str>);

/// Whose data is meant, as the session's dialect writes names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataTarget {
    /// The session's own user's.
    Own,
    /// A user's.
    User(String),
    /// A room's.
    Room(String),
}

/// What is to be done about data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataAction {
    /// Tell these keys' values; none: all.
    Get(Vec<String>),
    /// Set a key, or take it away.
    Set(String, Option<String>),
    /// Take all keys away.
    Clear,
    /// Tell of changes of these keys, and what they are now.
    Want(Vec<String>),
    /// Don't.
    Unwant(Vec<String>),
    /// Which keys are wanted.
    Wanted,
    /// Tell what the wanted keys are now.
    Sync,
}

/// What became of a [`MetadataAction`].
#[derive(Debug, Clone)]
pub enum MetadataAnswer {
    /// Somebody's values, in the order asked; `None`: there is none.
    Values(MetadataOf, Vec<(Arc<str>, Option<Arc<str>>)>),
    /// These are wanted, or not any more; and those that can't be. And what is known under them.
    Wanted {
        /// Keys.
        keys: Vec<String>,
        /// What is no key.
        malformed: Vec<String>,
        /// What would be too many.
        too_many: Vec<String>,
        /// Values.
        entries: Vec<MetadataEntry>,
    },
    /// What is known under the wanted keys.
    Entries(Vec<MetadataEntry>),
}

/// Who wants to be told of which keys.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    by_key: BTreeMap<Arc<str>, BTreeSet<SessionId>>,
    by_session: BTreeMap<SessionId, BTreeSet<Arc<str>>>,
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_./-".contains(&byte))
}

/// The data that somebody comes with.
pub(crate) fn first(claimed: &[(String, String)]) -> Option<Box<Metadata>> {
    let legal = |(key, value): &&(String, String)| is_key(key) && value.len() <= METADATA_VALUE_BYTES_MAX;
    let values: Metadata = claimed
        .iter()
        .filter(legal)
        .take(METADATA_KEYS_MAX)
        .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
        .collect();
    (!values.is_empty()).then(|| Box::new(values))
}

impl Hub {
    /// Does something about data.
    pub(crate) fn metadata(
        &mut self,
        now: Now,
        from: SessionId,
        (target, action): (&MetadataTarget, MetadataAction),
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let me = self.speaker_now(now, from)?;
        let answer = match action {
            MetadataAction::Get(keys) => self.metadata_get(from, &me, target, keys)?,
            MetadataAction::Set(key, value) => {
                self.metadata_set(now, from, &me, (target, &key, value.as_deref()), fx)?
            }
            MetadataAction::Clear => self.metadata_clear(now, from, &me, target, fx)?,
            MetadataAction::Want(keys) => self.metadata_want(from, me.user(), keys),
            MetadataAction::Unwant(keys) => self.metadata_unwant(from, keys),
            MetadataAction::Wanted => {
                let keys = self.wants.by_session.get(&from);
                let keys = keys.into_iter().flatten().map(|key| key.to_string()).collect();
                MetadataAnswer::Wanted {
                    keys,
                    malformed: Vec::new(),
                    too_many: Vec::new(),
                    entries: Vec::new(),
                }
            }
            MetadataAction::Sync => {
                let rooms = self.users.get(&me.user()).map(|user| user.rooms.clone()).unwrap_or_default();
                let mut entries = Vec::new();
                for room in rooms {
                    entries.extend(self.metadata_of_room(from, room, None));
                }
                MetadataAnswer::Entries(entries)
            }
        };
        Ok(Reply::Metadata(answer))
    }

    /// Whose data a target means, and whether the user may change it.
    fn metadata_target(
        &self,
        from: SessionId,
        me: &Arc<Card>,
        target: &MetadataTarget,
    ) -> Result<(MetadataOf, bool), Refusal> {
        match target {
            MetadataTarget::Own => Ok((MetadataOf::User(me.clone()), true)),
            MetadataTarget::User(name) => {
                let unknown = || Refusal::NoSuchUser { name: name.clone() };
                let user =
                    self.find(from, name).and_then(|user| self.users.get(&user)).ok_or_else(unknown)?;
                Ok((MetadataOf::User(user.card.clone()), user.card.user() == me.user()))
            }
            MetadataTarget::Room(name) => {
                let id = self.room_spelled(name).ok_or_else(|| no_room(name))?;
                let room = self.rooms.get(&id).ok_or_else(|| no_room(name))?;
                let secret = room.modes.flags.contains(crate::RoomFlags::SECRET);
                if secret && !room.has(me.user()) {
                    return Err(no_room(name));
                }
                let may = self.power(me.user(), id).reach(Ranks::HALF_OPERATOR);
                Ok((MetadataOf::Room(room.card.clone()), may))
            }
        }
    }

    fn metadata_values(&self, of: &MetadataOf) -> Option<&Metadata> {
        match of {
            MetadataOf::User(card) => self.users.get(&card.user())?.metadata.as_deref(),
            MetadataOf::Room(card) => Some(&self.rooms.get(&card.id())?.lists.metadata),
        }
    }

    fn metadata_get(
        &self,
        from: SessionId,
        me: &Arc<Card>,
        target: &MetadataTarget,
        keys: Vec<String>,
    ) -> Result<MetadataAnswer, Refusal> {
        let (of, _) = self.metadata_target(from, me, target)?;
        let values = self.metadata_values(&of);
        let found = if keys.is_empty() {
            values.into_iter().flatten().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
        } else {
            let get = |key: String| {
                let value = values.and_then(|values| values.get(key.as_str()).cloned());
                (key.into(), value)
            };
            keys.into_iter().map(get).collect()
        };
        Ok(MetadataAnswer::Values(of, found))
    }

    fn metadata_set(
        &mut self,
        now: Now,
        from: SessionId,
        me: &Arc<Card>,
        (target, key, value): (&MetadataTarget, &str, Option<&str>),
        fx: &mut Vec<Effect>,
    ) -> Result<MetadataAnswer, Refusal> {
        if !is_key(key) {
            return Err(Refusal::KeyMalformed { key: key.chars().take(KEY_BYTES_MAX).collect() });
        }
        let (of, may) = self.metadata_target(from, me, target)?;
        if !may {
            return Err(Refusal::NotYours { key: key.to_owned() });
        }
        if value.is_some_and(|value| value.len() > METADATA_VALUE_BYTES_MAX) {
            let rule = "a value has at most 300 bytes";
            return Err(Refusal::SettingMalformed { value: key.to_owned(), rule });
        }
        let (key, value): (Arc<str>, Option<Arc<str>>) = (key.into(), value.map(Into::into));
        let values = match &of {
            MetadataOf::User(card) => {
                let user = self.users.get_mut(&card.user()).ok_or(Refusal::NotLoggedIn)?;
                &mut **user.metadata.get_or_insert_default()
            }
            MetadataOf::Room(card) => {
                let room = self.rooms.get_mut(&card.id()).ok_or(Refusal::NotInRoom)?;
                &mut room.lists.metadata
            }
        };
        match &value {
            Some(_) if values.len() >= METADATA_KEYS_MAX && !values.contains_key(&key) => {
                return Err(Refusal::ListFull { entries_max: METADATA_KEYS_MAX, mask: key.to_string() });
            }
            Some(value) => {
                values.insert(key.clone(), value.clone());
            }
            None if values.remove(&key).is_none() => {
                return Err(Refusal::KeyNotSet { key: key.to_string() });
            }
            None => {}
        }
        self.metadata_tell(now, &of, me, &key, value.clone(), fx);
        Ok(MetadataAnswer::Values(of, vec![(key, value)]))
    }

    fn metadata_clear(
        &mut self,
        now: Now,
        from: SessionId,
        me: &Arc<Card>,
        target: &MetadataTarget,
        fx: &mut Vec<Effect>,
    ) -> Result<MetadataAnswer, Refusal> {
        let (of, may) = self.metadata_target(from, me, target)?;
        if !may {
            return Err(Refusal::NotYours { key: "*".to_owned() });
        }
        let gone = self.metadata_values(&of).cloned().unwrap_or_default();
        match &of {
            MetadataOf::User(card) => {
                if let Some(user) = self.users.get_mut(&card.user()) {
                    user.metadata = None;
                }
            }
            MetadataOf::Room(card) => {
                if let Some(room) = self.rooms.get_mut(&card.id()) {
                    room.lists.metadata.clear();
                }
            }
        }
        for key in gone.keys() {
            self.metadata_tell(now, &of, me, key, None, fx);
        }
        Ok(MetadataAnswer::Values(of, gone.into_iter().map(|(key, value)| (key, Some(value))).collect()))
    }

    /// Tells of a change those who want to know of the key and share a room, but for who made it.
    fn metadata_tell(
        &mut self,
        now: Now,
        of: &MetadataOf,
        by: &Arc<Card>,
        key: &Arc<str>,
        value: Option<Arc<str>>,
        fx: &mut Vec<Effect>,
    ) {
        let Some(wanting) = self.wants.by_key.get(key).cloned() else { return };
        let near = match of {
            MetadataOf::User(card) => self.neighbours(card.user()),
            MetadataOf::Room(card) => match self.rooms.get_mut(&card.id()) {
                Some(room) => Audience::Many(room.audience()),
                None => return,
            },
        };
        let own: Vec<_> = self.receiving_sessions(by.user()).collect();
        let told = |session: &SessionId| wanting.contains(session) && !own.contains(session);
        let to: Vec<_> = near.sessions().iter().copied().filter(told).collect();
        let by = crate::Actor::User(by.clone());
        let event = self.event(now, Kind::Metadata { of: of.clone(), by, key: key.clone(), value });
        self.deliver_to(Audience::Many(to.into()), event, fx);
    }

    fn metadata_want(&mut self, from: SessionId, me: UserId, keys: Vec<String>) -> MetadataAnswer {
        let (mut taken, mut malformed, mut too_many) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            let wanted = self.wants.by_session.entry(from).or_default();
            if !is_key(&key) {
                malformed.push(key);
            } else if wanted.len() >= METADATA_WANTED_MAX && !wanted.contains(key.as_str()) {
                too_many.push(key);
            } else {
                let shared: Arc<str> = key.as_str().into();
                wanted.insert(shared.clone());
                self.wants.by_key.entry(shared).or_default().insert(from);
                taken.push(key);
            }
        }
        let rooms = self.users.get(&me).map(|user| user.rooms.clone()).unwrap_or_default();
        let mut entries = Vec::new();
        for room in rooms {
            entries.extend(self.metadata_of_room(from, room, Some(&taken)));
        }
        MetadataAnswer::Wanted { keys: taken, malformed, too_many, entries }
    }

    fn metadata_unwant(&mut self, from: SessionId, keys: Vec<String>) -> MetadataAnswer {
        for key in &keys {
            self.unwant(from, key);
        }
        let (malformed, too_many, entries) = (Vec::new(), Vec::new(), Vec::new());
        MetadataAnswer::Wanted { keys, malformed, too_many, entries }
    }

    fn unwant(&mut self, session: SessionId, key: &str) {
        if let Some(wanted) = self.wants.by_session.get_mut(&session) {
            wanted.remove(key);
            if wanted.is_empty() {
                self.wants.by_session.remove(&session);
            }
        }
        if let Some(wanting) = self.wants.by_key.get_mut(key) {
            wanting.remove(&session);
            if wanting.is_empty() {
                self.wants.by_key.remove(key);
            }
        }
    }

    /// A session has gone.
    pub(crate) fn unwant_all(&mut self, session: SessionId) {
        for key in self.wants.by_session.get(&session).cloned().into_iter().flatten() {
            self.unwant(session, &key);
        }
    }

    /// What a session wants to know of a room and those in it; of `only` these keys if given.
    pub(crate) fn metadata_of_room(
        &self,
        session: SessionId,
        room: RoomId,
        only: Option<&[String]>,
    ) -> Vec<MetadataEntry> {
        let (Some(wanted), Some(room)) = (self.wants.by_session.get(&session), self.rooms.get(&room)) else {
            return Vec::new();
        };
        let own = self.sessions.get(&session).and_then(|session| session.user);
        let asked = |key: &Arc<str>| {
            wanted.contains(key) && only.is_none_or(|only| only.iter().any(|one| **one == **key))
        };
        let pick = |of: &MetadataOf, values: &Metadata| -> Vec<MetadataEntry> {
            let values = values.iter().filter(|(key, _)| asked(key));
            values.map(|(key, value)| (of.clone(), key.clone(), value.clone())).collect()
        };
        let mut entries = pick(&MetadataOf::Room(room.card.clone()), &room.lists.metadata);
        if room.len() <= SYNC_MEMBERS_MAX {
            let members = room.members().into_iter().filter(|(user, _)| Some(*user) != own);
            for user in members.filter_map(|(user, _)| self.users.get(&user)) {
                if let Some(values) = &user.metadata {
                    entries.extend(pick(&MetadataOf::User(user.card.clone()), values));
                }
            }
        }
        entries
    }

    /// A newcomer's data reach those in a room who want to know.
    pub(crate) fn metadata_of_newcomer(
        &mut self,
        now: Now,
        user: UserId,
        room: RoomId,
        fx: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.users.get(&user) else { return };
        let (Some(values), card) = (entry.metadata.clone(), entry.card.clone()) else { return };
        let Some(room) = self.rooms.get_mut(&room).filter(|room| room.len() <= SYNC_MEMBERS_MAX) else {
            return;
        };
        let near = room.audience();
        let own: Vec<_> = room.sessions_of(user).to_vec();
        for (key, value) in *values {
            let Some(wanting) = self.wants.by_key.get(&key) else { continue };
            let told = |session: &SessionId| wanting.contains(session) && !own.contains(session);
            let to: Vec<_> = near.iter().copied().filter(told).collect();
            let (of, by) = (MetadataOf::User(card.clone()), crate::Actor::User(card.clone()));
            let event = self.event(now, Kind::Metadata { of, by, key, value: Some(value) });
            self.deliver_to(Audience::Many(to.into()), event, fx);
        }
    }
}

#[cfg(test)]
impl Wants {
    /// Whether nobody wants anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.by_session.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for key in ["display-name", "a/b.c_1"] {
            assert!(is_key(key));
        }
        for key in ["", "A", "a b", "é", "$x", &"a".repeat(65)] {
            assert!(!is_key(key), "{key:?}");
        }
    }
}
