//! Accounts whose users stay when their last device goes, if their owners want it so: what a bouncer does.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::names::Key;
use crate::state::User;
use crate::{
    ClientProfile, Dialect, Effect, Hub, Kept, Kind, News, Now, Origin, Refusal, RoomName, SessionId,
    UserFlags, UserId,
};

/// What those who look for such a user are told while none of its devices is here.
const NOT_HERE: &str = "Not connected";

/// A user that stays: what is needed to have it here again after the server's process has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Its account.
    pub account: String,
    /// The name that it has.
    pub name: String,
    /// The user part of `nick!user@host`, without mark.
    pub username: String,
    /// What it is called outside of here.
    pub real_name: String,
    /// The rooms that it is in.
    pub rooms: Vec<String>,
}

impl Hub {
    /// Whether a user stays without any session.
    pub(crate) fn stays(&self, user: UserId) -> bool {
        let card = self.users.get(&user).map(|user| &user.card);
        let account = card.filter(|card| card.dialect() == Dialect::Irc).and_then(|card| card.account());
        account.and_then(|account| self.accounts.get(account)).is_some_and(|account| account.always_on)
    }

    /// Ends an account's user that has stayed without a session, when nothing has it stay any more.
    pub(crate) fn end_absent(&mut self, now: Now, account: &str, fx: &mut Vec<Effect>) {
        let key = Key::of(account);
        let is_its = |user: &User| user.card.account().is_some_and(|of| Key::of(of) == key);
        let absent = |user: &User| user.card.dialect() == Dialect::Irc && user.sessions.is_empty();
        let users = self.users_by_arrival(|user| is_its(user) && absent(user));
        let users: Vec<UserId> = users.map(|(id, _)| id).filter(|id| !self.stays(*id)).collect();
        for user in &users {
            self.remove_user(now, *user, NOT_HERE, fx);
        }
        if !users.is_empty() {
            self.retry_logins(now, fx);
        }
    }

    /// Has the user of a session's account stay from now on, or go with its last session as others do.
    pub(crate) fn set_always_on(
        &mut self,
        now: Now,
        from: SessionId,
        on: bool,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let change = |account: &mut crate::Account| {
            account.always_on = on;
            Ok(())
        };
        self.change_own_account(from, change, fx)?;
        let account = self.own_account(from)?.name.to_string();
        self.end_absent(now, &account, fx);
        if let Some(user) = self.sessions.get(&from).and_then(|session| session.user) {
            self.keep_presence(user, fx);
        }
        Ok(())
    }

    /// Has it kept where a user is that stays.
    pub(crate) fn keep_presence(&self, user: UserId, fx: &mut Vec<Effect>) {
        if self.config.keeps
            && self.stays(user)
            && let Some(presence) = self.presence(user)
        {
            fx.push(Effect::Keep(Kept::Presence(Box::new(presence)), None));
        }
    }

    fn presence(&self, user: UserId) -> Option<Presence> {
        let user = self.users.get(&user)?;
        let rooms = user.rooms.iter().filter_map(|room| self.rooms.get(room));
        Some(Presence {
            account: user.card.account()?.to_owned(),
            name: user.card.name.to_string(),
            username: user.card.username().trim_start_matches('~').to_owned(),
            real_name: user.card.real_name().to_owned(),
            rooms: rooms.map(|room| room.card.name.as_str().to_owned()).collect(),
        })
    }

    /// A user that stays has no device here any more, or has one again.
    pub(crate) fn tell_devices(&mut self, now: Now, user: UserId, here: bool, fx: &mut Vec<Effect>) {
        let Some(entry) = self.users.get_mut(&user) else { return };
        let message: Option<Arc<str>> = match (&entry.away, here) {
            (None, false) => Some(NOT_HERE.into()),
            (Some(message), true) if &**message == NOT_HERE => None,
            _ => return,
        };
        entry.away.clone_from(&message);
        let who = entry.card.clone();
        let to = self.neighbours(user);
        let event = self.event(now, Kind::Away { who: who.clone(), message: message.clone() });
        self.deliver_to(to, event, fx);
        self.tell_watchers(now, &who, News::Away(message), fx);
    }

    /// Takes over the users that stayed in the last run. Those that nobody wants to stay any more are left out.
    pub fn load_presences(&mut self, now: Now, presences: impl IntoIterator<Item = Presence>) {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let origin = Origin { dialect: Dialect::Irc, address, secure: true };
        for presence in presences {
            let account = self.accounts.get(&presence.account).filter(|account| account.always_on);
            let Some(account) = account.map(|account| Arc::from(account.name.as_str())) else { continue };
            let Ok(name) = crate::Name::new(&presence.name) else { continue };
            // The name may have become somebody else's account.
            if self
                .accounts
                .get(name.as_str())
                .is_some_and(|owner| Key::of(owner.name.as_str()) != Key::of(&account))
            {
                continue;
            }
            let profile = ClientProfile {
                username: presence.username,
                real_name: presence.real_name,
                away: Some(NOT_HERE.to_owned()),
                flags: UserFlags::empty(),
                metadata: Vec::new(),
            };
            let entered = self.enter(now, &name, None, (origin, Some(account)), None, Some(&profile));
            let Ok(user) = entered else { continue };
            // Nobody is here to be told.
            let mut fx = Vec::new();
            self.set_present(now, user, true, &mut fx);
            for room in presence.rooms {
                let Ok(room) = RoomName::new(&room) else { continue };
                let id = self.room_named(now.unix_ms, &room);
                self.enter_room(now, user, id, &mut fx);
            }
        }
    }
}
