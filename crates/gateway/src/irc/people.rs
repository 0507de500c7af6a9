//! NICK, AWAY, SETNAME, WHO, WHOIS, WHOWAS, ISON, USERHOST; OPER, KILL, WALLOPS, REHASH.

use std::sync::Arc;

use hub::{Command, Dialect, Former, Person, Query, Ranks, RoomCard, Secret, UserFlags};
use proto::irc::{Line, Numeric};

use super::asked::{Asked, Whox};
use super::messages::channel_name;
use super::registration::is_nick;
use super::{Call, IrcSession, modes, wire};

/// How many names USERHOST takes (RFC 2812, 4.8).
const USERHOST_MAX: usize = 5;
/// How long the channels on one WHOIS line may be, in bytes.
const CHANNELS_BYTES_MAX: usize = 300;

impl IrcSession {
    /// Commands about people; whether it was one.
    pub(super) fn on_people(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        match name {
            "NICK" => self.on_nick(cx, line),
            "USER" | "PASS" => {
                self.numeric(cx, Numeric::ERR_ALREADYREGISTERED).trailing("You may not reregister");
            }
            "AWAY" => {
                let message = line.params.at(0).filter(|message| !message.is_empty()).map(str::to_owned);
                self.ask(cx, Asked::Away { away: message.is_some() }, Command::SetAway { message });
            }
            "SETNAME" => match line.params.at(0) {
                Some("") => self.fail(cx, "SETNAME", "INVALID_REALNAME", &[], "Realname is empty"),
                Some(text) if text.len() <= self.settings.irc_limits.phrase_bytes_max => {
                    self.ask(cx, Asked::SetName, Command::SetRealName { text: text.to_owned() });
                }
                Some(_) => self.fail(cx, "SETNAME", "INVALID_REALNAME", &[], "Realname is too long"),
                None => self.need_more(cx, "SETNAME"),
            },
            "WHO" => self.on_who(cx, line),
            "WHOIS" => self.on_whois(cx, line),
            "WHOWAS" => self.on_whowas(cx, line),
            "ISON" => self.on_ison(cx, line),
            "USERHOST" => self.on_userhost(cx, line),
            "MONITOR" => self.on_monitor(cx, line),
            "OPER" => match (line.params.at(0), line.params.at(1)) {
                (Some(name), Some(password)) => {
                    let (name, password) = (name.to_owned(), Secret::new(password));
                    self.ask(cx, Asked::Oper, Command::Oper { name, password });
                }
                _ => self.need_more(cx, "OPER"),
            },
            "KILL" => match line.params.at(0) {
                Some(whom) => {
                    let reason = line.params.at(1).filter(|reason| !reason.is_empty()).unwrap_or("Killed");
                    let (whom, reason) = (whom.to_owned(), reason.to_owned());
                    self.ask(cx, Asked::Kill { whom: whom.clone() }, Command::Kill { whom, reason });
                }
                None => self.need_more(cx, "KILL"),
            },
            "WALLOPS" => match line.params.at(0).filter(|text| !text.is_empty()) {
                Some(text) => {
                    self.ask(cx, Asked::Wallops, Command::Wallops { text: text.to_owned() });
                }
                None => self.need_more(cx, "WALLOPS"),
            },
            "REHASH" => self.ask(cx, Asked::Rehash, Command::Rehash),
            _ => return false,
        }
        true
    }

    fn on_nick(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(nick) = line.params.at(0).filter(|nick| !nick.is_empty()) else {
            return self.numeric(cx, Numeric::ERR_NONICKNAMEGIVEN).trailing("No nickname given");
        };
        if !is_nick(nick) {
            return self.bad_nick(cx, nick);
        }
        let name = nick.to_owned();
        self.ask(cx, Asked::Nick, Command::Rename { name });
    }

    /// The hub has done what answers itself, or what only a line tells.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what most commands did is told as an event")]
    pub(super) fn on_done(&mut self, cx: &mut Call<'_>, asked: &Asked) {
        match asked {
            Asked::Away { away } => self.say_away(cx, *away),
            Asked::Rehash => {
                self.numeric(cx, Numeric::RPL_REHASHING).param("configuration").trailing("Rehashing")
            }
            // What they did was told as an event.
            _ => {}
        }
    }

