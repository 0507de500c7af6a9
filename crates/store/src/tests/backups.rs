//! Backup, restoration, and the look for damage.

use std::fs;

use super::*;
use crate::{SCHEMA_VERSION, StoreError, backup, check, restore};

fn with(texts: &[(u64, &str)]) -> Store {
    let mut store = Store::new();
    let ana = person("ana");
    let batch: Vec<_> = texts.iter().map(|(number, text)| said(*number, "den", &ana, text)).collect();
    store.keep(&batch);
    store
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_backup_of_a_store_in_use_has_what_was_kept() {
    let mut store = with(&[(1, "zanzibar"), (2, "two")]);
    while store.writer.index().unwrap() {}
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("saved.db");
    let summary = backup(store.path(), &file).unwrap();
    assert_eq!((summary.version, summary.messages, summary.histories), (SCHEMA_VERSION, 2, 1));
    assert_eq!(summary.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(names(elsewhere.path()), ["saved.db"]);
    // The server goes on.
    store.keep(&[said(3, "den", &person("ana"), "later")]);
    assert_eq!(store.all("den"), [1, 2, 3]);

    let other = tempfile::tempdir().unwrap();
    let restored = restore(other.path(), &file).unwrap();
    assert_eq!((restored.now, restored.before), (summary, None));
    let mut store = Store::open(other);
    assert_eq!((store.all("den"), store.search("den", "zanzibar")), (vec![1, 2], vec![1]));
}

#[cfg(unix)]
#[test]
fn a_backup_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let store = with(&[(1, "one")]);
    let file = store.path().join("saved.db");
    backup(store.path(), &file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_was_taken_back_is_not_in_a_backup() {
    let mut store = with(&[(1, "yttriumquokka"), (2, "two")]);
    while store.writer.index().unwrap() {}
    store.keep(&[took_back(3, "den", &person("ana"), 1)]);
    let file = store.path().join("saved.db");
    backup(store.path(), &file).unwrap();
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(13).any(|window| window == b"yttriumquokka"), "it is there");
}

#[test]
fn a_backup_overwrites_nothing() {
    let store = with(&[(1, "one")]);
    let file = store.path().join("precious");
    fs::write(&file, "precious").unwrap();
    let error = backup(store.path(), &file).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    let error = backup(store.path(), &store.path().join(FILE_NAME)).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn where_there_is_no_store_there_is_nothing_to_back_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved.db");
    for folder in [folder.path().to_owned(), folder.path().join("missing")] {
        let error = backup(&folder, &file).unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
        assert!(matches!(check(&folder), Err(StoreError::Missing { .. })));
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
    let store = with(&[(1, "one")]);
    let error = backup(store.path(), &folder.path().join("missing/saved.db")).unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{error}");
}

#[test]
fn a_restoration_puts_what_was_there_aside() {
    let store = with(&[(1, "one")]);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("saved.db");
    backup(store.path(), &file).unwrap();
    let folder = with(&[(5, "five"), (6, "six")]).close();
    for number in 1..=2 {
        let before = restore(folder.path(), &file).unwrap().before.unwrap();
        assert_eq!(before, folder.path().join(format!("{FILE_NAME}.before-{number}")));
    }
    assert_eq!(
        names(folder.path()),
        [FILE_NAME, "polylogue.db.before-1", "polylogue.db.before-2", "polylogue.lock"]
    );
    // What was put aside is a store as well.
    let other = tempfile::tempdir().unwrap();
    restore(other.path(), &folder.path().join("polylogue.db.before-1")).unwrap();
    assert_eq!((Store::open(folder).all("den"), Store::open(other).all("den")), (vec![1], vec![5, 6]));
}

#[test]
fn a_log_that_was_left_behind_goes_with_its_store() {
    let store = with(&[(5, "five")]);
    let left = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("{FILE_NAME}{end}");
        fs::copy(store.path().join(&name), left.path().join(&name)).unwrap();
    }
    let file = store.path().join("saved.db");
    backup(with(&[(1, "one")]).path(), &file).unwrap();
    let before = restore(left.path(), &file).unwrap().before.unwrap();
    let other = tempfile::tempdir().unwrap();
    restore(other.path(), &before).unwrap();
    assert_eq!((Store::open(left).all("den"), Store::open(other).all("den")), (vec![1], vec![5]));
}

#[test]
fn a_store_in_use_is_not_replaced() {
    let mut store = with(&[(1, "one")]);
    let file = store.path().join("saved.db");
    backup(store.path(), &file).unwrap();
    let error = restore(store.path(), &file).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    store.keep(&[said(2, "den", &person("ana"), "two")]);
    assert_eq!(store.all("den"), [1, 2]);
}

#[test]
fn what_can_not_be_restored_changes_nothing() {
    let folder = with(&[(1, "one")]).close();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = |name: &str| elsewhere.path().join(name);
    fs::write(file("garbage"), "not a database ".repeat(1_000)).unwrap();
    fs::write(file("empty"), "").unwrap();
    let many: Vec<(u64, &str)> = (1..2_000).map(|number| (number, "something that was said")).collect();
    backup(with(&many).path(), &file("cut")).unwrap();
    let length = fs::metadata(file("cut")).unwrap().len();
    fs::OpenOptions::new().write(true).open(file("cut")).unwrap().set_len(length / 2).unwrap();
    backup(folder.path(), &file("newer")).unwrap();
    let db = rusqlite::Connection::open(file("newer")).unwrap();
    db.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(db);
    let db = rusqlite::Connection::open(file("foreign")).unwrap();
    db.execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    drop(db);
    let before = names(folder.path());
    for (name, wanted) in [
        ("garbage", "is damaged"),
        ("empty", "is no store"),
        ("cut", "is damaged"),
        ("newer", "this program knows"),
        ("foreign", "is no store"),
        ("missing", "there is no store here"),
    ] {
        let error = restore(folder.path(), &file(name)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{name}: {error}");
        assert!(!error.hint().is_empty());
    }
    assert_eq!(names(folder.path()), before);
    assert_eq!(Store::open(folder).all("den"), [1]);
}

#[test]
fn a_sound_store_is_found_sound_while_it_is_used() {
    let mut store = with(&[(1, "one"), (2, "two")]);
    while store.writer.index().unwrap() {}
    let summary = check(store.path()).unwrap();
    assert_eq!((summary.messages, summary.histories), (2, 1));
}

#[test]
fn an_index_that_does_not_agree_is_damage() {
    let store = with(&[(1, "one"), (2, "two")]);
    // Behind the index's back.
    store
        .writer
        .db
        .execute_batch(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'block_by_history') \
             WHERE name = 'sqlite_autoindex_history_1'",
        )
        .unwrap();
    let folder = store.close();
    let error = check(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn events_that_make_no_sense_are_damage() {
    for damage in [
        "UPDATE block SET events = X'00010200'",
        "UPDATE block SET events = events || X'00'",
        "UPDATE block SET events = CAST(events || X'00' AS BLOB)",
        "UPDATE block SET count = 3",
        "UPDATE block SET last = last + 1",
        "UPDATE block SET first = first + 1",
    ] {
        let store = with(&[(1, "one"), (20, "two")]);
        store
            .writer
            .db
            .execute_batch(&format!("{damage} WHERE first = (SELECT max(first) FROM block)"))
            .unwrap();
        let folder = store.close();
        let checked = check(folder.path());
        assert!(matches!(checked, Err(StoreError::Damaged { .. })), "{damage}: {checked:?}");
    }
}
