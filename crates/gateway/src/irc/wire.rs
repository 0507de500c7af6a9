//! How events become lines, once for all clients that asked for the same capabilities.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hub::{
    Actor, Card, Change, Chunks, Event, Form, Kind, Namespace, RoomCard, RoomFlags, Scope, Shared, Style,
    Typing,
};
use proto::irc::{LINE_BYTES_MAX, Writer};

use super::caps::{Caps, MULTILINE_BYTES_MAX, MULTILINE_LINES_MAX};
use super::modes;
use crate::text;

/// The least room for text in a message, whatever its sender's and target's names.
const TEXT_BYTES_MIN: usize = 64;

/// How long most lines are at most that aren't messages, and the tags of one, in bytes.
const LINE_BYTES_MOSTLY: usize = 160;
const TAG_BYTES_MOSTLY: usize = 100;

/// A user's name here.
pub(super) fn nick(card: &Card) -> &str {
    card.wire_name(Namespace::Irc)
}

/// A moment as `server-time` writes it.
pub(super) fn time(unix_ms: u64) -> String {
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms)).to_string()
}

/// What of a client's capabilities makes a difference to an event's lines.
pub(super) fn that_matter(event: &Event) -> Caps {
    match &event.kind {
        Kind::Message { text, seams, .. }
            if seams.is_some() || text.has_lines() || text.as_str().len() > 300 =>
        {
            Caps::TAGS | Caps::MULTILINE
        }
        Kind::Join { away: Some(_), .. } => Caps::TAGS | Caps::EXTENDED_JOIN | Caps::AWAY_NOTIFY,
        Kind::Join { .. } => Caps::TAGS | Caps::EXTENDED_JOIN,
        Kind::Profile { .. } => Caps::TAGS | Caps::SETNAME | Caps::CHGHOST | Caps::ACCOUNT_NOTIFY,
        Kind::Message { .. }
        | Kind::Typing { .. }
        | Kind::Tags { .. }
        | Kind::Roster { .. }
        | Kind::Part { .. }
        | Kind::Quit { .. }
        | Kind::Kick { .. }
        | Kind::Invite { .. }
        | Kind::Topic { .. }
        | Kind::Modes { .. }
        | Kind::RoomRenamed { .. }
        | Kind::Rename { .. }
        | Kind::Away { .. }
        | Kind::Redact { .. }
        | Kind::Watched { .. }
        | Kind::Marker { .. }
        | Kind::Metadata { .. }
        | Kind::Announcement { .. }
        | Kind::Wallops { .. } => Caps::TAGS,
    }
}

/// An event's lines for a client with these capabilities, shared by all to whom they are the same.
pub(super) fn shared<'e>(event: &'e Shared, caps: Caps, server: &str) -> &'e [Bytes] {
    let form = caps.form(that_matter(event), 0);
    event.encoded(form, |event| chunks(lines(event, caps, None, server)))
}

/// The form of messages for a client that has them line by line.
pub(super) fn form_of_lines(caps: Caps) -> Form {
    caps.form(Caps::TAGS, 0)
}

fn chunks(lines: Vec<u8>) -> Chunks {
    if lines.is_empty() { Chunks::new() } else { Chunks::from_buf([lines.into()]) }
}

/// An event's lines. `target` is to whom something private is written, where the event doesn't tell.
pub(super) fn lines(event: &Event, caps: Caps, target: Option<&str>, server: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let write = Write { event, caps, server };
    write.kind(target, &mut out);
    out
}

/// What all lines of an event have in common.
struct Write<'e> {
    event: &'e Event,
    caps: Caps,
    server: &'e str,
}