    pub(super) fn say_away(&mut self, cx: &mut Call<'_>, away: bool) {
        if away {
            self.numeric(cx, Numeric::RPL_NOWAWAY).trailing("You have been marked as being away");
        } else {
            self.numeric(cx, Numeric::RPL_UNAWAY).trailing("You are no longer marked as being away");
        }
    }

    fn on_who(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(mask) = line.params.at(0).filter(|mask| !mask.is_empty()) else {
            return self.need_more(cx, "WHO");
        };
        let options = line.params.at(1).unwrap_or_default();
        let wanted = options.split_once('%').map(|(_, fields)| {
            let (fields, token) = fields.split_once(',').unwrap_or((fields, ""));
            // A token has one to three digits; what is none comes back as 0.
            let is_token = matches!(token.len(), 1..=3) && token.bytes().all(|byte| byte.is_ascii_digit());
            let token = if is_token { token } else { "0" };
            Whox { fields: fields.to_owned(), token: token.to_owned() }
        });
        let operators = options.split('%').next().is_some_and(|flags| flags.contains('o'));
        let asked = Asked::Who { mask: mask.to_owned(), wanted };
        let query = match mask {
            channel if channel.starts_with('#') => {
                Query::PeopleOf { room: channel_name(channel).to_owned(), operators }
            }
            "0" => Query::People { mask: "*".to_owned(), operators },
            mask => Query::People { mask: mask.to_owned(), operators },
        };
        self.ask(cx, asked, Command::Ask(query));
    }

    /// People, one on a line.
    pub(super) fn send_who(
        &mut self,
        cx: &mut Call<'_>,
        asked: &Asked,
        people: &[(Person, Option<Arc<RoomCard>>)],
    ) {
        let Asked::Who { mask, wanted } = asked else { return };
        let server = self.settings.irc_name.clone();
        for (person, room) in people {
            let channel = room.as_ref().map_or("*", |room| room.channel());
            let flags = self.who_flags(person);
            match wanted {
                None => {
                    let card = &person.card;
                    self.numeric(cx, Numeric::RPL_WHOREPLY)
                        .param(channel)
                        .param(card.username())
                        .param(card.host())
                        .param(&server)
                        .param(wire::nick(card))
                        .param(&flags)
                        .trailing_parts(["0 ", card.real_name()]);
                }
                Some(whox) => self.send_whox(cx, whox, person, channel, &flags),
            }
        }
        self.numeric(cx, Numeric::RPL_ENDOFWHO).param(mask).trailing("End of WHO list");
    }

    /// One person with the fields that were asked for, in the order that WHOX gives them.
    fn send_whox(&mut self, cx: &mut Call<'_>, whox: &Whox, person: &Person, channel: &str, flags: &str) {
        let (server, card) = (self.settings.irc_name.clone(), person.card.clone());
        let address =
            person.address.map_or("255.255.255.255".to_owned(), |address| address.to_canonical().to_string());
        let idle = if person.card.dialect() == Dialect::Irc { person.idle_s } else { 0 };
        let mut line = self.numeric(cx, Numeric::RPL_WHOSPCRPL);
        for field in "tcuihsnfdlao".chars().filter(|field| whox.fields.contains(*field)) {
            line = match field {
                't' => line.param(&whox.token),
                'c' => line.param(channel),
                'u' => line.param(card.username()),
                'i' => line.param(&address),
                'h' => line.param(card.host()),
                's' => line.param(&server),
                'n' => line.param(wire::nick(&card)),
                'f' => line.param(flags),
                'd' => line.param("0"),
                'l' => line.param(&idle.to_string()),
                'a' => line.param(card.account().unwrap_or("0")),
                _ => line.param(rank_level(person.ranks)),
            };
        }
        if whox.fields.contains('r') {
            line.trailing(card.real_name());
        } else {
            line.end();
        }
    }

    /// Here or gone, operator, bot, and the marks in the room.
    fn who_flags(&self, person: &Person) -> String {
        let mut flags = String::from(if person.away.is_some() { "G" } else { "H" });
        if person.flags.contains(UserFlags::OPERATOR) {
            flags.push('*');
        }
        if person.card.is_bot() {
            flags.push('B');
        }
        self.push_marks(person.ranks, &mut flags);
        flags
    }

