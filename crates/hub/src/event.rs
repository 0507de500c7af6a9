//! What happens in rooms and between users, and its bytes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{Card, EventId, RoomCard, Text};

/// Something that happened, as it is told to those concerned.
#[derive(Debug)]
pub struct Event {
    /// Sortable by time; in a room also the room's order.
    pub id: EventId,
    /// The hub's time: milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
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
        /// Whether the sender's dialect has a mark for chat text and this lacked it (a `tmp` body outside the
        /// `CHAT_MESSAGE` convention): dialects with such a mark pass it on without.
        bare: bool,
    },
    /// Somebody is writing something.
    Typing {
        /// Who.
        from: Arc<Card>,
        /// Where.
        scope: Scope,
    },
    /// Everybody who is present now, in order of arrival. Only for sessions that asked for it at login.
    Roster {
        /// The public faces of all users.
        present: Vec<Arc<Card>>,
    },
}

/// For whom something was said.
#[derive(Debug, Clone)]
pub enum Scope {
    /// For the members of a room.
    Room(Arc<RoomCard>),
    /// For one user or some, privately.
    Private {
        /// How many recipients the sender named, unknown ones included.
        named: usize,
    },
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
    forms: Forms,
}

/// A list that only grows, one cell at a time, so that readers need no lock and no two threads encode the same
/// form: whoever comes second to a cell waits for the first and then looks at what is in it.
type Forms = OnceLock<Box<Encoded>>;

#[derive(Debug)]
struct Encoded {
    form: Form,
    chunks: Chunks,
    next: Forms,
}

impl Shared {
    /// Takes an event that is now beyond change.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self(Arc::new(Inner { event, forms: Forms::new() }))
    }

    /// The event's bytes in `form`, made by `encode` the first time that any recipient asks.
    pub fn encoded(&self, form: Form, encode: impl FnOnce(&Event) -> Chunks) -> &[Bytes] {
        let mut encode = Some(encode);
        let mut cell = &self.0.forms;
        loop {
            let found = cell.get_or_init(|| {
                let chunks = encode.take().map(|encode| encode(&self.0.event)).unwrap_or_default();
                Box::new(Encoded { form, chunks, next: Forms::new() })
            });
            if found.form == form {
                return &found.chunks;
            }
            cell = &found.next;
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
        Shared::new(Event { id: EventId::default(), unix_ms: 0, kind: Kind::Roster { present: Vec::new() } })
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
