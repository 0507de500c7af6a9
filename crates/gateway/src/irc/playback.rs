//! The past for clients that ask for it as they ask ZNC's playback module (znc.in/playback, <https://wiki.znc.in/Playback>).
//!
//! Such a client knows itself what it has, and asks for what came after. It hears what happens while it asks, too: so
//! nothing is played that it was shown as it happened.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hub::{
    Command, EventId, Kind, Now, Party, Recalled, Refusal, RoomCard, RoomId, Scope, Shared, Window, Wish,
};
use proto::irc::{Line, Numeric};

use super::asked::Asked;
use super::caps::Caps;
use super::history::LIMIT_MAX;
use super::{Call, IrcSession, State, wire};

/// The name of the module, which nobody else can have.
const MODULE: &str = "*playback";
/// The type of the batches in which it is played.
pub(super) const BATCH: &str = "znc.in/playback";
/// How long a request holds for rooms that the client comes into after it: some ask first.
const REMEMBERED: Duration = Duration::from_secs(30);
const USAGE: &str = "PLAY <targets with commas, or *> [from [to]] | LIST [target] | CLEAR <target> (times in seconds since 1970)";

/// What a client was shown as it happened, and what it still wants.
#[derive(Debug, Default)]
pub(super) struct Playback {
    /// From when on it was shown what was written to it.
    came: EventId,
    /// The same for the rooms that it is in.
    joined: BTreeMap<RoomId, EventId>,
    wanted: Option<Wanted>,
    /// What it has asked for and what isn't looked up yet: one after the other, so that each answer is known.
    waiting: VecDeque<Part>,
    /// Whether something is being looked up for it.
    is_asking: bool,
}

/// Something to play.
#[derive(Debug)]
struct Part {
    /// Where; none: everywhere.
    target: Option<String>,
    span: Span,
}

/// A request that holds for a while.
#[derive(Debug)]
struct Wanted {
    /// Names of rooms; none: all.
    rooms: Vec<String>,
    span: Span,
    until: Instant,
}

/// What lies between two events, neither of them included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    after: EventId,
    before: EventId,
}

impl Span {
    /// Times as ZNC takes them: after `from`, up to and with `to`.
    fn parse(from: Option<&str>, to: Option<&str>) -> Option<Self> {
        let after = match from {
            Some(from) => match moment(from)? {
                0 => EventId::default(),
                ms => EventId::last_of(ms),
            },
            None => EventId::default(),
        };
        let before = match to {
            Some(to) => EventId::first_of(moment(to)?.saturating_add(1)),
            None => EventId::LAST,
        };
        Some(Self { after, before })
    }

    /// The latest of it; `None` if nothing can be in it.
    fn window(self) -> Option<Window> {
        (self.before > self.after).then_some(Window::Between(self.before, self.after))
    }
}