    fn on_whois(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        // With two parameters the first one is a server, and there is only this one.
        let (server, nick) = match (line.params.at(0), line.params.at(1)) {
            (Some(server), Some(nick)) => (Some(server), nick),
            (Some(nick), None) => (None, nick),
            (None, _) => (None, ""),
        };
        let nick = nick.split(',').next().unwrap_or_default();
        if nick.is_empty() {
            return self.numeric(cx, Numeric::ERR_NONICKNAMEGIVEN).trailing("No nickname given");
        }
        let here = |server: &str| {
            server.eq_ignore_ascii_case(&self.settings.irc_name)
                || server.eq_ignore_ascii_case(nick)
                || server == "*"
        };
        if let Some(server) = server.filter(|server| !here(server)) {
            return self.numeric(cx, Numeric::ERR_NOSUCHSERVER).param(server).trailing("No such server");
        }
        self.ask(cx, Asked::Whois { nick: nick.to_owned() }, Command::Ask(Query::Person(nick.to_owned())));
    }

    /// All that may be known of a person.
    pub(super) fn send_whois(
        &mut self,
        cx: &mut Call<'_>,
        person: &Person,
        rooms: &[(Arc<RoomCard>, Ranks)],
    ) {
        let (settings, card) = (self.settings.clone(), person.card.clone());
        let nick = wire::nick(&card);
        let line = self.numeric(cx, Numeric::RPL_WHOISUSER).param(nick).param(card.username());
        line.param(card.host()).param("*").trailing(card.real_name());
        self.send_whois_rooms(cx, nick, rooms);
        let about = format!("{} server", settings.irc_network);
        self.numeric(cx, Numeric::RPL_WHOISSERVER).param(nick).param(&settings.irc_name).trailing(&about);
        if person.flags.contains(UserFlags::OPERATOR) {
            self.numeric(cx, Numeric::RPL_WHOISOPERATOR).param(nick).trailing("is an IRC operator");
        }
        if card.is_bot() {
            let text = format!("is a bot on {}", settings.irc_network);
            self.numeric(cx, Numeric::RPL_WHOISBOT).param(nick).trailing(&text);
        }
        if let Some(account) = card.account() {
            self.numeric(cx, Numeric::RPL_WHOISACCOUNT)
                .param(nick)
                .param(account)
                .trailing("is logged in as");
        }
        if let Some(address) = person.address {
            let address = address.to_canonical().to_string();
            let mask = format!("{}@{address}", card.username());
            let line = self.numeric(cx, Numeric::RPL_WHOISACTUALLY).param(nick).param(&mask).param(&address);
            line.trailing("Actual user@host, Actual IP");
        }
        if person.address.is_some() && person.is_asking {
            let text = format!("is using modes {}", modes::of_user(person.flags));
            self.numeric(cx, Numeric::RPL_WHOISMODES).param(nick).trailing(&text);
        }
        if person.secure {
            self.numeric(cx, Numeric::RPL_WHOISSECURE).param(nick).trailing("is using a secure connection");
        }
        if card.dialect() != Dialect::Irc {
            let text = format!("is connected with the {} protocol", card.dialect().as_str());
            self.numeric(cx, Numeric::RPL_WHOISSPECIAL).param(nick).trailing(&text);
        }
        if let Some(away) = &person.away {
            self.numeric(cx, Numeric::RPL_AWAY).param(nick).trailing(away);
        }
        let (idle, since) = (person.idle_s.to_string(), (person.since_ms / 1000).to_string());
        let line = self.numeric(cx, Numeric::RPL_WHOISIDLE).param(nick).param(&idle).param(&since);
        line.trailing("seconds idle, signon time");
        self.numeric(cx, Numeric::RPL_ENDOFWHOIS).param(nick).trailing("End of /WHOIS list");
    }

