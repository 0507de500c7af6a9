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

/// Events for the same people, and answers in between.
#[derive(Debug, Default)]
pub(crate) struct Run {
    to: Option<Audience>,
    events: Vec<Event>,
    /// Answers, and how many of the events come before each.
    answers: Vec<(usize, SessionId, Option<Reply>)>,
    /// Who is answered.
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

    /// Hands everything out, and forgets it. `conns` are those of reactor `shard`. If it is the last of a turn it is sent at
    /// once, where that is one thing: to queue it and to come back for it costs more than the rest.
    pub(crate) fn hand_out(
        &mut self,
        shard: u8,
        conns: &mut Slab<Box<Conn>>,
        turn: &mut Turn,
        is_last: bool,
    ) {
        let Some(to) = self.to.take() else { return };
        let answered = std::mem::take(&mut self.answered);
        let apart = apart(&to, &self.events, &answered);
        turn.at_once = is_last && self.events.len() == 1;
        for &session in to.sessions() {
            if session.shard() != shard {
                continue;
            }
            let Some(conn) = find(conns, session) else { continue };
            let is_apart = apart.as_ref().is_none_or(|apart| apart.contains(&session));
            if is_apart && answered.contains(&session) {
                continue;
            }
            let piece = if is_apart { None } else { self.joined.whole(conn, &self.events) };
            match piece {
                Some(piece) if is_last && conn.send_at_once(piece, turn) => {}
                Some(piece) => conn.push(piece.clone(), turn),
                None => conn.on_events(&self.events, &mut self.joined, turn),
            }
        }
        turn.at_once = false;
        for session in answered {
            let hears = to.sessions().contains(&session);
            if let Some(conn) = find(conns, session) {
                self.hand_and_answer(conn, hears, turn);
            }
        }
        self.events.clear();
        self.answers.clear();
        self.joined.end();
    }

    /// Hands events and answers to a connection in their order. `hears` is whether the events are for it.
    fn hand_and_answer(&mut self, conn: &mut Conn, hears: bool, turn: &mut Turn) {
        let mut heard = 0;
        for (before, to, reply) in &mut self.answers {
            if *to != conn.id {
                continue;
            }
            if hears {
                conn.on_events(self.events.get(heard..*before).unwrap_or_default(), &mut self.joined, turn);
            }
            heard = *before;
            if let Some(reply) = reply.take() {
                conn.on_reply(reply, turn);
            }
        }
        if hears {
            conn.on_events(self.events.get(heard..).unwrap_or_default(), &mut self.joined, turn);
        }
    }
}

/// Who isn't simply sent all of the events in one piece: their authors, and who is answered in between. None: nobody
/// is sent that, because they aren't all messages, or are for one person.
fn apart(to: &Audience, events: &[Event], answered: &[SessionId]) -> Option<Apart> {
    if matches!(to, Audience::One(_)) || !events.iter().all(|event| event.is_message()) {
        return None;
    }
    let mut apart = Apart::from_slice(answered);
    for author in events.iter().filter_map(|event| event.by) {
        if !apart.contains(&author) {
            apart.push(author);
        }
    }
    Some(apart)
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
    /// Hands events to the session, one after the other. What it has ready is taken as it is.
    fn on_events(&mut self, mut events: &[Event], joined: &mut Joined, turn: &mut Turn) {
        while let (Stage::Session(session), Some(first)) = (&self.stage, events.first()) {
            // A fault in one session must not take the others along. It is found again by the call, and seen to.
            let ready = catch_unwind(AssertUnwindSafe(|| joined.ready(self, session.as_ref(), events)));
            let (count, piece) = ready.ok().flatten().unzip();
            match piece {
                Some(piece) if turn.at_once && self.send_at_once(&piece, turn) => {}
                Some(piece) => self.push(piece, turn),
                None => self.on_event(first, turn),
            }
            events = events.get(count.unwrap_or(1)..).unwrap_or_default();
        }
    }
}