/// Seconds since 1970, with any number of decimals: milliseconds. What is earlier is 1970.
fn moment(text: &str) -> Option<u64> {
    let (digits, is_early) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let (seconds, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    if !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: u64 = seconds.parse().ok()?;
    let thousandths = decimals.bytes().chain(*b"000").take(3);
    let ms = thousandths.fold(0, |ms, digit| ms * 10 + u64::from(digit - b'0'));
    Some(if is_early { 0 } else { seconds.saturating_mul(1000).saturating_add(ms) })
}

/// Whether a message to this target is a request.
pub(super) fn is_module(target: &str) -> bool {
    target.eq_ignore_ascii_case(MODULE)
}

impl IrcSession {
    /// The client is registered.
    pub(super) fn playback_begins(&mut self, now: Now) {
        if self.caps.contains(Caps::PLAYBACK) {
            let came = EventId::first_of(now.unix_ms.saturating_add(1));
            self.playback = Some(Box::new(Playback { came, ..Playback::default() }));
        }
    }

    /// Remembers since when the client is shown what happens where.
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else changes what a client is shown")]
    pub(super) fn playback_follows(&mut self, event: &Shared) {
        let (Some(playback), State::Active(active)) = (&mut self.playback, &self.state) else { return };
        let me = active.card.user();
        match &event.kind {
            Kind::Join { who, room, .. } if who.user() == me => {
                playback.joined.insert(room.id(), event.id);
            }
            Kind::Part { who: whom, room, .. } | Kind::Kick { whom, room, .. } if whom.user() == me => {
                playback.joined.remove(&room.id());
            }
            // What is written to an account is the client's from here on.
            Kind::Profile { before, after } if after.user() == me && before.account() != after.account() => {
                playback.came = event.id;
            }
            _ => {}
        }
    }

    /// ZNC: the same as a message to a module.
    pub(super) fn on_znc(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(module) = line.params.at(0).filter(|module| !module.is_empty()) else {
            return self.need_more(cx, "ZNC");
        };
        if !is_module(module) {
            return self.numeric(cx, Numeric::ERR_NOSUCHNICK).param(module).trailing("No such module");
        }
        let words: Vec<&str> = (1..).map_while(|at| line.params.at(at)).collect();
        self.on_playback(cx, &words.join(" "));
    }

    /// What the module is asked.
    pub(super) fn on_playback(&mut self, cx: &mut Call<'_>, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let verb = words.first().map(|verb| verb.to_ascii_uppercase()).unwrap_or_default();
        match (verb.as_str(), words.get(1..).unwrap_or(&[])) {
            ("PLAY", [targets, times @ ..]) if times.len() <= 2 => {
                match Span::parse(times.first().copied(), times.get(1).copied()) {
                    Some(span) => self.play(cx, targets, span),
                    None => self.module_line(cx, "NOTICE", USAGE),
                }
            }
            ("LIST", targets) if targets.len() <= 1 => {
                let target =
                    targets.first().filter(|target| **target != "*").map(|target| (*target).to_owned());
                let (after, before) = (EventId::default(), EventId::LAST);
                let wish = Wish::Targets { after, before, limit: LIMIT_MAX };
                self.ask(cx, Asked::PlaybackList { target }, Command::Recall(wish));
            }
            // There is no copy of the past that is this client's own, and what others may still read stays.
            ("CLEAR", [_]) => {}
            _ => self.module_line(cx, "NOTICE", USAGE),
        }
    }

    fn play(&mut self, cx: &mut Call<'_>, targets: &str, span: Span) {
        let mut names: Vec<&str> = Vec::new();
        for name in targets.split(',').filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name);
            }
        }
        if names.contains(&"*") {
            self.remember(cx.now, Vec::new(), span);
            return self.play_part(cx, None, span);
        }
        let mut later: Vec<String> = Vec::new();
        for name in names {
            let State::Active(active) = &self.state else { return };
            let room = active.rooms.iter().find(|room| room.channel().eq_ignore_ascii_case(name));
            match room.map(|room| room.channel().to_owned()) {
                Some(room) => self.play_part(cx, Some(room), span),
                None if name.starts_with('#') => later.push(name.to_owned()),
                None => self.play_part(cx, Some(name.to_owned()), span),
            }
        }
        if !later.is_empty() {
            self.remember(cx.now, later, span);
        }
    }

    /// What is known of the client, if it asks for the capability only after its registration.
    fn playback(&mut self) -> &mut Playback {
        self.playback.get_or_insert_with(|| Box::new(Playback { came: EventId::LAST, ..Playback::default() }))
    }

    fn remember(&mut self, now: Now, rooms: Vec<String>, span: Span) {
        self.playback().wanted = Some(Wanted { rooms, span, until: now.at + REMEMBERED });
    }

    /// The client is in a room now: plays what it asked for before.
    pub(super) fn play_joined(&mut self, cx: &mut Call<'_>, room: &RoomCard) {
        let Some(wanted) = self.playback.as_ref().and_then(|playback| playback.wanted.as_ref()) else {
            return;
        };
        let is_meant = |name: &String| name.eq_ignore_ascii_case(room.channel());
        if cx.now.at <= wanted.until && (wanted.rooms.is_empty() || wanted.rooms.iter().any(is_meant)) {
            let span = wanted.span;
            self.play_part(cx, Some(room.channel().to_owned()), span);
        }
    }

    fn play_part(&mut self, cx: &mut Call<'_>, target: Option<String>, span: Span) {
        self.playback().waiting.push_back(Part { target, span });
        self.play_next(cx);
    }

    /// Has the next part looked up, unless one is.
    fn play_next(&mut self, cx: &mut Call<'_>) {
        while let Some(part) = self.next_part() {
            let until = match &part.target {
                Some(target) => self.shown_since(target),
                None => self.shown_since_anywhere(),
            };
            let span = Span { before: part.span.before.min(until), ..part.span };
            let Some(window) = span.window() else { continue };
            let all_kinds = self.caps.contains(Caps::EVENT_PLAYBACK);
            let wish = match &part.target {
                Some(target) => {
                    Wish::Page { of: self.addressed(target), window, limit: LIMIT_MAX, all_kinds }
                }
                None => Wish::Everything { window, limit: LIMIT_MAX, all_kinds },
            };
            self.playback().is_asking = true;
            return self.ask(cx, Asked::Playback { target: part.target }, Command::Recall(wish));
        }
    }

    fn next_part(&mut self) -> Option<Part> {
        self.playback.as_mut().filter(|playback| !playback.is_asking)?.waiting.pop_front()
    }

    /// A part is played or refused.
    fn part_is_done(&mut self, cx: &mut Call<'_>) {
        if let Some(playback) = &mut self.playback {
            playback.is_asking = false;
        }
        self.play_next(cx);
    }

    /// From when on the client was shown what was said in a room or written by somebody.
    fn shown_since(&self, target: &str) -> EventId {
        let (Some(playback), State::Active(active)) = (&self.playback, &self.state) else {
            return EventId::LAST;
        };
        if !target.starts_with('#') {
            return playback.came;
        }
        let room = active.rooms.iter().find(|room| room.channel().eq_ignore_ascii_case(target));
        room.and_then(|room| playback.joined.get(&room.id())).copied().unwrap_or(EventId::LAST)
    }

    /// From when on it was shown everything.
    fn shown_since_anywhere(&self) -> EventId {
        let playback = self.playback.as_ref();
        playback.map_or(EventId::LAST, |playback| {
            playback.joined.values().copied().fold(playback.came, EventId::max)
        })
    }

    /// The client was shown what it had missed, though it didn't ask for it.
    pub(super) fn playback_replayed(&mut self, events: &[Shared]) {
        let Some(playback) = &mut self.playback else { return };
        for event in events {
            let since = match scope(event) {
                Some(Scope::Room(room)) => playback.joined.get_mut(&room.id()),
                _ => Some(&mut playback.came),
            };
            if let Some(since) = since {
                *since = event.id.min(*since);
            }
        }
    }

    /// What was found.
    pub(super) fn on_played(&mut self, cx: &mut Call<'_>, asked: &Asked, recalled: &Recalled) {
        match (asked, recalled) {
            (Asked::Playback { target: Some(target) }, Recalled::Events(events)) => {
                // Meanwhile it may have been shown something of it.
                let since = self.shown_since(target);
                let events: Vec<Shared> = events.iter().filter(|event| event.id < since).cloned().collect();
                self.send_played(cx, target, &events);
            }
            (_, Recalled::Events(events)) => {
                for (target, events) in self.sorted(events) {
                    self.send_played(cx, &target, &events);
                }
            }
            (Asked::PlaybackList { target: wanted }, Recalled::Targets(targets)) => {
                let is_wanted =
                    |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
                for (name, ms) in targets.iter().filter(|(name, _)| is_wanted(name)) {
                    // From when on there is something isn't told: one can ask for all.
                    let text = format!("{name} 0 {}.{:03}", ms / 1000, ms % 1000);
                    self.module_line(cx, "PRIVMSG", &text);
                }
            }
            (_, Recalled::Targets(_) | Recalled::Missed(_)) => {}
            (_, Recalled::Failed) => self.module_line(cx, "NOTICE", "Messages could not be retrieved"),
        }
        if let Asked::Playback { .. } = asked {
            self.part_is_done(cx);
        }
    }

    fn send_played(&mut self, cx: &mut Call<'_>, target: &str, events: &[Shared]) {
        if !events.is_empty() {
            self.send_batch(cx, (BATCH, Some(target)), false, events);
        }
    }

    /// Events by where they were said, rooms first, without what the client was shown.
    fn sorted(&self, events: &[Shared]) -> Vec<(String, Vec<Shared>)> {
        let mut places: Vec<(String, Vec<Shared>)> = Vec::new();
        for event in events {
            let Some(name) = self.place(event) else { continue };
            if event.id >= self.shown_since(&name) {
                continue;
            }
            match places.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some((_, events)) => events.push(event.clone()),
                None => places.push((name, vec![event.clone()])),
            }
        }
        places.sort_by_key(|(name, _)| !name.starts_with('#'));
        places
    }

    /// Where something was said, as the client addresses that place.
    fn place(&self, event: &Shared) -> Option<String> {
        let State::Active(active) = &self.state else { return None };
        let (from, to) = match (scope(event), &event.kind) {
            (Some(Scope::Room(room) | Scope::Ranked { room, .. }), _) | (None, Kind::Topic { room, .. }) => {
                return Some(room.channel().to_owned());
            }
            (Some(Scope::Private { to, .. }), Kind::Message { from, .. } | Kind::Tags { from, .. }) => {
                (from, to)
            }
            (Some(Scope::Private { to, .. }), Kind::Redact { by, .. }) => (by, to),
            _ => return None,
        };
        let other = match to {
            Some(to) if Party::of(from) == Party::of(&active.card) => to,
            _ => from,
        };
        Some(wire::nick(other).to_owned())
    }

    /// It is refused. Of rooms and people that aren't there nothing is played, and that is all.
    pub(super) fn refuse_playback(&mut self, cx: &mut Call<'_>, asked: &Asked, refusal: &Refusal) {
        let is_nowhere = matches!(
            refusal,
            Refusal::NotInRoom
                | Refusal::NoSuchRoom { .. }
                | Refusal::RoomMalformed { .. }
                | Refusal::NoSuchUser { .. }
        );
        if !is_nowhere {
            self.module_line(cx, "NOTICE", &refusal.to_string());
        }
        if let Asked::Playback { .. } = asked {
            self.part_is_done(cx);
        }
    }

    /// A line in the module's name.
    fn module_line(&mut self, cx: &mut Call<'_>, command: &'static str, text: &str) {
        let target = self.target();
        self.line(cx).user(MODULE, "znc", "znc.in").command(command).param(&target).trailing(text);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is kept")]
fn scope(event: &Shared) -> Option<&Scope> {
    match &event.kind {
        Kind::Message { scope, .. } | Kind::Tags { scope, .. } | Kind::Redact { scope, .. } => Some(scope),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds_with_decimals() {
        assert_eq!(moment("0"), Some(0));
        assert_eq!(moment("1700000000"), Some(1_700_000_000_000));
        assert_eq!(moment("1700000000."), Some(1_700_000_000_000));
        assert_eq!(moment("1700000000.1"), Some(1_700_000_000_100));
        assert_eq!(moment("1700000000.123456"), Some(1_700_000_000_123));
        assert_eq!(moment("-62135596800.000"), Some(0));
        assert_eq!(moment("99999999999999999999"), None);
        assert_eq!(moment("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "-", "x", "1e9", "1.x", ".5x", "1.2.3", "+5 "] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_span_is_after_one_moment_and_up_to_another() {
        let span = Span::parse(Some("1"), Some("2.5")).unwrap();
        assert_eq!(span, Span { after: EventId::last_of(1000), before: EventId::first_of(2501) });
        let window = Window::Between(EventId::first_of(2501), EventId::last_of(1000));
        assert_eq!(span.window(), Some(window));
        assert_eq!(Span::parse(Some("2"), Some("1")).unwrap().window(), None);
        assert_eq!(Span::parse(None, None), Some(Span { after: EventId::default(), before: EventId::LAST }));
        assert_eq!(Span::parse(Some("x"), None), None);
    }
}
