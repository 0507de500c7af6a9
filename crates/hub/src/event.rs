//! What happens in rooms and between users, and its bytes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{Card, Change, EventId, Outcome, Ranks, RoomCard, SessionId, Text, Token, UserId};

/// Something that happened, as it is told to those concerned.
#[derive(Debug)]
pub struct Event {
    /// Sortable by time; in a room also the room's order.
    pub id: EventId,
    /// The hub's time: milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
    /// The session whose command it was.
    pub by: Option<SessionId>,
    /// Who and what.
    pub kind: Kind,
}

/// The kinds of events.
#[derive(Debug)]
pub enum Kind {
    /// Somebody said something.
    Message {
        /// The session's own user, never what a frame claims.
        from: Arc<Card>,
        /// Where it was said.
        scope: Scope,
        /// What.
        text: Text,
        /// How.
        style: Style,
        /// Client-only tags, as IRC writes them (`+a=b;+c`).
        tags: Option<Arc<str>>,
        /// Where the sender's client cut a line in two that belongs together, in bytes: dialects that cut lines
        /// themselves do it there too.
        seams: Option<Arc<[usize]>>,
    },
    /// Somebody is writing something, or no longer.
    Typing {
        /// Who.
        from: Arc<Card>,
        /// Where.
        scope: Scope,
        /// What it is doing.
        state: Typing,
    },
    /// Something that is said in tags alone.
    Tags {
        /// Who.
        from: Arc<Card>,
        /// Where.
        scope: Scope,
        /// Client-only tags, as IRC writes them.
        tags: Arc<str>,
        /// What of it everybody can be shown.
        reaction: Option<Reaction>,
    },
    /// Everybody who is present now, in order of arrival. Only for sessions that asked for it at login.
    Roster {
        /// The public faces of all users.
        present: Vec<Arc<Card>>,
    },
    /// Somebody has come into a room.
    Join {
        /// Who.
        who: Arc<Card>,
        /// Its message to those who look for it, if it is away.
        away: Option<Arc<str>>,
        /// Which.
        room: Arc<RoomCard>,
    },
    /// Somebody has left a room.
    Part {
        /// Who.
        who: Arc<Card>,
        /// Which.
        room: Arc<RoomCard>,
        /// Why, in its own words.
        reason: Option<Arc<str>>,
    },
    /// Somebody has left the hub. Told once to all who share a room with it.
    Quit {
        /// Who.
        who: Arc<Card>,
        /// Why.
        reason: Arc<str>,
    },
    /// Somebody was put out of a room. The room is told, and who was put out.
    Kick {
        /// By whom.
        by: Actor,
        /// Who.
        whom: Arc<Card>,
        /// Which.
        room: Arc<RoomCard>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// Somebody was asked into a room. Told to who was asked, and to those of the room who keep order.
    Invite {
        /// By whom.
        by: Arc<Card>,
        /// Who.
        whom: Arc<Card>,
        /// Which.
        room: Arc<RoomCard>,
    },
    /// A room's topic was set or taken away.
    Topic {
        /// By whom.
        by: Actor,
        /// Which.
        room: Arc<RoomCard>,
        /// The new one.
        topic: Option<Arc<str>>,
    },
    /// A room's settings have changed, or a member's rank.
    Modes {
        /// By whom.
        by: Actor,
        /// Which.
        room: Arc<RoomCard>,
        /// What.
        changes: Vec<Change>,
    },
    /// A room has another name.
    RoomRenamed {
        /// By whom.
        by: Actor,
        /// Before.
        before: Arc<RoomCard>,
        /// After.
        after: Arc<RoomCard>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// Somebody has another name. Told to who shares a room with it, and to itself.
    Rename {
        /// Before.
        before: Arc<Card>,
        /// After.
        after: Arc<Card>,
    },
    /// Something else of a user's card has changed. Told as [`Kind::Rename`] is.
    Profile {
        /// Before.
        before: Arc<Card>,
        /// After.
        after: Arc<Card>,
    },
    /// Somebody is away, or back.
    Away {
        /// Who.
        who: Arc<Card>,
        /// Its message to those who look for it; `None`: it is back.
        message: Option<Arc<str>>,
    },
    /// A message was taken back.
    Redact {
        /// By whom.
        by: Arc<Card>,
        /// Where it was said.
        scope: Scope,
        /// Which.
        message: EventId,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// Somebody whom the session watches has come, gone, or changed in a way that only the rooms' members are told
    /// otherwise.
    Watched {
        /// Who.
        who: Arc<Card>,
        /// What.
        news: News,
    },
    /// Somebody's, or a room's, public data has changed. Only for sessions that asked for the key.
    Metadata {
        /// Whose.
        of: MetadataOf,
        /// Who changed it.
        by: Actor,
        /// Which.
        key: Arc<str>,
        /// The new value; `None`: taken away.
        value: Option<Arc<str>>,
    },
    /// The user has read up to here, with another of its devices.
    Marker {
        /// A channel or a person, as IRC names it.
        target: Arc<str>,
        /// Milliseconds since 1970.
        read_ms: u64,
    },
    /// The server's own words to a person, or to everybody.
    Announcement {
        /// The face under which the server speaks.
        from: Arc<Card>,
        /// What.
        text: Text,
    },
    /// An operator's words to all who want to hear them.
    Wallops {
        /// Who.
        by: Actor,
        /// What.
        text: Arc<str>,
    },
}

/// Who did something.
#[derive(Debug, Clone)]
pub enum Actor {
    /// A user.
    User(Arc<Card>),
    /// The server, by an operator's order or a rule.
    Server,
}

/// How something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Plainly.
    Plain,
    /// Plainly, and the sender's dialect has a mark for chat text and this lacked it (a `tmp` body outside the
    /// `CHAT_MESSAGE` convention): dialects with such a mark pass it on without.
    Bare,
    /// As something that nobody should answer by itself.
    Notice,
    /// As something that the sender does: `/me waves`.
    Action,
    /// A client's request to another one, or its answer (CTCP): the text is between the delimiters. Nothing that
    /// people would be shown.
    Request {
        /// The answer and not the request.
        answer: bool,
    },
}

/// What somebody who is writing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Writes.
    Active,
    /// Has stopped for a moment.
    Paused,
    /// Has given it up.
    Done,
}

/// A reaction to a message.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// With what: mostly one emoji.
    pub with: Arc<str>,
    /// The beginning of the message it is for, if that is still remembered.
    pub to: Option<Arc<str>>,
}

