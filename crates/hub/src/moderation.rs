//! What keeps order in a room: its topic, its settings, its members' ranks, and who may speak.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::mask::BanMask;
use crate::membership::no_room;
use crate::room::Room;
use crate::{
    Actor, Audience, Card, Change, Effect, HistoryKey, Hub, Kept, Kind, MaskEntry, MaskList, Now, Ranks,
    Refusal, Reply, RoomFlags, RoomId, RoomName, SessionId, Style, Topic, WantedChange,
};

/// The longest key of a room, in bytes.
const KEY_BYTES_MAX: usize = 64;
/// The longest time between two messages of a slow room, in seconds.
const SLOW_MAX_S: u32 = 24 * 60 * 60;

impl Hub {
    /// A phrase as it is kept: on one line, within the limit.
    pub(crate) fn phrase(&self, text: &str) -> Arc<str> {
        let max = self.config.phrase_bytes_max;
        let end = text.floor_char_boundary(max.min(text.len()));
        text[..end].into()
    }

    /// Sets a room's topic.
    pub(crate) fn set_topic(
        &mut self,
        now: Now,
        from: SessionId,
        spelled: &str,
        text: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        let id = self.room_for_member(by.user(), spelled)?;
        self.check_rate(now, from)?;
        let text = (!text.is_empty()).then(|| self.phrase(text));
        let power = self.power(by.user(), id);
        let room = self.rooms.get_mut(&id).ok_or_else(|| no_room(spelled))?;
        let least = Ranks::HALF_OPERATOR;
        if room.modes.flags.contains(RoomFlags::TOPIC_LOCKED) && !power.reach(least) {
            return Err(Refusal::RankTooLow { least });
        }
        room.topic = text.clone().map(|text| Topic { text, by: by.hostmask().into(), unix_ms: now.unix_ms });
        let (room, to) = (room.card.clone(), room.audience());
        self.tell_arrival(now, by.user(), id, fx);
        let event = self.event(now, Kind::Topic { by: Actor::User(by), room, topic: text });
        self.keep_room(id, fx);
        self.keep_and_deliver(Audience::Many(to), event, SmallVec::new(), fx);
        Ok(Reply::Done)
    }

    /// Changes what is set on a room, as far as the user may.
    pub(crate) fn set_modes(
        &mut self,
        now: Now,
        from: SessionId,
        spelled: &str,
        wanted: Vec<WantedChange>,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        let id = self.room_spelled(spelled).ok_or_else(|| no_room(spelled))?;
        self.rooms
            .get(&id)
            .filter(|room| self.knows_room(by.user(), room))
            .ok_or_else(|| no_room(spelled))?;
        let mine = self.power(by.user(), id);
        self.check_rate(now, from)?;
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        for (index, wanted) in wanted.into_iter().enumerate() {
            match self.change(now, (from, &by), (id, mine), wanted, fx) {
                Ok(change) => changes.extend(change),
                Err(refusal) => refused.push((index, refusal)),
            }
        }
        let room = self.rooms.get_mut(&id).ok_or_else(|| no_room(spelled))?;
        let (card, to) = (room.card.clone(), room.audience());
        if !changes.is_empty() {
            self.tell_arrival(now, by.user(), id, fx);
            self.seal(id, fx);
            self.remember_changes(id, &changes, fx);
            let event = self.event(now, Kind::Modes { by: Actor::User(by), room: card.clone(), changes });
            self.deliver_to(Audience::Many(to), event, fx);
        }
        Ok(Reply::ModesSet { room: card, refused })
    }

    /// Makes one change; `None` if it changes nothing.
    fn change(
        &mut self,
        now: Now,
        (from, by): (SessionId, &Arc<Card>),
        (id, mine): (RoomId, Ranks),
        wanted: WantedChange,
        fx: &mut Vec<Effect>,
    ) -> Result<Option<Change>, Refusal> {
        let need = |least: Ranks| {
            if mine.reach(least) { Ok(()) } else { Err(Refusal::RankTooLow { least }) }
        };
        match wanted {
            WantedChange::Rank { rank, whom, given } => {
                let user =
                    self.find(from, &whom).ok_or_else(|| Refusal::NoSuchUser { name: whom.clone() })?;
                // Everybody may step down.
                if given || user != by.user() {
                    need(rank_for(rank))?;
                }
                self.tell_arrival(now, user, id, fx);
                let card = self.users.get(&user).map(|user| user.card.clone());
                let room = self.rooms.get_mut(&id);
                let member = room.and_then(|room| room.member_mut(user));
                let (Some(whom), Some(member)) = (card, member) else {
                    return Err(Refusal::NotAMember { name: whom });
                };
                if !given && user != by.user() && member.ranks.highest() > mine.highest() {
                    return Err(Refusal::RankTooLow { least: member.ranks.highest() });
                }
                let before = member.ranks;
                member.ranks.set(rank, given);
                Ok((before != member.ranks).then_some(Change::Rank { rank, whom, given }))
            }
            WantedChange::Mask { list, mask, added } => {
                need(Ranks::HALF_OPERATOR)?;
                self.change_list(now, by, id, (list, &mask), added)
            }
            WantedChange::Flags(..)
            | WantedChange::Key(_)
            | WantedChange::Limit(_)
            | WantedChange::Slow(_) => {
                need(Ranks::HALF_OPERATOR)?;
                let Some(room) = self.rooms.get_mut(&id) else { return Ok(None) };
                change_setting(room, wanted)
            }
        }
    }

