//! Several sessions of one account, and what each of its owner's devices has been shown.

use std::sync::Arc;

use super::{Identity, MISSED_MAX, PRIVATE};
use crate::names::Key;
use crate::state::User;
use crate::{
    Audience, Dialect, Effect, EventId, Hub, Kept, Kind, Leg, Login, Name, Now, Party, Recall, Refusal,
    Reply, RoomId, SessionId, UserId,
};

impl Hub {
    /// The user that a login under a name would be another session of: the account's own, if it is asked for by its
    /// name or by the account's.
    pub(crate) fn own_other_self(&self, from: SessionId, name: &Name, login: &Login) -> Option<UserId> {
        let session = self.sessions.get(&from)?;
        let account = Key::of(&session.identity.as_ref()?.account);
        if session.user.is_some() || session.origin.dialect != Dialect::Irc || login.leg != Leg::Both {
            return None;
        }
        let is_own = |user: &User| {
            let is_called = Key::of(user.card.name.as_str()) == Key::of(name.as_str());
            user.present
                && user.card.dialect == Dialect::Irc
                && user.card.account().is_some_and(|name| Key::of(name) == account)
                && (is_called || Key::of(name.as_str()) == account)
        };
        // Most logins are of somebody who isn't here.
        let holder =
            self.directory.holder(name).and_then(|user| self.users.get(&user)).filter(|user| is_own(user));
        let first = || self.users.values().filter(|user| is_own(user)).min_by_key(|user| user.card.user());
        holder.or_else(first).map(|user| user.card.user())
    }

    /// One more session of a user who is here already.
    pub(crate) fn add_device(&mut self, from: SessionId, user: UserId) -> Result<Reply, Refusal> {
        let session = self.sessions.get_mut(&from).ok_or(Refusal::NotLoggedIn)?;
        session.leg = Leg::Both;
        self.belongs(from, Some(user));
        let entry = self.users.get_mut(&user).ok_or(Refusal::NotLoggedIn)?;
        entry.sessions.push(from);
        let card = entry.card.clone();
        for room in entry.rooms.clone() {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.attach(user, from);
            }
        }
        Ok(Reply::Welcome { session: from, card, room: None, census: self.census })
    }

    /// Shows a new session of a user the rooms that it is in already, and what its device has missed.
    pub(crate) fn show_around(&mut self, now: Now, from: SessionId, fx: &mut Vec<Effect>) {
        let Some(session) = self.sessions.get(&from) else { return };
        let Some(user) = session.user.and_then(|user| self.users.get(&user)) else { return };
        let (card, rooms) = (user.card.clone(), user.rooms.clone());
        let user = card.user();
        // A client that is new to IRC is in no room yet.
        if card.dialect() == Dialect::Irc && !rooms.is_empty() {
            // It is none of the session's own doing.
            let cause = self.cause.take();
            for room in &rooms {
                let Some(room) = self.rooms.get(room).map(|room| room.card.clone()) else { continue };
                let event = self.event(now, Kind::Join { who: card.clone(), away: None, room });
                self.deliver_to(Audience::One(from), event, fx);
            }
            self.cause = cause;
        }
        self.tell_devices(now, user, true, fx);
        for room in rooms {
            self.show_missed(from, room, fx);
        }
        let before = self.last_event.next();
        let Some(after) = self.see(from, PRIVATE, fx) else { return };
        let (rooms, party) = (Vec::new(), Some(Party::of(&card)));
        let recall = Recall::Missed { rooms, party, after, before, limit: MISSED_MAX };
        fx.push(Effect::Recall { to: from, recall: Box::new(recall) });
    }

    /// Shows a device what it has missed of a room that it has just come into.
    pub(crate) fn show_missed(&mut self, from: SessionId, room: RoomId, fx: &mut Vec<Effect>) {
        let Some((history, card)) =
            self.rooms.get(&room).map(|room| (room.history.clone(), room.card.clone()))
        else {
            return;
        };
        let before = self.last_event.next();
        let Some(after) = self.see(from, history.as_str(), fx) else { return };
        let recall =
            Recall::Missed { rooms: vec![(history, card)], party: None, after, before, limit: MISSED_MAX };
        fx.push(Effect::Recall { to: from, recall: Box::new(recall) });
    }

    /// A device that was here before it logged in has been shown what happened until now.
    pub(super) fn see_everything(&mut self, from: SessionId, user: UserId, fx: &mut Vec<Effect>) {
        let rooms = self.users.get(&user).map(|user| user.rooms.clone()).unwrap_or_default();
        let histories: Vec<_> =
            rooms.iter().filter_map(|room| self.rooms.get(room)).map(|room| room.history.clone()).collect();
        for history in histories {
            self.see(from, history.as_str(), fx);
        }
        self.see(from, PRIVATE, fx);
    }

    /// From now on a device is shown what happens at a place: up to where it has been shown it before, if it wants to
    /// be shown the rest.
    fn see(&mut self, from: SessionId, place: &str, fx: &mut Vec<Effect>) -> Option<EventId> {
        let session = self.sessions.get(&from)?;
        let (identity, wants) = (session.identity.clone().filter(|_| self.config.keeps)?, session.replay);
        let before = self.set_seen(&identity, place, Some(EventId::LAST), fx);
        before.filter(|before| wants && *before != EventId::LAST)
    }

    /// Notes up to where a device has been shown what happens at a place; what was noted before.
    fn set_seen(
        &mut self,
        identity: &Identity,
        place: &str,
        event: Option<EventId>,
        fx: &mut Vec<Effect>,
    ) -> Option<EventId> {
        let Identity { account, device } = identity.clone();
        let place: Arc<str> = place.into();
        let key = (Key::of(&account), device.clone(), place.clone());
        let before = match event {
            Some(event) => self.accounts.seen.insert(key, event),
            None => self.accounts.seen.remove(&key),
        };
        if before != event {
            fx.push(Effect::Keep(Kept::Seen { account, device, place, event }, None));
        }
        before
    }

    /// A user leaves a room for good: its devices miss nothing of it.
    pub(crate) fn forget_seen(&mut self, user: UserId, room: RoomId, fx: &mut Vec<Effect>) {
        let Some(history) = self.rooms.get(&room).map(|room| room.history.clone()) else { return };
        let sessions = self.users.get(&user).map(|user| user.sessions.clone()).unwrap_or_default();
        for session in sessions {
            if let Some(identity) = self.identity(session).cloned() {
                self.set_seen(&identity, history.as_str(), None, fx);
            }
        }
    }

    /// A device logs in.
    pub(crate) fn begin_device(&mut self, from: SessionId, username: Option<&str>, replay: bool) {
        let Some(session) = self.sessions.get_mut(&from) else { return };
        session.replay = replay;
        let Some(identity) = &mut session.identity else { return };
        // Clients that don't say which device they are mostly differ by what they call their user.
        if let (true, Some(username)) = (identity.device.is_empty(), username) {
            identity.device = username.into();
        }
    }

    /// A device goes: it has been shown everything up to now.
    pub(crate) fn end_device(
        &mut self,
        identity: Option<Box<Identity>>,
        rooms: &[RoomId],
        fx: &mut Vec<Effect>,
    ) {
        let Some(identity) = identity.filter(|_| self.config.keeps) else { return };
        let last = Some(self.last_event);
        let places: Vec<_> =
            rooms.iter().filter_map(|room| self.rooms.get(room)).map(|room| room.history.clone()).collect();
        for place in places {
            self.set_seen(&identity, place.as_str(), last, fx);
        }
        self.set_seen(&identity, PRIVATE, last, fx);
    }
}
