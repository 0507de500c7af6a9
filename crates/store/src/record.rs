//! What is kept of an event, and how the commit log has it.

use std::borrow::Cow;
use std::sync::Arc;

use hub::{Actor, Card, Event, EventId, HistoryKey, Kept, Kind, Namespace, Party, Scope, Style, Whose};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::append::{self, Writer};
use crate::block::Entry;
use crate::numbers::Numbered;
use crate::row::kind;

/// An event, if it is of a kind that is kept as one, as the hub has it.
pub(crate) struct Said<'r> {
    whose: &'r Whose,
    event: &'r Event,
    room: &'r str,
    from: &'r Arc<Card>,
    whom: Option<&'r Arc<Card>>,
    kind: u8,
    text: &'r str,
    tags: Option<&'r str>,
    seams: Option<Cow<'r, str>>,
}

/// Where something was said, as it is looked up.
pub(crate) struct Whereabouts<'r> {
    history: HistoryKey,
    room: &'r str,
    parties: SmallVec<[Party; 2]>,
}

impl Whereabouts<'_> {
    pub(crate) fn place(&self) -> Place<'_> {
        let Self { history, room, parties } = self;
        Place { history: history.as_str(), room, parties: parties.iter().map(Party::as_str).collect() }
    }
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

/// A history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place<'r> {
    /// Its key.
    pub(crate) history: &'r str,
    /// The room's name as people write it; empty: it is private.
    pub(crate) room: &'r str,
    /// Whose conversation it is, if it is one.
    #[serde(borrow)]
    pub(crate) parties: SmallVec<[&'r str; 2]>,
}

/// A record of the log. People and places have numbers there, and stand there before they are needed; a number that is given
/// again is somebody else's from then on. `N` is how the format has a face's number.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Line<'r, N = i64> {
    /// Who has a number.
    Face(N, #[serde(borrow)] Face<'r>),
    /// What place has a number.
    Place(u32, #[serde(borrow)] Place<'r>),
    /// An event: its place, and what a block has of it, but with the log's numbers, and counted from the frame's first.
    Event(u32, #[serde(borrow)] Entry<'r>),
}

/// How lines begin.
const FACE: u8 = 0;
const PLACE: u8 = 1;
const EVENT: u8 = 2;

/// An event with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<'r> {
    pub(crate) place: Place<'r>,
    pub(crate) from: Face<'r>,
    pub(crate) whom: Option<Face<'r>>,
    /// With no numbers.
    pub(crate) entry: Entry<'r>,
}

/// A record of the log as its first format had it.
#[derive(Deserialize)]
struct First<'r> {
    id: u64,
    history: &'r str,
    room: &'r str,
    #[serde(borrow)]
    parties: SmallVec<[&'r str; 2]>,
    kind: u8,
    from: Face<'r>,
    whom: Option<Face<'r>>,
    text: &'r str,
    tags: Option<&'r str>,
    seams: Option<Cow<'r, str>>,
}

impl<'r> Face<'r> {
    pub(crate) fn of(card: &'r Card) -> Self {
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

    /// Writes it behind some bytes, as the log has it.
    pub(crate) fn append(&self, bytes: &mut Vec<u8>) {
        let Self { name, nick, username, host, account, dialect, bot } = *self;
        for part in [name, nick, username, host, account, dialect] {
            append::text(part, bytes);
        }
        bytes.push(bot.into());
    }

    /// What [`Face::append`] wrote.
    pub(crate) fn read(bytes: &'r [u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

/// Writes [`Line::Face`] of what [`Face::append`] wrote.
pub(crate) fn append_face(number: i64, look: &[u8], bytes: &mut Vec<u8>) {
    let mut writer = Writer::new(bytes);
    writer.byte(FACE);
    writer.signed(number);
    writer.flush();
    bytes.extend_from_slice(look);
}

/// Writes [`Line::Place`].
pub(crate) fn append_place(number: u32, place: &Place<'_>, bytes: &mut Vec<u8>) {
    let mut writer = Writer::new(bytes);
    let Place { history, room, parties } = place;
    writer.byte(PLACE);
    writer.number(number.into());
    writer.text(history);
    writer.text(room);
    writer.number(parties.len() as u64);
    for party in parties {
        writer.text(party);
    }
    writer.flush();
}

impl<'r> Said<'r> {
    /// Something that is to be kept, if it is new and was said or done. The rest changes what is there already, and has to
    /// find it.
    pub(crate) fn of_kept(kept: &'r Kept) -> Option<Self> {
        match kept {
            Kept::Event { whose, event } => Self::of(whose, event),
            _ => None,
        }
    }

    fn of(whose: &'r Whose, event: &'r Event) -> Option<Self> {
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
        let seams = seams.map(|seams| {
            let seams: Vec<String> = seams.iter().map(usize::to_string).collect();
            seams.join(",").into()
        });
        Some(Self { whose, event, room, from, whom, kind, text, tags, seams })
    }

    pub(crate) fn whereabouts(&self) -> Whereabouts<'r> {
        let Self { whose, event, room, .. } = *self;
        Whereabouts { history: whose.history(event), room, parties: whose.parties(event) }
    }

    pub(crate) fn whose(&self) -> &'r Whose {
        self.whose
    }

    pub(crate) fn from(&self) -> &'r Card {
        self.from
    }

    pub(crate) fn whom(&self) -> Option<&'r Card> {
        self.whom.map(|whom| &**whom)
    }

    /// What a block has of it.
    pub(crate) fn entry(&self, face: i64, whom: Option<i64>) -> Entry<'_> {
        let Self { event, kind, text, tags, ref seams, .. } = *self;
        let seams = seams.as_deref().map(Cow::Borrowed);
        Entry { id: event.id.bits(), kind, face, whom, text, tags, seams }
    }

    /// Writes [`Line::Event`], its id counted from another; where what a block takes over begins.
    pub(crate) fn append_event(&self, known: Numbered, after: u64, bytes: &mut Vec<u8>) -> usize {
        let entry = self.entry(known.from, known.whom);
        let mut writer = Writer::new(bytes);
        writer.byte(EVENT);
        writer.number(known.place.into());
        writer.number(entry.id.wrapping_sub(after));
        let said = writer.len();
        entry.write_said(&mut writer);
        writer.flush();
        said
    }

    pub(crate) fn id(&self) -> u64 {
        self.event.id.bits()
    }
}

