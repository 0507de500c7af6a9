//! What happens, and what the hub answers, as the client is told.

use bytes::Bytes;
use hub::{Actor, Answer, Command, Kind, News, Outcome, Query, Recalled, Reply, Scope, Shared};
use proto::irc::Numeric;

use super::asked::Asked;
use super::caps::Caps;
use super::{Active, Call, IrcSession, State, wire};
use crate::{Carrier, Close};

/// What a client is told instead of being told that it was heard.
const NOT_KEPT: &str = "It was handed out, but it can't be kept now";

/// What becomes of an event.
enum Verdict {
    /// It goes out in the shared form.
    Shared,
    /// It goes out for this client alone, who is its target.
    Own,
    /// Both: the client wrote to itself.
    Both,
    Nothing,
}

impl IrcSession {
    /// Something has happened.
    pub(super) fn on_happened(&mut self, cx: &mut Call<'_>, event: &Shared) {
        let State::Active(active) = &mut self.state else { return };
        let mine = event.by == Some(active.session);
        let verdict = match mine && event.is_not_kept() {
            // Its echo would be a promise.
            true => verdict_not_kept(active, event),
            false => verdict(active, self.caps, mine, event),
        };
        follow(active, event);
        self.playback_follows(event);
        // What answers a labeled command goes with its answer.
        let gathered = mine && self.flow.is_labeled();
        if let Kind::Metadata { of, by, key, value } = &event.kind {
            return self.on_metadata_event(cx, of, by, (key, value.as_deref()));
        }
        if let Kind::Marker { target, read_ms } = &event.kind {
            return self.send_marker(cx, target, Some(*read_ms));
        }
        if let Kind::Watched { who, news } = &event.kind {
            return self.on_watched(cx, event, who, news);
        }
        if let Kind::RoomRenamed { before, after, reason, .. } = &event.kind
            && !self.caps.contains(Caps::CHANNEL_RENAME)
        {
            let (before, after) = (before.channel().to_owned(), after.channel().to_owned());
            // To the client it is the same name (ISUPPORT: CASEMAPPING).
            if before.eq_ignore_ascii_case(&after) {
                return;
            }
            return self.on_room_renamed(cx, &before, &after, reason.as_deref());
        }
        let server = self.settings.irc_name.clone();
        let own = |session: &Self| -> Bytes {
            let target = session.target();
            wire::lines(event, session.caps, Some(&target), &server).into()
        };
        let mut all: Vec<Bytes> = Vec::new();
        match verdict {
            Verdict::Nothing => {}
            Verdict::Shared => all.extend_from_slice(wire::shared(event, self.caps, &server)),
            Verdict::Own => all.push(own(self)),
            Verdict::Both => {
                all.push(own(self));
                all.extend_from_slice(wire::shared(event, self.caps, &server));
            }
        }
        let comes_in = |who: &hub::Card| !mine && self.is_me(who);
        let shown_around = if let Kind::Join { who, room, .. } = &event.kind {
            comes_in(who).then(|| room.clone())
        } else {
            None
        };
        if gathered {
            // What the client wrote to itself is no answer; its echo is.
            if all.len() > 1 {
                let first = all.remove(0);
                cx.lines.extend_from_slice(&first);
            }
            let sink = self.flow.sink(true, &mut cx.lines);
            all.iter().for_each(|lines| sink.extend_from_slice(lines));
        } else {
            self.flush(cx);
            all.iter().for_each(|lines| self.send(lines, cx.out));
        }
        // Another device of this user has come into a room, or this one has come to it: it is shown around.
        if let Some(room) = shown_around {
            self.show_around(cx, room.channel().to_owned());
        }
    }