    fn change_list(
        &mut self,
        now: Now,
        by: &Card,
        id: RoomId,
        (list, written): (MaskList, &str),
        added: bool,
    ) -> Result<Option<Change>, Refusal> {
        let malformed = || Refusal::MaskMalformed { mask: written.chars().take(64).collect() };
        let mask = BanMask::parse(written).ok_or_else(malformed)?;
        if mask.mute && list != MaskList::Bans {
            return Err(malformed());
        }
        let entries_max = self.config.masks_max;
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(None) };
        let entries = room.lists.of_mut(list);
        let text = mask.text.clone();
        let at = entries.iter().position(|(_, entry)| entry.mask.to_lowercase() == text.to_lowercase());
        match (at, added) {
            (Some(_), true) | (None, false) => return Ok(None),
            (Some(at), false) => {
                entries.remove(at);
            }
            (None, true) if entries.len() >= entries_max => {
                return Err(Refusal::ListFull { entries_max, mask: text.to_string() });
            }
            (None, true) => {
                let entry = MaskEntry { mask: text.clone(), by: by.hostmask().into(), unix_ms: now.unix_ms };
                entries.push((mask, entry));
            }
        }
        Ok(Some(Change::Mask { list, mask: text, added }))
    }

    /// Gives a room another name. Everybody in it stays.
    pub(crate) fn rename_room(
        &mut self,
        now: Now,
        from: SessionId,
        (spelled, name): (&str, &str),
        reason: Option<&str>,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        let id = self.room_for_member(by.user(), spelled)?;
        let room = self.rooms.get(&id).ok_or_else(|| no_room(spelled))?;
        let least = Ranks::OPERATOR;
        if !self.power(by.user(), id).reach(least) {
            return Err(Refusal::RankTooLow { least });
        }
        let (name, before) = (RoomName::new(name)?, room.card.clone());
        if id == self.lobby {
            return Err(Refusal::SettingMalformed {
                value: name.as_str().to_owned(),
                rule: "the lobby keeps its name",
            });
        }
        if name == before.name {
            let value = name.as_str().to_owned();
            return Err(Refusal::SettingMalformed { value, rule: "the room has that name already" });
        }
        self.check_rate(now, from)?;
        if self.room_spelled(name.as_str()).is_some_and(|other| other != id) {
            return Err(Refusal::RoomTaken { name: name.as_str().to_owned() });
        }
        self.forget_room_names(&before);
        self.room_keys.insert(crate::names::Key::of(name.as_str()), id);
        let after = Arc::new(self.room_card(id, &name));
        let reason = reason.filter(|reason| !reason.is_empty()).map(|reason| self.phrase(reason));
        let Some(room) = self.rooms.get_mut(&id) else { return Err(no_room(spelled)) };
        room.card = after.clone();
        let to = room.audience();
        let history = HistoryKey::of_room(&name);
        let moved = std::mem::replace(&mut room.history, history.clone());
        let was_registered = room.registration.is_some();
        if self.config.keeps && moved != history {
            self.rename_welcomes((&moved, &history), &name, fx);
            fx.push(Effect::Keep(Kept::HistoryRenamed { before: moved, after: history, name }, None));
        }
        if was_registered {
            fx.push(Effect::Keep(Kept::RoomGone(before.name.clone()), None));
            self.keep_room(id, fx);
        }
        self.tell_arrival(now, by.user(), id, fx);
        let event = self.event(now, Kind::RoomRenamed { by: Actor::User(by), before, after, reason });
        self.deliver_to(Audience::Many(to), event, fx);
        Ok(Reply::Done)
    }

    /// Has it noted whether a room is closed to some.
    pub(crate) fn seal(&mut self, id: RoomId, fx: &mut Vec<Effect>) {
        let Some(room) = self.rooms.get_mut(&id).filter(|_| self.config.keeps) else { return };
        let closing = RoomFlags::INVITE_ONLY | RoomFlags::ACCOUNTS_ONLY;
        let closed = room.modes.key.is_some() || room.modes.flags.intersects(closing);
        // A registered room doesn't end, so nobody makes it anew.
        let sealed = closed && room.registration.is_none();
        if room.sealed != sealed {
            room.sealed = sealed;
            let (history, name) = (room.history.clone(), room.card.name.clone());
            fx.push(Effect::Keep(Kept::HistorySealed { history, name, sealed }, None));
        }
    }

    /// Whether a user may say something in a room now.
    pub(crate) fn may_speak(
        &self,
        room: &Room,
        card: &Card,
        address: IpAddr,
        style: Style,
    ) -> Result<(), Refusal> {
        let no = |why| Err(Refusal::CannotSpeak { why });
        let (modes, member) = (&room.modes, room.member(card.user()));
        if member.is_none() && modes.flags.contains(RoomFlags::NO_EXTERNAL) {
            return Err(Refusal::NotInRoom);
        }
        if matches!(style, Style::Request { .. }) && modes.flags.contains(RoomFlags::NO_CTCP) {
            return no("requests between clients are not allowed there");
        }
        if member.is_some_and(|member| !member.ranks.is_empty()) {
            return Ok(());
        }
        if modes.flags.contains(RoomFlags::MODERATED) {
            return no("only members with a rank speak there");
        }
        if modes.flags.contains(RoomFlags::ACCOUNTS_SPEAK) && card.account().is_none() {
            return Err(Refusal::NeedsAccount);
        }
        let banned = room.lists.bans.iter().any(|(mask, _)| mask.matches(card, address));
        let spared = || room.lists.ban_exceptions.iter().any(|(mask, _)| mask.matches(card, address));
        if banned && !spared() {
            return no("banned or muted");
        }
        Ok(())
    }

    /// In a slow room, whether a member has waited long enough; notes that it speaks now.
    pub(crate) fn may_speak_again(&mut self, now: Now, room: RoomId, card: &Card) -> Result<(), Refusal> {
        let Some(room) = self.rooms.get_mut(&room) else { return Ok(()) };
        let Some(slow_s) = room.modes.slow_s else { return Ok(()) };
        let Some(member) = room.member_mut(card.user()) else { return Ok(()) };
        let next_ms = member.spoke_ms + u64::from(slow_s) * 1000;
        if member.ranks.is_empty() && member.spoke_ms > 0 && now.unix_ms < next_ms {
            return Err(Refusal::TooSoon { wait_s: (next_ms - now.unix_ms).div_ceil(1000) });
        }
        member.spoke_ms = now.unix_ms;
        Ok(())
    }
}

