//! Folders that a server can't use, and why.

use std::fs;

use super::*;
use crate::{SCHEMA_VERSION, StoreError, schema};

const PAGE: u64 = schema::PAGE_BYTES as u64;

fn refused(folder: &Path) -> StoreError {
    match Writer::open(folder, Durability::Process) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_folder_has_one_writer() {
    let store = Store::new();
    assert!(matches!(refused(store.path()), StoreError::InUse { .. }));
    let folder = store.close();
    Writer::open(folder.path(), Durability::Power).unwrap();
}

#[cfg(unix)]
#[test]
fn nobody_else_can_look_into_a_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("a/b");
    Writer::open(&inside, Durability::Process).unwrap();
    assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_newer_store_is_not_touched() {
    let folder = Store::new().close();
    let path = folder.path().join(FILE_NAME);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(db);
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::TooNew { found, .. } if found == SCHEMA_VERSION + 1), "{error}");
    assert!(error.hint().contains("newer"));
}

#[test]
fn a_database_of_another_program_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    for version in [0, 1] {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE IF NOT EXISTS recipe (name TEXT)").unwrap();
        db.pragma_update(None, "user_version", version).unwrap();
        drop(db);
        let error = refused(folder.path());
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
}

#[test]
fn something_that_is_no_database_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), "not a database ".repeat(1_000)).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.hint().contains("polylogue restore"));
}

/// A store with something in it, closed.
fn filled() -> tempfile::TempDir {
    let mut store = Store::new();
    let ana = person("ana");
    let batch: Vec<_> = (1..2_000).map(|number| said(number, "den", &ana, "something said")).collect();
    store.keep(&batch);
    while store.writer.index().unwrap() {}
    store.close()
}

#[test]
fn a_file_that_was_cut_off_is_damage() {
    let folder = filled();
    let path = folder.path().join(FILE_NAME);
    let length = fs::metadata(&path).unwrap().len();
    for rest in [100, 4096, length / 2, length - 4096] {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(rest).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, StoreError::Damaged { .. }), "{rest}: {error}");
        fs::remove_file(&path).unwrap();
        fs::copy(filled().path().join(FILE_NAME), &path).unwrap();
    }
}

#[test]
fn a_page_that_was_overwritten_is_damage() {
    use std::os::unix::fs::FileExt as _;
    let folder = filled();
    let path = folder.path().join(FILE_NAME);
    let pages = fs::metadata(&path).unwrap().len() / PAGE;
    for page in [1, pages / 2, pages - 1] {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0xa5; 4096], page * PAGE).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, StoreError::Damaged { .. }), "page {page}: {error}");
        fs::remove_file(&path).unwrap();
        fs::copy(filled().path().join(FILE_NAME), &path).unwrap();
    }
}

#[test]
fn a_log_that_was_left_behind_is_taken_in() {
    let mut store = Store::new();
    store.keep(&[said(1, "den", &person("ana"), "hi")]);
    // As a server that was killed leaves it.
    let other = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("{FILE_NAME}{end}");
        fs::copy(store.path().join(&name), other.path().join(&name)).unwrap();
    }
    let bytes = crate::check(other.path()).unwrap().bytes;
    let mut store = Store::open(other);
    assert_eq!(store.all("den"), [1]);
    let folder = store.close();
    assert_eq!(bytes, fs::metadata(folder.path().join(FILE_NAME)).unwrap().len());
}

#[test]
fn a_large_store_is_looked_at_when_there_is_time() {
    let store = Store::new();
    assert!(store.writer.unchecked().unwrap().is_none());
    // Holes in a file take no room.
    let folder = store.close();
    let path = folder.path().join(FILE_NAME);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(65 * 1024 * 1024).unwrap();
    let store = Store::open(folder);
    store.writer.unchecked().unwrap().unwrap().check().unwrap();
    let folder = store.close();
    let (path, length) = (folder.path().join(FILE_NAME), 10 * PAGE);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 4096], length).unwrap();
    let (writer, _) = Writer::open(folder.path(), Durability::Process).unwrap();
    let error = writer.unchecked().unwrap().unwrap().check().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}