    /// The lines of a message that is nothing but that to the client: none if it is its own and it wants no echo.
    pub(super) fn ready_message<'e>(&self, event: &'e Shared) -> Option<&'e [Bytes]> {
        let (State::Active(active), Carrier::Stream) = (&self.state, self.carrier) else { return None };
        if !matches!(event.kind, Kind::Message { .. }) {
            return None;
        }
        let mine = event.by == Some(active.session);
        if mine && (self.flow.is_labeled() || event.is_not_kept()) {
            return None;
        }
        match verdict(active, self.caps, mine, event) {
            Verdict::Shared => Some(wire::shared(event, self.caps, &self.settings.irc_name)),
            Verdict::Nothing => Some(&[]),
            Verdict::Own | Verdict::Both => None,
        }
    }

    fn is_me(&self, who: &hub::Card) -> bool {
        matches!(&self.state, State::Active(active) if active.card.user() == who.user())
    }

    /// Shows a room that the client hasn't asked for itself.
    fn show_around(&mut self, cx: &mut Call<'_>, channel: String) {
        let name = super::messages::channel_name(&channel).to_owned();
        self.ask(cx, Asked::Rejoin { channel: channel.clone() }, Command::Ask(Query::Room(name.clone())));
        if !self.caps.contains(Caps::NO_IMPLICIT_NAMES) {
            self.ask(cx, Asked::Names { channel }, Command::Ask(Query::Members(name)));
        }
    }

    /// The client knows no word for a room's new name: it is shown that it has left the one and come into the other.
    fn on_room_renamed(&mut self, cx: &mut Call<'_>, before: &str, after: &str, reason: Option<&str>) {
        let State::Active(active) = &self.state else { return };
        let card = active.card.clone();
        let me = (wire::nick(&card), card.username(), card.host());
        let reason = reason.unwrap_or("Channel renamed");
        self.line(cx).user(me.0, me.1, me.2).command("PART").param(before).trailing(reason);
        let extended = self.caps.contains(Caps::EXTENDED_JOIN);
        let line = self.line(cx).user(me.0, me.1, me.2).command("JOIN").param(after);
        if extended {
            line.param(card.account().unwrap_or("*")).trailing(card.real_name());
        } else {
            line.end();
        }
        self.show_around(cx, after.to_owned());
    }

    /// The hub has answered.
    pub(super) fn on_answer(&mut self, cx: &mut Call<'_>, reply: Reply) {
        if let Reply::Dismissed { reason } = reply {
            let reason = reason.unwrap_or_else(|| "The user was ended".into());
            return self.end(cx, Close::Dismissed, &reason);
        }
        if let Reply::Recalled(Recalled::Missed(events)) = reply {
            return self.on_missed(cx, &events);
        }
        let Some(asked) = self.flow.answered(&reply) else { return };
        cx.answering = true;
        match reply {
            Reply::Refused { refusal, .. } => {
                self.refuse_or_show(cx, asked, &refusal);
            }
            Reply::Welcome { session, card, census, .. } => self.on_welcome(cx, session, card, &census),
            Reply::Outcome { outcome: Outcome::NotKept, .. } => {
                if let (true, Asked::Say { command, target, .. }) = (self.relies_on_acks(), &asked) {
                    self.fail(cx, command, "NOT_KEPT", &[target], NOT_KEPT);
                }
            }
            Reply::Outcome { away: Some(away), .. } => {
                if let Asked::Say { target, quiet: false, .. } = &asked {
                    self.numeric(cx, Numeric::RPL_AWAY).param(target).trailing(&away);
                }
            }
            Reply::Done => self.on_done(cx, &asked),
            Reply::Joined { room, members, metadata } => {
                self.on_joined(cx, &room, members);
                if self.caps.contains(Caps::METADATA) {
                    self.send_entries(cx, &metadata);
                }
            }
            Reply::Invited { room, whom, away } => self.on_invited(cx, &room, &whom, away.as_deref()),
            Reply::ModesSet { refused, .. } => self.on_modes_set(cx, asked, refused),
            Reply::FlagsSet { on, off } => {
                if let Asked::Oper = asked {
                    self.numeric(cx, Numeric::RPL_YOUREOPER).trailing("You are now an IRC operator");
                }
                self.on_flags_set(cx, on, off);
            }
            Reply::Watched { online, offline, refused } => self.on_watch(cx, &online, &offline, &refused),
            Reply::Metadata(answer) => self.on_metadata_answer(cx, &asked, answer),
            Reply::Answer(answer) => self.on_information(cx, asked, answer),
            // The sender's own line has gone out with the event, if it wants one.
            Reply::Outcome { away: None, .. } => {}
            Reply::LoggedIn { account } => self.on_logged_in(cx, &asked, &account),
            Reply::Registered { account } => self.on_registered(cx, &account),
            Reply::Marker { target, read_ms } => self.send_marker(cx, &target, read_ms),
            Reply::ScramKeys { keys, nonce } => self.on_scram_keys(cx, &keys, &nonce),
            Reply::Recalled(recalled) => self.on_recalled(cx, &asked, &recalled),
            // Answers to what this dialect never asks.
            Reply::Complete { .. }
            | Reply::Incomplete
            | Reply::ReceiptElsewhere { .. }
            | Reply::Members { .. }
            | Reply::Bridge(_)
            | Reply::Dismissed { .. } => {}
        }
        cx.answering = false;
        self.settle(cx);
    }

    fn on_information(&mut self, cx: &mut Call<'_>, asked: Asked, answer: Answer) {
        match answer {
            Answer::Room(room) => self.show_room(cx, &asked, &room),
            Answer::Members { room, secret, members } => self.send_names(cx, &room, secret, &members),
            Answer::Masks { room, list, masks } => self.send_masks(cx, &room, list, &masks),
            Answer::Rooms(rooms) => self.send_list(cx, &rooms),
            Answer::People(people) => self.send_who(cx, &asked, &people),
            Answer::Persons(people) => self.send_persons(cx, &asked, &people),
            Answer::Person(person, rooms) => self.send_whois(cx, &person, &rooms),
            Answer::Former(former) => self.send_whowas(cx, &asked, &former),
            Answer::Census(census) => self.send_lusers(cx, &census),
            Answer::Watching(names) => self.send_watching(cx, &asked, &names),
            Answer::Flags(flags) => self.send_flags(cx, flags),
        }
    }
}

