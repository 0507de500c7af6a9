//! Registered rooms as rows, and back.

use std::sync::Arc;

use hub::{KeptRoom, MaskEntry, MaskList, Ranks, RoomFlags, RoomModes, RoomName, Topic};
use rusqlite::{Connection, Row, params};

/// Each list by its number.
const LISTS: [(i64, MaskList); 3] =
    [(1, MaskList::Bans), (2, MaskList::BanExceptions), (3, MaskList::InviteExceptions)];

/// Keeps a room as it is now.
pub(crate) fn keep(change: &Connection, room: &KeptRoom) -> rusqlite::Result<()> {
    forget(change, &room.name)?;
    let topic = room.topic.as_ref();
    change.execute(
        "INSERT INTO room (name, founder, made_ms, topic, topic_by, topic_ms, flags, key, member_limit, slow_s) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            room.name.as_str(),
            &*room.founder,
            room.made_ms.cast_signed(),
            topic.map(|topic| &*topic.text),
            topic.map(|topic| &*topic.by),
            topic.map(|topic| topic.unix_ms.cast_signed()),
            room.modes.flags.bits(),
            room.modes.key.as_deref(),
            room.modes.limit,
            room.modes.slow_s,
        ],
    )?;
    let id = change.last_insert_rowid();
    for (list, entry) in &room.lists {
        let number = LISTS.iter().find(|(_, known)| known == list).map(|(number, _)| *number);
        change.execute(
            "INSERT INTO room_mask (room, list, mask, made_by, made_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id, number, &*entry.mask, &*entry.by, entry.unix_ms.cast_signed()],
        )?;
    }
    for (account, ranks) in &room.ranks {
        change.execute(
            "INSERT OR REPLACE INTO room_rank (room, account, ranks) VALUES (?1, ?2, ?3)",
            params![id, &**account, ranks.bits()],
        )?;
    }
    Ok(())
}

/// Forgets a room.
pub(crate) fn forget(change: &Connection, name: &RoomName) -> rusqlite::Result<()> {
    change.execute("DELETE FROM room WHERE name = ?1", [name.as_str()])?;
    Ok(())
}

/// All registered rooms.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<KeptRoom>> {
    let mut find = db.prepare(
        "SELECT id, name, founder, made_ms, topic, topic_by, topic_ms, flags, key, member_limit, slow_s FROM room",
    )?;
    let mut masks =
        db.prepare("SELECT list, mask, made_by, made_ms FROM room_mask WHERE room = ?1 ORDER BY rowid")?;
    let mut ranks = db.prepare("SELECT account, ranks FROM room_rank WHERE room = ?1")?;
    let mut rooms = Vec::new();
    for row in find.query_map([], |row| Ok((row.get::<_, i64>(0)?, room(row)?)))? {
        let (id, mut room) = row?;
        let found = masks.query_map([id], |row| {
            let list = LISTS.iter().find(|(number, _)| row.get(0) == Ok(*number)).map(|(_, list)| *list);
            let (mask, by): (Arc<str>, Arc<str>) = (row.get(1)?, row.get(2)?);
            Ok(list.map(|list| (list, MaskEntry { mask, by, unix_ms: 0 })).zip(row.get::<_, i64>(3).ok()))
        })?;
        for entry in found {
            if let Some(((list, mut entry), made_ms)) = entry? {
                entry.unix_ms = made_ms.cast_unsigned();
                room.lists.push((list, entry));
            }
        }
        let found = ranks.query_map([id], |row| Ok((row.get(0)?, Ranks::from_bits_truncate(row.get(1)?))))?;
        room.ranks = found.collect::<Result<_, _>>()?;
        rooms.push(room);
    }
    Ok(rooms)
}

fn room(row: &Row<'_>) -> rusqlite::Result<KeptRoom> {
    let (text, by, at): (Option<Arc<str>>, Option<Arc<str>>, Option<i64>) =
        (row.get(4)?, row.get(5)?, row.get(6)?);
    let topic = text.zip(by).zip(at).map(|((text, by), at)| Topic { text, by, unix_ms: at.cast_unsigned() });
    let modes = RoomModes {
        flags: RoomFlags::from_bits_truncate(row.get(7)?),
        key: row.get(8)?,
        limit: row.get(9)?,
        slow_s: row.get(10)?,
    };
    Ok(KeptRoom {
        name: RoomName::kept(row.get_ref(1)?.as_str()?),
        founder: row.get(2)?,
        made_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        topic,
        modes,
        lists: Vec::new(),
        ranks: Vec::new(),
    })
}
