//! What users change of themselves: names, being away, flags.

use std::sync::Arc;

use crate::names::Key;
use crate::state::User;
use crate::{
    Card, Dialect, Effect, Former, Hub, Kind, Name, Namespace, News, Now, Privileges, Refusal, Reply,
    SessionId, UserFlags, UserId,
};

impl Hub {
    /// Takes another name. Everybody who shares a room is told.
    pub(crate) fn rename(
        &mut self,
        now: Now,
        from: SessionId,
        wanted: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let before = self.speaker(from)?;
        let name = Name::new(wanted)?;
        let space = before.dialect().namespace();
        if before.dialect() == Dialect::Irc && !Namespace::Irc.is_legal(name.as_str()) {
            let name = wanted.chars().take(64).collect();
            return Err(Refusal::NameMalformed { name, rule: "a character that nicknames can't have" });
        }
        if name == before.name && before.wire_name(space) == name.as_str() {
            return Ok(Reply::Done);
        }
        self.check_rate(now, from)?;
        if self.is_reserved(&name) {
            return Err(Refusal::NameTaken { name: wanted.to_owned() });
        }
        if self.is_somebody_elses(from, name.as_str()) {
            return Err(Refusal::NameRegistered { name: wanted.to_owned() });
        }
        let wire = self.directory.rename(&before, &name)?;
        let after = Arc::new(Card { name, wire, ..Card::clone(&before) });
        self.set_card(now, &after);
        let to = self.neighbours(before.user());
        // What was written to the name before was for whoever had it then.
        if let Some(user) = self.users.get_mut(&before.user()) {
            user.named = self.last_event.next();
        }
        let event = self.event(now, Kind::Rename { before: before.clone(), after: after.clone() });
        self.deliver_to(to, event, fx);
        let shown = |card: &Card| Key::of(card.wire_name(Namespace::Irc));
        // Whoever watches a name doesn't care how it is written.
        if shown(&before) != shown(&after) {
            self.tell_watchers(now, &before, News::Offline, fx);
            self.tell_watchers(now, &after, News::Online, fx);
        }
        self.keep_presence(after.user(), fx);
        self.remember_former(now, before);
        self.retry_logins(now, fx);
        Ok(Reply::Done)
    }

    /// Goes away, or comes back.
    pub(crate) fn set_away(
        &mut self,
        now: Now,
        from: SessionId,
        message: Option<&str>,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let who = self.speaker(from)?;
        let message = message.filter(|message| !message.is_empty()).map(|message| self.phrase(message));
        let Some(user) = self.users.get_mut(&who.user()) else { return Err(Refusal::NotLoggedIn) };
        if user.away == message {
            return Ok(Reply::Done);
        }
        self.check_rate(now, from)?;
        if let Some(user) = self.users.get_mut(&who.user()) {
            user.away.clone_from(&message);
        }
        let to = self.neighbours(who.user());
        let event = self.event(now, Kind::Away { who: who.clone(), message: message.clone() });
        self.deliver_to(to, event, fx);
        self.tell_watchers(now, &who, News::Away(message), fx);
        Ok(Reply::Done)
    }

    /// Changes the real name.
    pub(crate) fn set_real_name(
        &mut self,
        now: Now,
        from: SessionId,
        text: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let before = self.speaker_now(now, from)?;
        let mut after = Card::clone(&before);
        after.profile.real_name = self.phrase(text);
        self.change_profile(now, &before, after, fx);
        Ok(Reply::Done)
    }

    /// Changes the user's own flags. What only others give can't be taken this way, only laid down.
    pub(crate) fn set_flags(
        &mut self,
        now: Now,
        from: SessionId,
        (on, off): (UserFlags, UserFlags),
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let card = self.speaker(from)?;
        let Some(user) = self.users.get_mut(&card.user()) else { return Err(Refusal::NotLoggedIn) };
        let before = user.flags;
        let after = (before | on.difference(UserFlags::OPERATOR)).difference(off);
        user.flags = after;
        if !after.contains(UserFlags::OPERATOR) {
            user.privileges = Privileges::empty();
        }
        for flag in [UserFlags::INVISIBLE, UserFlags::OPERATOR] {
            if before.contains(flag) != after.contains(flag) {
                self.count_flag(flag, after.contains(flag));
            }
        }
        if card.is_bot() != after.contains(UserFlags::BOT) {
            let mut changed = Card::clone(&card);
            changed.profile.bot = after.contains(UserFlags::BOT);
            self.change_profile(now, &card, changed, fx);
        }
        Ok(Reply::FlagsSet { on: after.difference(before), off: before.difference(after) })
    }

    fn change_profile(&mut self, now: Now, before: &Arc<Card>, after: Card, fx: &mut Vec<Effect>) {
        let after = Arc::new(after);
        self.set_card(now, &after);
        let to = self.neighbours(before.user());
        let kind = Kind::Profile { before: before.clone(), after: after.clone() };
        let event = self.event(now, kind);
        self.deliver_to(to, event, fx);
        self.tell_watchers(now, &after, News::Profile(before.clone()), fx);
    }

    pub(crate) fn set_card(&mut self, now: Now, card: &Arc<Card>) {
        if let Some(user) = self.users.get_mut(&card.user()) {
            user.card = card.clone();
        }
        self.roster_changed(now);
    }

    /// Notes who had a name.
    pub(crate) fn remember_former(&mut self, now: Now, card: Arc<Card>) {
        if self.former.len() >= self.config.former_max {
            self.former.pop_front();
        }
        self.former.push_back(Former { card, left_ms: now.unix_ms });
    }

    pub(crate) fn census_changed(&mut self, came: bool) {
        let users = &mut self.census.users;
        *users = if came { *users + 1 } else { users.saturating_sub(1) };
        self.census.users_most = self.census.users_most.max(self.census.users);
    }

    pub(crate) fn count_flag(&mut self, flag: UserFlags, on: bool) {
        let count = match flag {
            UserFlags::INVISIBLE => &mut self.census.invisible,
            UserFlags::OPERATOR => &mut self.census.operators,
            _ => return,
        };
        *count = if on { *count + 1 } else { count.saturating_sub(1) };
    }

    /// A user has just done something that shows that somebody is there.
    pub(crate) fn touch_user(&mut self, now: Now, user: UserId) -> Option<&User> {
        let user = self.users.get_mut(&user)?;
        user.active_ms = now.unix_ms;
        Some(user)
    }
}
