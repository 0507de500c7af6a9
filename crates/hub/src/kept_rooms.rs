//! Registered rooms: they outlast their members, and the server's process, with owner, ranks, settings and topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mask::BanMask;
use crate::membership::no_room;
use crate::names::Key;
use crate::{
    Actor, Audience, Change, Effect, Hub, Kept, Kind, MaskEntry, MaskList, Now, Ranks, Refusal, RoomId,
    RoomModes, RoomName, SessionId, Topic, UserId,
};

/// Rooms that one account registers at most.
const ROOMS_MAX: usize = 20;
/// Ranks of accounts that one room remembers at most.
const RANKS_MAX: usize = 1_000;

/// A registered room, as it is kept.
#[derive(Debug, Clone)]
pub struct KeptRoom {
    /// Its name.
    pub name: RoomName,
    /// The account that it belongs to.
    pub founder: Arc<str>,
    /// When it was made: milliseconds since 1970.
    pub made_ms: u64,
    /// What it is about.
    pub topic: Option<Topic>,
    /// Its settings.
    pub modes: RoomModes,
    /// Its lists.
    pub lists: Vec<(MaskList, MaskEntry)>,
    /// The ranks that accounts have in it, whenever they come.
    pub ranks: Vec<(Arc<str>, Ranks)>,
}

/// What a registered room has that others don't.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) founder: Arc<str>,
    /// By account.
    ranks: BTreeMap<Key, (Arc<str>, Ranks)>,
}

impl Registration {
    /// The ranks of an account.
    pub(crate) fn ranks_of(&self, account: &str) -> Ranks {
        let key = Key::of(account);
        let founder = if key == Key::of(&self.founder) { Ranks::FOUNDER } else { Ranks::empty() };
        self.ranks.get(&key).map_or(Ranks::empty(), |(_, ranks)| *ranks) | founder
    }
}

impl Hub {
    /// Takes over the rooms that were kept.
    pub fn load_rooms(&mut self, rooms: impl IntoIterator<Item = KeptRoom>) {
        for kept in rooms {
            let id = self.room_named(kept.made_ms, &kept.name);
            let Some(room) = self.rooms.get_mut(&id) else { continue };
            room.made_ms = kept.made_ms;
            room.topic = kept.topic;
            room.modes = kept.modes;
            for (list, entry) in kept.lists {
                // One that can't be read any more could not be enforced either.
                let Some(mask) = BanMask::parse(&entry.mask) else { continue };
                room.lists.of_mut(list).push((mask, entry));
            }
            let ranks = kept.ranks.into_iter().map(|(account, ranks)| (Key::of(&account), (account, ranks)));
            room.registration =
                Some(Box::new(Registration { founder: kept.founder, ranks: ranks.collect() }));
        }
    }

