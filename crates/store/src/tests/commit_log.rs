//! What is in the log is kept: it comes back after any end, and once.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use super::*;
use crate::known::{entered_upto, log_number};
use crate::record::{Face, Record, Said};
use crate::{CommitLog, Erasing, Sealed, StoreError, backup, check, commit_log, schema};

/// A folder in which a server was killed.
struct Left {
    folder: tempfile::TempDir,
}

impl Left {
    /// After it had appended these, and entered none of them.
    fn with(batches: &[&[Kept]]) -> Self {
        let store = Store::new();
        let mut log = store.writer.log().unwrap();
        for batch in batches {
            log.append(*batch).unwrap();
        }
        // As a sudden end leaves it: nobody closes anything.
        drop(log);
        Self { folder: store.folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The log's file that was appended to.
    fn bytes(&self) -> Vec<u8> {
        fs::read(&commit_log::paths(self.path())[0]).unwrap()
    }

    fn open(self) -> Store {
        Store::open(self.folder)
    }
}

fn talk(numbers: std::ops::RangeInclusive<u64>) -> Vec<Kept> {
    let ana = person("ana");
    numbers.map(|number| said(number, "den", &ana, &format!("number {number}"))).collect()
}

/// Whether a batch and nothing else was found in a log.
fn is(found: &[String], batch: &[Kept]) -> bool {
    let is = |found: &String, kept: &Kept| {
        let said = Said::of_kept(kept).unwrap();
        let there = said.whereabouts();
        let (place, from, whom) = (there.place(), Face::of(said.from()), said.whom().map(Face::of));
        *found == format!("{:?}", Record { place, from, whom, entry: said.entry(0, None) })
    };
    found.len() == batch.len() && found.iter().zip(batch).all(|(found, kept)| is(found, kept))
}

/// All that is in a folder's log.
fn read(folder: &Path) -> Vec<String> {
    let db = schema::open_existing(&folder.join(FILE_NAME)).unwrap();
    let (number, upto) = (log_number(&db).unwrap(), entered_upto(&db).unwrap());
    let mut found = Vec::new();
    commit_log::read(folder, number, upto, |record| found.push(format!("{record:?}"))).unwrap();
    found
}

fn of_all_kinds() -> Vec<Kept> {
    let (ana, bob) = (member("Ana"), person("bob"));
    let tags = Kind::Tags {
        from: bob.clone(),
        scope: Scope::Room(room("Den")),
        tags: "+draft/react=👍".into(),
        reaction: None,
    };
    let mut batch = vec![
        said(1, "Den", &ana, "hi\nthere \u{2} 👍"),
        wrote(2, &ana, &bob, "psst"),
        topic(3, "Den", &bob, Some("tea")),
        topic(4, "Den", &bob, None),
        in_room("Den", event(5, tags)),
    ];
    for (number, style) in (6..).zip([Style::Bare, Style::Notice, Style::Action]) {
        let kind = Kind::Message {
            from: ana.clone(),
            scope: Scope::Room(room("Den")),
            text: Text::kept("text"),
            style,
            tags: Some("+a=b".into()),
            seams: Some([1_usize, 3].as_slice().into()),
        };
        batch.push(in_room("Den", event(number, kind)));
    }
    batch
}

#[test]
fn everything_comes_back_as_it_was() {
    let batch = of_all_kinds();
    let left = Left::with(&[&batch[..3], &batch[3..]]);
    assert!(is(&read(left.path()), &batch));
    let mut store = left.open();
    assert_eq!(store.all("Den"), [1, 3, 4, 5, 6, 7, 8]);
    // And stays, once.
    store = store.again();
    assert_eq!(store.all("Den"), [1, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_log_of_every_format_is_read() {
    // Written by the first programs that had it: one message, and one that was private.
    let first = include_bytes!("../../fixtures/log.1").as_slice();
    let second = include_bytes!("../../fixtures/log.2").as_slice();
    let third = include_bytes!("../../fixtures/log.3").as_slice();
    let (ana, bob) = (member("ana"), person("bob"));
    let batch = [said(77, "den", &ana, "good morning"), wrote(78, &ana, &bob, "psst")];
    for (format, written) in [(1, first), (2, second), (3, third)] {
        let store = Store::new();
        let mut written = written.to_vec();
        assert_eq!(written[7], format);
        written[8..16].copy_from_slice(&log_number(&store.writer.db).unwrap().to_le_bytes());
        let folder = store.close();
        fs::write(&commit_log::paths(folder.path())[0], written).unwrap();
        assert!(is(&read(folder.path()), &batch), "{format}");
        assert_eq!(Store::open(folder).all("den"), [77], "{format}");
    }
    let newest = Left::with(&[&batch]).bytes();
    assert_eq!(newest[16..], third[16..], "a new format needs a fixture");
}

#[test]
fn a_log_of_a_newer_program_is_refused() {
    let left = Left::with(&[&talk(1..=1)]);
    let mut bytes = left.bytes();
    bytes[7] = 9;
    fs::write(&commit_log::paths(left.path())[0], bytes).unwrap();
    let refused = Writer::open(left.path(), Durability::Process).unwrap_err();
    assert!(matches!(refused, StoreError::TooNew { found: 9, known: 3, .. }), "{refused}");
}

#[test]
fn the_log_of_another_database_is_put_aside() {
    let left = Left::with(&[&talk(1..=2)]);
    fs::remove_file(left.path().join(FILE_NAME)).unwrap();
    let mut store = left.open();
    assert_eq!(store.all("den"), []);
    drop(store.writer.log().unwrap());
    let aside = store.path().join(format!("{FILE_NAME}-log-1.other"));
    assert!(fs::read(aside).unwrap().len() > 100);
}

#[test]
fn the_log_can_be_cut_off_anywhere() {
    let talk = talk(1..=3);
    let batches: Vec<&[Kept]> = talk.chunks(1).collect();
    let left = Left::with(&batches);
    let whole = left.bytes();
    let first = &commit_log::paths(left.path())[0];
    let ends: Vec<usize> = [1, 2, 3].map(|count| Left::with(&batches[..count]).bytes().len()).into();
    for cut in 0..=whole.len() {
        fs::write(first, &whole[..cut]).unwrap();
        let count = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(read(left.path()).len(), count, "{cut}");
    }
    // A sum that is wrong ends it too.
    let mut bytes = whole.clone();
    bytes[ends[0] + 20] ^= 1;
    fs::write(first, &bytes).unwrap();
    assert_eq!(left.open().all("den"), [1]);
}

#[test]
fn one_file_is_appended_to_while_the_other_is_entered() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    log.append(&talk(1..=2)).unwrap();
    log.seal(&mut sealed);
    log.append(&talk(3..=3)).unwrap();
    assert_eq!(log.len(), 1);
    store.writer.enter(sealed.lot(), []).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    assert_eq!(read(store.path()).len(), 1, "what is entered is gone");

    // The end comes after it was entered and before it was gone.
    log.append(&talk(4..=4)).unwrap();
    log.seal(&mut sealed);
    store.writer.enter(sealed.lot(), []).unwrap();
    drop(log);
    let folder = store.folder;
    drop((store.reader, store.writer));
    assert_eq!(Store::open(folder).all("den"), [1, 2, 3, 4]);
}

#[test]
fn what_waits_has_a_size() {
    let mut log = Store::new().writer.log().unwrap();
    assert_eq!(log.size(), 0);
    let (ana, long) = (person("ana"), "x".repeat(4_000));
    log.append(&[said(1, "den", &ana, &long), said(2, "den", &ana, "short")]).unwrap();
    assert!((4_000..4_500).contains(&log.size()), "{}", log.size());
    let mut sealed = Sealed::default();
    log.seal(&mut sealed);
    assert_eq!((log.size(), sealed.len()), (0, 2));
}

#[test]
fn what_can_not_be_entered_waits() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    for round in 0..3 {
        log.append(&talk(2 * round + 1..=2 * round + 2)).unwrap();
        log.seal(&mut sealed);
    }
    assert_eq!(sealed.len(), 6);
    assert_eq!(read(store.path()).len(), 6);
    store.writer.enter(sealed.lot(), []).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    assert_eq!(read(store.path()).len(), 0);
    assert_eq!(store.all("den"), [1, 2, 3, 4, 5, 6]);
    log.close().unwrap();
    assert!(commit_log::paths(store.path()).iter().all(|path| !path.exists()));
}

#[test]
fn numbers_of_the_log_are_whose_they_were() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    // The same numbers stand for others in each round; a failed one has given some, too.
    let round = |number: u64| -> Vec<Kept> {
        let people = [0, 1, 2].map(|each| person(&format!("p{}", (number + each) % 7)));
        let rooms = [0, 1].map(|each| format!("r{}", (number + each) % 5));
        let id = 10 * number;
        vec![
            said(id + 1, &rooms[0], &people[0], "a"),
            wrote(id + 2, &people[1], &people[2], "b"),
            said(id + 3, &rooms[1], &people[2], "c"),
            said(id + 4, &rooms[0], &people[0], "d"),
        ]
    };
    let rounds: Vec<Vec<Kept>> = (1..20).map(round).collect();
    let path = commit_log::paths(store.path())[1].clone();
    for (number, batch) in (0..).zip(&rounds) {
        if number == 5 {
            let file = log.break_file(&path);
            let _ = log.append(batch).unwrap_err();
            log.mend_file(file);
        }
        log.append(batch).unwrap();
        if number % 4 == 3 {
            log.seal(&mut sealed);
        }
    }
    let all: Vec<Kept> = rounds.into_iter().flatten().collect();
    assert!(is(&read(store.path()), &all));
    log.seal(&mut sealed);
    assert_eq!(sealed.len(), all.len());
    store.writer.enter(sealed.lot(), []).unwrap();
    for kept in &all {
        let Kept::Event { whose, event } = kept else { panic!("{kept:?}") };
        let room = match &event.kind {
            Kind::Message { scope: Scope::Room(room), .. } => Some(room.clone()),
            _ => None,
        };
        let found = store.recall(&page(&[whose.history(event)], room, Window::Around(event.id), 1));
        assert_eq!(format!("{found:?}"), format!("{:?}", [event]));
    }
}

#[test]
fn what_was_taken_back_is_not_in_the_log_either() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let ana = person("ana");
    log.append(&[said(1, "den", &ana, "yttriumquokka")]).unwrap();
    assert!(store.has_bytes("yttriumquokka"));
    let mut sealed = Sealed::default();
    log.seal(&mut sealed);
    let taken_back = took_back(2, "den", &ana, 1);
    assert!(!CommitLog::takes(&taken_back));
    store.writer.enter(sealed.lot(), [&taken_back]).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    log.cut_off().unwrap();
    drop(log);
    let folder = store.close();
    assert!(!Store::open(folder).has_bytes("yttriumquokka"));
}

#[test]
fn a_batch_that_can_not_be_written_leaves_nothing() {
    let store = Store::new();
    let mut log = store.writer.log().unwrap();
    log.append(&talk(1..=1)).unwrap();
    let path = commit_log::paths(store.path())[0].clone();
    let _ = log.break_file(&path);
    let _ = log.append(&talk(2..=2)).unwrap_err();
    assert_eq!((log.len(), read(store.path()).len()), (1, 1));
}

#[test]
fn a_log_that_is_never_written_gathers_nothing() {
    let store = Store::new();
    let mut log = store.writer.log().unwrap();
    let _ = log.break_file(&commit_log::paths(store.path())[0]);
    for number in 1..=3 {
        let _ = log.append(&talk(number..=number)).unwrap_err();
        assert!(log.is_blank());
    }
}

#[test]
fn whoever_looks_from_outside_finds_what_is_in_the_log() {
    // No server is there: what was left is entered first.
    let left = Left::with(&[&talk(1..=3)]);
    assert_eq!(check(left.path()).unwrap().messages, 3);
    let left = Left::with(&[&talk(1..=3)]);
    let file = left.path().join("saved.db");
    assert_eq!(backup(left.path(), &file).unwrap().messages, 3);

    // A server is there: it enters it soon.
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    log.append(&talk(1..=3)).unwrap();
    let found = std::thread::scope(|scope| {
        let path = store.folder.path().to_owned();
        let looking = scope.spawn(move || check(&path).unwrap().messages);
        log.seal(&mut sealed);
        store.writer.enter(sealed.lot(), []).unwrap();
        sealed.empty().unwrap();
        log.release(&mut sealed).unwrap();
        looking.join().unwrap()
    });
    assert_eq!(found, 3);
}

#[test]
fn a_log_file_is_torn_only_at_its_end() {
    // Something else at the end is no message.
    let left = Left::with(&[&talk(1..=2)]);
    let path = &commit_log::paths(left.path())[0];
    OpenOptions::new().append(true).open(path).unwrap().write_all(&[7; 30]).unwrap();
    assert_eq!(left.open().all("den"), [1, 2]);
}

#[test]
fn a_conversation_is_one_whoever_speaks_and_however_they_look() {
    let (ana, bob, eve) = (person("ana"), person("bob"), person("eve"));
    // She has gone and come back meanwhile, perhaps to where another's card was in memory.
    let batch = [
        wrote(1, &ana, &bob, "one"),
        wrote(2, &bob, &ana, "two"),
        wrote(3, &eve, &bob, "for bob alone"),
        wrote(4, &person("ana"), &bob, "three"),
        wrote(5, &person("eve"), &person("bob"), "more for bob"),
        said(6, "den", &ana, "hi"),
        said(7, "other", &ana, "hi"),
        said(8, "den", &person("ana"), "hi"),
        wrote(9, &ana, &ana, "a note"),
    ];
    let mut store = Left::with(&[&batch[..4], &batch[4..]]).open();
    let mut of = |people: [&Arc<Card>; 2]| {
        let key = HistoryKey::of_people(&people.map(|card| Party::of(card)));
        ids(&store.recall(&page(&[key], None, Window::Latest(id(0)), 10)))
    };
    assert_eq!(of([&ana, &bob]), [1, 2, 4]);
    assert_eq!(of([&bob, &eve]), [3, 5]);
    assert_eq!(of([&ana, &ana]), [9]);
    assert_eq!((store.all("den"), store.all("other")), (vec![6, 8], vec![7]));
}

#[test]
fn a_file_that_is_written_over_has_nothing_from_a_former_time() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    let mut next = 1;
    // Longer and shorter ones, so that former frames are left behind in all ways.
    for counts in [[5, 1], [1, 1], [3, 2], [1, 4], [2, 0], [4, 1]] {
        for count in counts {
            let batch = talk(next..=next + count);
            for kept in &batch {
                log.append([kept]).unwrap();
            }
            next += count + 1;
            // As it is after a sudden end: what is not entered, and nothing else.
            assert!(is(&read(store.path()), &batch));
            log.seal(&mut sealed);
            store.writer.enter(sealed.lot(), []).unwrap();
            sealed.empty().unwrap();
            log.release(&mut sealed).unwrap();
            assert_eq!(read(store.path()), [""; 0]);
        }
    }
    assert_eq!(store.all("den"), (1..next).collect::<Vec<_>>());
    // The last time that each was written, whatever is behind that: 5 and 2.
    let found = || {
        let number = log_number(&store.writer.db).unwrap();
        let mut found = 0;
        commit_log::read(store.path(), number, id(0), |_| found += 1).unwrap();
        found
    };
    assert_eq!(found(), 7);
    assert!(store.has_bytes("number 1"));
    log.cut_off().unwrap();
    assert_eq!(found(), 0);
    for path in commit_log::paths(store.path()) {
        assert_eq!(fs::metadata(path).unwrap().len(), 16);
    }
}

