//! What whoever runs the server asks of it from outside, and not as a user: who is here, ending people and rooms,
//! words to everybody, bans.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::names::WireNames;
use crate::say::Reach;
use crate::state::User;
use crate::{
    Actor, Audience, Card, Dialect, Effect, HistoryKey, Hub, Kept, Kind, Member, Name, Namespace, Now,
    Refusal, Reply, RoomCard, RoomId, RoomInfo, RoomName, SessionId, Text, UserFlags, UserId,
};

/// A session, or somebody who is present without one.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Who; `None`: it hasn't logged in.
    pub card: Option<Arc<Card>>,
    /// The protocol.
    pub dialect: Dialect,
    /// Where it comes from.
    pub address: IpAddr,
    /// Whether its connection is safe from being read.
    pub secure: bool,
    /// Whether there is a connection: bridge clients that wait have none.
    pub connected: bool,
    /// Whether it is a server operator.
    pub operator: bool,
    /// The rooms that its user is in.
    pub rooms: Vec<Arc<RoomCard>>,
    /// When its user came: milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// How long its user has said nothing, in seconds.
    pub idle_s: Option<u64>,
}

/// Nobody from these addresses may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBan {
    /// Which addresses.
    pub net: IpNet,
    /// Why; may be empty.
    pub reason: Arc<str>,
    /// When it was set: milliseconds since 1970.
    pub made_ms: u64,
    /// When it ends; `None`: never.
    pub until_ms: Option<u64>,
}

impl Hub {
    /// All sessions, those without a user first, then by arrival.
    #[must_use]
    pub fn sessions(&self, now: Now) -> Vec<SessionInfo> {
        let strangers = self.sessions.iter().filter(|(_, session)| session.user.is_none());
        let mut strangers: Vec<_> = strangers.map(|(id, session)| (*id, session.origin)).collect();
        strangers.sort_unstable_by_key(|(id, _)| *id);
        let mut all: Vec<SessionInfo> = Vec::with_capacity(self.sessions.len());
        all.extend(strangers.into_iter().map(|(_, origin)| SessionInfo {
            card: None,
            dialect: origin.dialect,
            address: origin.address,
            secure: origin.secure,
            connected: true,
            operator: false,
            rooms: Vec::new(),
            since_ms: None,
            idle_s: None,
        }));
        for (_, user) in self.users_by_arrival(|_| true) {
            let origins = user.sessions.iter().filter_map(|id| self.sessions.get(id));
            let before = all.len();
            all.extend(origins.map(|session| self.session_info(now, user, session.origin, true)));
            if all.len() == before {
                all.push(self.session_info(now, user, user.origin, false));
            }
        }
        all
    }

    fn session_info(&self, now: Now, user: &User, origin: crate::Origin, connected: bool) -> SessionInfo {
        let rooms = user.rooms.iter().filter_map(|id| self.rooms.get(id));
        SessionInfo {
            card: Some(user.card.clone()),
            dialect: origin.dialect,
            address: origin.address,
            secure: origin.secure,
            connected,
            operator: user.flags.contains(UserFlags::OPERATOR),
            rooms: rooms.map(|room| room.card.clone()).collect(),
            since_ms: Some(user.since_ms),
            idle_s: Some(now.unix_ms.saturating_sub(user.active_ms) / 1000),
        }
    }

    /// How many sessions are open.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// All rooms, by name.
    #[must_use]
    pub fn rooms(&self) -> Vec<RoomInfo> {
        let mut rooms: Vec<_> = self.rooms.values().map(|room| self.room_info(room, true)).collect();
        rooms.sort_by(|one, other| one.card.name().as_str().cmp(other.card.name().as_str()));
        rooms
    }

    /// A room and who is in it.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRoom`].
    pub fn room(&self, name: &str) -> Result<(RoomInfo, Vec<Member>), Refusal> {
        let room = self.rooms.get(&self.room_meant(name)?).ok_or_else(|| no_room(name))?;
        Ok((self.room_info(room, true), self.members_of(room, |_| true)))
    }

    /// Where what is said in a room is kept, whether or not the room is there now.
    ///
    /// # Errors
    /// If no room can have the name.
    pub fn room_history(&self, name: &str) -> Result<(HistoryKey, Arc<RoomCard>), Refusal> {
        if let Some(room) = self.room_meant(name).ok().and_then(|id| self.rooms.get(&id)) {
            return Ok((room.history.clone(), room.card.clone()));
        }
        let name = RoomName::new(name)?;
        Ok((HistoryKey::of_room(&name), Arc::new(RoomCard::former(name))))
    }

    /// The room of a name, as people or as IRC write it.
    fn room_meant(&self, name: &str) -> Result<RoomId, Refusal> {
        let bare = || name.strip_prefix('#').and_then(|bare| self.room_spelled(bare));
        self.room_spelled(name).or_else(bare).ok_or_else(|| no_room(name))
    }