    /// The registered rooms.
    pub fn kept_rooms(&self) -> impl Iterator<Item = KeptRoom> + '_ {
        self.rooms.values().filter_map(|room| self.kept_room(room.card.id))
    }

    fn kept_room(&self, id: RoomId) -> Option<KeptRoom> {
        let room = self.rooms.get(&id)?;
        let registration = room.registration.as_deref()?;
        let list = |list| room.lists.of(list).iter().map(move |(_, entry)| (list, entry.clone()));
        let lists = [MaskList::Bans, MaskList::BanExceptions, MaskList::InviteExceptions];
        Some(KeptRoom {
            name: room.card.name.clone(),
            founder: registration.founder.clone(),
            made_ms: room.made_ms,
            topic: room.topic.clone(),
            modes: room.modes.clone(),
            lists: lists.into_iter().flat_map(list).collect(),
            ranks: registration.ranks.values().cloned().collect(),
        })
    }

    /// Has a room kept as it is now, if it is registered.
    pub(crate) fn keep_room(&self, id: RoomId, fx: &mut Vec<Effect>) {
        if let Some(room) = self.kept_room(id) {
            fx.push(Effect::Keep(Kept::Room(Box::new(room)), None));
        }
    }

    /// Makes a room the account's of whoever asks. It has to keep order there.
    pub(crate) fn register_room(
        &mut self,
        now: Now,
        from: SessionId,
        spelled: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<RoomId, Refusal> {
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        let user = self.speaker(from)?.user();
        let founder = self.own_account(from)?.name.clone();
        let id = self.room_spelled(spelled).ok_or_else(|| no_room(spelled))?;
        let least = Ranks::OPERATOR;
        if !self.power(user, id).reach(least) {
            return Err(Refusal::RankTooLow { least });
        }
        let owned = self.rooms.values().filter_map(|room| room.registration.as_deref());
        let owned =
            owned.filter(|registration| Key::of(&registration.founder) == Key::of(founder.as_str())).count();
        if owned >= ROOMS_MAX {
            return Err(Refusal::TooManyRooms { rooms_max: ROOMS_MAX });
        }
        let room = self.rooms.get_mut(&id).ok_or_else(|| no_room(spelled))?;
        if room.registration.is_some() {
            return Err(Refusal::RoomTaken { name: room.card.name.as_str().to_owned() });
        }
        let founder: Arc<str> = founder.as_str().into();
        room.registration = Some(Box::new(Registration { founder, ranks: BTreeMap::new() }));
        // Its history goes on when it is empty, so there is nothing to close.
        self.seal(id, fx);
        self.rank_by_account(now, user, id, fx);
        self.keep_room(id, fx);
        Ok(id)
    }

    /// A registered room of whoever asks.
    pub(crate) fn own_room(&self, from: SessionId, spelled: &str) -> Result<RoomId, Refusal> {
        let account = self.own_account(from)?.name.clone();
        let id = self.room_spelled(spelled).ok_or_else(|| no_room(spelled))?;
        let registration = self.rooms.get(&id).and_then(|room| room.registration.as_deref());
        let registration = registration.ok_or_else(|| no_room(spelled))?;
        match Key::of(&registration.founder) == Key::of(account.as_str()) {
            true => Ok(id),
            false => Err(Refusal::RankTooLow { least: Ranks::FOUNDER }),
        }
    }

    /// A room is no longer registered: it goes with its last member.
    pub(crate) fn release_room(&mut self, id: RoomId, fx: &mut Vec<Effect>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.registration.take().is_none() {
            return;
        }
        let name = room.card.name.clone();
        fx.push(Effect::Keep(Kept::RoomGone(name), None));
        self.seal(id, fx);
        self.remove_if_empty(id, fx);
    }

    /// The rooms of an account that is no more.
    pub(crate) fn release_rooms_of(&mut self, account: &str, fx: &mut Vec<Effect>) {
        let key = Key::of(account);
        let is_founder = |registration: &Registration| Key::of(&registration.founder) == key;
        let ids: Vec<RoomId> = self
            .rooms
            .iter()
            .filter(|(_, room)| room.registration.as_deref().is_some_and(is_founder))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.release_room(id, fx);
        }
    }

    /// Gives a room to another account.
    pub(crate) fn transfer_room(
        &mut self,
        now: Now,
        id: RoomId,
        account: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let account = self.accounts.get(account).ok_or(Refusal::NoSuchUser { name: account.to_owned() })?;
        let founder: Arc<str> = account.name.as_str().into();
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(()) };
        let Some(registration) = room.registration.as_deref_mut() else { return Ok(()) };
        let before = std::mem::replace(&mut registration.founder, founder.clone());
        self.keep_room(id, fx);
        for member in self.users_of_account(&founder) {
            self.rank_by_account(now, member, id, fx);
        }
        for member in self.users_of_account(&before) {
            self.take_rank(now, member, id, Ranks::FOUNDER, fx);
        }
        Ok(())
    }

    fn users_of_account(&self, account: &str) -> Vec<UserId> {
        let key = Key::of(account);
        let is = |name: &str| Key::of(name) == key;
        self.users_by_arrival(|user| user.card.account().is_some_and(is)).map(|(id, _)| id).collect()
    }

    /// The ranks that a user has in a room by its account.
    pub(crate) fn account_ranks(&self, user: UserId, id: RoomId) -> Ranks {
        let account = self.users.get(&user).and_then(|user| user.card.account());
        let registration = self.rooms.get(&id).and_then(|room| room.registration.as_deref());
        match (account, registration) {
            (Some(account), Some(registration)) => registration.ranks_of(account),
            _ => Ranks::empty(),
        }
    }

    /// Gives a member the ranks that its account has, and says so.
    pub(crate) fn rank_by_account(&mut self, now: Now, user: UserId, id: RoomId, fx: &mut Vec<Effect>) {
        let wanted = self.account_ranks(user, id);
        let member = self.rooms.get_mut(&id).and_then(|room| room.member_mut(user));
        let Some(member) = member else { return };
        let new = wanted.difference(member.ranks);
        member.ranks |= new;
        self.tell_rank_changes(now, user, id, (new, true), fx);
    }

    /// Takes a rank from a member, and says so.
    pub(crate) fn take_rank(
        &mut self,
        now: Now,
        user: UserId,
        id: RoomId,
        rank: Ranks,
        fx: &mut Vec<Effect>,
    ) {
        let member = self.rooms.get_mut(&id).and_then(|room| room.member_mut(user));
        let Some(member) = member.filter(|member| member.ranks.contains(rank)) else { return };
        member.ranks.remove(rank);
        self.tell_rank_changes(now, user, id, (rank, false), fx);
    }

    fn tell_rank_changes(
        &mut self,
        now: Now,
        user: UserId,
        id: RoomId,
        (ranks, given): (Ranks, bool),
        fx: &mut Vec<Effect>,
    ) {
        if ranks.is_empty() {
            return;
        }
        self.tell_arrival(now, user, id, fx);
        let Some(whom) = self.users.get(&user).map(|user| user.card.clone()) else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let (room, to) = (room.card.clone(), room.audience());
        let changes = ranks.iter().map(|rank| Change::Rank { rank, whom: whom.clone(), given }).collect();
        let event = self.event(now, Kind::Modes { by: Actor::Server, room, changes });
        self.deliver_to(Audience::Many(to), event, fx);
    }

    /// Remembers the ranks of accounts that were given or taken in a registered room, and has it kept.
    pub(crate) fn remember_changes(&mut self, id: RoomId, changes: &[Change], fx: &mut Vec<Effect>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let Some(registration) = room.registration.as_deref_mut() else { return };
        for change in changes {
            let Change::Rank { rank, whom, given } = change else { continue };
            let Some(account) = whom.profile.account.clone() else { continue };
            let key = Key::of(&account);
            if registration.ranks.len() >= RANKS_MAX && !registration.ranks.contains_key(&key) {
                continue;
            }
            let (_, ranks) = registration.ranks.entry(key.clone()).or_insert((account, Ranks::empty()));
            ranks.set(*rank, *given);
            if ranks.is_empty() {
                registration.ranks.remove(&key);
            }
        }
        self.keep_room(id, fx);
    }
}