impl Write<'_> {
    /// A line with the event's tags and its author.
    fn by<'b>(&self, who: &Card, out: &'b mut Vec<u8>) -> Writer<'b> {
        self.tagged(Some(who), true, None, out).user(nick(who), who.username(), who.host())
    }

    fn actor<'b>(&self, who: &Actor, out: &'b mut Vec<u8>) -> Writer<'b> {
        match who {
            Actor::User(who) => self.by(who, out),
            Actor::Server => self.tagged(None, true, None, out).source(self.server),
        }
    }

    fn tagged<'b>(
        &self,
        who: Option<&Card>,
        id: bool,
        client: Option<&str>,
        out: &'b mut Vec<u8>,
    ) -> Writer<'b> {
        let mut line = Writer::new(out);
        if self.caps.contains(Caps::SERVER_TIME) {
            line = line.tag("time", &time(self.event.unix_ms));
        }
        if self.caps.contains(Caps::MESSAGE_TAGS) {
            if id {
                line = line.tag("msgid", &self.event.id.to_string());
            }
            if who.is_some_and(Card::is_bot) {
                line = line.tag("bot", "");
            }
        }
        if self.caps.contains(Caps::ACCOUNT_TAG)
            && let Some(account) = who.and_then(Card::account)
        {
            line = line.tag("account", account);
        }
        match client {
            Some(client) if self.caps.contains(Caps::MESSAGE_TAGS) => line.raw_tags(client),
            _ => line,
        }
    }

    fn kind(&self, target: Option<&str>, out: &mut Vec<u8>) {
        if !self.event.is_message() {
            out.reserve(LINE_BYTES_MOSTLY);
        }
        match &self.event.kind {
            Kind::Message { from, scope, text, style, tags, seams } => {
                let said =
                    Said { from, style: *style, tags: tags.as_deref(), target: &self::target(scope, target) };
                self.message(&said, (text.as_str(), seams.as_deref().unwrap_or_default()), out);
            }
            Kind::Typing { from, scope, state } => {
                let state = match state {
                    Typing::Active => "+typing=active",
                    Typing::Paused => "+typing=paused",
                    Typing::Done => "+typing=done",
                };
                self.tag_message(from, scope, target, state, out);
            }
            Kind::Tags { from, scope, tags, reaction: _ } => self.tag_message(from, scope, target, tags, out),
            Kind::Join { who, away, room } => self.join(who, away.as_deref(), room, out),
            Kind::Part { who, room, reason } => {
                let line = self.by(who, out).command("PART").param(room.channel());
                ended(line, reason.as_deref());
            }
            Kind::Quit { who, reason } => self.by(who, out).command("QUIT").trailing(reason),
            Kind::Kick { by, whom, room, reason } => {
                let line = self.actor(by, out).command("KICK").param(room.channel()).param(nick(whom));
                let default = match by {
                    Actor::User(by) => nick(by),
                    Actor::Server => self.server,
                };
                line.trailing(reason.as_deref().unwrap_or(default));
            }
            Kind::Invite { by, whom, room } => {
                self.by(by, out).command("INVITE").param(nick(whom)).trailing(room.channel());
            }
            Kind::Topic { by, room, topic } => {
                let line = self.actor(by, out).command("TOPIC").param(room.channel());
                line.trailing(topic.as_deref().unwrap_or_default());
            }
            Kind::Modes { by, room, changes } => {
                for (letters, params) in modes::written(changes) {
                    let line = self.actor(by, out).command("MODE").param(room.channel()).param(&letters);
                    params.iter().fold(line, |line, param| line.param(param)).end();
                }
            }
            Kind::RoomRenamed { by, before, after, reason } => {
                let line =
                    self.actor(by, out).command("RENAME").param(before.channel()).param(after.channel());
                line.trailing(reason.as_deref().unwrap_or_default());
            }
            Kind::Rename { before, after } => self.by(before, out).command("NICK").trailing(nick(after)),
            Kind::Profile { before, after } => self.profile(before, after, out),
            Kind::Away { who, message } => ended(self.by(who, out).command("AWAY"), message.as_deref()),
            Kind::Redact { by, scope, message, reason } => {
                let target = self::target(scope, target);
                let line = self.by(by, out).command("REDACT").param(&target).param(&message.to_string());
                ended(line, reason.as_deref());
            }
            // Not from somebody: it is the server that speaks to this operator.
            Kind::Wallops { by: by @ Actor::Server, text } => {
                self.actor(by, out).command("NOTICE").param(target.unwrap_or("*")).trailing(text);
            }
            Kind::Announcement { from: _, text } => {
                self.announcement(target.unwrap_or("*"), text.as_str(), out);
            }
            Kind::Wallops { by, text } => self.actor(by, out).command("WALLOPS").trailing(text),
            // Written for each client.
            Kind::Roster { .. } | Kind::Watched { .. } | Kind::Metadata { .. } | Kind::Marker { .. } => {}
        }
    }

    /// The server's own words, in as many lines as they take.
    fn announcement(&self, target: &str, text: &str, out: &mut Vec<u8>) {
        let around = ": NOTICE  :\r\n".len() + self.server.len() + target.len();
        let most = LINE_BYTES_MAX.saturating_sub(around).max(TEXT_BYTES_MIN);
        let mut is_first = true;
        for line in text::lines(text) {
            for piece in text::split(&text::plain(line), most, char::len_utf8) {
                let line = self.tagged(None, is_first, None, out).source(self.server);
                line.command("NOTICE").param(target).trailing(piece);
                is_first = false;
            }
        }
    }

    fn join(&self, who: &Card, away: Option<&str>, room: &RoomCard, out: &mut Vec<u8>) {
        let line = self.by(who, out).command("JOIN").param(room.channel());
        if self.caps.contains(Caps::EXTENDED_JOIN) {
            line.param(who.account().unwrap_or("*")).trailing(who.real_name());
        } else {
            line.end();
        }
        if let (Some(away), true) = (away, self.caps.contains(Caps::AWAY_NOTIFY)) {
            self.by(who, out).command("AWAY").trailing(away);
        }
    }

    fn profile(&self, before: &Card, after: &Card, out: &mut Vec<u8>) {
        if before.real_name() != after.real_name() && self.caps.contains(Caps::SETNAME) {
            self.by(before, out).command("SETNAME").trailing(after.real_name());
        }
        let moved = (before.username(), before.host()) != (after.username(), after.host());
        if moved && self.caps.contains(Caps::CHGHOST) {
            self.by(before, out).command("CHGHOST").param(after.username()).param(after.host()).end();
        }
        if before.account() != after.account() && self.caps.contains(Caps::ACCOUNT_NOTIFY) {
            self.by(after, out).command("ACCOUNT").param(after.account().unwrap_or("*")).end();
        }
    }

    fn tag_message(&self, from: &Card, scope: &Scope, to: Option<&str>, tags: &str, out: &mut Vec<u8>) {
        let line = self.tagged(Some(from), true, Some(tags), out);
        let line = line.user(nick(from), from.username(), from.host());
        line.command("TAGMSG").param(&target(scope, to)).end();
    }

    /// A message in as many lines as it takes.
    fn message(&self, said: &Said<'_>, (text, seams): (&str, &[usize]), out: &mut Vec<u8>) {
        let most = said.text_bytes_max();
        if text.len() <= most && seams.is_empty() && memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none()
        {
            // Without tags it is known how long the line gets: bytes that fill their memory are shared without taking more.
            let untagged = LINE_BYTES_MAX - most + text.len();
            match self.caps.intersects(Caps::TAGS) {
                true => out.reserve(untagged + TAG_BYTES_MOSTLY),
                false => out.reserve_exact(untagged),
            }
            return said.line(self.tagged(Some(said.from), true, said.tags, out), text);
        }
        if self.caps.contains(Caps::MULTILINE) && said.fits_batch(text) {
            return self.multiline(said, (text, seams), most, out);
        }
        let lines = lines_at_seams(text, seams).map(|(_, line)| line).filter(|line| !line.trim().is_empty());
        let pieces = lines.flat_map(|line| text::split(line, most, char::len_utf8));
        for (index, piece) in pieces.enumerate() {
            // Only the first of them is the message; the others come after it.
            said.line(self.tagged(Some(said.from), index == 0, said.tags, out), piece);
        }
    }

    /// A message as a batch of lines (draft/multiline).
    fn multiline(&self, said: &Said<'_>, (text, seams): (&str, &[usize]), most: usize, out: &mut Vec<u8>) {
        let from = said.from;
        let name = format!("m{}", self.event.id);
        let line =
            self.tagged(Some(from), true, said.tags, out).user(nick(from), from.username(), from.host());
        line.command("BATCH").param(&format!("+{name}")).param("draft/multiline").param(said.target).end();
        for (joined, line) in lines_at_seams(text, seams) {
            let mut rest = line;
            loop {
                // Cut between characters, wherever that is: put together again nothing is lost.
                let end = rest.floor_char_boundary(most.min(rest.len()));
                let (piece, after) = rest.split_at(end);
                let mut writer = Writer::new(out).tag("batch", &name);
                if joined || rest.len() < line.len() {
                    writer = writer.tag("draft/multiline-concat", "");
                }
                said.line(writer, piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
        }
        let line = Writer::new(out).user(nick(from), from.username(), from.host());
        line.command("BATCH").param(&format!("-{name}")).end();
    }
}

/// A text's lines, cut at the seams too; whether each goes on where the one before it ended.
fn lines_at_seams<'t>(text: &'t str, seams: &[usize]) -> impl Iterator<Item = (bool, &'t str)> {
    let mut rest = Some((false, 0));
    std::iter::from_fn(move || {
        let (joined, start) = rest?;
        let after = text.get(start..)?;
        let end = after.find('\n').map(|at| start + at);
        let seam = seams.iter().copied().find(|seam| *seam > start && text.is_char_boundary(*seam));
        let (end, next) = match (seam, end) {
            (Some(seam), end) if seam < end.unwrap_or(text.len()) => (seam, Some((true, seam))),
            (_, Some(end)) => (end, Some((false, end + 1))),
            (_, None) => (text.len(), None),
        };
        rest = next;
        Some((joined, text.get(start..end)?.trim_end_matches('\r')))
    })
}