    /// Ends somebody, known by the canonical name or by one that a protocol shows.
    ///
    /// # Errors
    /// [`Refusal::NoSuchUser`].
    pub fn end_named(
        &mut self,
        now: Now,
        name: &str,
        reason: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Arc<Card>, Refusal> {
        let holder = Name::new(name).ok().and_then(|name| self.directory.holder(&name));
        let shown = || Namespace::ALL.into_iter().find_map(|space| self.directory.find(space, name));
        let user = holder.or_else(shown).and_then(|user| Some((user, self.users.get(&user)?.card.clone())));
        let (user, card) = user.ok_or_else(|| Refusal::NoSuchUser { name: name.to_owned() })?;
        let reason = self.phrase(&with_reason("Ended by whoever runs the server", reason));
        self.end_user(now, user, None, &reason, Some(reason.clone()), fx);
        self.retry_logins(now, fx);
        Ok(card)
    }

    /// Ends everybody who comes from certain addresses; how many sessions and people that were.
    pub fn end_from(
        &mut self,
        now: Now,
        is_meant: impl Fn(IpAddr) -> bool,
        reason: &str,
        fx: &mut Vec<Effect>,
    ) -> usize {
        let told = self.phrase(&with_reason("Banned", reason));
        let mut meant: Vec<SessionId> = self
            .sessions
            .iter()
            .filter_map(|(id, session)| is_meant(session.origin.address).then_some(*id))
            .collect();
        meant.sort_unstable();
        let mut count = meant.len();
        let is_all_meant = |user: &User| match user.sessions.as_slice() {
            [] => is_meant(user.origin.address),
            sessions => sessions.iter().all(|session| meant.binary_search(session).is_ok()),
        };
        let users = self.users_by_arrival(is_all_meant);
        let users: Vec<(UserId, bool)> = users.map(|(id, user)| (id, user.sessions.is_empty())).collect();
        for (user, without_session) in users {
            count += usize::from(without_session);
            self.end_user(now, user, None, &told, Some(told.clone()), fx);
        }
        // Those who haven't logged in, and those whose user has other sessions elsewhere.
        let dismissed = |effect: &Effect| match effect {
            Effect::Reply { to, reply: Reply::Dismissed { .. } } => Some(*to),
            _ => None,
        };
        let told_already: BTreeSet<SessionId> = fx.iter().filter_map(dismissed).collect();
        for session in meant {
            if !told_already.contains(&session) {
                fx.push(Effect::Reply {
                    to: session,
                    reply: Reply::Dismissed { reason: Some(told.clone()) },
                });
            }
        }
        self.retry_logins(now, fx);
        count
    }

    /// Puts everybody out of a room, which then is gone unless it always exists; how many that were.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRoom`].
    pub fn close_room(
        &mut self,
        now: Now,
        name: &str,
        reason: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<usize, Refusal> {
        let id = self.room_meant(name)?;
        let room = self.rooms.get(&id).ok_or_else(|| no_room(name))?;
        let (card, members) = (room.card.clone(), room.members());
        // Or else it would stay.
        self.release_room(id, fx);
        let reason = (!reason.is_empty()).then(|| self.phrase(reason));
        self.tell_those_without_rooms(now, &members, &card, reason.as_deref(), fx);
        let count = members.len();
        for (user, _) in members {
            let Some(whom) = self.users.get(&user).map(|user| user.card.clone()) else { continue };
            let Some(room) = self.rooms.get(&id) else { break };
            let own: Arc<[SessionId]> = room.sessions_of(user).into();
            self.take_out(user, id, fx);
            // Each is told of itself alone: the others go too.
            let kind = Kind::Kick { by: Actor::Server, whom, room: card.clone(), reason: reason.clone() };
            let event = self.event(now, kind);
            self.deliver_to(Audience::Many(own), event, fx);
        }
        Ok(count)
    }

    /// muca and messenger have no word for being put out, and nobody in whose name it could be said: the server says
    /// it itself.
    fn tell_those_without_rooms(
        &mut self,
        now: Now,
        members: &[(UserId, crate::Ranks)],
        room: &RoomCard,
        reason: Option<&str>,
        fx: &mut Vec<Effect>,
    ) {
        let lacks = |user: &User| matches!(user.card.dialect(), Dialect::Muca | Dialect::Messenger);
        let users = members.iter().filter_map(|(user, _)| self.users.get(user)).filter(|user| lacks(user));
        let to: Vec<SessionId> = users.flat_map(|user| self.receiving_sessions(user.card.user())).collect();
        let text = format!("You were put out of the room {}", room.name().as_str());
        self.announce(now, &Text::kept(&with_reason(&text, reason.unwrap_or_default())), to, &[], fx);
    }

    /// Says something to everybody who can be reached; how many people that are.
    ///
    /// # Errors
    /// [`Refusal::TextEmpty`], [`Refusal::TextTooLong`].
    pub fn broadcast(&mut self, now: Now, text: &str, fx: &mut Vec<Effect>) -> Result<usize, Refusal> {
        let text = Text::new(text.trim(), self.config.text_bytes_max)?;
        let (mut to, mut ring, mut count) = (Vec::new(), Vec::new(), 0);
        for (user, _) in self.users_by_arrival(|user| user.present) {
            match self.reach(NOBODY, user) {
                Reach::Session => to.extend(self.receiving_sessions(user)),
                Reach::Ring => ring.push(user),
                Reach::Busy(_) => continue,
            }
            count += 1;
        }
        self.announce(now, &text, to, &ring, fx);
        Ok(count)
    }

    fn announce(&mut self, now: Now, text: &Text, to: Vec<SessionId>, ring: &[UserId], fx: &mut Vec<Effect>) {
        if to.is_empty() && ring.is_empty() {
            return;
        }
        let from = Arc::new(self.own_card());
        // Half of muca's clients die of a sender that no list has told them of; so the server is in one for as long
        // as it speaks.
        self.roster_tell_with(now, Some(from.clone()), fx);
        let event = self.event(now, Kind::Announcement { from, text: text.clone() });
        self.deliver_to(Audience::Many(to.into()), event.clone(), fx);
        self.roster_tell_with(now, None, fx);
        for user in ring {
            self.ring(now, *user, event.clone(), fx);
        }
    }

    /// The face under which the server itself speaks. It is nobody who is present, and nobody can have its name.
    fn own_card(&self) -> Card {
        let name = Name::kept(&self.config.server_name);
        let wire = WireNames::new(|space| {
            if space.is_legal(name.as_str()) {
                return None;
            }
            let derived = |number: usize| match space {
                // It is of no protocol.
                Namespace::MucaUid => {
                    format!("{}@server", Namespace::Alphanumeric.derive(name.as_str(), Dialect::Irc, number))
                }
                space => space.derive(name.as_str(), Dialect::Irc, number),
            };
            (1..).map(derived).find(|shown| self.directory.find(space, shown).is_none())
        });
        let (profile, notes) = Default::default();
        Card { user: NOBODY, name, dialect: Dialect::Irc, wire, profile, notes }
    }

    /// Has a ban kept.
    pub fn keep_ban(&self, ban: &ServerBan, fx: &mut Vec<Effect>) {
        if self.config.keeps {
            fx.push(Effect::Keep(Kept::Banned(ban.clone()), None));
        }
    }

    /// Has a ban forgotten.
    pub fn forget_ban(&self, net: IpNet, fx: &mut Vec<Effect>) {
        if self.config.keeps {
            fx.push(Effect::Keep(Kept::Unbanned(net), None));
        }
    }
}

/// No user ever has this.
const NOBODY: UserId = UserId(0);

fn with_reason(what: &str, reason: &str) -> String {
    if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") }
}

fn no_room(name: &str) -> Refusal {
    crate::membership::no_room(name)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{Command, Entrance, HubConfig, Leg, Login, Origin};

    struct Desk {
        hub: Hub,
        now: Now,
        sessions: u32,
    }

    #[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
    fn desk() -> Desk {
        let now = Now { at: Instant::now(), unix_ms: 1_000_000 };
        let hub = Hub::new(HubConfig { keeps: true, ..HubConfig::default() }).unwrap();
        Desk { hub, now, sessions: 0 }
    }

    impl Desk {
        fn open(&mut self, dialect: Dialect, address: &str) -> SessionId {
            self.sessions += 1;
            let id = SessionId::new(0, 0, self.sessions);
            self.hub.open(id, Origin { dialect, address: address.parse().unwrap(), secure: false });
            id
        }

        fn join(&mut self, dialect: Dialect, name: &str, room: &str, address: &str) -> SessionId {
            let id = self.open(dialect, address);
            let login = Login {
                name: name.into(),
                handle: None,
                leg: Leg::Both,
                entrance: Entrance::Room(room.into()),
                profile: None,
                replay: false,
                roster: dialect == Dialect::Muca,
                receipts: false,
            };
            self.hub.apply(self.now, id, Command::Login(login), &mut Vec::new());
            self.hub.on_timer(
                Now { at: self.now.at + std::time::Duration::from_secs(9), ..self.now },
                &mut Vec::new(),
            );
            id
        }
    }

    /// What each session is told, in order.
    fn told(fx: &[Effect]) -> Vec<(SessionId, String)> {
        let mut all = Vec::new();
        for effect in fx {
            match effect {
                Effect::Deliver { to, event } => {
                    let what = match &event.kind {
                        Kind::Announcement { from, text } => format!("{}: {}", from.name(), text.as_str()),
                        Kind::Roster { present } => {
                            let uids = present.iter().map(|card| card.wire_name(Namespace::MucaUid));
                            format!("list {}", uids.collect::<Vec<_>>().join(" "))
                        }
                        Kind::Kick { whom, reason, .. } => format!("kick {} {reason:?}", whom.name()),
                        Kind::Quit { who, reason } => format!("quit {} {reason}", who.name()),
                        _ => continue,
                    };
                    all.extend(to.sessions().iter().map(|session| (*session, what.clone())));
                }
                Effect::Reply { to, reply: Reply::Dismissed { reason } } => {
                    all.push((*to, format!("dismissed {}", reason.as_deref().unwrap_or_default())));
                }
                _ => {}
            }
        }
        all
    }

    #[test]
    fn words_to_everybody_come_from_somebody_whom_muca_knows() {
        let mut desk = desk();
        let bob = desk.join(Dialect::Muca, "bob", "lobby", "127.0.0.1");
        let ana = desk.join(Dialect::Irc, "ana", "den", "127.0.0.1");
        desk.open(Dialect::Rooms, "127.0.0.1");
        let mut fx = Vec::new();
        assert_eq!(desk.hub.broadcast(desk.now, " hi ", &mut fx), Ok(2));
        let expected = [
            (bob, "list bob@muca ana@irc polylogue@server"),
            (bob, "polylogue: hi"),
            (ana, "polylogue: hi"),
            (bob, "list bob@muca ana@irc"),
        ];
        assert_eq!(told(&fx), expected.map(|(to, what)| (to, what.to_owned())));
        assert_eq!(desk.hub.broadcast(desk.now, "  ", &mut fx), Err(Refusal::TextEmpty));
    }

    #[test]
    fn who_is_ended_is_told_why_and_others_see_it() {
        let mut desk = desk();
        let ana = desk.join(Dialect::Irc, "ana b", "den", "127.0.0.1");
        let bob = desk.join(Dialect::Irc, "bob", "den", "127.0.0.1");
        let mut fx = Vec::new();
        let none = desk.hub.end_named(desk.now, "carl", "", &mut fx);
        assert!(matches!(none, Err(Refusal::NoSuchUser { .. })));
        // As IRC shows it.
        assert!(desk.hub.end_named(desk.now, "ana_b", "spam", &mut fx).is_ok());
        let reason = "Ended by whoever runs the server: spam";
        assert_eq!(told(&fx), [(bob, format!("quit ana b {reason}")), (ana, format!("dismissed {reason}"))]);
        assert_eq!(desk.hub.present().count(), 1);
    }

    #[test]
    fn a_closed_room_is_gone_and_the_lobby_is_empty() {
        let mut desk = desk();
        let ana = desk.join(Dialect::Irc, "ana", "den", "127.0.0.1");
        let bob = desk.join(Dialect::Muca, "bob", "lobby", "127.0.0.1");
        let mut fx = Vec::new();
        assert!(desk.hub.close_room(desk.now, "nowhere", "", &mut fx).is_err());
        assert_eq!(desk.hub.close_room(desk.now, "#den", "late", &mut fx), Ok(1));
        assert_eq!(told(&fx), [(ana, "kick ana Some(\"late\")".to_owned())]);
        assert_eq!(desk.hub.room_count(), 1);
        fx.clear();
        assert_eq!(desk.hub.close_room(desk.now, "lobby", "late", &mut fx), Ok(1));
        let told = told(&fx);
        assert!(
            told.contains(&(bob, "polylogue: You were put out of the room lobby: late".to_owned())),
            "{told:?}"
        );
        assert_eq!((desk.hub.room_count(), desk.hub.room("lobby").unwrap().1.len()), (1, 0));
    }

    #[test]
    fn a_ban_ends_all_sessions_from_there_and_no_others() {
        let mut desk = desk();
        let ana = desk.join(Dialect::Irc, "ana", "den", "192.0.2.1");
        let bob = desk.join(Dialect::Irc, "bob", "den", "192.0.2.2");
        let stranger = desk.open(Dialect::Irc, "192.0.2.1");
        let mut fx = Vec::new();
        let from: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(desk.hub.end_from(desk.now, |address| address == from, "rude", &mut fx), 2);
        let expected = [
            (bob, "quit ana Banned: rude"),
            (ana, "dismissed Banned: rude"),
            (stranger, "dismissed Banned: rude"),
        ];
        assert_eq!(told(&fx), expected.map(|(to, what)| (to, what.to_owned())));
        assert_eq!(desk.hub.sessions(desk.now).len(), 3, "they close by themselves");
        assert_eq!(desk.hub.present().count(), 1);
    }
}
