//! JOIN, PART, KICK, INVITE, TOPIC, NAMES, LIST, MODE, RENAME.

use std::sync::Arc;

use hub::{
    Card, Command, MaskEntry, MaskList, Member, Query, Ranks, Refusal, RoomCard, RoomFilter, RoomFlags,
    RoomInfo, UserFlags,
};
use proto::irc::{Line, Numeric};

use super::asked::Asked;
use super::caps::Caps;
use super::messages::channel_name;
use super::modes::{self, Wanted};
use super::{Call, IrcSession, State, wire};

/// How long the names on one line may be, in bytes.
const NAMES_BYTES_MAX: usize = 400;

impl IrcSession {
    /// Commands about rooms; whether it was one.
    pub(super) fn on_rooms(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        match name {
            "JOIN" => self.on_join(cx, line),
            "PART" => self.on_part(cx, line),
            "KICK" => self.on_kick(cx, line),
            "INVITE" => self.on_invite(cx, line),
            "TOPIC" => self.on_topic(cx, line),
            "NAMES" => self.on_names(cx, line),
            "LIST" => self.on_list(cx, line),
            "MODE" => self.on_mode(cx, line),
            "RENAME" => self.on_rename(cx, line),
            _ => return false,
        }
        true
    }

    /// A channel's name, or the numeric that says that it is none.
    fn channel(&mut self, cx: &mut Call<'_>, channel: &str) -> bool {
        if channel.starts_with('#') {
            return true;
        }
        self.no_channel(cx, channel);
        false
    }

    fn no_channel(&mut self, cx: &mut Call<'_>, channel: &str) {
        let shown: String = channel.chars().take(hub::ROOM_CHARS_MAX).collect();
        self.numeric(cx, Numeric::ERR_NOSUCHCHANNEL).param(&shown).trailing("No such channel");
    }

    fn on_join(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(channels) = line.params.at(0).filter(|channels| !channels.is_empty()) else {
            return self.need_more(cx, "JOIN");
        };
        if channels == "0" {
            return self.part_all(cx);
        }
        let mut keys = line.params.at(1).unwrap_or_default().split(',');
        let members = !self.caps.contains(Caps::NO_IMPLICIT_NAMES);
        for channel in channels.split(',').filter(|channel| !channel.is_empty()) {
            let key = keys.next().filter(|key| !key.is_empty()).map(str::to_owned);
            if channel == "#" || channel.contains([' ', '\u{7}']) {
                self.no_channel(cx, channel);
                continue;
            }
            if !self.channel(cx, channel) {
                continue;
            }
            let room = channel_name(channel).to_owned();
            let asked = Asked::Join { channel: channel.to_owned() };
            self.ask(cx, asked, Command::Join { room, key, members });
        }
    }

    fn part_all(&mut self, cx: &mut Call<'_>) {
        let State::Active(active) = &self.state else { return };
        let channels: Vec<_> = active.rooms.iter().map(|room| room.channel().to_owned()).collect();
        for channel in channels {
            self.part(cx, &channel, None);
        }
    }

    fn part(&mut self, cx: &mut Call<'_>, channel: &str, reason: Option<String>) {
        let room = channel_name(channel).to_owned();
        self.ask(cx, Asked::Part { channel: channel.to_owned() }, Command::Part { room, reason });
    }

    fn on_part(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(channels) = line.params.at(0).filter(|channels| !channels.is_empty()) else {
            return self.need_more(cx, "PART");
        };
        let reason = line.params.at(1).map(str::to_owned);
        for channel in channels.split(',').filter(|channel| !channel.is_empty()) {
            if self.channel(cx, channel) {
                self.part(cx, channel, reason.clone());
            }
        }
    }

    fn on_kick(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let (Some(channels), Some(people)) = (line.params.at(0), line.params.at(1)) else {
            return self.need_more(cx, "KICK");
        };
        if channels.is_empty() || people.is_empty() {
            return self.need_more(cx, "KICK");
        }
        let reason = line.params.at(2).map(str::to_owned);
        let channels: Vec<_> = channels.split(',').filter(|channel| !channel.is_empty()).collect();
        let people: Vec<_> = people.split(',').filter(|whom| !whom.is_empty()).collect();
        // One channel and its members, or as many channels as members.
        let pairs: Vec<_> = match channels.as_slice() {
            [channel] => people.iter().map(|whom| (*channel, *whom)).collect(),
            several if several.len() == people.len() => several.iter().copied().zip(people).collect(),
            _ => return self.need_more(cx, "KICK"),
        };
        for (channel, whom) in pairs {
            if self.channel(cx, channel) {
                let (room, reason) = (channel_name(channel).to_owned(), reason.clone());
                let asked = Asked::Kick { channel: channel.to_owned(), whom: whom.to_owned() };
                self.ask(cx, asked, Command::Kick { room, whom: whom.to_owned(), reason });
            }
        }
    }

