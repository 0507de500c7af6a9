//! PRIVMSG, NOTICE, TAGMSG, REDACT.

use std::sync::Arc;

use hub::{Command, Ranks, Say, Style, To, Token, Typing};
use proto::irc::{Line, Numeric};

use smallvec::SmallVec;

use super::asked::Asked;
use super::caps::Caps;
use super::{Call, IrcSession, State, modes, playback, wire};

/// The targets of a message: mostly one.
type Targets<'t> = SmallVec<[&'t str; 1]>;

/// How many targets one message may have.
pub(super) const TARGETS_MAX: usize = 10;

/// Whether a line is a message without a label: it needs no answer, so nothing waits for it. What is written to the
/// server's own modules is answered.
pub(super) fn is_plain(line: &str) -> bool {
    !line.starts_with('@') && {
        let mut words = line.split(' ');
        let word = words.next().unwrap_or_default();
        (word.eq_ignore_ascii_case("PRIVMSG") || word.eq_ignore_ascii_case("NOTICE"))
            && !words.next().is_some_and(|target| target.starts_with('*'))
    }
}

/// As [`is_plain`], for a line that is taken apart.
pub(super) fn is_plain_line(line: &Line<'_>) -> bool {
    line.tags.is_empty()
        && (line.is("PRIVMSG") || line.is("NOTICE"))
        && !line.params.at(0).is_some_and(|target| target.starts_with('*'))
}

/// What a client says, before it is known to whom.
pub(super) struct Words {
    pub(super) text: Arc<str>,
    pub(super) style: Style,
    pub(super) tags: Option<String>,
    pub(super) seams: Vec<usize>,
}

impl Words {
    /// A text with its marks taken off.
    pub(super) fn of(text: &str, notice: bool, tags: Option<String>) -> Self {
        let marked = text.strip_prefix('\u{1}').map(|text| text.strip_suffix('\u{1}').unwrap_or(text));
        let (text, style) = match (marked, notice) {
            (None, false) => (text, Style::Plain),
            (None, true) => (text, Style::Notice),
            (Some(marked), notice) => match marked.strip_prefix("ACTION ") {
                Some(action) if !notice => (action, Style::Action),
                _ => (marked, Style::Request { answer: notice }),
            },
        };
        Self { text: text.into(), style, tags, seams: Vec::new() }
    }
}

impl IrcSession {
    /// Commands that say something; whether it was one.
    pub(super) fn on_messages(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        match name {
            "PRIVMSG" => self.on_message(cx, "PRIVMSG", line),
            "NOTICE" => self.on_message(cx, "NOTICE", line),
            "NS" | "NICKSERV" => self.on_service(cx, "NickServ", line),
            "CS" | "CHANSERV" => self.on_service(cx, "ChanServ", line),
            // A client without message tags can't have meant it.
            "TAGMSG" if self.caps.contains(Caps::MESSAGE_TAGS) => self.on_tag_message(cx, line),
            "REDACT" if self.caps.contains(Caps::REDACTION) => self.on_redact(cx, line),
            "BATCH" if self.caps.contains(Caps::BATCH) => self.on_batch(cx, line),
            _ => return false,
        }
        true
    }

    fn on_message(&mut self, cx: &mut Call<'_>, command: &'static str, line: &Line<'_>) {
        let quiet = command == "NOTICE";
        if self.on_batched(cx, command, line) {
            return;
        }
        let Some(targets) = line.params.at(0).filter(|targets| !targets.is_empty()) else {
            if !quiet {
                let text = format!("No recipient given ({command})");
                self.numeric(cx, Numeric::ERR_NORECIPIENT).trailing(&text);
            }
            return;
        };
        let Some(text) = line.params.at(1).filter(|text| !text.is_empty()) else {
            if !quiet {
                self.numeric(cx, Numeric::ERR_NOTEXTTOSEND).trailing("No text to send");
            }
            return;
        };
        for target in self.targets(cx, targets, quiet) {
            if playback::is_module(target) && !quiet && self.caps.contains(Caps::PLAYBACK) {
                self.on_playback(cx, text);
                continue;
            }
            // With its sender before it, it would have to be cut.
            if let State::Active(active) = &self.state
                && text.len() > wire::text_bytes_max(&active.card, command, target)
            {
                self.input_too_long(cx);
                continue;
            }
            let words = Words::of(text, quiet, self.client_tags(line));
            self.say(cx, command, target, words);
        }
    }

    /// A message to a service, by the command that clients have for it.
    fn on_service(&mut self, cx: &mut Call<'_>, service: &str, line: &Line<'_>) {
        let words: Vec<&str> = (0..).map_while(|at| line.params.at(at)).collect();
        let text = if words.is_empty() { "HELP".to_owned() } else { words.join(" ") };
        self.say(cx, "PRIVMSG", service, Words::of(&text, false, None));
    }

