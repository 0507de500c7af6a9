//! Stores that earlier versions have written.

use super::*;
use crate::SCHEMA_VERSION;

/// What each version has written, on top of those before it. A new one adds its own; what is here stays as it is.
const WRITTEN: [(u32, &str); 8] = [
    (1, include_str!("../../fixtures/001.sql")),
    (2, include_str!("../../fixtures/002.sql")),
    (3, include_str!("../../fixtures/003.sql")),
    (4, include_str!("../../fixtures/004.sql")),
    (5, include_str!("../../fixtures/005.sql")),
    (6, include_str!("../../fixtures/006.sql")),
    (7, include_str!("../../fixtures/007.sql")),
    (8, include_str!("../../fixtures/008.sql")),
];

#[test]
fn every_earlier_version_opens_with_what_is_in_it() {
    let versions: Vec<u32> = WRITTEN.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>(), "each version needs a fixture");
    for version in versions {
        let folder = tempfile::tempdir().unwrap();
        let db = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
        for (_, sql) in WRITTEN.iter().take_while(|(written, _)| *written <= version) {
            db.execute_batch(sql).unwrap();
        }
        let written: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(written, version);
        drop(db);
        // Twice: what an upgrade leaves behind has to open as well.
        let store = Store::open(folder);
        assert_content(store, version);
    }
}

#[test]
fn many_rows_become_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    for (_, sql) in WRITTEN.iter().take_while(|(version, _)| *version < 8) {
        db.execute_batch(sql).unwrap();
    }
    // By turns in two rooms, ten a second; the words of half of them are entered.
    let first = EventId::first_of(1_800_000_000_000).bits();
    let id_of = |number: u64| first + ((number * 100) << 20);
    let half = id_of(1_500);
    db.execute_batch(
        "BEGIN; INSERT INTO history (id, key, name) VALUES (8, '#even', 'even'), (9, '#odd', 'odd')",
    )
    .unwrap();
    for number in 0..3_000 {
        let said = format!("number n{number}");
        let row = rusqlite::params![id_of(number).cast_signed(), 8 + number.cast_signed() % 2, said];
        db.execute("INSERT INTO event (id, history, face, kind, text) VALUES (?1, ?2, 1, 1, ?3)", row)
            .unwrap();
    }
    let insert = "INSERT INTO words (rowid, text) SELECT id, text FROM event \
                  WHERE id BETWEEN 1782579200000002 AND ?1 AND kind <= 4";
    db.execute(insert, [half.cast_signed()]).unwrap();
    db.execute("UPDATE note SET value = ?1 WHERE key = 'words_upto'", [half.cast_signed()]).unwrap();
    db.execute_batch("COMMIT").unwrap();
    drop(db);

    let mut store = Store::open(folder);
    let odd: Vec<u64> = (0..3_000).filter(|number| number % 2 == 1).map(id_of).collect();
    assert_eq!(store.page("odd", Window::Latest(id(0)), 700), odd[800..]);
    assert_eq!(store.page("odd", Window::After(id(odd[20])), 500), odd[21..521]);
    assert_eq!(store.page("odd", Window::Between(id(odd[90]), id(odd[160])), 500), odd[91..160]);
    assert!((16..30).contains(&store.count("block")), "{}", store.count("block"));
    for number in [3, 1_499, 1_501, 2_999] {
        assert_eq!(store.search("odd", &format!("n{number}")), [id_of(number)]);
        assert_eq!(store.search("even", &format!("n{number}")), []);
    }
    assert_eq!((store.events(), store.words("number")), (3_005, 3_000));
    let folder = store.close();
    assert_eq!(crate::check(folder.path()).unwrap().messages, 3_005);
}