/// What the client hears of its own message that could not be kept: only what it wrote to itself.
#[expect(clippy::wildcard_enum_match_arm, reason = "only messages are kept and echoed")]
fn verdict_not_kept(active: &Active, event: &Shared) -> Verdict {
    match &event.kind {
        Kind::Message { scope, .. } | Kind::Tags { scope, .. } => {
            let to_me = scope.whom() == Some(active.card.user());
            if to_me { Verdict::Own } else { Verdict::Nothing }
        }
        _ => Verdict::Shared,
    }
}

/// What the client hears of an event.
fn verdict(active: &Active, caps: Caps, mine: bool, event: &Shared) -> Verdict {
    let me = active.card.user();
    let on = |wanted: bool| if wanted { Verdict::Shared } else { Verdict::Nothing };
    let said = |scope: &Scope, from: hub::UserId| {
        let to_me = match scope {
            Scope::Private { to: Some(to), .. } => to.user() == me,
            // One of several: only the client itself knows that it is meant.
            Scope::Private { to: None, .. } => {
                return if from == me { Verdict::Nothing } else { Verdict::Own };
            }
            Scope::Room(_) | Scope::Ranked { .. } => false,
        };
        let echo = caps.contains(Caps::ECHO_MESSAGE);
        match (mine, to_me) {
            (false, _) => Verdict::Shared,
            (true, true) if echo => Verdict::Both,
            (true, true) => Verdict::Shared,
            (true, false) => on(echo),
        }
    };
    match &event.kind {
        Kind::Message { from, scope, .. } => said(scope, from.user()),
        Kind::Typing { from, scope, .. } | Kind::Tags { from, scope, .. } => {
            if caps.contains(Caps::MESSAGE_TAGS) { said(scope, from.user()) } else { Verdict::Nothing }
        }
        Kind::Invite { whom, .. } => on(whom.user() == me || caps.contains(Caps::INVITE_NOTIFY)),
        Kind::Away { who, .. } => on(who.user() != me && caps.contains(Caps::AWAY_NOTIFY)),
        Kind::Redact { .. } => on(caps.contains(Caps::REDACTION)),
        Kind::Join { .. }
        | Kind::Part { .. }
        | Kind::Quit { .. }
        | Kind::Kick { .. }
        | Kind::Topic { .. }
        | Kind::Modes { .. }
        | Kind::RoomRenamed { .. }
        | Kind::Rename { .. }
        | Kind::Profile { .. }
        | Kind::Metadata { .. }
        | Kind::Wallops { by: Actor::User(_), .. } => Verdict::Shared,
        Kind::Announcement { .. } | Kind::Wallops { by: Actor::Server, .. } => Verdict::Own,
        Kind::Roster { .. } | Kind::Watched { .. } | Kind::Marker { .. } => Verdict::Nothing,
    }
}

/// Keeps what the session knows of itself true.
#[expect(clippy::wildcard_enum_match_arm, reason = "most of what happens changes nothing here")]
fn follow(active: &mut Active, event: &Shared) {
    let me = active.card.user();
    match &event.kind {
        Kind::Join { who, room, .. } if who.user() == me => {
            active.rooms.retain(|known| known.id() != room.id());
            active.rooms.push(room.clone());
        }
        Kind::Part { who: whom, room, .. } | Kind::Kick { whom, room, .. } if whom.user() == me => {
            active.rooms.retain(|known| known.id() != room.id());
        }
        Kind::RoomRenamed { after, .. } => {
            for known in active.rooms.iter_mut().filter(|known| known.id() == after.id()) {
                *known = after.clone();
            }
        }
        Kind::Rename { after, .. } | Kind::Profile { after, .. } if after.user() == me => {
            active.card = after.clone();
        }
        _ => {}
    }
}

/// What the news of a watched person are for a client.
pub(super) fn news_matter(caps: Caps, news: &News) -> bool {
    match news {
        News::Online | News::Offline => true,
        News::Away(_) => caps.contains(Caps::EXTENDED_MONITOR | Caps::AWAY_NOTIFY),
        News::Profile(_) => caps.contains(Caps::EXTENDED_MONITOR),
    }
}
