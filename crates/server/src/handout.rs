//! Handing events out, in runs: all that the hub has for the same people, one after the other, is handed to each of
//! them at once. Where it comes to the same bytes for several, these are put together once and shared.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gateway::{Carrier, Session};
use hub::{Audience, Form, Reply, SessionId, Shared as Event};
use slab::Slab;
use smallvec::SmallVec;

use crate::conn::{Conn, Stage};
use crate::inbox::News;
use crate::queue::HEADER_BYTES_MAX;
use crate::reactor::find;
use crate::turn::Turn;
use crate::ws::WebSocket;

/// A run has at most so many events: what is put together is let go of by its slowest reader.
const EVENTS_MAX: usize = 64;
/// Sessions that are answered within a run: for these, and only these, everything stays in its order.
const ANSWERED_MAX: usize = 4;
/// Kinds of bytes that a run is remembered as: what clients differ in is mostly few things.
const FORMS_MAX: usize = 8;

type Apart = SmallVec<[SessionId; ANSWERED_MAX]>;

/// What follows a run in what is handed out, for those to whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Nothing.
    Nothing,
    /// As much as was counted ([`count`]).
    Counted,
    /// Nobody knows.
    Unknown,
}

/// Counts what each of `conns` is to be handed, if it is private, all of it.
pub(crate) fn count(conns: &mut Slab<Box<Conn>>, news: &[News]) -> Follows {
    let whom = |item: &News| match item {
        News::Deliver { to: Audience::One(session), .. } => Some(*session),
        _ => None,
    };
    if !news.iter().all(|item| whom(item).is_some()) {
        return Follows::Unknown;
    }
    for session in news.iter().filter_map(whom) {
        if let Some(conn) = find(conns, session) {
            conn.to_come += 1;
        }
    }
    Follows::Counted
}

/// Events for the same people, and answers in between.
#[derive(Debug, Default)]
pub(crate) struct Run {
    to: Option<Audience>,
    events: Vec<Event>,
    /// Answers, and how many of the events come before each.
    answers: Vec<(usize, SessionId, Option<Reply>)>,
    /// Who is answered, but for what the events tell who caused them.
    answered: Apart,
    joined: Joined,
}

impl Run {
    /// Takes the next of the news, or gives it back: then it doesn't belong to this run.
    pub(crate) fn take(&mut self, news: News) -> Option<News> {
        match news {
            News::Deliver { to, event } => {
                let same = self.to.as_ref().is_none_or(|known| is_same(known, &to));
                if !same || self.events.len() == EVENTS_MAX {
                    return Some(News::Deliver { to, event });
                }
                self.to.get_or_insert(to);
                self.events.push(event);
            }
            News::Reply { to, reply } => {
                if !self.answered.contains(&to) {
                    if self.events.is_empty() || self.answered.len() == ANSWERED_MAX {
                        return Some(News::Reply { to, reply });
                    }
                    self.answered.push(to);
                }
                self.answers.push((self.events.len(), to, Some(reply)));
            }
            news @ (News::Ring { .. } | News::Newcomer(_)) => return Some(news),
        }
        None
    }

    /// Hands everything out, and forgets it. `conns` are those of reactor `shard`. Where nothing follows for somebody, one
    /// thing is sent at once: to queue it and to come back for it costs more than the rest.
    pub(crate) fn hand_out(
        &mut self,
        shard: u8,
        conns: &mut Slab<Box<Conn>>,
        turn: &mut Turn,
        follows: Follows,
    ) {
        let Some(to) = self.to.take() else { return };
        let apart = self.apart();
        // Whether everybody else is simply sent all of them in one piece.
        let is_joined = matches!(to, Audience::Many(_)) && self.events.iter().all(|event| event.is_message());
        let is_last = follows == Follows::Nothing;
        for &session in to.sessions() {
            if session.shard() != shard || apart.contains(&session) {
                continue;
            }
            let Some(conn) = find(conns, session) else { continue };
            let is_all = is_last || (follows == Follows::Counted && conn.counts_down(self.events.len()));
            turn.at_once = is_all && self.events.len() == 1;
            let piece = if is_joined { self.joined.whole(conn, &self.events) } else { None };
            match piece {
                Some(piece) if is_all && conn.send_at_once(piece, turn) => {}
                Some(piece) => conn.push(piece.clone(), turn),
                None => conn.on_events(&self.events, &mut self.joined, turn),
            }
        }
        turn.at_once = false;
        for session in apart {
            if let Some(conn) = find(conns, session) {
                conn.to_come = 0;
                self.hand_and_answer(conn, to.sessions().contains(&session), turn);
            }
        }
        self.events.clear();
        self.answers.clear();
        self.joined.end();
    }

