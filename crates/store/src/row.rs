//! Events as they were, out of what is kept of them.

use std::sync::Arc;

use hub::{Actor, Card, Dialect, Event, EventId, FormerFace, Kind, RoomCard, Scope, Shared, Style, Text};
use rusqlite::{CachedStatement, Connection, Error, OptionalExtension as _, Result, Row};
use rustc_hash::FxHashMap;

use crate::block::Entry;

/// What an event's `kind` says.
pub(crate) mod kind {
    pub(crate) const PLAIN: u8 = 1;
    pub(crate) const BARE: u8 = 2;
    pub(crate) const NOTICE: u8 = 3;
    pub(crate) const ACTION: u8 = 4;
    pub(crate) const TAGS: u8 = 5;
    pub(crate) const TOPIC: u8 = 6;
    /// The last of those that are something said.
    pub(crate) const LAST_SAID: u8 = ACTION;
}

/// People as they looked, by their numbers, for as long as nothing changes.
pub(crate) struct Faces<'c> {
    find: CachedStatement<'c>,
    found: FxHashMap<i64, Option<Arc<Card>>>,
}

impl<'c> Faces<'c> {
    pub(crate) fn new(db: &'c Connection) -> Result<Self> {
        let find = db.prepare_cached(
            "SELECT name, nick, username, host, account, dialect, bot FROM face WHERE id = ?1",
        )?;
        Ok(Self { find, found: FxHashMap::default() })
    }

    /// How somebody looked; nothing: that was erased.
    pub(crate) fn card(&mut self, number: i64) -> Result<Option<Arc<Card>>> {
        if let Some(card) = self.found.get(&number) {
            return Ok(card.clone());
        }
        let card = self.find.query_row([number], card).optional()?.map(Arc::new);
        self.found.insert(number, card.clone());
        Ok(card)
    }

    /// An event as it was. `room`: the room that the history is of. Nothing: who said it was erased.
    pub(crate) fn event(
        &mut self,
        entry: &Entry<'_>,
        room: Option<&Arc<RoomCard>>,
    ) -> Result<Option<Shared>> {
        let Some(from) = self.card(entry.face)? else { return Ok(None) };
        let scope = match room {
            Some(room) => Scope::Room(room.clone()),
            None => {
                let to = entry.whom.map(|whom| self.card(whom)).transpose()?.flatten();
                Scope::Private { named: 1, to }
            }
        };
        let id = EventId::from_bits(entry.id);
        let tags: Option<Arc<str>> = entry.tags.map(Into::into);
        let style = match entry.kind {
            kind::TAGS => {
                let tags = tags.unwrap_or_default();
                return Ok(Some(shared(id, Kind::Tags { from, scope, tags, reaction: None })));
            }
            kind::TOPIC => {
                let Scope::Room(room) = scope else { return Err(Error::InvalidQuery) };
                let topic = (!entry.text.is_empty()).then(|| entry.text.into());
                return Ok(Some(shared(id, Kind::Topic { by: Actor::User(from), room, topic })));
            }
            kind::BARE => Style::Bare,
            kind::NOTICE => Style::Notice,
            kind::ACTION => Style::Action,
            _ => Style::Plain,
        };
        let seams = entry.seams.as_deref();
        let seams = seams.map(|seams| seams.split(',').filter_map(|seam| seam.parse().ok()).collect());
        let text = Text::kept(entry.text);
        Ok(Some(shared(id, Kind::Message { from, scope, text, style, tags, seams })))
    }
}

fn shared(id: EventId, kind: Kind) -> Shared {
    Shared::new(Event { id, unix_ms: id.unix_ms(), by: None, kind })
}

fn card(row: &Row<'_>) -> Result<Card> {
    let account: String = row.get(4)?;
    Ok(Card::former(FormerFace {
        name: row.get(0)?,
        nick: row.get(1)?,
        username: row.get(2)?,
        host: row.get(3)?,
        account: (!account.is_empty()).then_some(account),
        dialect: Dialect::named(row.get_ref(5)?.as_str()?).unwrap_or(Dialect::Irc),
        bot: row.get(6)?,
    }))
}
