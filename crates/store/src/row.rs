//! Events as rows, and back.

use std::sync::Arc;

use hub::{Actor, Card, Dialect, Event, EventId, FormerFace, Kind, RoomCard, Scope, Shared, Style, Text};
use rusqlite::Row;

/// What the `kind` column says.
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

/// The columns of an event with its people, in the order in which [`event`] reads them.
pub(crate) const COLUMNS: &str = "event.id, event.kind, event.text, event.tags, event.seams, \
    f.name, f.nick, f.username, f.host, f.account, f.dialect, f.bot, \
    t.name, t.nick, t.username, t.host, t.account, t.dialect, t.bot";

/// Where they come from.
pub(crate) const TABLES: &str =
    "event JOIN face f ON f.id = event.face LEFT JOIN face t ON t.id = event.whom";

/// An event as it was. `room`: the room that the history is of.
pub(crate) fn event(row: &Row<'_>, room: Option<&Arc<RoomCard>>) -> rusqlite::Result<Shared> {
    let id = EventId::from_bits(row.get::<_, i64>(0)?.cast_unsigned());
    let from = Arc::new(card(row, 5)?);
    let whom = row.get_ref(12)?.as_str_or_null()?.is_some().then(|| card(row, 12)).transpose()?.map(Arc::new);
    let scope = match room {
        Some(room) => Scope::Room(room.clone()),
        None => Scope::Private { named: 1, to: whom },
    };
    let text: Box<str> = row.get(2)?;
    let tags: Option<Arc<str>> = row.get(3)?;
    let style = match row.get::<_, u8>(1)? {
        kind::TAGS => {
            let tags = tags.unwrap_or_default();
            return Ok(shared(id, Kind::Tags { from, scope, tags, reaction: None }));
        }
        kind::TOPIC => {
            let Scope::Room(room) = scope else { return Err(rusqlite::Error::InvalidQuery) };
            let topic = (!text.is_empty()).then(|| text.into());
            return Ok(shared(id, Kind::Topic { by: Actor::User(from), room, topic }));
        }
        kind::BARE => Style::Bare,
        kind::NOTICE => Style::Notice,
        kind::ACTION => Style::Action,
        _ => Style::Plain,
    };
    let seams = row.get_ref(4)?.as_str_or_null()?;
    let seams = seams.map(|seams| seams.split(',').filter_map(|seam| seam.parse().ok()).collect());
    Ok(shared(id, Kind::Message { from, scope, text: Text::kept(&text), style, tags, seams }))
}

fn shared(id: EventId, kind: Kind) -> Shared {
    Shared::new(Event { id, unix_ms: id.unix_ms(), by: None, kind })
}

fn card(row: &Row<'_>, first: usize) -> rusqlite::Result<Card> {
    let account: String = row.get(first + 4)?;
    Ok(Card::former(FormerFace {
        name: row.get(first)?,
        nick: row.get(first + 1)?,
        username: row.get(first + 2)?,
        host: row.get(first + 3)?,
        account: (!account.is_empty()).then_some(account),
        dialect: Dialect::named(row.get_ref(first + 5)?.as_str()?).unwrap_or(Dialect::Irc),
        bot: row.get(first + 6)?,
    }))
}