    /// Whom events and answers come to one by one: who caused the events, and who is answered in between.
    fn apart(&mut self) -> Apart {
        let mut apart = std::mem::take(&mut self.answered);
        for author in self.events.iter().filter_map(|event| event.by) {
            if !apart.contains(&author) {
                apart.push(author);
            }
        }
        apart
    }

    /// Hands events and answers to a connection in their order. `hears` is whether the events are for it.
    fn hand_and_answer(&mut self, conn: &mut Conn, hears: bool, turn: &mut Turn) {
        let (mut heard, id) = (0, conn.id);
        let replies = self.answers.iter_mut().filter(|(_, to, _)| *to == id);
        for (before, _, reply) in replies {
            let events = self.events.get(heard..*before).unwrap_or_default();
            conn.on_own_events(events, hears, &mut self.joined, turn);
            heard = *before;
            if let Some(reply) = reply.take() {
                conn.on_reply(reply, turn);
            }
        }
        let events = self.events.get(heard..).unwrap_or_default();
        conn.on_own_events(events, hears, &mut self.joined, turn);
    }
}

fn is_same(one: &Audience, other: &Audience) -> bool {
    match (one, other) {
        (Audience::One(one), Audience::One(other)) => one == other,
        (Audience::Many(one), Audience::Many(other)) => Arc::ptr_eq(one, other),
        (Audience::One(_), Audience::Many(_)) | (Audience::Many(_), Audience::One(_)) => false,
    }
}

/// What a run comes to in one piece, with everything that a transport puts between, for all who are sent the same: then
/// nobody's write has more than one slice, of which the kernel makes less ado.
#[derive(Debug, Default)]
struct Joined {
    forms: Vec<(Carrier, Key, Bytes)>,
    /// The messages that are being put together.
    key: Key,
    /// The whole run for clients of a form.
    whole: Vec<(Carrier, Form, Bytes)>,
}

/// Where messages stand in memory, and how long they are. They live as long as the run's events, which tells them apart.
type Key = Vec<(usize, usize)>;

fn carrier(websocket: Option<&WebSocket>) -> Carrier {
    websocket.map_or(Carrier::Stream, |websocket| websocket.carrier)
}

impl Joined {
    /// Forgets the run.
    fn end(&mut self) {
        self.forms.clear();
        self.whole.clear();
    }

    /// The whole run in one piece, if that is all there is to it for a connection.
    fn whole(&mut self, conn: &Conn, events: &[Event]) -> Option<&Bytes> {
        let form = conn.form?;
        let carrier = carrier(conn.websocket.as_deref());
        let known = self.whole.iter().position(|(its, known, _)| *known == form && *its == carrier);
        let at = match known {
            Some(at) => at,
            None => self.make_whole(conn, carrier, form, events)?,
        };
        self.whole.get(at).map(|(.., piece)| piece)
    }

    /// The same where nobody has been handed it yet; where it stands then.
    #[inline(never)]
    fn make_whole(&mut self, conn: &Conn, carrier: Carrier, form: Form, events: &[Event]) -> Option<usize> {
        let Stage::Session(session) = &conn.stage else { return None };
        // A fault in one session must not take the others along; the calls that follow find it again.
        let made = catch_unwind(AssertUnwindSafe(|| {
            let all = self.look(session.as_ref(), events) == events.len();
            all.then(|| self.piece(session.as_ref(), events, conn.websocket.as_deref()))
        }));
        let piece = made.unwrap_or_default()?;
        self.whole.push((carrier, form, piece));
        Some(self.whole.len() - 1)
    }