/// What the lines of a message have in common.
struct Said<'s> {
    from: &'s Card,
    style: Style,
    tags: Option<&'s str>,
    target: &'s str,
}

impl Said<'_> {
    fn command(&self) -> &'static str {
        match self.style {
            Style::Plain | Style::Bare | Style::Action | Style::Request { answer: false } => "PRIVMSG",
            Style::Notice | Style::Request { answer: true } => "NOTICE",
        }
    }

    /// What goes around the text.
    fn marks(&self) -> (&'static str, &'static str) {
        match self.style {
            Style::Plain | Style::Bare | Style::Notice => ("", ""),
            Style::Action => ("\u{1}ACTION ", "\u{1}"),
            Style::Request { .. } => ("\u{1}", "\u{1}"),
        }
    }

    fn text_bytes_max(&self) -> usize {
        let (before, after) = self.marks();
        let room = text_bytes_max(self.from, self.command(), self.target);
        room.saturating_sub(before.len() + after.len()).max(TEXT_BYTES_MIN)
    }

    fn fits_batch(&self, text: &str) -> bool {
        matches!(self.style, Style::Plain | Style::Bare | Style::Notice)
            && text.len() <= MULTILINE_BYTES_MAX
            && text.split('\n').count() <= MULTILINE_LINES_MAX
    }

    fn line(&self, line: Writer<'_>, text: &str) {
        let (before, after) = self.marks();
        line.user(nick(self.from), self.from.username(), self.from.host())
            .command(self.command())
            .param(self.target)
            .trailing_parts([before, text, after]);
    }
}

