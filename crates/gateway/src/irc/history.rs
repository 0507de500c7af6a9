//! The past: CHATHISTORY (IRCv3 draft/chathistory), MARKREAD (draft/read-marker) and SEARCH (soju.im/search).
#![expect(clippy::wildcard_enum_match_arm, reason = "few commands and refusals are about the past")]

use std::time::SystemTime;

use hub::{Command, EventId, Recalled, Refusal, Shared, Wanted, Window, Wish};
use proto::irc::{Line, Writer};

use super::asked::Asked;
use super::caps::Caps;
use super::{Call, IrcSession, flow, playback, wire};

/// The most events that one request is answered with (ISUPPORT: CHATHISTORY).
pub(super) const PAGE_MAX: usize = 100;
/// The most events that a client is played that wants all it has missed.
pub(super) const LIMIT_MAX: usize = 1000;
/// What a search is answered with that doesn't say how much it wants.
const SEARCH_USUAL: usize = 100;

/// A place in time that a client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reference {
    Id(EventId),
    /// Milliseconds since 1970.
    Time(u64),
}

impl Reference {
    /// `msgid=` or `timestamp=`.
    fn parse(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix("msgid=") {
            return id.parse().ok().map(Self::Id);
        }
        text.strip_prefix("timestamp=").and_then(time).map(Self::Time)
    }

    /// As the lower bound of what comes after it.
    fn after(self) -> EventId {
        match self {
            Self::Id(id) => id,
            Self::Time(ms) => EventId::last_of(ms),
        }
    }

    /// As the upper bound of what comes before it.
    fn before(self) -> EventId {
        match self {
            Self::Id(id) => id,
            Self::Time(ms) => EventId::first_of(ms),
        }
    }
}