    fn send_whois_rooms(&mut self, cx: &mut Call<'_>, nick: &str, rooms: &[(Arc<RoomCard>, Ranks)]) {
        let mut channels = String::new();
        for (index, (room, ranks)) in rooms.iter().enumerate() {
            if !channels.is_empty() {
                channels.push(' ');
            }
            self.push_marks(*ranks, &mut channels);
            channels.push_str(room.channel());
            if channels.len() > CHANNELS_BYTES_MAX || index + 1 == rooms.len() {
                self.numeric(cx, Numeric::RPL_WHOISCHANNELS).param(nick).trailing(&channels);
                channels.clear();
            }
        }
    }

    fn on_whowas(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(nick) = line.params.at(0).filter(|nick| !nick.is_empty()) else {
            return self.numeric(cx, Numeric::ERR_NONICKNAMEGIVEN).trailing("No nickname given");
        };
        let count = line.params.at(1).and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        let nick = nick.split(',').next().unwrap_or_default().to_owned();
        self.ask(cx, Asked::Whowas { nick: nick.clone() }, Command::Ask(Query::Former { name: nick, count }));
    }

    /// Who had a name before.
    pub(super) fn send_whowas(&mut self, cx: &mut Call<'_>, asked: &Asked, former: &[Former]) {
        let Asked::Whowas { nick } = asked else { return };
        let server = self.settings.irc_name.clone();
        if former.is_empty() {
            self.numeric(cx, Numeric::ERR_WASNOSUCHNICK).param(nick).trailing("There was no such nickname");
        }
        for Former { card, left_ms } in former {
            let nick = wire::nick(card);
            let line = self.numeric(cx, Numeric::RPL_WHOWASUSER).param(nick).param(card.username());
            line.param(card.host()).param("*").trailing(card.real_name());
            let line = self.numeric(cx, Numeric::RPL_WHOISSERVER).param(nick).param(&server);
            line.trailing(&wire::time(*left_ms));
        }
        self.numeric(cx, Numeric::RPL_ENDOFWHOWAS).param(nick).trailing("End of WHOWAS");
    }

    fn on_ison(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let names: Vec<_> =
            line.params.iter().flat_map(|names| names.split(' ')).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return self.need_more(cx, "ISON");
        }
        let names = names.into_iter().map(str::to_owned).collect();
        self.ask(cx, Asked::Ison, Command::Ask(Query::Persons(names)));
    }

    fn on_userhost(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let names: Vec<_> = line.params.iter().take(USERHOST_MAX).map(|name| (*name).to_owned()).collect();
        if names.is_empty() {
            return self.need_more(cx, "USERHOST");
        }
        self.ask(cx, Asked::Userhost, Command::Ask(Query::Persons(names)));
    }

    /// People who were named.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few commands ask for people by name")]
    pub(super) fn send_persons(&mut self, cx: &mut Call<'_>, asked: &Asked, people: &[Person]) {
        match asked {
            Asked::Ison => {
                let nicks: Vec<_> = people.iter().map(|person| wire::nick(&person.card)).collect();
                self.numeric(cx, Numeric::RPL_ISON).trailing(&nicks.join(" "));
            }
            Asked::MonitorStatus => self.send_status(cx, people),
            Asked::ModeOfOther { nick } if people.is_empty() => {
                self.numeric(cx, Numeric::ERR_NOSUCHNICK).param(nick).trailing("No such nick/channel");
            }
            Asked::ModeOfOther { .. } => {
                let text = "Can't change mode for other users";
                self.numeric(cx, Numeric::ERR_USERSDONTMATCH).trailing(text);
            }
            _ => {
                let one = |person: &Person| {
                    let operator = if person.flags.contains(UserFlags::OPERATOR) { "*" } else { "" };
                    let away = if person.away.is_some() { '-' } else { '+' };
                    let card = &person.card;
                    format!("{}{operator}={away}{}@{}", wire::nick(card), card.username(), card.host())
                };
                let all: Vec<_> = people.iter().map(one).collect();
                self.numeric(cx, Numeric::RPL_USERHOST).trailing(&all.join(" "));
            }
        }
    }
}

/// WHOX's channel level: how much a member may, `n/a` for who has no rank.
fn rank_level(ranks: Ranks) -> &'static str {
    if ranks.is_empty() { "n/a" } else { "0" }
}
