//! MOTD, LUSERS, VERSION, TIME, INFO, ADMIN, STATS, HELP, LINKS: what the server tells of itself.

use hub::{Census, Command, Query};
use proto::irc::{Line, Numeric};

use super::asked::Asked;
use super::registration::version;
use super::{Call, IrcSession, isupport, wire};

/// What HELP says, by subject.
const HELP: [(&str, &[&str]); 8] = [
    (
        "",
        &[
            "This server speaks IRC to you and other protocols to others; all share the same rooms.",
            "JOIN #room         come into a room, made if it isn't there",
            "PRIVMSG who :text  say something to a room or to somebody",
            "NAMES #room        who is in a room",
            "WHOIS nick         who somebody is, and with which protocol",
            "LIST               which rooms there are",
            "HELP subject       more about JOIN, PRIVMSG, MODE, MONITOR, WHO, LIST, REDACT",
        ],
    ),
    ("JOIN", &["JOIN #room[,#room] [key[,key]]", "Comes into rooms. JOIN 0 leaves all."]),
    (
        "PRIVMSG",
        &["PRIVMSG target[,target] :text", "A target is a nickname, a #room, or @#room for its operators."],
    ),
    (
        "MODE",
        &[
            "MODE #room [letters [parameters]]",
            "b e I masks of bans, ban exceptions, invite exceptions; ~m:mask only mutes, ~a:account is an account",
            "k key   l limit   S seconds between messages   q a o h v ranks",
            "i invite only  m moderated  n no messages from outside  s secret  t topic lock",
            "R only accounts join  M only accounts speak  C no CTCP",
            "MODE nick [letters]: i invisible  w wallops  B bot  R private messages only from accounts",
        ],
    ),
    (
        "MONITOR",
        &["MONITOR + nick[,nick] | - nick[,nick] | C | L | S", "Tells you when somebody comes or goes."],
    ),
    ("WHO", &["WHO mask [o][%fields[,token]]", "People by mask, or those of a #room; with WHOX fields."]),
    ("LIST", &["LIST [#room,...] [>n,<n,C>minutes,C<minutes,T>minutes,T<minutes,mask,!mask]", "Rooms."]),
    ("REDACT", &["REDACT target msgid [:reason]", "Takes a message back."]),
];

impl IrcSession {
    /// Commands about the server; whether it was one.
    pub(super) fn on_info(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        // Where a server can be named it has to be this one.
        let server = match name {
            "MOTD" | "LUSERS" | "VERSION" | "TIME" | "INFO" | "ADMIN" => line.params.at(0),
            "STATS" => line.params.at(1),
            _ => None,
        };
        if let Some(server) = server.filter(|server| !self.is_here(server)) {
            self.numeric(cx, Numeric::ERR_NOSUCHSERVER).param(server).trailing("No such server");
            return true;
        }
        match name {
            "MOTD" => self.send_motd(cx),
            "LUSERS" => {
                self.ask(cx, Asked::Lusers, Command::Ask(Query::Census));
            }
            "VERSION" => self.send_version(cx),
            "TIME" => {
                let (name, time) = (self.settings.irc_name.clone(), wire::time(cx.now.unix_ms));
                let seconds = (cx.now.unix_ms / 1000).to_string();
                let line = self.numeric(cx, Numeric::RPL_TIME).param(&name).param(&seconds).param("0");
                line.trailing(&time);
            }
            "INFO" => self.send_info(cx),
            "ADMIN" => {
                let (name, network) = (self.settings.irc_name.clone(), self.settings.irc_network.clone());
                let line = self.numeric(cx, Numeric::RPL_ADMINME).param(&name);
                line.trailing("Administrative info");
                self.numeric(cx, Numeric::RPL_ADMINLOC1).trailing(&network);
                self.numeric(cx, Numeric::RPL_ADMINLOC2).trailing("A Polylogue server");
                self.numeric(cx, Numeric::RPL_ADMINEMAIL).trailing("Ask an operator");
            }
            "STATS" => self.send_stats(cx, line.params.at(0)),
            "HELP" | "HELPOP" => self.send_help(cx, line.params.at(0).unwrap_or_default()),
            "LINKS" => {
                let settings = self.settings.clone();
                let name = &settings.irc_name;
                let line = self.numeric(cx, Numeric::RPL_LINKS).param(name).param(name);
                line.trailing_parts(["0 ", &settings.irc_network, " server"]);
                self.numeric(cx, Numeric::RPL_ENDOFLINKS).param("*").trailing("End of /LINKS list");
            }
            _ => return false,
        }
        true
    }

    fn is_here(&self, server: &str) -> bool {
        server.is_empty()
            || server == "*"
            || server.eq_ignore_ascii_case(&self.settings.irc_name)
            || server.eq_ignore_ascii_case(&self.target())
    }

