//! How users come into rooms and go from them, by themselves and by others.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::card::{Notes, Profile};
use crate::names::{Key, WireNames};
use crate::pace::Told;
use crate::room::Room;
use crate::{
    Actor, Audience, Card, Change, Effect, Hub, Kept, Kind, MaskList, Member, Name, Now, Origin, Privileges,
    Ranks, Refusal, Reply, RoomCard, RoomFlags, RoomId, RoomName, SessionId, UserId,
};

impl Hub {
    /// The room that a name means in the dialect of whoever wrote it.
    pub(crate) fn room_spelled(&self, spelled: &str) -> Option<RoomId> {
        Key::lend(spelled, |key| self.room_keys.get(key).or_else(|| self.room_aliases.get(key)).copied())
    }

    /// The room of a name, made if it doesn't exist.
    pub(crate) fn room_named(&mut self, made_ms: u64, name: &RoomName) -> RoomId {
        let key = Key::of(name.as_str());
        if let Some(id) = self.room_keys.get(&key) {
            return *id;
        }
        let id = RoomId(self.next_id());
        let card = self.room_card(id, name);
        self.rooms.insert(id, Room::new(made_ms, card));
        self.room_keys.insert(key, id);
        id
    }

    /// A room's public face; notes the name that IRC shows if it is another.
    pub(crate) fn room_card(&mut self, id: RoomId, name: &RoomName) -> RoomCard {
        let legal = name.as_str().replace([' ', ','], "_");
        let mut channel = legal.clone();
        let mut number = 1;
        while channel != name.as_str() && self.room_spelled(&channel).is_some() {
            number += 1;
            channel = format!("{legal}{number}");
        }
        if channel != name.as_str() {
            self.room_aliases.insert(Key::of(&channel), id);
        }
        RoomCard { id, name: name.clone(), channel: ["#", &channel].concat().into() }
    }

    /// Forgets a room's names.
    pub(crate) fn forget_room_names(&mut self, card: &RoomCard) {
        Key::lend(card.name.as_str(), |key| self.room_keys.remove(key));
        Key::lend(card.channel().trim_start_matches('#'), |alias| {
            if self.room_aliases.get(alias) == Some(&card.id) {
                self.room_aliases.remove(alias);
            }
        });
    }

    /// Whether a newcomer of this name and profile could come into a room.
    pub(crate) fn may_enter(
        &self,
        room: &RoomName,
        name: &Name,
        profile: &Profile,
        origin: Origin,
    ) -> Result<(), Refusal> {
        let Some(room) = self.room_keys.get(&Key::of(room.as_str())).and_then(|id| self.rooms.get(id)) else {
            return Ok(());
        };
        let card = Card {
            user: UserId(0),
            name: name.clone(),
            dialect: origin.dialect,
            wire: WireNames::default(),
            profile: profile.clone(),
            notes: Notes::default(),
        };
        self.may_join(room, &card, origin.address, None)
    }

    /// Whether a user could come into a room.
    fn may_join(&self, room: &Room, card: &Card, address: IpAddr, key: Option<&str>) -> Result<(), Refusal> {
        let members_max = self.config.room_members_max;
        if room.len() >= members_max {
            return Err(Refusal::RoomFull { members_max });
        }
        // An invitation opens the door, whatever keeps others out; and who keeps order needs none.
        let account = card.account().zip(room.registration.as_deref());
        let ranks = account.map_or(Ranks::empty(), |(account, registration)| registration.ranks_of(account));
        if room.lists.invited.contains(&card.user()) || ranks.reach(Ranks::HALF_OPERATOR) {
            return Ok(());
        }
        let listed = |list| room.lists.of(list).iter().any(|(mask, _)| mask.matches(card, address));
        let banned = room.lists.bans.iter().any(|(mask, _)| !mask.mute && mask.matches(card, address));
        if banned && !listed(MaskList::BanExceptions) {
            return Err(Refusal::Banned);
        }
        let modes = &room.modes;
        let is_welcome = self.is_welcome(room, card);
        if !is_welcome && modes.flags.contains(RoomFlags::INVITE_ONLY) && !listed(MaskList::InviteExceptions)
        {
            return Err(Refusal::InviteOnly);
        }
        if modes.flags.contains(RoomFlags::ACCOUNTS_ONLY) && card.account().is_none() {
            return Err(Refusal::NeedsAccount);
        }
        if !is_welcome && modes.key.as_deref().is_some_and(|wanted| key != Some(wanted)) {
            return Err(Refusal::WrongKey);
        }
        if let Some(limit) = modes.limit.filter(|limit| room.len() >= *limit as usize) {
            return Err(Refusal::RoomFull { members_max: limit as usize });
        }
        Ok(())
    }

