//! One person's data.

use super::*;
use crate::Erased;

fn talk() -> Store {
    let mut store = Store::new();
    let (ana, bob, eve, other) = (member("ana"), member("bob"), person("eve"), person("ana"));
    store.keep(&[
        said(1, "den", &ana, "zanzibar one"),
        said(2, "den", &bob, "zanzibar two"),
        wrote(3, &ana, &bob, "zanzibar three"),
        wrote(4, &bob, &ana, "zanzibar four"),
        wrote(5, &ana, &eve, "zanzibar five"),
        said(6, "den", &other, "zanzibar six, of another ana"),
        wrote(7, &bob, &eve, "zanzibar seven"),
        topic(8, "den", &face("Ana|away", Some("Ana")), Some("zanzibar eight")),
        said(9, "den", &ana, "yttriumquokka"),
    ]);
    store
}

fn export(store: &mut Store, party: &Party) -> (u64, String) {
    let mut out = Vec::new();
    let count = store.reader.export(party, &mut out).unwrap();
    (count, String::from_utf8(out).unwrap())
}

#[test]
fn an_account_is_given_what_it_said_and_its_conversations() {
    let mut store = talk();
    let (count, lines) = export(&mut store, &Party::of_account("ana"));
    let texts: Vec<&str> = lines
        .lines()
        .map(|line| line.split("\"text\":\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "zanzibar one",
            "zanzibar three",
            "zanzibar four",
            "zanzibar five",
            "zanzibar eight",
            "yttriumquokka"
        ]
    );
    assert_eq!(count, 6);
    assert_eq!(
        lines.lines().next().unwrap(),
        "{\"id\":\"0000000000000001\",\"time\":\"1970-01-01T00:00:00.000Z\",\"room\":\"den\",\"to\":null,\
         \"from\":\"ana\",\"nick\":\"ana\",\"username\":\"~user\",\"host\":\"host-of-ana.example\",\"account\":\"ana\",\
         \"protocol\":\"irc\",\"kind\":\"message\",\"text\":\"zanzibar one\",\"tags\":null}"
    );
    let (none, lines) = export(&mut store, &Party::of_account("nobody"));
    assert_eq!((none, lines.as_str()), (0, ""));
}

#[test]
fn times_are_those_of_the_ids() {
    let mut store = Store::new();
    let moment = EventId::first_of(1_700_000_000_123).bits();
    store.keep(&[said(moment + 5, "den", &member("ana"), "\"quoted\"\nand more")]);
    let (_, lines) = export(&mut store, &Party::of_account("ana"));
    assert!(lines.contains("\"time\":\"2023-11-14T22:13:20.123Z\""), "{lines}");
    assert!(lines.contains("\"text\":\"\\\"quoted\\\"\\nand more\""), "{lines}");
    assert_eq!(lines.lines().count(), 1);
}

#[test]
fn somebody_without_an_account_is_its_name() {
    let mut store = talk();
    let (count, lines) = export(&mut store, &Party::of_name("Eve"));
    assert_eq!(count, 2, "{lines}");
    let (count, lines) = export(&mut store, &Party::of_name("ana"));
    assert!(count == 1 && lines.contains("of another ana"), "{lines}");
}

#[test]
fn who_takes_an_export_may_fail() {
    let mut store = talk();
    let mut full: &mut [u8] = &mut [0; 10];
    let error = store.reader.export(&Party::of_account("ana"), &mut full).unwrap_err();
    assert!(matches!(error, crate::StoreError::Output(_)), "{error}");
}