    /// What the session has ready for the first of these events and those that follow, and of how many that is.
    fn ready(&mut self, conn: &Conn, session: &dyn Session, events: &[Event]) -> Option<(usize, Bytes)> {
        if let ([event], None) = (events, &conn.websocket)
            && let Some([message]) = session.ready(event)
        {
            return Some((1, message.clone()));
        }
        let count = self.look(session, events);
        let events = events.get(..count).filter(|events| !events.is_empty())?;
        Some((count, self.piece(session, events, conn.websocket.as_deref())))
    }

    /// Looks how many of the events, from the first on, the session has ready messages for.
    fn look(&mut self, session: &dyn Session, events: &[Event]) -> usize {
        self.key.clear();
        for (count, event) in events.iter().enumerate() {
            let Some(messages) = session.ready(event) else { return count };
            self.key.extend(messages.iter().map(|message| (message.as_ptr() as usize, message.len())));
        }
        events.len()
    }

    /// The messages that were looked at last, in one piece.
    fn piece(&mut self, session: &dyn Session, events: &[Event], websocket: Option<&WebSocket>) -> Bytes {
        let mut messages = events.iter().filter_map(|event| session.ready(event)).flatten();
        if self.key.len() < 2 && websocket.is_none() {
            return messages.next().cloned().unwrap_or_default();
        }
        let carrier = carrier(websocket);
        let known = self.forms.iter().find(|(known, key, _)| *known == carrier && *key == self.key);
        if let Some((.., piece)) = known {
            return piece.clone();
        }
        let headers = if websocket.is_some() { HEADER_BYTES_MAX } else { 0 };
        let mut piece = BytesMut::with_capacity(self.key.iter().map(|(_, len)| len + headers).sum());
        for message in messages {
            if let Some(websocket) = websocket {
                piece.extend_from_slice(websocket.header(message.len()).as_slice());
            }
            piece.extend_from_slice(message);
        }
        let piece = piece.freeze();
        if self.forms.len() < FORMS_MAX {
            self.forms.push((carrier, self.key.clone(), piece.clone()));
        }
        piece
    }
}

impl Conn {
    /// It is handed so many of the events that were counted: whether these are the last.
    fn counts_down(&mut self, events: usize) -> bool {
        self.to_come = self.to_come.saturating_sub(events);
        self.to_come == 0
    }

    /// What the session has ready for an event, if that is one thing that is sent as it is.
    fn ready_alone<'e>(&self, session: &dyn Session, event: &'e Event) -> Option<&'e Bytes> {
        // A fault in one session must not take the others along; the call that follows finds it again.
        let ready = catch_unwind(AssertUnwindSafe(|| session.ready(event)));
        match ready.unwrap_or_default()? {
            [message] if self.websocket.is_none() => Some(message),
            _ => None,
        }
    }

    /// Hands events to a session that may have caused some of them, and tells it what became of these. `hears` is whether
    /// they are for it.
    fn on_own_events(&mut self, mut events: &[Event], hears: bool, joined: &mut Joined, turn: &mut Turn) {
        while !events.is_empty() {
            let own = |event: &Event| event.answer().filter(|(by, ..)| *by == self.id);
            let answer = events.iter().enumerate().find_map(|(at, event)| Some((at + 1, own(event)?)));
            let (these, rest) = events.split_at(answer.map_or(events.len(), |(count, _)| count));
            if hears {
                self.on_events(these, joined, turn);
            }
            if let Some((_, (_, token, outcome))) = answer {
                self.on_outcome(token, outcome, turn);
            }
            events = rest;
        }
    }

    /// Hands events to the session, one after the other. What it has ready is taken as it is.
    fn on_events(&mut self, mut events: &[Event], joined: &mut Joined, turn: &mut Turn) {
        while let (Stage::Session(session), Some(first)) = (&self.stage, events.first()) {
            if turn.at_once
                && let Some(message) = self.ready_alone(session.as_ref(), first)
            {
                if !self.send_at_once(message, turn) {
                    self.push(message.clone(), turn);
                }
                return;
            }
            // A fault in one session must not take the others along. It is found again by the call, and seen to.
            let ready = catch_unwind(AssertUnwindSafe(|| joined.ready(self, session.as_ref(), events)));
            let (count, piece) = ready.ok().flatten().unzip();
            match piece {
                Some(piece) => self.push(piece, turn),
                None => self.on_event(first, turn),
            }
            events = events.get(count.unwrap_or(1)..).unwrap_or_default();
        }
    }
}