#[test]
fn the_end_may_come_while_a_file_is_written_over() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    let [path, _] = commit_log::paths(store.path());
    let mut frames = vec![fs::read(&path).unwrap().len()];
    for number in 1..=3 {
        log.append(&talk(number..=number)).unwrap();
        frames.push(fs::read(&path).unwrap().len());
    }
    let former = fs::read(&path).unwrap();
    log.seal(&mut sealed);
    store.writer.enter(sealed.lot(), []).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    // The other file's turn.
    log.append(&talk(4..=4)).unwrap();
    log.seal(&mut sealed);
    store.writer.enter(sealed.lot(), []).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    for number in 5..=6 {
        log.append(&talk(number..=number)).unwrap();
    }
    let now = fs::read(&path).unwrap();
    assert_eq!(now.len(), former.len());
    for cut in 0..=frames[2] {
        let bytes = [&now[..cut], &former[cut..]].concat();
        fs::write(&path, &bytes).unwrap();
        // What is behind is from the time before, and that is entered.
        let expected = frames[1..=2].iter().filter(|end| bytes[..**end] == now[..**end]).count();
        assert_eq!(read(store.path()).len(), expected, "{cut}");
    }
}

#[test]
fn who_is_erased_while_something_waits_has_another_face_then() {
    let mut store = Store::new();
    let mut log = store.writer.log().unwrap();
    let mut sealed = Sealed::default();
    let (ana, bob) = (member("ana"), member("bob"));
    log.append(&[said(1, "den", &ana, "hi"), wrote(2, &bob, &ana, "psst")]).unwrap();
    log.seal(&mut sealed);
    store.writer.enter(sealed.lot(), []).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    // By the numbers that they had.
    log.append(&[said(3, "den", &ana, "again"), said(4, "den", &bob, "and I")]).unwrap();
    let mut erasing = Erasing::of(Party::of(&ana));
    while store.writer.erase_some(&mut erasing).unwrap() {}
    log.append(&[wrote(5, &bob, &ana, "still there?"), said(6, "den", &ana, "yes")]).unwrap();
    log.seal(&mut sealed);
    store.writer.enter(sealed.lot(), []).unwrap();
    sealed.empty().unwrap();
    log.release(&mut sealed).unwrap();
    log.append(&[said(7, "den", &ana, "and now")]).unwrap();
    log.seal(&mut sealed);
    store.writer.enter(sealed.lot(), []).unwrap();
    assert_eq!(store.all("den"), [3, 4, 6, 7]);
    let found = store.recall(&page(&[of_room("den")], Some(room("den")), Window::Latest(id(0)), 10));
    let host = |event: &Shared| match &event.kind {
        Kind::Message { from, .. } => from.host().to_owned(),
        other => panic!("{other:?}"),
    };
    let hosts: Vec<String> = found.iter().map(host).collect();
    let [of_ana, of_bob] = ["host-of-ana.example", "host-of-bob.example"];
    assert_eq!(hosts, [of_ana, of_bob, of_ana, of_ana]);
    // What others had written to her says less of her than it did.
    let blank: i64 = store
        .writer
        .db
        .query_row("SELECT count(*) FROM face WHERE name = 'ana' AND host = ''", [], |row| row.get(0))
        .unwrap();
    assert_eq!(blank, 1);
}