#[test]
fn what_is_erased_is_nowhere_and_others_keep_theirs() {
    // Words entered or not.
    for is_indexed in [true, false] {
        let mut store = talk();
        while is_indexed && store.writer.index().unwrap() {}
        assert!(store.has_bytes("yttriumquokka"));
        let erased = store.writer.erase(&Party::of_account("ana")).unwrap();
        assert_eq!(erased, Erased { messages: 5, conversations: 1 });
        assert_eq!(store.all("den"), [2, 6]);
        assert_eq!(store.search("den", "zanzibar"), [2, 6]);
        assert_eq!((store.words("zanzibar"), store.words("yttriumquokka")), (4, 0));
        // Not in the table, the index, free pages or the log.
        for gone in ["yttriumquokka", "zanzibar one", "host-of-ana.example\u{0}", "Ana|away"] {
            assert!(!store.has_bytes(gone), "{gone}");
        }
        let (count, _) = export(&mut store, &Party::of_account("ana"));
        assert_eq!(count, 0);
        let (_, bobs) = export(&mut store, &Party::of_account("bob"));
        assert_eq!(bobs.lines().count(), 3, "{bobs}");
        assert!(bobs.contains("zanzibar four") && !bobs.contains("host-of-ana"), "{bobs}");
    }
}

#[test]
fn people_go_on_after_their_past_was_erased() {
    let mut store = talk();
    let ana = member("ana");
    store.keep(&[said(20, "den", &ana, "still here")]);
    store.writer.erase(&Party::of_account("ana")).unwrap();
    store.keep(&[said(21, "den", &ana, "and again"), wrote(22, &ana, &person("eve"), "hello again")]);
    assert_eq!(store.all("den"), [2, 6, 21]);
    let (count, lines) = export(&mut store, &Party::of_account("ana"));
    assert!(count == 2 && lines.contains("host-of-ana.example"), "{lines}");
    let folder = store.close();
    crate::check(folder.path()).unwrap();
}

#[test]
fn much_is_erased_in_steps() {
    let mut store = Store::new();
    let (ana, bob) = (member("ana"), member("bob"));
    let batch: Vec<_> = (1..3_001)
        .map(|number| said(number, "den", if number % 3 == 0 { &bob } else { &ana }, "hi"))
        .collect();
    store.keep(&batch);
    let erased = store.writer.erase(&Party::of_account("ana")).unwrap();
    assert_eq!((erased.messages, store.events(), store.all("den").len()), (2_000, 1_000, 1_000));
}

#[test]
fn an_account_is_given_what_is_known_of_it_but_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    for written in [
        include_str!("../../fixtures/001.sql"),
        include_str!("../../fixtures/002.sql"),
        include_str!("../../fixtures/003.sql"),
    ] {
        db.execute_batch(written).unwrap();
    }
    drop(db);
    let mut store = Store::open(folder);
    let (count, lines) = export(&mut store, &Party::of_account("ana"));
    let zeros = "0".repeat(64);
    assert_eq!(
        lines.lines().next().unwrap(),
        format!(
            "{{\"account\":\"Ana\",\"since\":\"2023-11-14T22:13:20.000Z\",\"certificates\":[\"{zeros}\"],\
             \"app_passwords\":[\"phone\"],\"devices\":[\"desk\",\"phone\"],\
             \"read\":{{\"#den\":\"2023-11-14T22:13:20.123Z\"}}}}"
        )
    );
    assert_eq!(count, 4, "{lines}");
    store.writer.erase(&Party::of_account("ana")).unwrap();
    let (_, lines) = export(&mut store, &Party::of_account("ana"));
    assert!(lines.contains("\"devices\":[],\"read\":{}}"), "{lines}");
    assert_eq!((lines.lines().count(), store.count("account")), (1, 1), "the account is not what it said");
}

#[test]
fn a_store_that_is_only_read_has_to_be_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    db.execute_batch(include_str!("../../fixtures/001.sql")).unwrap();
    drop(db);
    let error = Reader::at(folder.path()).unwrap_err();
    assert!(matches!(error, crate::StoreError::TooOld { found: 1, .. }), "{error}");
    let folder = Store::open(folder).close();
    Reader::at(folder.path()).unwrap();
}

#[test]
fn an_erasing_does_not_wait_for_who_reads_for_long() {
    let mut store = talk();
    let long = store.writer.reader().unwrap();
    long.db.execute_batch("BEGIN; SELECT count(*) FROM block").unwrap();
    let begun = std::time::Instant::now();
    store.writer.erase(&Party::of_account("ana")).unwrap();
    assert!(begun.elapsed() < crate::schema::PATIENCE, "{:?}", begun.elapsed());
    long.db.execute_batch("COMMIT").unwrap();
    assert_eq!(store.all("den"), [2, 6]);
}
