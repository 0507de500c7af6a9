//! MONITOR: being told when somebody comes and goes (IRCv3 monitor, extended-monitor).

use std::sync::Arc;

use hub::{Card, Command, Kind, News, Person, Query, Shared};
use proto::irc::{Line, Numeric, Writer};

use super::asked::Asked;
use super::caps::Caps;
use super::events::news_matter;
use super::{Call, IrcSession, wire};

/// How long the names on one line may be, in bytes.
const NAMES_BYTES_MAX: usize = 400;

impl IrcSession {
    /// MONITOR.
    pub(super) fn on_monitor(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let names = |index| -> Vec<String> {
            let names: &str = line.params.at(index).unwrap_or_default();
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (mut add, mut remove, mut clear) = (Vec::new(), Vec::new(), false);
        match line.params.at(0) {
            Some("+") if line.params.len() > 1 => add = names(1),
            Some("-") if line.params.len() > 1 => remove = names(1),
            Some("C" | "c") => clear = true,
            Some("L" | "l") => {
                return self.ask(cx, Asked::MonitorList, Command::Ask(Query::Watching));
            }
            Some("S" | "s") => {
                return self.ask(cx, Asked::MonitorStatus, Command::Ask(Query::Watching));
            }
            _ => return self.need_more(cx, "MONITOR"),
        }
        self.ask(cx, Asked::Monitor, Command::Watch { add, remove, clear });
    }

    /// The list has changed.
    pub(super) fn on_watch(
        &mut self,
        cx: &mut Call<'_>,
        online: &[Arc<Card>],
        offline: &[String],
        refused: &[String],
    ) {
        let online: Vec<_> = online.iter().map(|card| card.hostmask()).collect();
        self.send_names_list(cx, Numeric::RPL_MONONLINE, &online);
        self.send_names_list(cx, Numeric::RPL_MONOFFLINE, offline);
        if !refused.is_empty() {
            let limit = self.settings.irc_limits.watched_max.to_string();
            let line = self.numeric(cx, Numeric::ERR_MONLISTFULL).param(&limit).param(&refused.join(","));
            line.trailing("Monitor list is full");
        }
    }

    /// Whom the client watches, or asks for their state.
    pub(super) fn send_watching(&mut self, cx: &mut Call<'_>, asked: &Asked, names: &[String]) {
        if let Asked::MonitorStatus = asked {
            // Asking for them again tells who is here.
            let (add, remove) = (names.to_vec(), Vec::new());
            return self.ask(cx, Asked::Monitor, Command::Watch { add, remove, clear: false });
        }
        self.send_names_list(cx, Numeric::RPL_MONLIST, names);
        self.numeric(cx, Numeric::RPL_ENDOFMONLIST).trailing("End of MONITOR list");
    }

    fn send_names_list(&mut self, cx: &mut Call<'_>, numeric: Numeric, names: &[String]) {
        let mut line = String::new();
        for (index, name) in names.iter().enumerate() {
            if !line.is_empty() {
                line.push(',');
            }
            line.push_str(name);
            if line.len() > NAMES_BYTES_MAX - 150 || index + 1 == names.len() {
                self.numeric(cx, numeric).trailing(&line);
                line.clear();
            }
        }
    }

    pub(super) fn send_status(&mut self, cx: &mut Call<'_>, people: &[Person]) {
        let online: Vec<_> = people.iter().map(|person| person.card.hostmask()).collect();
        self.send_names_list(cx, Numeric::RPL_MONONLINE, &online);
    }

    /// Somebody who is watched has come, gone or changed.
    pub(super) fn on_watched(&mut self, cx: &mut Call<'_>, event: &Shared, who: &Arc<Card>, news: &News) {
        if !news_matter(self.caps, news) {
            return;
        }
        let target = self.target();
        let (settings, caps) = (self.settings.clone(), self.caps);
        match news {
            News::Online => {
                let line = Writer::new(&mut cx.lines).source(&settings.irc_name);
                line.numeric(Numeric::RPL_MONONLINE, &target).trailing(&who.hostmask());
            }
            News::Offline => {
                let line = Writer::new(&mut cx.lines).source(&settings.irc_name);
                line.numeric(Numeric::RPL_MONOFFLINE, &target).trailing(wire::nick(who));
            }
            News::Away(message) => {
                let kind = Kind::Away { who: who.clone(), message: message.clone() };
                cx.lines.extend(wire::lines(&again(event, kind), caps, None, &settings.irc_name));
            }
            News::Profile(before) => {
                let caps = caps & (Caps::TAGS | Caps::SETNAME | Caps::CHGHOST | Caps::ACCOUNT_NOTIFY);
                let kind = Kind::Profile { before: before.clone(), after: who.clone() };
                cx.lines.extend(wire::lines(&again(event, kind), caps, None, &settings.irc_name));
            }
        }
    }
}

/// What the members of a shared room would have been told.
fn again(event: &Shared, kind: Kind) -> hub::Event {
    hub::Event { id: event.id, unix_ms: event.unix_ms, by: event.by, kind }
}
