//! Accounts as rows, and back.

use std::collections::BTreeSet;

use hub::{Account, AppPassword, Credentials, EventId, Name, Presence, ScramKeys, Secret};
use rusqlite::{Connection, params};

/// Keeps an account as it is now.
pub(crate) fn keep(change: &Connection, account: &Account) -> rusqlite::Result<()> {
    let Credentials { hash, scram } = &account.credentials;
    let since_ms = account.since_ms.cast_signed();
    let id: i64 = change.query_row(
        "INSERT INTO account (name, since_ms, hash, scram_salt, scram_iterations, scram_stored_key, scram_server_key, \
         always_on) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, \
         scram_salt = excluded.scram_salt, scram_iterations = excluded.scram_iterations, \
         scram_stored_key = excluded.scram_stored_key, scram_server_key = excluded.scram_server_key, \
         always_on = excluded.always_on RETURNING id",
        params![
            account.name.as_str(),
            since_ms,
            hash.reveal(),
            scram.salt,
            scram.iterations,
            scram.stored_key,
            scram.server_key,
            account.always_on
        ],
        |row| row.get(0),
    )?;
    change.execute("DELETE FROM certificate WHERE account = ?1", [id])?;
    for fingerprint in &account.certificates {
        change.execute(
            "INSERT OR REPLACE INTO certificate (fingerprint, account) VALUES (?1, ?2)",
            params![fingerprint, id],
        )?;
    }
    change.execute("DELETE FROM app_password WHERE account = ?1", [id])?;
    for AppPassword { label, digest } in &account.app_passwords {
        change.execute(
            "INSERT INTO app_password (account, label, digest) VALUES (?1, ?2, ?3)",
            params![id, label, digest],
        )?;
    }
    Ok(())
}

/// Forgets an account and all that is its.
pub(crate) fn forget(change: &Connection, name: &Name) -> rusqlite::Result<()> {
    change.execute("DELETE FROM account WHERE name = ?1", [name.as_str()])?;
    Ok(())
}

/// Notes what a device has been shown, or that it is of no interest.
pub(crate) fn seen(
    change: &Connection,
    (account, device, place): (&str, &str, &str),
    event: Option<EventId>,
) -> rusqlite::Result<()> {
    let sql = match event {
        Some(_) => {
            "INSERT OR REPLACE INTO seen (account, device, place, event) \
             SELECT id, ?2, ?3, ?4 FROM account WHERE name = ?1"
        }
        None => {
            "DELETE FROM seen WHERE account = (SELECT id FROM account WHERE name = ?1) AND device = ?2 \
             AND place = ?3 AND ?4 IS NULL"
        }
    };
    let event = event.map(|event| i64::try_from(event.bits()).unwrap_or(i64::MAX));
    change.execute(sql, params![account, device, place, event])?;
    Ok(())
}

/// All accounts.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<Account>> {
    let mut find = db.prepare(
        "SELECT id, name, since_ms, hash, scram_salt, scram_iterations, scram_stored_key, scram_server_key, always_on \
         FROM account",
    )?;
    let rows = find.query_map([], |row| {
        let scram = ScramKeys {
            salt: row.get(4)?,
            iterations: row.get(5)?,
            stored_key: row.get(6)?,
            server_key: row.get(7)?,
        };
        let account = Account {
            name: Name::kept(row.get_ref(1)?.as_str()?),
            since_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            credentials: Credentials { hash: Secret::new(row.get_ref(3)?.as_str()?), scram },
            certificates: BTreeSet::new(),
            app_passwords: Vec::new(),
            always_on: row.get(8)?,
        };
        Ok((row.get::<_, i64>(0)?, account))
    })?;
    let mut prints = db.prepare("SELECT fingerprint FROM certificate WHERE account = ?1")?;
    let mut apps = db.prepare("SELECT label, digest FROM app_password WHERE account = ?1 ORDER BY label")?;
    let mut accounts = Vec::new();
    for row in rows {
        let (id, mut account) = row?;
        account.certificates = prints.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let app = |row: &rusqlite::Row<'_>| Ok(AppPassword { label: row.get(0)?, digest: row.get(1)? });
        account.app_passwords = apps.query_map([id], app)?.collect::<Result<_, _>>()?;
        accounts.push(account);
    }
    Ok(accounts)
}

/// What all devices have been shown: account, device, place, event. Those that were being shown everything when the
/// last run ended have seen all there was.
pub(crate) fn all_seen(
    db: &Connection,
    last: i64,
) -> rusqlite::Result<Vec<(String, String, String, EventId)>> {
    db.execute("UPDATE seen SET event = ?1 WHERE event = ?2", [last, i64::MAX])?;
    let mut find = db.prepare(
        "SELECT account.name, seen.device, seen.place, seen.event FROM seen JOIN account ON account.id = seen.account",
    )?;
    let rows = find.query_map([], |row| {
        let event = EventId::from_bits(row.get::<_, i64>(3)?.cast_unsigned());
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, event))
    })?;
    rows.collect()
}

/// Notes up to when an account's owner has read.
pub(crate) fn marker(
    change: &Connection,
    (account, place): (&str, &str),
    read_ms: u64,
) -> rusqlite::Result<()> {
    change.execute(
        "INSERT OR REPLACE INTO marker (account, place, read_ms) SELECT id, ?2, ?3 FROM account WHERE name = ?1",
        params![account, place, read_ms.cast_signed()],
    )?;
    Ok(())
}

/// Up to when all have read.
pub(crate) fn all_markers(db: &Connection) -> rusqlite::Result<Vec<(String, String, u64)>> {
    let mut find = db.prepare(
        "SELECT account.name, marker.place, marker.read_ms FROM marker JOIN account ON account.id = marker.account",
    )?;
    let rows =
        find.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned())))?;
    rows.collect()
}

/// Keeps where a user is that stays.
pub(crate) fn presence(change: &Connection, presence: &Presence) -> rusqlite::Result<()> {
    let Presence { account, name, username, real_name, rooms } = presence;
    change.execute(
        "INSERT OR REPLACE INTO presence (account, name, username, real_name) \
         SELECT id, ?2, ?3, ?4 FROM account WHERE name = ?1",
        params![account, name, username, real_name],
    )?;
    change.execute(
        "DELETE FROM presence_room WHERE account = (SELECT id FROM account WHERE name = ?1)",
        [account],
    )?;
    for room in rooms {
        change.execute(
            "INSERT OR IGNORE INTO presence_room (account, room) SELECT id, ?2 FROM account WHERE name = ?1",
            [account, room],
        )?;
    }
    Ok(())
}

/// Where all such users were.
pub(crate) fn all_presences(db: &Connection) -> rusqlite::Result<Vec<Presence>> {
    let mut find = db.prepare(
        "SELECT account.id, account.name, presence.name, username, real_name FROM presence \
         JOIN account ON account.id = presence.account WHERE account.always_on",
    )?;
    let mut rooms = db.prepare("SELECT room FROM presence_room WHERE account = ?1 ORDER BY room")?;
    let rows = find.query_map([], |row| {
        let (account, name) = (row.get(1)?, row.get(2)?);
        let (username, real_name) = (row.get(3)?, row.get(4)?);
        let rooms = Vec::new();
        Ok((row.get::<_, i64>(0)?, Presence { account, name, username, real_name, rooms }))
    })?;
    let mut presences = Vec::new();
    for row in rows {
        let (id, mut presence) = row?;
        presence.rooms = rooms.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        presences.push(presence);
    }
    Ok(presences)
}