fn assert_content(store: Store, version: u32) {
    let mut store = store.again();
    assert_eq!(
        store.all("den"),
        [1_782_579_200_000_001, 1_782_579_200_000_002, 1_782_579_200_000_005],
        "{version}"
    );
    let events = store.recall(&page(&[of_room("den")], Some(room("den")), Window::Latest(id(0)), 9));
    let shown: Vec<String> = events
        .iter()
        .map(|event| match &event.kind {
            Kind::Message { from, text, style, tags, .. } => {
                format!("{} {:?} {style:?} {} {tags:?}", from.hostmask(), from.account(), text.as_str())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Ana!~ana@gate.example Some(\"ana\") Plain good morning None",
            "bob!rooms@localhost None Action waves Some(\"+a=b\")"
        ],
        "{version}"
    );
    // Words that were entered, and some that were not yet.
    assert_eq!(store.search("den", "morning"), [1_782_579_200_000_001], "{version}");
    assert_eq!(store.search("den", "waves"), [1_782_579_200_000_002], "{version}");
    let party = Party::of(&member("ana"));
    let conversation = HistoryKey::of_people(&[party.clone(), Party::of(&person("bob"))]);
    let private = store.recall(&page(&[conversation], None, Window::Latest(id(0)), 9));
    assert_eq!(ids(&private), [1_782_579_200_000_003], "{version}");
    let recall = Recall::Search {
        rooms: vec![],
        party: Some(party),
        histories: None,
        floor: id(0),
        wanted: Wanted { text: "psst".to_owned(), ..Wanted::default() },
        limit: 9,
    };
    assert_eq!(ids(&store.recall(&recall)), [1_782_579_200_000_003], "{version}");
    // Closed when the server ended: the next of its name sees nothing of it.
    assert_eq!(store.all("cellar"), [], "{version}");
    let folder = store.close();
    let (_, boot) = Writer::open(folder.path(), Durability::Process).unwrap();
    assert_eq!(boot.last_event, id(1_782_579_200_000_009), "{version}");
    if version >= 2 {
        let [account] = boot.accounts.as_slice() else { panic!("{:?}", boot.accounts) };
        assert_eq!((account.name.as_str(), account.credentials.scram.iterations), ("Ana", 4096));
        assert_eq!((account.certificates.len(), account.app_passwords.len()), (1, 1));
        // Who was being shown everything when the server ended has seen all that there was.
        let of = |device: &str, place: &str, event| {
            ("Ana".to_owned(), device.to_owned(), place.to_owned(), id(event))
        };
        let seen = [of("desk", "#den", 1_782_579_200_000_002), of("phone", "@", 1_782_579_200_000_009)];
        assert_eq!(boot.seen, seen);
        assert_eq!(boot.markers, [("Ana".to_owned(), "#den".to_owned(), 1_700_000_000_123)]);
        assert_eq!(boot.secret, [0; 32], "it stays what it was");
    } else {
        assert_ne!(boot.secret, [0; 32]);
    }
    if version >= 3 {
        let [ban] = boot.bans.as_slice() else { panic!("{:?}", boot.bans) };
        assert_eq!(
            (ban.net.to_string().as_str(), &*ban.reason, ban.until_ms),
            ("192.0.2.0/24", "flooding", None)
        );
    }
    if version >= 4 {
        assert_room(&boot.rooms);
    }
    if version >= 5 {
        let presence = hub::Presence {
            account: "Ana".to_owned(),
            name: "Ana".to_owned(),
            username: "ana".to_owned(),
            real_name: "Ana A.".to_owned(),
            rooms: vec!["Den".to_owned(), "lobby".to_owned()],
        };
        assert_eq!(boot.presences, [presence]);
    }
    if version >= 6 {
        let [invitation] = boot.invitations.as_slice() else { panic!("{:?}", boot.invitations) };
        assert_eq!((invitation.by.as_deref(), invitation.uses), (Some("Ana"), 3));
        assert_eq!(boot.welcomes, [("Ana".to_owned(), of_room("den"))]);
    }
    let _ = crate::check(folder.path()).unwrap();
}

fn assert_room(rooms: &[hub::KeptRoom]) {
    let [room] = rooms else { panic!("{rooms:?}") };
    assert_eq!((room.name.as_str(), &*room.founder, room.made_ms), ("Den", "Ana", 1_700_000_000_000));
    assert_eq!(room.topic.as_ref().map(|topic| &*topic.text), Some("tea"));
    assert_eq!(
        (room.modes.flags.bits(), room.modes.key.as_deref(), room.modes.limit, room.modes.slow_s),
        (21, Some("sesame"), Some(9), Some(5))
    );
    let lists: Vec<_> = room.lists.iter().map(|(list, entry)| (*list, &*entry.mask, entry.unix_ms)).collect();
    assert_eq!(
        lists,
        [
            (hub::MaskList::Bans, "*!*@spam.example", 1_700_000_000_002),
            (hub::MaskList::InviteExceptions, "bob!*@*", 1_700_000_000_003)
        ]
    );
    assert_eq!(room.ranks, [("Ana".into(), hub::Ranks::from_bits_truncate(8))]);
}