    /// Says something to one target.
    pub(super) fn say(&mut self, cx: &mut Call<'_>, command: &'static str, target: &str, words: Words) {
        let to = self.addressed(target);
        let target = if let To::User(name) = &to { name.clone() } else { target.into() };
        let asked = Asked::Say { command, target, quiet: command == "NOTICE" };
        let Words { text, style, tags, seams } = words;
        let echo = self.caps.contains(Caps::ECHO_MESSAGE);
        let say = Say { to, text, style, tags, seams, echo, token: Some(Token(0)), waits: false };
        self.ask(cx, asked, Command::Say(say));
    }

    /// The targets of a message, each once.
    pub(super) fn targets<'t>(&mut self, cx: &mut Call<'_>, targets: &'t str, quiet: bool) -> Targets<'t> {
        let mut all = Targets::new();
        if !targets.contains(',') {
            all.push(targets);
            return all;
        }
        for target in targets.split(',').filter(|target| !target.is_empty()) {
            if !all.contains(&target) {
                all.push(target);
            }
        }
        if let Some(beyond) = all.get(TARGETS_MAX).copied() {
            if !quiet {
                self.numeric(cx, Numeric::ERR_TOOMANYTARGETS).param(beyond).trailing("Too many targets");
            }
            all.clear();
        }
        all
    }

    /// To whom a target is: a channel that the client is on is known by its number.
    pub(super) fn addressed(&self, target: &str) -> To {
        if let (State::Active(active), true) = (&self.state, target.starts_with('#')) {
            let known = active.rooms.iter().find(|room| room.channel().eq_ignore_ascii_case(target));
            return match known {
                Some(room) => To::Room(room.id()),
                None => To::Channel(channel_name(target).to_owned()),
            };
        }
        let marks = target.len() - target.trim_start_matches(|c| modes::rank_of_mark(c).is_some()).len();
        let (marks, channel) = target.split_at(marks);
        match (marks.is_empty(), channel.strip_prefix('#')) {
            // The lowest of several ranks.
            (false, Some(name)) => {
                let ranks = marks.chars().filter_map(modes::rank_of_mark);
                To::Ranked(name.to_owned(), ranks.min().unwrap_or(Ranks::VOICE))
            }
            _ => To::User(target.into()),
        }
    }

    /// What a client's tags say to other clients: those that begin with `+`.
    pub(super) fn client_tags(&self, line: &Line<'_>) -> Option<String> {
        if !self.caps.contains(Caps::MESSAGE_TAGS) || line.tags.is_empty() {
            return None;
        }
        let kept = line.tags.as_str().split(';').filter(|tag| tag.len() > 1 && tag.starts_with('+'));
        let kept = kept.collect::<Vec<_>>().join(";");
        (!kept.is_empty()).then_some(kept)
    }

    fn on_tag_message(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(targets) = line.params.at(0).filter(|targets| !targets.is_empty()) else {
            return self.need_more(cx, "TAGMSG");
        };
        let Some(tags) = self.client_tags(line) else { return };
        let echo = self.caps.contains(Caps::ECHO_MESSAGE);
        for target in self.targets(cx, targets, false) {
            let to = self.addressed(target);
            let typing =
                line.tags.get("+typing").filter(|_| !tags.contains(';')).map(|state| match &*state {
                    "active" => Typing::Active,
                    "paused" => Typing::Paused,
                    _ => Typing::Done,
                });
            let reply = line.tags.get("+draft/reply").or_else(|| line.tags.get("+reply"));
            let reaction = line.tags.get("+draft/react").filter(|with| !with.is_empty());
            let reaction = reaction.map(|with| (with.into_owned(), reply.and_then(|id| id.parse().ok())));
            let asked = Asked::Tags { target: target.to_owned() };
            self.ask(cx, asked, Command::Tags { to, tags: tags.clone(), reaction, typing, echo });
        }
    }

    fn on_redact(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let (Some(target), Some(id)) = (line.params.at(0), line.params.at(1)) else {
            return self.need_more(cx, "REDACT");
        };
        // What is no id is nobody's.
        let message = id.parse().unwrap_or_default();
        let to = self.addressed(target);
        let reason = line.params.at(2).map(str::to_owned);
        let asked = Asked::Redact { target: target.to_owned(), id: id.to_owned() };
        // Who takes something back is told, as everybody is.
        self.ask(cx, asked, Command::Redact { to, message, reason, echo: true });
    }
}

/// A channel's name without its mark.
pub(super) fn channel_name(channel: &str) -> &str {
    channel.strip_prefix('#').unwrap_or(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_off() {
        let style = |text: &str, notice| {
            let words = Words::of(text, notice, None);
            (words.style, words.text)
        };
        assert_eq!(style("hi", false), (Style::Plain, "hi".into()));
        assert_eq!(style("hi", true), (Style::Notice, "hi".into()));
        assert_eq!(style("\u{1}ACTION waves\u{1}", false), (Style::Action, "waves".into()));
        assert_eq!(style("\u{1}VERSION", false), (Style::Request { answer: false }, "VERSION".into()));
        assert_eq!(style("\u{1}VERSION x\u{1}", true), (Style::Request { answer: true }, "VERSION x".into()));
    }
}