    fn on_invite(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let (Some(whom), Some(channel)) = (line.params.at(0), line.params.at(1)) else {
            return self.need_more(cx, "INVITE");
        };
        if whom.is_empty() || channel.is_empty() {
            return self.need_more(cx, "INVITE");
        }
        if self.channel(cx, channel) {
            let (room, whom) = (channel_name(channel).to_owned(), whom.to_owned());
            let asked = Asked::Invite { channel: channel.to_owned(), whom: whom.clone() };
            self.ask(cx, asked, Command::Invite { room, whom });
        }
    }

    /// Somebody was invited.
    pub(super) fn on_invited(&mut self, cx: &mut Call<'_>, room: &RoomCard, whom: &Card, away: Option<&str>) {
        let nick = wire::nick(whom).to_owned();
        self.numeric(cx, Numeric::RPL_INVITING).param(&nick).param(room.channel()).end();
        if let Some(away) = away {
            self.numeric(cx, Numeric::RPL_AWAY).param(&nick).trailing(away);
        }
    }

    fn on_topic(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(channel) = line.params.at(0).filter(|channel| !channel.is_empty()) else {
            return self.need_more(cx, "TOPIC");
        };
        if !self.channel(cx, channel) {
            return;
        }
        let (room, channel) = (channel_name(channel).to_owned(), channel.to_owned());
        match line.params.at(1) {
            Some(text) => {
                let text = text.to_owned();
                self.ask(cx, Asked::SetTopic { channel }, Command::SetTopic { room, text });
            }
            None => self.ask(cx, Asked::ShowTopic { channel }, Command::Ask(Query::Room(room))),
        }
    }

    /// The client has come into a room: what it has to know of it.
    pub(super) fn on_joined(&mut self, cx: &mut Call<'_>, room: &RoomInfo, members: Option<Vec<Member>>) {
        self.send_topic(cx, room, false);
        self.send_marker(cx, room.card.channel(), room.read_ms);
        if let Some(members) = members {
            let secret = room.modes.flags.contains(RoomFlags::SECRET);
            self.send_names(cx, &room.card, secret, &members);
        }
        self.play_joined(cx, &room.card);
    }

    fn send_topic(&mut self, cx: &mut Call<'_>, room: &RoomInfo, also_none: bool) {
        let channel = room.card.channel();
        match &room.topic {
            Some(topic) => {
                self.numeric(cx, Numeric::RPL_TOPIC).param(channel).trailing(&topic.text);
                let at = (topic.unix_ms / 1000).to_string();
                self.numeric(cx, Numeric::RPL_TOPICWHOTIME).param(channel).param(&topic.by).param(&at).end();
            }
            None if also_none => {
                self.numeric(cx, Numeric::RPL_NOTOPIC).param(channel).trailing("No topic is set");
            }
            None => {}
        }
    }

    /// What is set on a room, or its topic.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only three commands ask for a room")]
    pub(super) fn show_room(&mut self, cx: &mut Call<'_>, asked: &Asked, room: &RoomInfo) {
        match asked {
            Asked::ShowTopic { .. } => self.send_topic(cx, room, true),
            Asked::Rejoin { .. } => {
                self.send_topic(cx, room, false);
                self.send_marker(cx, room.card.channel(), room.read_ms);
            }
            _ => {
                let (letters, params) = modes::of_room(&room.modes);
                let channel = room.card.channel();
                let line = self.numeric(cx, Numeric::RPL_CHANNELMODEIS).param(channel).param(&letters);
                params.iter().fold(line, |line, param| line.param(param)).end();
                let made = (room.made_ms / 1000).to_string();
                self.numeric(cx, Numeric::RPL_CREATIONTIME).param(channel).param(&made).end();
            }
        }
    }

