//! What is kept of an event: a row of the database, and a record of the commit log.

use std::borrow::Cow;

use hub::{Actor, Card, Event, EventId, HistoryKey, Kept, Kind, Namespace, Party, Scope, Style};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::row::kind;

/// An event, if it is of a kind that is kept as one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record<'r> {
    pub(crate) id: u64,
    /// The key of its history.
    pub(crate) history: &'r str,
    /// The room's name as people write it; empty: it is private.
    pub(crate) room: &'r str,
    /// Whose conversation it is, if it is one.
    #[serde(borrow)]
    pub(crate) parties: SmallVec<[&'r str; 2]>,
    pub(crate) kind: u8,
    pub(crate) from: Face<'r>,
    pub(crate) whom: Option<Face<'r>>,
    pub(crate) text: &'r str,
    pub(crate) tags: Option<&'r str>,
    pub(crate) seams: Option<Cow<'r, str>>,
}

/// A person as it looked: the columns of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Face<'r> {
    pub(crate) name: &'r str,
    pub(crate) nick: &'r str,
    pub(crate) username: &'r str,
    pub(crate) host: &'r str,
    /// None: ''.
    pub(crate) account: &'r str,
    pub(crate) dialect: &'r str,
    pub(crate) bot: bool,
}

impl<'r> Face<'r> {
    fn of(card: &'r Card) -> Self {
        Self {
            name: card.name().as_str(),
            nick: card.wire_name(Namespace::Irc),
            username: card.username(),
            host: card.host(),
            account: card.account().unwrap_or_default(),
            dialect: card.dialect().as_str(),
            bot: card.is_bot(),
        }
    }
}

impl<'r> Record<'r> {
    /// The record of an event.
    pub(crate) fn of(history: &'r HistoryKey, parties: &'r [Party], event: &'r Event) -> Option<Self> {
        let (from, scope, kind, text) = match &event.kind {
            Kind::Message { from, scope, text, style, .. } => {
                let kind = match style {
                    Style::Plain => kind::PLAIN,
                    Style::Bare => kind::BARE,
                    Style::Notice => kind::NOTICE,
                    Style::Action => kind::ACTION,
                    Style::Request { .. } => return None,
                };
                (from, Some(scope), kind, text.as_str())
            }
            Kind::Tags { from, scope, .. } => (from, Some(scope), kind::TAGS, ""),
            Kind::Topic { by: Actor::User(by), topic, .. } => {
                (by, None, kind::TOPIC, topic.as_deref().unwrap_or_default())
            }
            _ => return None,
        };
        let whom = match scope {
            Some(Scope::Private { to, .. }) => to.as_ref(),
            _ => None,
        };
        let room = match (&event.kind, scope) {
            (Kind::Topic { room, .. }, _) | (_, Some(Scope::Room(room))) => room.name().as_str(),
            _ => "",
        };
        let (tags, seams) = match &event.kind {
            Kind::Message { tags, seams, .. } => (tags.as_deref(), seams.as_deref()),
            Kind::Tags { tags, .. } => (Some(&**tags), None),
            _ => (None, None),
        };
        Some(Self {
            id: event.id.bits(),
            history: history.as_str(),
            room,
            parties: parties.iter().map(Party::as_str).collect(),
            kind,
            from: Face::of(from),
            whom: whom.map(|whom| Face::of(whom)),
            text,
            tags,
            seams: seams.map(|seams| {
                let seams: Vec<String> = seams.iter().map(usize::to_string).collect();
                seams.join(",").into()
            }),
        })
    }

    /// The record of something that is to be kept, if it is new and was said or done. The rest changes what is there
    /// already, and has to find it.
    pub(crate) fn of_kept(kept: &'r Kept) -> Option<Self> {
        match kept {
            Kept::Event { history, parties, event } => Self::of(history, parties, event),
            _ => None,
        }
    }

    /// Appends it as the log has it.
    pub(crate) fn write(&self, out: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_extend(self, out)
    }

    /// What the log has.
    pub(crate) fn read(bytes: &'r [u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// The event's id.
    pub(crate) fn id(&self) -> EventId {
        EventId::from_bits(self.id)
    }
}