/// A moment as `server-time` writes it: milliseconds since 1970.
fn time(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Why a request can't be understood: the code, and what is added to it.
struct Wrong(&'static str, &'static str);

impl IrcSession {
    /// Commands about the past; whether it was one.
    pub(super) fn on_history(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        match name {
            "CHATHISTORY" if self.caps.contains(Caps::CHATHISTORY) => self.on_chathistory(cx, line),
            "MARKREAD" if self.caps.contains(Caps::READ_MARKER) => self.on_mark_read(cx, line),
            "SEARCH" if self.caps.contains(Caps::SEARCH) => self.on_search(cx, line),
            "ZNC" if self.caps.contains(Caps::PLAYBACK) => self.on_znc(cx, line),
            _ => return false,
        }
        true
    }

    fn on_chathistory(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(subcommand) = line.params.at(0).filter(|word| !word.is_empty()) else {
            return self.fail(cx, "CHATHISTORY", "NEED_MORE_PARAMS", &["*"], "Missing parameters");
        };
        let upper = subcommand.to_ascii_uppercase();
        let count = match upper.as_str() {
            "LATEST" | "BEFORE" | "AFTER" | "AROUND" | "TARGETS" => 4,
            "BETWEEN" => 5,
            _ => {
                let shown: String = subcommand.chars().take(32).collect();
                return self.fail(cx, "CHATHISTORY", "UNKNOWN_COMMAND", &[&shown], "Unknown command");
            }
        };
        if line.params.at(count - 1).is_none() {
            return self.fail(cx, "CHATHISTORY", "NEED_MORE_PARAMS", &[&upper], "Missing parameters");
        }
        let wish = if upper == "TARGETS" { targets(line) } else { self.page(&upper, line) };
        match wish {
            Ok((asked, wish)) => self.ask(cx, asked, Command::Recall(wish)),
            Err(Wrong(code, text)) => {
                let target = line.params.at(1).unwrap_or_default();
                let about: &[&str] = match code {
                    "INVALID_MSGREFTYPE" if upper != "TARGETS" => {
                        &[upper.as_str(), target, line.params.at(2).unwrap_or_default()]
                    }
                    _ => &[upper.as_str()],
                };
                self.fail(cx, "CHATHISTORY", code, about, text);
            }
        }
    }

    /// What a request for a part of one history means.
    fn page(&self, subcommand: &str, line: &Line<'_>) -> Result<(Asked, Wish), Wrong> {
        let param = |at: usize| line.params.at(at).unwrap_or_default();
        let target = param(1);
        if target.is_empty() || target.contains(',') {
            return Err(Wrong("INVALID_PARAMS", "One target is needed"));
        }
        let reference = |at: usize| {
            Reference::parse(param(at))
                .ok_or(Wrong("INVALID_MSGREFTYPE", "That is no msgid and no timestamp"))
        };
        let (window, last) = match subcommand {
            "LATEST" if param(2) == "*" => (Window::Latest(EventId::default()), 3),
            "LATEST" => (Window::Latest(reference(2)?.after()), 3),
            "BEFORE" => (Window::Before(reference(2)?.before()), 3),
            "AFTER" => (Window::After(reference(2)?.after()), 3),
            "AROUND" => (Window::Around(reference(2)?.before()), 3),
            _ => {
                let (from, to) = (reference(2)?, reference(3)?);
                let window = match from.before() <= to.before() {
                    true => Window::Between(from.after(), to.before()),
                    false => Window::Between(from.before(), to.after()),
                };
                (window, 4)
            }
        };
        let limit = limit(param(last))?;
        let of = self.addressed(target);
        let all_kinds = self.caps.contains(Caps::EVENT_PLAYBACK);
        let asked = Asked::History { subcommand: subcommand.to_owned(), target: target.to_owned(), limit };
        Ok((asked, Wish::Page { of, window, limit, all_kinds }))
    }

    /// MARKREAD: asks, or says, up to when something was read (draft/read-marker).
    fn on_mark_read(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(target) = line.params.at(0).filter(|target| !target.is_empty()) else {
            return self.fail(cx, "MARKREAD", "NEED_MORE_PARAMS", &[], "Missing parameters");
        };
        let read_ms = match line.params.at(1).map(Reference::parse) {
            None => None,
            Some(Some(Reference::Time(ms))) => Some(ms),
            Some(_) => {
                let text = "A timestamp is needed";
                return self.fail(cx, "MARKREAD", "INVALID_PARAMS", &[target], text);
            }
        };
        let target: String = target.chars().take(hub::ROOM_CHARS_MAX + 1).collect();
        self.ask(cx, Asked::MarkRead, Command::MarkRead { target, read_ms });
    }

    /// Up to when something was read.
    pub(super) fn send_marker(&mut self, cx: &mut Call<'_>, target: &str, read_ms: Option<u64>) {
        if self.caps.contains(Caps::READ_MARKER) {
            let at = read_ms.map_or_else(|| "*".to_owned(), |ms| format!("timestamp={}", wire::time(ms)));
            self.server_line(cx).command("MARKREAD").param(target).param(&at).end();
        }
    }

    /// SEARCH: words of messages, with conditions written as a tag list (soju.im/search).
    fn on_search(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(attributes) = line.params.at(0).filter(|attributes| !attributes.is_empty()) else {
            return self.need_more(cx, "SEARCH");
        };
        let (mut wanted, mut of, mut limit) = (Wanted::default(), None, SEARCH_USUAL);
        for attribute in attributes.split(';').filter(|attribute| !attribute.is_empty()) {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = proto::irc::tags::unescape(value);
            let understood = match key {
                "text" => {
                    wanted.text = value.into_owned();
                    true
                }
                "in" => {
                    of = Some(self.addressed(&value));
                    !value.is_empty()
                }
                "from" => {
                    wanted.from = Some(value.into_owned());
                    true
                }
                "after" | "before" => match time(&value) {
                    Some(ms) if key == "after" => {
                        wanted.after = Some(EventId::last_of(ms));
                        true
                    }
                    Some(ms) => {
                        wanted.before = Some(EventId::first_of(ms));
                        true
                    }
                    None => false,
                },
                "limit" => value.parse().map(|wanted: usize| limit = wanted.clamp(1, PAGE_MAX)).is_ok(),
                // What is not known is passed over, as the specification has it.
                _ => true,
            };
            if !understood {
                let text = "That can't be looked for";
                return self.fail(cx, "SEARCH", "INVALID_PARAMS", &[key], text);
            }
        }
        self.ask(cx, Asked::Search, Command::Recall(Wish::Search { of, wanted, limit }));
    }

    /// What was found.
    pub(super) fn on_recalled(&mut self, cx: &mut Call<'_>, asked: &Asked, recalled: &Recalled) {
        match (asked, recalled) {
            (Asked::Playback { .. } | Asked::PlaybackList { .. }, _) => self.on_played(cx, asked, recalled),
            (Asked::History { subcommand, target, .. }, Recalled::Failed) => {
                let text = "Messages could not be retrieved";
                self.fail(cx, "CHATHISTORY", "MESSAGE_ERROR", &[subcommand, target], text);
            }
            (Asked::HistoryTargets, Recalled::Failed) => {
                let text = "Messages could not be retrieved";
                self.fail(cx, "CHATHISTORY", "MESSAGE_ERROR", &["TARGETS"], text);
            }
            (_, Recalled::Failed) => {
                self.fail(cx, "SEARCH", "INTERNAL_ERROR", &[], "Messages could not be searched");
            }
            (Asked::History { target, limit, .. }, Recalled::Events(events)) => {
                // Less than was asked for: there is no more in that direction.
                let complete = events.len() < *limit;
                self.send_batch(cx, ("chathistory", Some(target)), complete, events);
            }
            (_, Recalled::Events(events)) => {
                self.send_batch(cx, ("soju.im/search", None), false, events);
            }
            (_, Recalled::Targets(targets)) => self.send_targets(cx, targets),
            (_, Recalled::Missed(events)) => self.on_missed(cx, events),
        }
    }

    /// Events in a batch, for clients that know batches.
    pub(super) fn send_batch(
        &mut self,
        cx: &mut Call<'_>,
        (kind, target): (&str, Option<&str>),
        complete: bool,
        events: &[Shared],
    ) {
        let batch = self.caps.contains(Caps::BATCH).then(|| self.next_batch());
        let server = self.settings.irc_name.clone();
        let mut out = Vec::new();
        if let Some(name) = &batch {
            let line = Writer::new(&mut out);
            let tagged = complete && self.caps.contains(Caps::MESSAGE_TAGS);
            let line = if tagged { line.tag("draft/chathistory-end", "") } else { line };
            let line = line.source(&server).command("BATCH").param(&format!("+{name}")).param(kind);
            target.into_iter().fold(line, Writer::param).end();
        }
        for event in events {
            let lines = wire::lines(event, self.caps, None, &server);
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                match &batch {
                    // What is inside an inner batch belongs to that one.
                    Some(name) if !flow::is_inside_batch(line) && !flow::is_batch_end(line) => {
                        flow::with_tag(line, format!("batch={name}").as_bytes(), &mut out);
                    }
                    _ => out.extend_from_slice(line),
                }
            }
        }
        if let Some(name) = &batch {
            Writer::new(&mut out).source(&server).command("BATCH").param(&format!("-{name}")).end();
        }
        self.flow.sink(cx.answering, &mut cx.lines).extend_from_slice(&out);
    }

    fn send_targets(&mut self, cx: &mut Call<'_>, targets: &[(String, u64)]) {
        let batch = self.caps.contains(Caps::BATCH).then(|| self.next_batch());
        if let Some(name) = &batch {
            let line = self.server_line(cx).command("BATCH").param(&format!("+{name}"));
            line.param("draft/chathistory-targets").end();
        }
        for (target, unix_ms) in targets {
            let settings = self.settings.clone();
            let line = self.line(cx);
            let line =
                batch.iter().fold(line, |line, name| line.tag("batch", name)).source(&settings.irc_name);
            line.command("CHATHISTORY").param("TARGETS").param(target).param(&wire::time(*unix_ms)).end();
        }
        if let Some(name) = &batch {
            self.server_line(cx).command("BATCH").param(&format!("-{name}")).end();
        }
    }

    /// What this device has missed, as if it were said now; in a batch for each room where the client knows batches,
    /// and with the time before it where it doesn't know times.
    pub(super) fn on_missed(&mut self, cx: &mut Call<'_>, events: &[Shared]) {
        self.playback_replayed(events);
        let server = self.settings.irc_name.clone();
        if self.caps.contains(Caps::BATCH | Caps::SERVER_TIME) {
            let target = |event: &Shared| wire::target_of(event).unwrap_or_default();
            for events in events.chunk_by(|one, other| target(one) == target(other)) {
                let name = events.first().map(target).unwrap_or_default();
                let kind = if self.caps.contains(Caps::PLAYBACK) { playback::BATCH } else { "chathistory" };
                self.send_batch(cx, (kind, Some(&name)), false, events);
            }
            return;
        }
        for event in events {
            let lines = match self.caps.contains(Caps::SERVER_TIME) {
                true => wire::lines(event, self.caps, None, &server),
                false => wire::lines(&wire::with_time(event), self.caps, None, &server),
            };
            self.flow.sink(cx.answering, &mut cx.lines).extend_from_slice(&lines);
        }
    }

    /// A name for a batch that this client hasn't had yet.
    fn next_batch(&mut self) -> String {
        self.batches = self.batches.wrapping_add(1);
        format!("h{}", self.batches)
    }

    /// The past is refused, in the words of its specification. Whether it was that.
    pub(super) fn refuse_history(&mut self, cx: &mut Call<'_>, asked: &Asked, refusal: &Refusal) -> bool {
        match asked {
            Asked::History { subcommand, target, .. } => {
                let (code, text) = match refusal {
                    Refusal::TooFast { .. } => ("MESSAGE_ERROR", refusal.to_string()),
                    _ => ("INVALID_TARGET", "Messages could not be retrieved".to_owned()),
                };
                self.fail(cx, "CHATHISTORY", code, &[subcommand, target], &text);
            }
            Asked::HistoryTargets => {
                self.fail(cx, "CHATHISTORY", "MESSAGE_ERROR", &["TARGETS"], &refusal.to_string());
            }
            Asked::Search => self.fail(cx, "SEARCH", "INVALID_PARAMS", &["in"], &refusal.to_string()),
            Asked::Playback { .. } | Asked::PlaybackList { .. } => self.refuse_playback(cx, asked, refusal),
            _ => return false,
        }
        true
    }

    /// Whether the client takes its own message, or the answer to its label, as the word that it was heard.
    pub(super) fn relies_on_acks(&self) -> bool {
        self.caps.intersects(Caps::ECHO_MESSAGE | Caps::LABELED_RESPONSE)
    }
}

/// What a request for a list of conversations means.
fn targets(line: &Line<'_>) -> Result<(Asked, Wish), Wrong> {
    let param = |at: usize| line.params.at(at).unwrap_or_default();
    let moment = |at: usize| match Reference::parse(param(at)) {
        Some(Reference::Time(ms)) => Ok(Reference::Time(ms)),
        _ => Err(Wrong("INVALID_PARAMS", "A timestamp is needed")),
    };
    let (from, to, limit) = (moment(1)?, moment(2)?, limit(param(3))?);
    let (after, before) = match from.before() <= to.before() {
        true => (from.after(), to.before()),
        false => (from.before(), to.after()),
    };
    Ok((Asked::HistoryTargets, Wish::Targets { after, before, limit }))
}

fn limit(text: &str) -> Result<usize, Wrong> {
    match text.parse::<usize>() {
        Ok(0) | Err(_) => Err(Wrong("INVALID_PARAMS", "The limit is a number from 1 on")),
        Ok(limit) => Ok(limit.min(PAGE_MAX)),
    }
}