    /// A user comes into a room by its own wish.
    pub(crate) fn join(
        &mut self,
        now: Now,
        from: SessionId,
        spelled: &str,
        key: Option<&str>,
        members: bool,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let card = self.speaker(from)?;
        let user = card.user();
        let entry = self.users.get(&user).ok_or(Refusal::NotLoggedIn)?;
        let address = entry.origin.address;
        let rooms_max = self.config.rooms_per_user_max;
        let known = self.room_spelled(spelled);
        let inside = known.is_some_and(|id| entry.rooms.contains(&id));
        if entry.rooms.len() >= rooms_max && !inside {
            return Err(Refusal::TooManyRooms { rooms_max });
        }
        let id = match known {
            Some(_) if inside => return Err(Refusal::MemberAlready { name: card.name.to_string() }),
            Some(id) => {
                let room = self.rooms.get(&id).ok_or_else(|| no_room(spelled))?;
                self.may_join(room, &card, address, key)?;
                id
            }
            None => self.room_named(now.unix_ms, &RoomName::new(spelled)?),
        };
        self.enter_room(now, user, id, fx);
        let room = self.rooms.get(&id).ok_or_else(|| no_room(spelled))?;
        let mut info = Box::new(self.room_info(room, true));
        info.read_ms = self.read_ms(user, info.card.channel());
        let members = members.then(|| self.members_of(room, |_| true));
        let metadata = self.metadata_of_room(from, id, None);
        Ok(Reply::Joined { room: info, members, metadata })
    }

    /// A user becomes a member; whoever has to know is told.
    pub(crate) fn enter_room(&mut self, now: Now, user: UserId, id: RoomId, fx: &mut Vec<Effect>) {
        let sessions: SmallVec<[SessionId; 1]> = self.receiving_sessions(user).collect();
        let is_lobby = id == self.lobby;
        let Some(entry) = self.users.get_mut(&user) else { return };
        if entry.rooms.contains(&id) {
            return;
        }
        entry.rooms.push(id);
        let card = entry.card.clone();
        let Some(room) = self.rooms.get_mut(&id) else { return };
        self.census.rooms += usize::from(room.len() == 0);
        // Whoever makes a room keeps order in it.
        let maker = room.len() == 0 && !is_lobby;
        if room.made_ms == 0 {
            room.made_ms = now.unix_ms;
        }
        let is_registered = room.registration.is_some();
        let made_anew = (maker && !is_registered).then(|| room.history.clone());
        let ranks = if maker && !is_registered { Ranks::OPERATOR } else { Ranks::empty() };
        let account = card.account().zip(room.registration.as_deref());
        let ranks =
            ranks | account.map_or(Ranks::empty(), |(account, registration)| registration.ranks_of(account));
        room.join(user, ranks, sessions.clone());
        room.lists.invited.remove(&user);
        let room_card = room.card.clone();
        if let Some(history) = made_anew {
            self.forget_welcomes(&history, fx);
        }
        self.forget_departure(id, card.name.as_str());
        if card.dialect == crate::Dialect::Irc && !sessions.is_empty() {
            // It knows itself that it is away.
            let event = self.event(now, Kind::Join { who: card, away: None, room: room_card });
            self.deliver_to(Audience::Many(sessions.as_slice().into()), event, fx);
        }
        for session in sessions {
            self.show_missed(session, id, fx);
        }
        self.keep_presence(user, fx);
        self.announce_arrival(now, user, id, fx);
        self.metadata_of_newcomer(now, user, id, fx);
    }

    /// Tells the others a member's ranks that it had before they knew of it.
    pub(crate) fn tell_ranks(&mut self, now: Now, user: UserId, id: RoomId, fx: &mut Vec<Effect>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let ranks = room.ranks(user);
        // The first member of a room has nobody to tell.
        if ranks.is_empty() || room.len() < 2 {
            return;
        }
        let Some(entry) = self.users.get(&user) else { return };
        let whom = entry.card.clone();
        let changes =
            ranks.iter().map(|rank| Change::Rank { rank, whom: whom.clone(), given: true }).collect();
        let own: Vec<_> = room.sessions_of(user).to_vec();
        let to: Arc<[_]> = room.audience().iter().copied().filter(|session| !own.contains(session)).collect();
        let kind = Kind::Modes { by: Actor::Server, room: room.card.clone(), changes };
        let event = self.event(now, kind);
        self.deliver_to(Audience::Many(to), event, fx);
    }