/// What stands for the numbers of a log that is read.
#[derive(Debug, Default)]
pub(crate) struct Named<'r> {
    faces: FxHashMap<i64, Face<'r>>,
    places: FxHashMap<u32, Place<'r>>,
}

impl<'r> Record<'r> {
    pub(crate) fn id(&self) -> EventId {
        EventId::from_bits(self.entry.id)
    }

    /// The same with an id that was counted from another.
    pub(crate) fn after(self, first: u64) -> Self {
        let id = self.entry.id.wrapping_add(first);
        Self { entry: Entry { id, ..self.entry }, ..self }
    }

    /// A line, after those before it, if that is an event; an error if it makes no sense.
    pub(crate) fn of_line<N: Into<i64>>(
        named: &mut Named<'r>,
        line: Line<'r, N>,
    ) -> Result<Option<Self>, postcard::Error> {
        match line {
            Line::Face(number, face) => drop(named.faces.insert(number.into(), face)),
            Line::Place(number, place) => drop(named.places.insert(number, place)),
            Line::Event(place, entry) => {
                let face = |number| named.faces.get(number).copied().ok_or(postcard::Error::SerdeDeCustom);
                let (from, whom) = (face(&entry.face)?, entry.whom.as_ref().map(face).transpose()?);
                let place = named.places.get(&place).cloned().ok_or(postcard::Error::SerdeDeCustom)?;
                return Ok(Some(Self { place, from, whom, entry: Entry { face: 0, whom: None, ..entry } }));
            }
        }
        Ok(None)
    }

    /// What a log of the first format has.
    pub(crate) fn first(bytes: &'r [u8]) -> Result<Self, postcard::Error> {
        let first = postcard::from_bytes(bytes)?;
        let First { id, history, room, parties, kind, from, whom, text, tags, seams } = first;
        let entry = Entry { id, kind, face: 0, whom: None, text, tags, seams };
        Ok(Self { place: Place { history, room, parties }, from, whom, entry })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    #[test]
    fn faces_are_written_as_they_are_read() {
        let ana = Face {
            name: "Ana Lu",
            nick: "Ana_Lu",
            username: "~ana",
            host: "gate.example",
            account: "analu",
            dialect: "irc",
            bot: true,
        };
        let nobody = Face { account: "", bot: false, ..ana };
        for (number, face) in [(1, ana), (300, nobody), (i64::MAX, nobody)] {
            let (mut look, mut line) = (Vec::new(), b"before".to_vec());
            face.append(&mut look);
            append_face(number, &look, &mut line);
            assert_eq!(Face::read(&look).unwrap(), face);
            let line = line.strip_prefix(b"before").unwrap();
            assert_eq!(line, postcard::to_allocvec(&Line::Face(number, face)).unwrap());
        }
    }

    #[test]
    fn places_are_written_as_they_are_read() {
        for parties in [&[][..], &["a:ana"], &["a:ana", "n:bob", "n:cleo"]] {
            let place = Place { history: "#den", room: "Den", parties: parties.iter().copied().collect() };
            let mut line = b"before".to_vec();
            append_place(300, &place, &mut line);
            let line = line.strip_prefix(b"before").unwrap();
            assert_eq!(line, postcard::to_allocvec(&Line::<i64>::Place(300, place)).unwrap());
        }
    }
}
