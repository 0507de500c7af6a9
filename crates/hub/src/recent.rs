//! The last messages, remembered for what refers to them: reactions, and taking one back.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::{
    Audience, Card, Effect, EventId, Hub, Kind, Now, Ranks, Reaction, Refusal, Reply, RoomId, Scope,
    SessionId, Shared, To, UserId,
};

/// How much of a message a reaction quotes, in characters.
const EXCERPT_CHARS_MAX: usize = 40;

/// How long a text is that is remembered in place, in bytes.
const TEXT_BYTES: usize = 64;

/// The last messages of all rooms and people, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Message>);

/// What is remembered of a message: not the event, which is large with its bytes, and gone as soon as it is written.
#[derive(Debug)]
struct Message {
    id: EventId,
    author: UserId,
    place: Place,
    /// Short ones, which most are, stand here: what nobody asks for is forgotten without being looked at.
    text: SmallVec<[u8; TEXT_BYTES]>,
}

/// Where a message was said.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// To a room.
    Room(RoomId),
    /// To one person.
    Person(UserId),
    /// Where nothing is taken back.
    Elsewhere,
}

impl Recent {
    /// Remembers a message, and forgets the oldest so that there aren't more than `max`.
    pub(crate) fn push(&mut self, event: &Shared, max: usize) {
        let Kind::Message { from, scope, text, .. } = &event.kind else { return };
        let place = match scope {
            Scope::Room(room) => Place::Room(room.id()),
            Scope::Private { to: Some(to), .. } => Place::Person(to.user()),
            Scope::Ranked { .. } | Scope::Private { to: None, .. } => Place::Elsewhere,
        };
        while self.0.len() >= max {
            if self.0.pop_front().is_none() {
                return;
            }
        }
        self.0.push_back(Message {
            id: event.id,
            author: from.user(),
            place,
            text: SmallVec::from_slice(text.as_str().as_bytes()),
        });
    }

    fn find(&self, id: EventId) -> Option<&Message> {
        let at = self.0.binary_search_by_key(&id, |message| message.id).ok()?;
        self.0.get(at)
    }

    fn forget(&mut self, id: EventId) {
        if let Ok(at) = self.0.binary_search_by_key(&id, |message| message.id) {
            self.0.remove(at);
        }
    }
}

impl Hub {
    /// What everybody can be shown of a reaction.
    pub(crate) fn reaction(&self, with: &str, to: Option<EventId>) -> Reaction {
        let message = to.and_then(|id| self.recent.find(id));
        Reaction {
            with: self.phrase(with),
            to: message.map(|message| excerpt(&String::from_utf8_lossy(&message.text))),
        }
    }

    /// Takes a message back: its sender may, and who keeps order where it was said.
    pub(crate) fn redact(
        &mut self,
        now: Now,
        from: SessionId,
        (to, id): (To, EventId),
        reason: Option<&str>,
        echo: bool,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker_now(now, from)?;
        let (scope, to) = self.redactable(from, &by, to, echo)?;
        let &Message { author, place, .. } = self.recent.find(id).ok_or(Refusal::NoSuchMessage)?;
        let same_place = match (&scope, place) {
            (Scope::Room(here), Place::Room(there)) => here.id() == there,
            (Scope::Private { to: Some(here), .. }, Place::Person(there)) => {
                let pair = [by.user(), here.user()];
                pair.contains(&author) && pair.contains(&there)
            }
            _ => false,
        };
        if !same_place {
            return Err(Refusal::NoSuchMessage);
        }
        let rules = match &scope {
            Scope::Room(room) => self.power(by.user(), room.id()).reach(Ranks::HALF_OPERATOR),
            Scope::Ranked { .. } | Scope::Private { .. } => false,
        };
        if author != by.user() && !rules {
            return Err(Refusal::NotYourMessage);
        }
        self.recent.forget(id);
        let reason: Option<Arc<str>> =
            reason.filter(|reason| !reason.is_empty()).map(|reason| self.phrase(reason));
        let event = self.event(now, Kind::Redact { by, scope, message: id, reason });
        self.keep_and_deliver(to, event, SmallVec::new(), fx);
        Ok(Reply::Done)
    }
}

impl Hub {
    /// Where somebody can take messages back: where it is itself, and operators everywhere.
    fn redactable(
        &mut self,
        from: SessionId,
        by: &Arc<Card>,
        to: To,
        echo: bool,
    ) -> Result<(Scope, Audience), Refusal> {
        let id = match &to {
            To::Room(id) => Some(*id),
            To::Channel(name) => Some(self.room_for_member(by.user(), name)?),
            To::Ranked(..) | To::User(_) | To::Group(_) | To::Leading => None,
        };
        let Some(id) = id else {
            let (scope, to, _) = self.reachable(from, by, to, echo)?;
            return Ok((scope, to));
        };
        let room = self.rooms.get_mut(&id).ok_or(Refusal::NotInRoom)?;
        let (scope, all) = (Scope::Room(room.card.clone()), room.audience());
        if all.contains(&from) {
            return Ok((scope, Audience::Many(all)));
        }
        Ok((scope, Audience::Many(all.iter().copied().chain([from]).collect())))
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> Arc<str> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()).into(),
        None => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_on_one_line() {
        assert_eq!(&*excerpt("a\nb"), "a b");
        assert_eq!(excerpt(&"é".repeat(100)).chars().count(), 41);
    }
}