    /// Takes a member out of a room without a word, and the room away if nobody is left. Whether its coming had
    /// been told, unless it was no member.
    pub(crate) fn take_out(&mut self, user: UserId, id: RoomId, fx: &mut Vec<Effect>) -> Option<bool> {
        if let Some(entry) = self.users.get_mut(&user) {
            entry.rooms.retain(|room| *room != id);
        }
        let room = self.rooms.get_mut(&id)?;
        let told = room.part(user)?.told;
        self.census.rooms -= usize::from(room.len() == 0);
        self.remove_if_empty(id, fx);
        Some(told)
    }

    /// Ends a room whose last member has gone, unless it stays.
    pub(crate) fn remove_if_empty(&mut self, id: RoomId, fx: &mut Vec<Effect>) {
        let Some(room) = self.rooms.get(&id) else { return };
        if room.len() == 0 && id != self.lobby && room.registration.is_none() {
            let (card, history, sealed) = (room.card.clone(), room.history.clone(), room.sealed);
            if sealed {
                fx.push(Effect::Keep(Kept::HistoryEnded { history, at: self.last_event }, None));
            }
            self.rooms.remove(&id);
            self.paced.remove(&id);
            self.forget_room_names(&card);
        }
    }

    /// A user leaves a room by its own wish.
    pub(crate) fn part(
        &mut self,
        now: Now,
        from: SessionId,
        spelled: &str,
        reason: Option<&str>,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let who = self.speaker(from)?;
        let id = self.room_for_member(who.user(), spelled)?;
        let reason = reason.filter(|reason| !reason.is_empty()).map(|reason| self.phrase(reason));
        let Some(room) = self.rooms.get_mut(&id) else { return Err(no_room(spelled)) };
        let (everybody, card) = (room.audience(), room.card.clone());
        let own: Arc<[_]> = room.sessions_of(who.user()).into();
        self.forget_seen(who.user(), id, fx);
        let told = self.take_out(who.user(), id, fx).unwrap_or_default();
        self.keep_presence(who.user(), fx);
        let to = match self.departure(now, &who, id, told) {
            Told::Now => everybody,
            Told::Later | Told::Nobody => own,
        };
        let event = self.event(now, Kind::Part { who, room: card, reason });
        self.deliver_to(Audience::Many(to), event, fx);
        Ok(Reply::Done)
    }

    /// A user leaves all its rooms at once.
    pub(crate) fn quit_rooms(&mut self, now: Now, user: UserId, reason: &str, fx: &mut Vec<Effect>) {
        let Some(entry) = self.users.get(&user) else { return };
        let (who, rooms) = (entry.card.clone(), entry.rooms.clone());
        let mut to: Option<Audience> = None;
        for id in rooms {
            let told = self.take_out(user, id, fx).unwrap_or_default();
            // A room whose last member goes is gone.
            if self.rooms.get(&id).is_none_or(|room| room.len() == 0)
                || self.departure(now, &who, id, told) != Told::Now
            {
                continue;
            }
            // Those who are left, which doesn't have to be made again for what happens next.
            to = join_audiences(to, self.rooms.get_mut(&id).map(Room::audience));
        }
        let Some(to) = to else { return };
        let event = self.event(now, Kind::Quit { who, reason: reason.into() });
        self.deliver_to(to, event, fx);
    }

    /// Everybody who shares a room with a user and knows it to be there, each session once, its own included.
    pub(crate) fn neighbours(&mut self, user: UserId) -> Audience {
        let Some(entry) = self.users.get(&user) else { return Audience::Many(Arc::new([])) };
        let (rooms, own) = (entry.rooms.clone(), entry.sessions.clone());
        let mut all = Some(Audience::Many(own.as_slice().into()));
        for id in rooms {
            let room =
                self.rooms.get_mut(&id).filter(|room| room.member(user).is_some_and(|member| member.told));
            all = join_audiences(all, room.map(Room::audience));
        }
        all.unwrap_or(Audience::Many(Arc::new([])))
    }

    /// Puts a member out of a room.
    pub(crate) fn kick(
        &mut self,
        now: Now,
        from: SessionId,
        (spelled, name): (&str, &str),
        reason: Option<&str>,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        let id = self.room_for_member(by.user(), spelled)?;
        let whom = self.find(from, name).ok_or_else(|| Refusal::NoSuchUser { name: name.to_owned() })?;
        let mine = self.power(by.user(), id);
        let room = self.rooms.get(&id).ok_or_else(|| no_room(spelled))?;
        let theirs = room.ranks(whom);
        if !mine.reach(Ranks::HALF_OPERATOR) {
            return Err(Refusal::RankTooLow { least: Ranks::HALF_OPERATOR });
        }
        if !room.has(whom) {
            return Err(Refusal::NotAMember { name: name.to_owned() });
        }
        if theirs.highest() > mine.highest() {
            return Err(Refusal::RankTooLow { least: theirs.highest() });
        }
        let reason = reason.filter(|reason| !reason.is_empty()).map(|reason| self.phrase(reason));
        self.put_out(now, Actor::User(by), whom, id, reason, fx);
        Ok(Reply::Done)
    }