    fn on_names(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(channel) = line.params.at(0).filter(|channel| !channel.is_empty()) else {
            return self.numeric(cx, Numeric::RPL_ENDOFNAMES).param("*").trailing("End of /NAMES list");
        };
        // One is all that is answered (ISUPPORT: TARGMAX).
        let channel = channel.split(',').next().unwrap_or_default().to_owned();
        if !channel.starts_with('#') {
            let line = self.numeric(cx, Numeric::RPL_ENDOFNAMES).param(&channel);
            return line.trailing("End of /NAMES list");
        }
        let room = channel_name(&channel).to_owned();
        self.ask(cx, Asked::Names { channel }, Command::Ask(Query::Members(room)));
    }

    /// Who is in a room.
    pub(super) fn send_names(
        &mut self,
        cx: &mut Call<'_>,
        room: &RoomCard,
        secret: bool,
        members: &[Member],
    ) {
        let symbol = if secret { "@" } else { "=" };
        let mut names = String::new();
        for (index, member) in members.iter().enumerate() {
            let start = names.len();
            if start > 0 {
                names.push(' ');
            }
            self.push_marks(member.ranks, &mut names);
            names.push_str(wire::nick(&member.card));
            if self.caps.contains(Caps::USERHOST_IN_NAMES) {
                names.extend(["!", member.card.username(), "@", member.card.host()]);
            }
            let last = index + 1 == members.len();
            if names.len() > NAMES_BYTES_MAX - 100 || last {
                let line = self.numeric(cx, Numeric::RPL_NAMREPLY).param(symbol).param(room.channel());
                line.trailing(&names);
                names.clear();
            }
        }
        let line = self.numeric(cx, Numeric::RPL_ENDOFNAMES).param(room.channel());
        line.trailing("End of /NAMES list");
    }

    /// A member's marks: the highest, or all of them.
    pub(super) fn push_marks(&self, ranks: Ranks, out: &mut String) {
        let count = if self.caps.contains(Caps::MULTI_PREFIX) { usize::MAX } else { 1 };
        out.extend(modes::prefixes(ranks).take(count).map(|(_, mark)| mark));
    }

    /// Refusals that aren't errors; all others are told.
    pub(super) fn refuse_or_show(&mut self, cx: &mut Call<'_>, asked: Asked, refusal: &Refusal) {
        match (&asked, refusal) {
            (Asked::Login, _) => {
                let nick = self.not_registered();
                self.refuse(
                    cx,
                    &asked,
                    &match (refusal, nick) {
                        (Refusal::NameTaken { .. }, Some(name)) => Refusal::NameTaken { name },
                        (refusal, _) => refusal.clone(),
                    },
                );
            }
            // A channel that isn't there has nobody in it.
            (Asked::Names { channel }, Refusal::NoSuchRoom { .. }) => {
                let channel: String = channel.chars().take(hub::ROOM_CHARS_MAX).collect();
                let line = self.numeric(cx, Numeric::RPL_ENDOFNAMES).param(&channel);
                line.trailing("End of /NAMES list");
            }
            (Asked::Who { mask, .. }, Refusal::NoSuchRoom { .. }) => {
                self.numeric(cx, Numeric::RPL_ENDOFWHO).param(mask).trailing("End of WHO list");
            }
            (Asked::Whois { nick }, Refusal::NoSuchUser { .. }) => {
                let nick = nick.clone();
                self.refuse(cx, &asked, refusal);
                self.numeric(cx, Numeric::RPL_ENDOFWHOIS).param(&nick).trailing("End of /WHOIS list");
            }
            _ => self.refuse(cx, &asked, refusal),
        }
    }

    fn on_list(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let mut filter = RoomFilter::default();
        let now_ms = cx.now.unix_ms;
        for item in line.params.at(0).unwrap_or_default().split(',').filter(|item| !item.is_empty()) {
            list_condition(&mut filter, item, now_ms);
        }
        self.ask(cx, Asked::List, Command::Ask(Query::Rooms(Box::new(filter))));
    }