/// Where a message was said, or to whom, as IRC writes it.
pub(super) fn target_of(event: &Event) -> Option<String> {
    let (Kind::Message { scope, .. } | Kind::Tags { scope, .. }) = &event.kind else { return None };
    Some(target(scope, None).into_owned())
}

/// A message of the past whose text begins with when it was said.
pub(super) fn with_time(event: &Event) -> Event {
    let mut kind = Kind::Roster { present: Vec::new() };
    if let Kind::Message { from, scope, text, style, tags, .. } = &event.kind {
        let at = time(event.unix_ms);
        let minute = at.get(..16).unwrap_or_default().replace('T', " ");
        let text = hub::Text::kept(&format!("[{minute}] {}", text.as_str()));
        let (from, scope, tags) = (from.clone(), scope.clone(), tags.clone());
        kind = Kind::Message { from, scope, text, style: *style, tags, seams: None };
    }
    Event { id: event.id, unix_ms: event.unix_ms, by: event.by, kind }
}

/// How many bytes of text a line to others has room for.
pub(super) fn text_bytes_max(from: &Card, command: &str, target: &str) -> usize {
    // ":nick!user@host COMMAND target :" and the end.
    let names = nick(from).len() + from.username().len() + from.host().len();
    LINE_BYTES_MAX.saturating_sub(9 + names + command.len() + target.len())
}

/// What stands where the target of a message stands.
fn target<'s>(scope: &'s Scope, private: Option<&'s str>) -> Cow<'s, str> {
    match scope {
        Scope::Room(room) => room.channel().into(),
        Scope::Ranked { room, least } => {
            let mark = modes::prefixes(*least).next().map(|(_, mark)| mark);
            mark.into_iter().chain(room.channel().chars()).collect()
        }
        Scope::Private { to, .. } => private.or(to.as_deref().map(nick)).unwrap_or("*").into(),
    }
}

fn ended(line: Writer<'_>, text: Option<&str>) {
    match text {
        Some(text) => line.trailing(text),
        None => line.end(),
    }
}

/// The flags of a room as letters.
pub(super) fn flag_letters(flags: RoomFlags) -> String {
    modes::FLAGS.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(letter, _)| *letter).collect()
}

/// What a change looks like: its sign, its letter, its parameter.
pub(super) fn change(change: &Change) -> (bool, char, Option<String>) {
    match change {
        Change::Flags(flag, on) => (*on, modes::flag_letter(*flag), None),
        Change::Key(key) => (key.is_some(), 'k', Some(key.as_deref().unwrap_or("*").to_owned())),
        Change::Limit(limit) => (limit.is_some(), 'l', limit.map(|limit| limit.to_string())),
        Change::Slow(slow_s) => (slow_s.is_some(), 'S', slow_s.map(|slow_s| slow_s.to_string())),
        Change::Rank { rank, whom, given } => {
            (*given, modes::rank_letter(*rank), Some(nick(whom).to_owned()))
        }
        Change::Mask { list, mask, added } => (*added, modes::list_letter(*list), Some(mask.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_seams() {
        let lines = |text, seams: &[usize]| lines_at_seams(text, seams).collect::<Vec<_>>();
        assert_eq!(lines("a", &[]), [(false, "a")]);
        assert_eq!(lines("", &[]), [(false, "")]);
        assert_eq!(lines("a\nbc\r\n", &[3]), [(false, "a"), (false, "b"), (true, "c"), (false, "")]);
        assert_eq!(lines("ab", &[1, 1, 9]), [(false, "a"), (true, "b")]);
    }
}
