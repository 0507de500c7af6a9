//! From where nobody may come.

use hub::ServerBan;
use ipnet::IpNet;
use rusqlite::{Connection, params};

/// All bans, also those that have ended.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<ServerBan>> {
    let mut find = db.prepare("SELECT net, reason, made_ms, until_ms FROM ban")?;
    let rows = find.query_map([], |row| {
        let (net, reason): (String, Box<str>) = (row.get(0)?, row.get(1)?);
        let made_ms: i64 = row.get(2)?;
        let until_ms: Option<i64> = row.get(3)?;
        Ok(net.parse().ok().map(|net| ServerBan {
            net,
            reason: reason.into(),
            made_ms: made_ms.cast_unsigned(),
            until_ms: until_ms.map(i64::cast_unsigned),
        }))
    })?;
    // One that is no network could only have been written by another program.
    rows.filter_map(Result::transpose).collect()
}

/// Keeps a ban, in place of one for the same addresses.
pub(crate) fn set(change: &Connection, ban: &ServerBan) -> rusqlite::Result<()> {
    change.execute(
        "INSERT OR REPLACE INTO ban (net, reason, made_ms, until_ms) VALUES (?1, ?2, ?3, ?4)",
        params![
            ban.net.to_string(),
            &*ban.reason,
            ban.made_ms.cast_signed(),
            ban.until_ms.map(u64::cast_signed)
        ],
    )?;
    Ok(())
}

/// Forgets a ban.
pub(crate) fn lift(change: &Connection, net: IpNet) -> rusqlite::Result<()> {
    change.execute("DELETE FROM ban WHERE net = ?1", [net.to_string()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hub::{Kept, ServerBan};

    use crate::{Durability, Writer};

    #[test]
    fn bans_are_there_after_a_restart_until_they_are_lifted() {
        let folder = tempfile::tempdir().unwrap();
        let ban = |net: &str, reason: &str, until_ms| ServerBan {
            net: net.parse().unwrap(),
            reason: reason.into(),
            made_ms: 1_000,
            until_ms,
        };
        let (mut writer, boot) = Writer::open(folder.path(), Durability::Process).unwrap();
        assert_eq!(boot.bans, []);
        let (one, two) = (ban("192.0.2.0/24", "", None), ban("2001:db8::/32", "rude", Some(5_000)));
        writer.keep(&[Kept::Banned(ban("192.0.2.0/24", "before", Some(1)))]).unwrap();
        writer.keep(&[Kept::Banned(one.clone()), Kept::Banned(two.clone())]).unwrap();
        drop(writer);
        let (mut writer, boot) = Writer::open(folder.path(), Durability::Process).unwrap();
        assert_eq!(boot.bans, [one.clone(), two]);
        writer.keep(&[Kept::Unbanned("2001:db8::/32".parse().unwrap())]).unwrap();
        drop(writer);
        assert_eq!(Writer::open(folder.path(), Durability::Process).unwrap().1.bans, [one]);
    }
}
