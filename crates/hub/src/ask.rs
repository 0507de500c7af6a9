//! Answers to questions about people and rooms: what there is, as far as who asks may know of it.

use std::sync::Arc;

use wildmatch::WildMatch;

use crate::mask::pattern;
use crate::membership::no_room;
use crate::room::Room;
use crate::state::User;
use crate::{
    Answer, Card, Hub, MaskList, Namespace, Now, Person, Privileges, Query, Ranks, Refusal, RoomCard,
    RoomFilter, RoomFlags, RoomInfo, SessionId, UserFlags, UserId,
};

/// Who asks.
#[derive(Clone, Copy)]
struct Asking {
    session: SessionId,
    user: UserId,
    operator: bool,
}

impl Hub {
    /// Answers a question.
    pub(crate) fn ask(&mut self, now: Now, from: SessionId, query: Query) -> Result<Answer, Refusal> {
        let user = self.speaker(from)?.user();
        let flags = self.users.get(&user).map_or(UserFlags::empty(), |user| user.flags);
        let asking = Asking { session: from, user, operator: self.may(user, Privileges::SEE) };
        match query {
            Query::Flags => Ok(Answer::Flags(flags)),
            Query::Watching => Ok(Answer::Watching(self.watching(from))),
            Query::Census => Ok(Answer::Census(self.census)),
            Query::Persons(names) => {
                let users = names.iter().filter_map(|name| self.find(from, name));
                Ok(Answer::Persons(users.filter_map(|user| self.person(now, asking, user)).collect()))
            }
            query => {
                self.check_rate(now, from)?;
                self.ask_at_length(now, asking, query)
            }
        }
    }

    fn ask_at_length(&self, now: Now, asking: Asking, query: Query) -> Result<Answer, Refusal> {
        match query {
            Query::Room(room) => {
                let room = self.visible_room(asking, &room)?;
                let mut info = self.room_info(room, room.has(asking.user) || asking.operator);
                info.read_ms = self.read_ms(asking.user, info.card.channel());
                Ok(Answer::Room(Box::new(info)))
            }
            Query::Members(spelled) => {
                let room = self.visible_room(asking, &spelled)?;
                let inside = room.has(asking.user) || asking.operator;
                let members =
                    self.members_of(room, |user| inside || !user.flags.contains(UserFlags::INVISIBLE));
                let secret = room.modes.flags.contains(RoomFlags::SECRET);
                Ok(Answer::Members { room: room.card.clone(), secret, members })
            }
            Query::Masks(room, list) => self.masks(asking, &room, list),
            Query::Rooms(filter) => Ok(Answer::Rooms(self.rooms_like(asking, &filter))),
            Query::PeopleOf { room, operators } => {
                let room = self.visible_room(asking, &room)?;
                let inside = room.has(asking.user) || asking.operator;
                let members = room.members().into_iter().filter(|(user, _)| {
                    self.users.get(user).is_some_and(|user| {
                        (inside || !user.flags.contains(UserFlags::INVISIBLE))
                            && (!operators || user.flags.contains(UserFlags::OPERATOR))
                    })
                });
                let people = members.filter_map(|(user, ranks)| {
                    let person = self.person(now, asking, user)?;
                    Some((Person { ranks, ..person }, Some(room.card.clone())))
                });
                Ok(Answer::People(people.collect()))
            }
            Query::People { mask, operators } => {
                Ok(Answer::People(self.people(now, asking, &mask, operators)))
            }
            Query::Person(name) => {
                let unknown = || Refusal::NoSuchUser { name: name.clone() };
                let user = self.find(asking.session, &name).ok_or_else(unknown)?;
                let person = self.person(now, asking, user).ok_or_else(unknown)?;
                Ok(Answer::Person(Box::new(person), self.rooms_shown(asking, user)))
            }
            Query::Former { name, count } => Ok(Answer::Former(self.former_of(&name, count))),
            // Answered before, because they cost nothing.
            Query::Flags | Query::Watching | Query::Census | Query::Persons(_) => {
                Ok(Answer::Census(self.census))
            }
        }
    }

    /// What the hub would say of a room's settings; the key only if `inside`.
    pub(crate) fn room_info(&self, room: &Room, inside: bool) -> RoomInfo {
        let mut modes = room.modes.clone();
        if !inside {
            modes.key = modes.key.map(|_| "*".into());
        }
        RoomInfo {
            card: room.card.clone(),
            topic: room.topic.clone(),
            modes,
            made_ms: room.made_ms,
            members: room.len(),
            read_ms: None,
        }
    }

    fn visible_room(&self, asking: Asking, spelled: &str) -> Result<&Room, Refusal> {
        let room = self.room_spelled(spelled).and_then(|id| self.rooms.get(&id));
        room.filter(|room| sees_room(asking, room)).ok_or_else(|| no_room(spelled))
    }

    fn masks(&self, asking: Asking, spelled: &str, list: MaskList) -> Result<Answer, Refusal> {
        let room = self.visible_room(asking, spelled)?;
        let masks = room.lists.of(list).iter().map(|(_, entry)| entry.clone()).collect();
        Ok(Answer::Masks { room: room.card.clone(), list, masks })
    }