    /// Takes somebody out of a room, and tells everybody who did it.
    pub(crate) fn put_out(
        &mut self,
        now: Now,
        by: Actor,
        whom: UserId,
        id: RoomId,
        reason: Option<Arc<str>>,
        fx: &mut Vec<Effect>,
    ) {
        if let Actor::User(by) = &by {
            self.tell_arrival(now, by.user(), id, fx);
        }
        self.tell_arrival(now, whom, id, fx);
        let Some(card) = self.users.get(&whom).map(|user| user.card.clone()) else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let (to, room) = (room.audience(), room.card.clone());
        self.forget_seen(whom, id, fx);
        self.take_out(whom, id, fx);
        self.keep_presence(whom, fx);
        let event = self.event(now, Kind::Kick { by, whom: card, room, reason });
        self.deliver_to(Audience::Many(to), event, fx);
    }

    /// Asks somebody into a room.
    pub(crate) fn invite(
        &mut self,
        now: Now,
        from: SessionId,
        (spelled, name): (&str, &str),
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        let whom = self.find(from, name).ok_or_else(|| Refusal::NoSuchUser { name: name.to_owned() })?;
        let id = self.room_for_member(by.user(), spelled)?;
        let invited = self.users.get(&whom).ok_or_else(|| Refusal::NoSuchUser { name: name.to_owned() })?;
        let (whom_card, away) = (invited.card.clone(), invited.away.clone());
        self.check_rate(now, from)?;
        let to_whom: Vec<SessionId> = self.receiving_sessions(whom).collect();
        let power = self.power(by.user(), id);
        let room = self.rooms.get_mut(&id).ok_or_else(|| no_room(spelled))?;
        if room.has(whom) {
            return Err(Refusal::MemberAlready { name: name.to_owned() });
        }
        let least = Ranks::HALF_OPERATOR;
        if room.modes.flags.contains(RoomFlags::INVITE_ONLY) && !power.reach(least) {
            return Err(Refusal::RankTooLow { least });
        }
        room.lists.invited.insert(whom);
        let card = room.card.clone();
        let mut to: BTreeSet<SessionId> = room.audience_from(least, by.user()).iter().copied().collect();
        to.extend(to_whom);
        let kind = Kind::Invite { by, whom: whom_card.clone(), room: card.clone() };
        let event = self.event(now, kind);
        self.deliver_to(Audience::Many(to.into_iter().collect()), event, fx);
        Ok(Reply::Invited { room: card, whom: whom_card, away })
    }

    /// The room that somebody who has to be a member means.
    pub(crate) fn room_for_member(&self, user: UserId, spelled: &str) -> Result<RoomId, Refusal> {
        let id = self.room_spelled(spelled).ok_or_else(|| no_room(spelled))?;
        let room = self.rooms.get(&id).ok_or_else(|| no_room(spelled))?;
        if room.has(user) || self.may(user, Privileges::ROOMS) {
            return Ok(id);
        }
        Err(if self.knows_room(user, room) { Refusal::NotInRoom } else { no_room(spelled) })
    }

    /// Whether a user may know that a room exists.
    pub(crate) fn knows_room(&self, user: UserId, room: &Room) -> bool {
        !room.modes.flags.contains(RoomFlags::SECRET)
            || room.has(user)
            || self.may(user, Privileges::SEE)
            || self.may(user, Privileges::ROOMS)
    }

    /// The members that `visible` lets through, in order of arrival on the hub.
    pub(crate) fn members_of(
        &self,
        room: &Room,
        visible: impl Fn(&crate::state::User) -> bool,
    ) -> Vec<Member> {
        let members = room.members().into_iter();
        members
            .filter_map(|(user, ranks)| Some((self.users.get(&user)?, ranks)))
            .filter(|(user, _)| visible(user))
            .map(|(user, ranks)| Member { card: user.card.clone(), ranks })
            .collect()
    }
}

/// The refusal for a name that no room has.
pub(crate) fn no_room(spelled: &str) -> Refusal {
    Refusal::NoSuchRoom { name: spelled.chars().take(crate::ROOM_CHARS_MAX).collect() }
}

/// Both audiences, each session once.
fn join_audiences(one: Option<Audience>, other: Option<Arc<[SessionId]>>) -> Option<Audience> {
    let Some(other) = other else { return one };
    match one {
        None => Some(Audience::Many(other)),
        Some(one) => {
            let mut all: Vec<_> = one.sessions().iter().chain(other.iter()).copied().collect();
            all.sort_unstable();
            all.dedup();
            Some(Audience::Many(all.into()))
        }
    }
}