    /// The message of the day.
    pub(super) fn send_motd(&mut self, cx: &mut Call<'_>) {
        let settings = self.settings.clone();
        if settings.motd.is_empty() {
            return self.numeric(cx, Numeric::ERR_NOMOTD).trailing("MOTD File is missing");
        }
        let start = format!("- {} Message of the day - ", settings.irc_name);
        self.numeric(cx, Numeric::RPL_MOTDSTART).trailing(&start);
        for text in &settings.motd {
            self.numeric(cx, Numeric::RPL_MOTD).trailing_parts(["- ", text]);
        }
        self.numeric(cx, Numeric::RPL_ENDOFMOTD).trailing("End of /MOTD command.");
    }

    /// How many there are.
    pub(super) fn send_lusers(&mut self, cx: &mut Call<'_>, census: &Census) {
        let (users, most) = (census.users.to_string(), census.users_most.to_string());
        let visible = census.users.saturating_sub(census.invisible).to_string();
        let invisible = census.invisible.to_string();
        let text = ["There are ", &visible, " users and ", &invisible, " invisible on 1 servers"];
        self.numeric(cx, Numeric::RPL_LUSERCLIENT).trailing_parts(text);
        for (numeric, count, text) in [
            (Numeric::RPL_LUSEROP, census.operators, "operator(s) online"),
            (Numeric::RPL_LUSERUNKNOWN, census.unknown, "unknown connection(s)"),
            (Numeric::RPL_LUSERCHANNELS, census.rooms, "channels formed"),
        ] {
            self.numeric(cx, numeric).param(&count.to_string()).trailing(text);
        }
        self.numeric(cx, Numeric::RPL_LUSERME).trailing_parts(["I have ", &users, " clients and 0 servers"]);
        for (numeric, scope) in [(Numeric::RPL_LOCALUSERS, "local"), (Numeric::RPL_GLOBALUSERS, "global")] {
            let line = self.numeric(cx, numeric).param(&users).param(&most);
            line.trailing_parts(["Current ", scope, " users ", &users, ", max ", &most]);
        }
    }

    fn send_version(&mut self, cx: &mut Call<'_>) {
        let (settings, version) = (self.settings.clone(), version());
        let line = self.numeric(cx, Numeric::RPL_VERSION).param(&version).param(&settings.irc_name);
        line.trailing("one chat server, every client");
        for tokens in isupport::lines(&settings) {
            let line = self.numeric(cx, Numeric::RPL_ISUPPORT);
            tokens
                .iter()
                .fold(line, |line, token| line.param(token))
                .trailing("are supported by this server");
        }
    }

    fn send_info(&mut self, cx: &mut Call<'_>) {
        let started = format!("Up since {}", wire::time(self.settings.started_ms));
        let about = format!("This is Polylogue, {}: one chat server, every client.", version());
        for text in [about.as_str(), "It speaks IRC, tmp, muca, rooms, bridge and messenger.", &started] {
            self.numeric(cx, Numeric::RPL_INFO).trailing(text);
        }
        self.numeric(cx, Numeric::RPL_ENDOFINFO).trailing("End of /INFO list");
    }

    fn send_stats(&mut self, cx: &mut Call<'_>, letter: Option<&str>) {
        let Some(letter) = letter.and_then(|letters| letters.chars().next()) else {
            return self.need_more(cx, "STATS");
        };
        if letter == 'u' {
            let seconds = cx.now.unix_ms.saturating_sub(self.settings.started_ms) / 1000;
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
            let text = format!("Server Up {days} days {hours}:{minutes:02}:{:02}", seconds % 60);
            self.numeric(cx, Numeric::RPL_STATSUPTIME).trailing(&text);
        }
        let line = self.numeric(cx, Numeric::RPL_ENDOFSTATS).param(&letter.to_string());
        line.trailing("End of /STATS report");
    }

    fn send_help(&mut self, cx: &mut Call<'_>, subject: &str) {
        let known = HELP.iter().find(|(name, _)| name.eq_ignore_ascii_case(subject));
        let shown = if subject.is_empty() { "*" } else { subject };
        let Some((_, lines)) = known else {
            let line = self.numeric(cx, Numeric::ERR_HELPNOTFOUND).param(shown);
            return line.trailing("No help available on this topic");
        };
        for (index, text) in lines.iter().enumerate() {
            let numeric = if index == 0 { Numeric::RPL_HELPSTART } else { Numeric::RPL_HELPTXT };
            self.numeric(cx, numeric).param(shown).trailing(text);
        }
        self.numeric(cx, Numeric::RPL_ENDOFHELP).param(shown).trailing("End of /HELP");
    }
}