    fn rooms_like(&self, asking: Asking, filter: &RoomFilter) -> Vec<RoomInfo> {
        let names: Vec<_> = filter.names.iter().map(|name| pattern(name)).collect();
        let not_names: Vec<_> = filter.not_names.iter().map(|name| pattern(name)).collect();
        let visible = self.rooms.values().filter(|room| sees_room(asking, room));
        let mut rooms: Vec<_> = visible
            .filter(|room| {
                let is = |pattern: &WildMatch| {
                    pattern.matches(&room.card.channel().trim_start_matches('#').to_lowercase())
                        || pattern.matches(&room.card.name().as_str().to_lowercase())
                };
                (names.is_empty() || names.iter().any(is)) && !not_names.iter().any(is) && suits(room, filter)
            })
            .map(|room| self.room_info(room, room.has(asking.user) || asking.operator))
            .collect();
        rooms.sort_unstable_by_key(|room| room.card.id());
        rooms
    }

    /// The people whom a mask means: by exact name whoever it is, by pattern those who may be found.
    fn people(
        &self,
        now: Now,
        asking: Asking,
        mask: &str,
        operators: bool,
    ) -> Vec<(Person, Option<Arc<RoomCard>>)> {
        let exact = if mask.contains(['*', '?']) { None } else { self.find(asking.session, mask) };
        let shown = |user: UserId| {
            let person = self.person(now, asking, user)?;
            if operators && !person.flags.contains(UserFlags::OPERATOR) {
                return None;
            }
            // Some room that both can know of says where the person is.
            let rooms = self.rooms_shown(asking, user);
            let room = rooms.first().cloned();
            let ranks = room.as_ref().map_or(Ranks::empty(), |(_, ranks)| *ranks);
            Some((Person { ranks, ..person }, room.map(|(room, _)| room)))
        };
        if let Some(user) = exact {
            return shown(user).into_iter().collect();
        }
        let wanted = pattern(mask);
        let users = self.users_by_arrival(|user| {
            user.present
                && (user.card.user() == asking.user
                    || asking.operator
                    || !user.flags.contains(UserFlags::INVISIBLE)
                    || self.share_room(asking.user, user))
                && means(&wanted, &user.card)
        });
        users.filter_map(|(id, _)| shown(id)).collect()
    }

    fn share_room(&self, one: UserId, other: &User) -> bool {
        self.users.get(&one).is_some_and(|one| one.rooms.iter().any(|room| other.rooms.contains(room)))
    }

    fn person(&self, now: Now, asking: Asking, user: UserId) -> Option<Person> {
        let entry = self.users.get(&user).filter(|entry| entry.present)?;
        let is_asking = user == asking.user;
        let sessions = || entry.sessions.iter().filter_map(|session| self.sessions.get(session));
        Some(Person {
            card: entry.card.clone(),
            away: entry.away.clone(),
            flags: entry.flags,
            ranks: Ranks::empty(),
            address: (is_asking || asking.operator).then_some(entry.origin.address),
            secure: sessions().next().is_some() && sessions().all(|session| session.origin.secure),
            since_ms: entry.since_ms,
            idle_s: now.unix_ms.saturating_sub(entry.active_ms) / 1000,
            is_asking,
        })
    }

    /// The rooms of a user that somebody may know of.
    fn rooms_shown(&self, asking: Asking, user: UserId) -> Vec<(Arc<RoomCard>, Ranks)> {
        let Some(entry) = self.users.get(&user) else { return Vec::new() };
        let hidden = entry.flags.contains(UserFlags::INVISIBLE) && user != asking.user && !asking.operator;
        let rooms = entry.rooms.iter().filter_map(|id| self.rooms.get(id));
        rooms
            .filter(|room| sees_room(asking, room) && (!hidden || room.has(asking.user)))
            .map(|room| (room.card.clone(), room.ranks(user)))
            .collect()
    }

    fn former_of(&self, name: &str, count: usize) -> Vec<crate::Former> {
        let key = crate::names::Key::of(name);
        let count = if count == 0 { usize::MAX } else { count };
        let had = |card: &Card| {
            crate::names::Key::of(card.wire_name(Namespace::Irc)) == key
                || crate::names::Key::of(card.name().as_str()) == key
        };
        self.former.iter().rev().filter(|former| had(&former.card)).take(count).cloned().collect()
    }
}

fn sees_room(asking: Asking, room: &Room) -> bool {
    !room.modes.flags.contains(RoomFlags::SECRET) || room.has(asking.user) || asking.operator
}

/// Whether a WHO mask means somebody.
fn means(wanted: &WildMatch, card: &Card) -> bool {
    let is = |text: &str| wanted.matches(&text.to_lowercase());
    is(card.wire_name(Namespace::Irc))
        || is(card.username())
        || is(card.host())
        || is(card.real_name())
        || card.account().is_some_and(is)
        || is(&card.hostmask())
}

fn suits(room: &Room, filter: &RoomFilter) -> bool {
    let topic_ms = room.topic.as_ref().map(|topic| topic.unix_ms);
    filter.members_above.is_none_or(|least| room.len() > least)
        && filter.members_below.is_none_or(|most| room.len() < most)
        && filter.made_before_ms.is_none_or(|at| room.made_ms < at)
        && filter.made_after_ms.is_none_or(|at| room.made_ms > at)
        && filter.topic_before_ms.is_none_or(|at| topic_ms.is_some_and(|set| set < at))
        && filter.topic_after_ms.is_none_or(|at| topic_ms.is_some_and(|set| set > at))
}
