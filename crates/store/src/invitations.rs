//! Invitations, and which rooms were opened to whom by them.

use hub::{HistoryKey, Invitation, InvitationDigest, RoomName};
use rusqlite::{Connection, params};

/// Keeps an invitation as it is now.
pub(crate) fn keep(change: &Connection, invitation: &Invitation) -> rusqlite::Result<()> {
    let Invitation { digest, by, room, made_ms, until_ms, uses } = invitation;
    change.execute(
        "INSERT OR REPLACE INTO invitation (digest, made_by, room, made_ms, until_ms, uses) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            digest,
            by.as_deref(),
            room.as_ref().map(RoomName::as_str),
            made_ms.cast_signed(),
            until_ms.map(u64::cast_signed),
            uses
        ],
    )?;
    Ok(())
}

/// Forgets an invitation.
pub(crate) fn forget(change: &Connection, digest: &InvitationDigest) -> rusqlite::Result<()> {
    change.execute("DELETE FROM invitation WHERE digest = ?1", [digest])?;
    Ok(())
}

/// All invitations, also those that have ended.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<Invitation>> {
    let mut find = db.prepare("SELECT digest, made_by, room, made_ms, until_ms, uses FROM invitation")?;
    let rows = find.query_map([], |row| {
        let (by, room): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        // A room's name that is none could only have been written by another program: then it is into no room.
        let room = room.and_then(|room| RoomName::new(&room).ok());
        let until_ms: Option<i64> = row.get(4)?;
        Ok(Invitation {
            digest: row.get(0)?,
            by: by.map(Into::into),
            room,
            made_ms: row.get::<_, i64>(3)?.cast_unsigned(),
            until_ms: until_ms.map(i64::cast_unsigned),
            uses: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Lets an account come into a room.
pub(crate) fn welcome(change: &Connection, account: &str, room: &HistoryKey) -> rusqlite::Result<()> {
    change.execute(
        "INSERT OR REPLACE INTO welcome (account, room) SELECT id, ?2 FROM account WHERE name = ?1",
        params![account, room.as_str()],
    )?;
    Ok(())
}

/// It may no longer.
pub(crate) fn unwelcome(change: &Connection, account: &str, room: &HistoryKey) -> rusqlite::Result<()> {
    change.execute(
        "DELETE FROM welcome WHERE account = (SELECT id FROM account WHERE name = ?1) AND room = ?2",
        params![account, room.as_str()],
    )?;
    Ok(())
}

/// Nobody may any more.
pub(crate) fn unwelcome_all(change: &Connection, room: &HistoryKey) -> rusqlite::Result<()> {
    change.execute("DELETE FROM welcome WHERE room = ?1", [room.as_str()])?;
    Ok(())
}

/// A room has another name; of an earlier one that had it nothing is left.
pub(crate) fn rename(change: &Connection, before: &HistoryKey, after: &HistoryKey) -> rusqlite::Result<()> {
    unwelcome_all(change, after)?;
    change.execute("UPDATE welcome SET room = ?2 WHERE room = ?1", [before.as_str(), after.as_str()])?;
    Ok(())
}

/// Which accounts may come into which rooms.
pub(crate) fn all_welcomes(db: &Connection) -> rusqlite::Result<Vec<(String, HistoryKey)>> {
    let mut find = db.prepare(
        "SELECT account.name, welcome.room FROM welcome JOIN account ON account.id = welcome.account",
    )?;
    let rows = find.query_map([], |row| Ok((row.get(0)?, HistoryKey::kept(row.get_ref(1)?.as_str()?))))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hub::{Account, Credentials, Kept, Name, ScramKeys, Secret};

    use super::*;
    use crate::{Durability, Writer};

    #[test]
    fn invitations_and_what_they_opened_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Writer::open(folder.path(), Durability::Process).unwrap();
        let scram = ScramKeys { salt: [1; 16], iterations: 1, stored_key: [2; 32], server_key: [3; 32] };
        let account = Account {
            name: Name::new("ana").unwrap(),
            since_ms: 1,
            credentials: Credentials { hash: Secret::new("hash"), scram },
            certificates: BTreeSet::new(),
            app_passwords: Vec::new(),
            always_on: false,
        };
        let room = |name: &str| HistoryKey::of_room(&RoomName::new(name).unwrap());
        let invitation = |digest, uses| Invitation {
            digest: [digest; 32],
            by: (digest == 1).then(|| "ana".into()),
            room: (digest == 1).then(|| RoomName::new("den").unwrap()),
            made_ms: 1_000,
            until_ms: (digest == 1).then_some(2_000),
            uses,
        };
        let keep = |invitation: Invitation| Kept::Invitation(Box::new(invitation));
        let (mut writer, boot) = open();
        assert_eq!((boot.invitations, boot.welcomes), (vec![], vec![]));
        let (account_name, both) = (account.name.clone(), [room("den"), room("attic")]);
        writer.keep(&[Kept::Account { account: Box::new(account), before: None }]).unwrap();
        writer.keep(&[keep(invitation(1, 3)), keep(invitation(2, 1)), keep(invitation(3, 1))]).unwrap();
        writer.keep(&[keep(invitation(1, 2)), Kept::InvitationGone([3; 32])]).unwrap();
        for room in both {
            writer.keep(&[Kept::Welcome { account: "ana".into(), room }]).unwrap();
        }
        let (before, after) = (room("den"), room("hall"));
        let name = RoomName::new("hall").unwrap();
        writer.keep(&[Kept::HistoryRenamed { before, after, name }]).unwrap();
        drop(writer);
        let (mut writer, boot) = open();
        assert_eq!(boot.invitations, [invitation(1, 2), invitation(2, 1)]);
        assert_eq!(boot.welcomes, [("ana".to_owned(), room("attic")), ("ana".to_owned(), room("hall"))]);
        writer.keep(&[Kept::WelcomeGone { account: "ana".into(), room: room("attic") }]).unwrap();
        drop(writer);
        let (mut writer, boot) = open();
        assert_eq!(boot.welcomes, [("ana".to_owned(), room("hall"))]);
        writer.keep(&[Kept::WelcomesGone(room("hall"))]).unwrap();
        writer.keep(&[Kept::Welcome { account: "ana".into(), room: room("den") }]).unwrap();
        writer.keep(&[Kept::AccountGone(account_name)]).unwrap();
        drop(writer);
        assert_eq!(open().1.welcomes, []);
    }
}
