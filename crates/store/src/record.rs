//! What is kept of an event, and how the commit log has it.

use std::borrow::Cow;
use std::sync::Arc;

use hub::{Actor, Card, Event, EventId, HistoryKey, Kept, Kind, Namespace, Party, Scope, Style, Whose};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::block::{Entry, Head};
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

/// A record of the log. People and places have numbers there, and stand there once before they are needed; a number that is
/// given again is somebody else's from then on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Line<'r> {
    /// Who has a number.
    Face(u32, #[serde(borrow)] Face<'r>),
    /// What place has a number.
    Place(u32, #[serde(borrow)] Place<'r>),
    /// An event: its place, and what a block has of it, but with the log's numbers.
    Event(u32, #[serde(borrow)] Entry<'r>),
}

/// An event on its way from the log into the database: only its beginning is looked at.
pub(crate) struct Passing<'r> {
    pub(crate) place: u32,
    pub(crate) head: Head,
    /// The rest of its entry.
    pub(crate) said: &'r [u8],
}

impl<'r> Passing<'r> {
    /// How [`Line::Event`] begins.
    const EVENT: u8 = 2;

    /// Nothing: the line is no event.
    ///
    /// Field by field, so that they stay in registers: a struct that is written in parts and read in one piece makes the
    /// processor wait until everything written before it is in memory.
    #[inline]
    pub(crate) fn read(line: &'r [u8]) -> Option<postcard::Result<Self>> {
        let (&Self::EVENT, event) = line.split_first()? else { return None };
        let mut from = postcard::Deserializer::from_bytes(event);
        let mut read = || {
            let place = u32::deserialize(&mut from)?;
            let (id, kind) = (u64::deserialize(&mut from)?, u8::deserialize(&mut from)?);
            let (face, whom) = (i64::deserialize(&mut from)?, Option::deserialize(&mut from)?);
            Ok((place, Head { id, kind, face, whom }))
        };
        let head = read();
        Some(head.and_then(|(place, head)| Ok(Self { place, head, said: from.finalize()? })))
    }
}

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

    /// The history, if it is a room's.
    fn room(&self) -> Option<&'r HistoryKey> {
        match self.whose {
            Whose::Room(history) => Some(history),
            Whose::Pair | Whose::Group(_) => None,
        }
    }

    /// Where those are in memory who decide on its numbers, if they are two.
    fn addresses(&self) -> Option<(usize, usize)> {
        let place = match (self.whose, self.whom) {
            (Whose::Room(history), None) => history.as_str().as_ptr().addr(),
            (Whose::Pair, Some(whom)) => address(whom),
            _ => return None,
        };
        Some((address(self.from), place))
    }

    pub(crate) fn from(&self) -> Face<'r> {
        Face::of(self.from)
    }

    pub(crate) fn whom(&self) -> Option<Face<'r>> {
        self.whom.map(|whom| Face::of(whom))
    }

    /// What a block has of it.
    pub(crate) fn entry(&self, face: i64, whom: Option<i64>) -> Entry<'r> {
        let Self { event, kind, text, tags, ref seams, .. } = *self;
        Entry { id: event.id.bits(), kind, face, whom, text, tags, seams: seams.clone() }
    }
}

/// Numbers that people and places have in what is appended to a log.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// By where they are in memory, which is theirs for as long as they are here.
    faces: FxHashMap<usize, (Arc<Card>, u32)>,
    places: FxHashMap<HistoryKey, u32>,
    /// All that a message needs, by who says it and where: by where these two are in memory, too.
    known: FxHashMap<(usize, usize), Known>,
}

/// The numbers of an event.
#[derive(Debug, Clone)]
struct Known {
    place: u32,
    from: u32,
    whom: Option<u32>,
    /// What else has to stay where it is.
    _room: Option<HistoryKey>,
}