    /// Which rooms there are.
    pub(super) fn send_list(&mut self, cx: &mut Call<'_>, rooms: &[RoomInfo]) {
        self.numeric(cx, Numeric::RPL_LISTSTART).param("Channel").trailing("Users  Name");
        // A room that nobody is in is none to an IRC client.
        for room in rooms.iter().filter(|room| room.members > 0) {
            let topic = room.topic.as_ref().map_or("", |topic| &*topic.text);
            let line = self.numeric(cx, Numeric::RPL_LIST).param(room.card.channel());
            line.param(&room.members.to_string()).trailing(topic);
        }
        self.numeric(cx, Numeric::RPL_LISTEND).trailing("End of /LIST");
    }

    fn on_mode(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(target) = line.params.at(0).filter(|target| !target.is_empty()) else {
            return self.need_more(cx, "MODE");
        };
        let letters = line.params.at(1).filter(|letters| !letters.is_empty());
        if !target.starts_with('#') {
            return self.on_user_mode(cx, target, letters);
        }
        let (channel, room) = (target.to_owned(), channel_name(target).to_owned());
        let Some(letters) = letters else {
            return self.ask(cx, Asked::ShowModes { channel }, Command::Ask(Query::Room(room)));
        };
        let params = line.params.get(2..).unwrap_or_default();
        let (mut wanted, mut changed, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for read in modes::read(letters, params) {
            match read {
                Wanted::Change(letter, change) => {
                    if wanted.len() < modes::CHANGES_MAX {
                        wanted.push(change);
                        changed.push(letter);
                    }
                }
                Wanted::See(list) => {
                    if !seen.contains(&list) {
                        seen.push(list);
                    }
                }
                Wanted::NoParam(letter) => {
                    let line = self.numeric(cx, Numeric::ERR_INVALIDMODEPARAM).param(target);
                    line.param(&letter.to_string()).param("*").trailing("You must give a parameter");
                }
                Wanted::BadParam(letter, value, rule) => {
                    let line = self.numeric(cx, Numeric::ERR_INVALIDMODEPARAM).param(target);
                    line.param(&letter.to_string()).param(&value).trailing(rule);
                }
                Wanted::Unknown(letter) => {
                    let line = self.numeric(cx, Numeric::ERR_UNKNOWNMODE).param(&letter.to_string());
                    line.trailing("is unknown mode char to me");
                }
            }
        }
        for list in seen {
            let asked = Asked::ShowMasks { channel: channel.clone() };
            self.ask(cx, asked, Command::Ask(Query::Masks(room.clone(), list)));
        }
        if !wanted.is_empty() {
            let asked = Asked::SetModes { channel, letters: changed };
            self.ask(cx, asked, Command::SetModes { room, wanted });
        }
    }

    /// What could not be changed of a room.
    pub(super) fn on_modes_set(&mut self, cx: &mut Call<'_>, asked: Asked, refused: Vec<(usize, Refusal)>) {
        let Asked::SetModes { channel, letters } = asked else { return };
        let mut told_rank = false;
        for (index, refusal) in refused {
            // Once is enough.
            if let Refusal::RankTooLow { .. } = refusal
                && std::mem::replace(&mut told_rank, true)
            {
                continue;
            }
            let whom = letters.get(index).map(char::to_string).unwrap_or_default();
            let about = Asked::Kick { channel: channel.clone(), whom };
            self.refuse(cx, &about, &refusal);
        }
    }

    /// The masks on a list.
    pub(super) fn send_masks(
        &mut self,
        cx: &mut Call<'_>,
        room: &Arc<RoomCard>,
        list: MaskList,
        masks: &[MaskEntry],
    ) {
        let (item, end, name) = match list {
            MaskList::Bans => (Numeric::RPL_BANLIST, Numeric::RPL_ENDOFBANLIST, "ban"),
            MaskList::BanExceptions => (Numeric::RPL_EXCEPTLIST, Numeric::RPL_ENDOFEXCEPTLIST, "exception"),
            MaskList::InviteExceptions => {
                (Numeric::RPL_INVEXLIST, Numeric::RPL_ENDOFINVEXLIST, "invite exception")
            }
        };
        for entry in masks {
            let at = (entry.unix_ms / 1000).to_string();
            let line = self.numeric(cx, item).param(room.channel()).param(&entry.mask);
            line.param(&entry.by).param(&at).end();
        }
        let text = format!("End of channel {name} list");
        self.numeric(cx, end).param(room.channel()).trailing(&text);
    }

    fn on_user_mode(&mut self, cx: &mut Call<'_>, target: &str, letters: Option<&str>) {
        if !self.target().eq_ignore_ascii_case(target) {
            let nick = target.to_owned();
            let query = Query::Persons(vec![nick.clone()]);
            return self.ask(cx, Asked::ModeOfOther { nick }, Command::Ask(query));
        }
        let Some(letters) = letters else {
            return self.ask(cx, Asked::ShowFlags, Command::Ask(Query::Flags));
        };
        let (on, off, unknown) = modes::read_user(letters);
        if unknown {
            self.numeric(cx, Numeric::ERR_UMODEUNKNOWNFLAG).trailing("Unknown MODE flag");
        }
        if !(on | off).is_empty() {
            self.ask(cx, Asked::SetFlags, Command::SetFlags { on, off });
        }
    }

    /// The client's own flags have changed.
    pub(super) fn on_flags_set(&mut self, cx: &mut Call<'_>, on: UserFlags, off: UserFlags) {
        let State::Active(active) = &self.state else { return };
        let card = active.card.clone();
        let mut changes = String::new();
        for (sign, flags) in [('+', on), ('-', off)] {
            let letters = modes::of_user(flags);
            if let Some(letters) = letters.strip_prefix('+').filter(|letters| !letters.is_empty()) {
                changes.push(sign);
                changes.push_str(letters);
            }
        }
        if !changes.is_empty() {
            let nick = wire::nick(&card);
            let line = self.line(cx).user(nick, card.username(), card.host());
            line.command("MODE").param(nick).trailing(&changes);
        }
    }

    /// The client's own flags.
    pub(super) fn send_flags(&mut self, cx: &mut Call<'_>, flags: UserFlags) {
        self.numeric(cx, Numeric::RPL_UMODEIS).param(&modes::of_user(flags)).end();
    }

    fn on_rename(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let (Some(channel), Some(name)) = (line.params.at(0), line.params.at(1)) else {
            return self.need_more(cx, "RENAME");
        };
        if !self.channel(cx, channel) {
            return;
        }
        if !name.starts_with('#') || name.contains([' ', ',']) {
            let text = "That is no channel's name";
            return self.fail(cx, "RENAME", "CANNOT_RENAME", &[channel, name], text);
        }
        let reason = line.params.at(2).map(str::to_owned);
        let asked = Asked::RenameRoom { channel: channel.to_owned(), name: name.to_owned() };
        let (room, name) = (channel_name(channel).to_owned(), channel_name(name).to_owned());
        self.ask(cx, asked, Command::RenameRoom { room, name, reason });
    }
}

/// One condition of a LIST (ISUPPORT: ELIST=CMNTU).
fn list_condition(filter: &mut RoomFilter, item: &str, now_ms: u64) {
    let number = |text: &str| text.parse::<u64>().ok();
    let ago = |text: &str| number(text).map(|minutes| now_ms.saturating_sub(minutes.saturating_mul(60_000)));
    let members = |text: &str| number(text).and_then(|count| usize::try_from(count).ok());
    let mut chars = item.chars();
    match (chars.next(), chars.next()) {
        (Some('>'), _) => filter.members_above = members(&item[1..]),
        (Some('<'), _) => filter.members_below = members(&item[1..]),
        // So many minutes ago or more; or less.
        (Some('C' | 'c'), Some('>')) => filter.made_before_ms = ago(&item[2..]),
        (Some('C' | 'c'), Some('<')) => filter.made_after_ms = ago(&item[2..]),
        (Some('T' | 't'), Some('>')) => filter.topic_before_ms = ago(&item[2..]),
        (Some('T' | 't'), Some('<')) => filter.topic_after_ms = ago(&item[2..]),
        (Some('!'), _) => filter.not_names.push(channel_name(&item[1..]).to_owned()),
        _ => filter.names.push(channel_name(item).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_conditions() {
        let mut filter = RoomFilter::default();
        for item in [">3", "<10", "C>60", "T<5", "!*x*", "#den*"] {
            list_condition(&mut filter, item, 10_000_000);
        }
        assert_eq!((filter.members_above, filter.members_below), (Some(3), Some(10)));
        assert_eq!((filter.made_before_ms, filter.topic_after_ms), (Some(6_400_000), Some(9_700_000)));
        assert_eq!(
            (filter.not_names.as_slice(), filter.names.as_slice()),
            (&["*x*".to_owned()][..], &["den*".to_owned()][..])
        );
    }
}