/// What a watcher learns.
#[derive(Debug, Clone)]
pub enum News {
    /// It is here.
    Online,
    /// It is gone.
    Offline,
    /// It is away, or back.
    Away(Option<Arc<str>>),
    /// Its card was another before.
    Profile(Arc<Card>),
}

/// Whose data it is.
#[derive(Debug, Clone)]
pub enum MetadataOf {
    /// A user's.
    User(Arc<Card>),
    /// A room's.
    Room(Arc<RoomCard>),
}

/// For whom something was said.
#[derive(Debug, Clone)]
pub enum Scope {
    /// For the members of a room.
    Room(Arc<RoomCard>),
    /// For the members of a room from a rank on.
    Ranked {
        /// Which.
        room: Arc<RoomCard>,
        /// The lowest rank that hears it.
        least: Ranks,
    },
    /// For one user or some, privately.
    Private {
        /// How many recipients the sender named, unknown ones included.
        named: usize,
        /// The recipient, if it is one.
        to: Option<Arc<Card>>,
    },
}

impl Scope {
    /// The one recipient of something private.
    #[must_use]
    pub fn whom(&self) -> Option<UserId> {
        match self {
            Self::Private { to: Some(to), .. } => Some(to.user()),
            Self::Private { to: None, .. } | Self::Room(_) | Self::Ranked { .. } => None,
        }
    }
}

/// A wire form: a dialect together with everything that makes two recipients' bytes differ. The gateway numbers
/// them; the hub only compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form(pub u64);

/// An event's bytes in one wire form: mostly one message; several where a long text had to be split.
pub type Chunks = SmallVec<[Bytes; 1]>;

/// An event together with its bytes, made at most once per wire form and shared by all recipients.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    event: Event,
    encoded: OnceLock<Encoded>,
    not_kept: AtomicBool,
    awaited: AtomicBool,
    /// Under which token its outcome is told; more than any of them: it isn't.
    token: AtomicU64,
}

/// The bytes in one form, and the next of a list that only grows, one cell at a time, so that readers need no lock and
/// no two threads encode the same form: whoever comes second to a cell waits for the first and then looks at what is
/// in it. The first cell is the event's own, because most events are written in one form.
#[derive(Debug)]
struct Encoded {
    form: Form,
    chunks: Chunks,
    next: OnceLock<Box<Encoded>>,
}