impl Numbers {
    /// The lines that an event comes to.
    pub(crate) fn lines<E>(
        &mut self,
        said: &Said<'_>,
        mut line: impl FnMut(&Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let addresses = said.addresses();
        let mut new = None;
        let known = match addresses.and_then(|addresses| self.known.get(&addresses)) {
            Some(known) => known,
            None => new.insert(self.learn(said, &mut line)?),
        };
        line(&Line::Event(known.place, said.entry(known.from.into(), known.whom.map(Into::into))))?;
        if let (Some(addresses), Some(new)) = (addresses, new) {
            self.known.insert(addresses, new);
        }
        Ok(())
    }

    fn learn<E>(
        &mut self,
        said: &Said<'_>,
        line: &mut impl FnMut(&Line<'_>) -> Result<(), E>,
    ) -> Result<Known, E> {
        let mut face = |card: &Arc<Card>| {
            let next = number(self.faces.len());
            let (_, known) = self.faces.entry(address(card)).or_insert_with(|| (card.clone(), next));
            let number = *known;
            if number == next {
                line(&Line::Face(number, Face::of(card)))?;
            }
            Ok(number)
        };
        let from = face(said.from)?;
        let whom = said.whom.map(face).transpose()?;
        let there = said.whereabouts();
        let next = number(self.places.len());
        let place = *self.places.entry(there.history.clone()).or_insert(next);
        if place == next {
            line(&Line::Place(place, there.place()))?;
        }
        Ok(Known { place, from, whom, _room: said.room().cloned() })
    }

    pub(crate) fn clear(&mut self) {
        self.faces.clear();
        self.places.clear();
        self.known.clear();
    }
}

fn address(card: &Arc<Card>) -> usize {
    Arc::as_ptr(card).addr()
}

/// There is far less in a log than can be counted.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What stands for the numbers of a log that is read.
#[derive(Debug)]
pub(crate) struct Named<F, P> {
    faces: FxHashMap<i64, F>,
    places: FxHashMap<u32, P>,
}

impl<F, P> Default for Named<F, P> {
    fn default() -> Self {
        Self { faces: FxHashMap::default(), places: FxHashMap::default() }
    }
}

impl<F: Clone, P: Clone> Named<F, P> {
    pub(crate) fn face(&mut self, number: u32, face: F) {
        self.faces.insert(number.into(), face);
    }

    pub(crate) fn place(&mut self, number: u32, place: P) {
        self.places.insert(number, place);
    }

    /// The place of an event, who has said it, and to whom; nothing: a number is nobody's.
    #[inline]
    pub(crate) fn of(&self, place: u32, head: &Head) -> Option<(P, F, Option<F>)> {
        let whom = match head.whom {
            Some(whom) => Some(self.faces.get(&whom)?.clone()),
            None => None,
        };
        Some((self.places.get(&place)?.clone(), self.faces.get(&head.face)?.clone(), whom))
    }
}

impl<'r> Record<'r> {
    pub(crate) fn id(&self) -> EventId {
        EventId::from_bits(self.entry.id)
    }

    /// A line, after those before it, if that is an event; an error if it makes no sense.
    pub(crate) fn of_line(
        named: &mut Named<Face<'r>, Place<'r>>,
        line: Line<'r>,
    ) -> Result<Option<Self>, postcard::Error> {
        match line {
            Line::Face(number, face) => named.face(number, face),
            Line::Place(number, place) => named.place(number, place),
            Line::Event(place, entry) => {
                let (place, from, whom) =
                    named.of(place, &entry.head()).ok_or(postcard::Error::SerdeDeCustom)?;
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

    /// The lines that it comes to, whatever stands before them.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line<'r>> {
        let Self { place, from, whom, entry } = self.clone();
        let to = whom.map(|whom| Line::Face(1, whom));
        let event = Entry { face: 0, whom: to.as_ref().map(|_| 1), ..entry };
        [Some(Line::Place(0, place)), Some(Line::Face(0, from)), to, Some(Line::Event(0, event))]
            .into_iter()
            .flatten()
    }
}