/// Who may give and take a rank.
fn rank_for(rank: Ranks) -> Ranks {
    match rank {
        Ranks::VOICE => Ranks::HALF_OPERATOR,
        Ranks::HALF_OPERATOR | Ranks::OPERATOR => Ranks::OPERATOR,
        _ => Ranks::FOUNDER,
    }
}

fn change_setting(room: &mut Room, wanted: WantedChange) -> Result<Option<Change>, Refusal> {
    let malformed = |value: String, rule| Err(Refusal::SettingMalformed { value, rule });
    let modes = &mut room.modes;
    Ok(match wanted {
        WantedChange::Flags(flags, on) => {
            let before = modes.flags;
            modes.flags.set(flags, on);
            (before != modes.flags).then_some(Change::Flags(flags, on))
        }
        WantedChange::Key(None) => modes.key.take().map(|_| Change::Key(None)),
        WantedChange::Key(Some(key)) => {
            if key.is_empty() || key.len() > KEY_BYTES_MAX || key.starts_with(':') {
                return malformed(key, "a key has 1 to 64 bytes");
            }
            if key.contains([' ', ',']) || key.contains(char::is_control) {
                return malformed(key, "a key has no spaces and no commas");
            }
            let key: Arc<str> = key.into();
            let changed = modes.key.as_ref() != Some(&key);
            modes.key = Some(key.clone());
            changed.then_some(Change::Key(Some(key)))
        }
        WantedChange::Limit(Some(0)) => return malformed("0".to_owned(), "a limit is at least 1"),
        WantedChange::Limit(limit) => {
            (std::mem::replace(&mut modes.limit, limit) != limit).then_some(Change::Limit(limit))
        }
        WantedChange::Slow(Some(seconds)) if seconds == 0 || seconds > SLOW_MAX_S => {
            return malformed(seconds.to_string(), "a pause has 1 to 86400 seconds");
        }
        WantedChange::Slow(slow_s) => {
            (std::mem::replace(&mut modes.slow_s, slow_s) != slow_s).then_some(Change::Slow(slow_s))
        }
        WantedChange::Rank { .. } | WantedChange::Mask { .. } => None,
    })
}