impl Shared {
    /// Takes an event that is now beyond change.
    #[must_use]
    pub fn new(event: Event) -> Self {
        let (not_kept, awaited) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner {
            event,
            encoded: OnceLock::new(),
            not_kept,
            awaited,
            token: AtomicU64::new(u64::MAX),
        }))
    }

    /// Notes that the event was to be kept and could not be.
    pub fn set_not_kept(&self) {
        self.0.not_kept.store(true, Ordering::Release);
    }

    /// Whether the event was to be kept and could not be: then nothing that its sender is sent may look as if it had
    /// been.
    #[must_use]
    pub fn is_not_kept(&self) -> bool {
        self.0.not_kept.load(Ordering::Acquire)
    }

    /// Notes that its sender waits until it is acknowledged.
    pub(crate) fn set_awaited(&self) {
        self.0.awaited.store(true, Ordering::Release);
    }

    /// Whether its sender waits until it is acknowledged. If not, nobody has to be told ([`crate::Command::Receipt`]).
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.0.awaited.load(Ordering::Acquire)
    }

    /// Notes that whoever caused it is to be told, under a token, what became of it.
    pub(crate) fn set_token(&self, token: Token) {
        self.0.token.store(token.0.into(), Ordering::Release);
    }

    /// Who is to be told what became of it when it is handed out, if somebody is: as if a [`crate::Reply::Outcome`] came
    /// after it. That most messages went well is told in this way, because it costs next to nothing.
    #[must_use]
    pub fn answer(&self) -> Option<(SessionId, Token, Outcome)> {
        let token = Token(u32::try_from(self.0.token.load(Ordering::Acquire)).ok()?);
        let outcome = if self.is_not_kept() { Outcome::NotKept } else { Outcome::Delivered };
        Some((self.by?, token, outcome))
    }

    /// The event's bytes in `form`, made by `encode` the first time that any recipient asks.
    pub fn encoded(&self, form: Form, encode: impl FnOnce(&Event) -> Chunks) -> &[Bytes] {
        let mut encode = Some(encode);
        let mut make = || {
            let chunks = encode.take().map(|encode| encode(&self.0.event)).unwrap_or_default();
            Encoded { form, chunks, next: OnceLock::new() }
        };
        let mut found = self.0.encoded.get_or_init(&mut make);
        while found.form != form {
            found = found.next.get_or_init(|| Box::new(make()));
        }
        &found.chunks
    }
}

impl Event {
    /// Whether this is a message that is the same to each of its recipients.
    #[must_use]
    pub fn is_message(&self) -> bool {
        use Scope::{Private, Ranked, Room};
        let Kind::Message { scope, .. } = &self.kind else { return false };
        matches!(scope, Room(_) | Ranked { .. } | Private { to: Some(_), .. })
    }

    /// Whose it is, and for whom, if it is private and for one person.
    #[must_use]
    pub fn pair(&self) -> Option<[&Arc<Card>; 2]> {
        match &self.kind {
            Kind::Message { from, scope: Scope::Private { to: Some(to), .. }, .. }
            | Kind::Tags { from, scope: Scope::Private { to: Some(to), .. }, .. }
            | Kind::Redact { by: from, scope: Scope::Private { to: Some(to), .. }, .. } => Some([from, to]),
            _ => None,
        }
    }
}

impl std::ops::Deref for Shared {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.0.event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster() -> Shared {
        Shared::new(Event {
            id: EventId::default(),
            unix_ms: 0,
            by: None,
            kind: Kind::Roster { present: Vec::new() },
        })
    }

    #[test]
    fn each_form_is_encoded_once() {
        let shared = roster();
        let mut runs = 0;
        for form in [1, 2, 1, 3, 2, 1] {
            let chunks = shared.encoded(Form(form), |_| {
                runs += 1;
                SmallVec::from_elem(Bytes::from(form.to_string()), 1)
            });
            assert_eq!(chunks, [Bytes::from(form.to_string())]);
        }
        assert_eq!(runs, 3);
    }

    #[test]
    fn threads_share_the_encoding() {
        let shared = roster();
        let runs = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for form in 0..50 {
                        shared.encoded(Form(form), |_| {
                            runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            Chunks::new()
                        });
                    }
                });
            }
        });
        assert_eq!(runs.into_inner(), 50);
    }
}
