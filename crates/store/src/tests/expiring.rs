//! How long things are kept.

use hub::Kept;

use super::*;
use crate::Retention;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const NOW_MS: u64 = 1_700_000_000_000;

/// Removes everything that is to go; in how many steps.
fn expire(store: &mut Store) -> usize {
    let mut steps = 0;
    while store.writer.expire(NOW_MS).unwrap() {
        steps += 1;
        assert!(steps < 10_000, "it has no end");
    }
    steps
}

fn at(days_ago: u64) -> u64 {
    EventId::first_of(NOW_MS - days_ago * DAY_MS).bits()
}

fn many(name: &str, first: u64, count: u64) -> Vec<Kept> {
    let ana = person("ana");
    (first..first + count).map(|number| said(number, name, &ana, "something said")).collect()
}

#[test]
fn by_default_everything_stays() {
    let mut store = Store::new();
    store.keep(&many("den", 1, 100));
    assert_eq!((expire(&mut store), store.events()), (0, 100));
}

#[test]
fn what_is_too_old_goes_with_its_words() {
    let mut store = Store::new();
    let (ana, bob) = (person("ana"), person("bob"));
    store.writer.set_retention(Retention { days: 7, messages_per_room: 0 });
    store.keep(&[
        said(at(30), "den", &ana, "zanzibar"),
        topic(at(20), "den", &ana, Some("old")),
        wrote(at(8), &ana, &bob, "zanzibar"),
        said(at(7), "den", &ana, "zanzibar"),
        said(at(1), "den", &ana, "zanzibar"),
    ]);
    while store.writer.index().unwrap() {}
    expire(&mut store);
    assert_eq!(store.all("den"), [at(7), at(1)]);
    assert_eq!((store.events(), store.words("zanzibar")), (2, 2));
    assert_eq!(store.search("den", "zanzibar"), [at(7), at(1)]);
}

#[test]
fn ids_of_what_is_gone_are_not_given_again() {
    let mut store = Store::new();
    store.writer.set_retention(Retention { days: 7, messages_per_room: 0 });
    store.keep(&[said(at(9), "den", &person("ana"), "hi")]);
    expire(&mut store);
    assert_eq!(store.events(), 0);
    let folder = store.close();
    let (_, boot) = Writer::open(folder.path(), Durability::Process).unwrap();
    assert_eq!(boot.last_event, id(at(9)));
}

#[test]
fn a_room_keeps_its_latest_and_conversations_keep_all() {
    let mut store = Store::new();
    let (ana, bob) = (person("ana"), person("bob"));
    store.writer.set_retention(Retention { days: 0, messages_per_room: 20 });
    store.keep(&many("den", 1, 30));
    store.keep(&many("hall", 101, 20));
    let private: Vec<Kept> = (201..231).map(|number| wrote(number, &ana, &bob, "psst")).collect();
    store.keep(&private);
    while store.writer.index().unwrap() {}
    expire(&mut store);
    assert_eq!(store.all("den"), (11..31).collect::<Vec<_>>());
    assert_eq!(store.all("hall"), (101..121).collect::<Vec<_>>());
    assert_eq!((store.events(), store.words("something"), store.words("psst")), (70, 40, 30));
    // As it goes on.
    store.keep(&many("den", 301, 5));
    expire(&mut store);
    assert_eq!(store.all("den"), (16..31).chain(301..306).collect::<Vec<_>>());
}

#[test]
fn rooms_that_were_there_at_the_start_are_looked_at() {
    let mut store = Store::new();
    store.keep(&many("den", 1, 30));
    let mut store = store.again();
    store.writer.set_retention(Retention { days: 0, messages_per_room: 20 });
    expire(&mut store);
    assert_eq!(store.all("den"), (11..31).collect::<Vec<_>>());
    assert_eq!(expire(&mut store), 0, "nothing is left to do");
}

#[test]
fn steps_are_small_and_messages_come_between() {
    let mut store = Store::new();
    store.writer.set_retention(Retention { days: 1, messages_per_room: 12_000 });
    store.keep(&many("den", 1, 2_000));
    let recent = at(0);
    store.keep(&many("hall", recent, 13_000));
    let (mut before, mut steps) = (store.events(), 0);
    while store.writer.expire(NOW_MS).unwrap() {
        steps += 1;
        store.keep(&many("attic", recent + 20_000 + steps, 1));
        let now = store.events();
        assert!(before + 1 - now <= 50, "{} in one step", before - now);
        before = now;
    }
    assert_eq!((store.events() as u64, store.all("den").len()), (12_000 + steps, 0));
}

#[test]
fn what_was_taken_back_is_no_message_of_a_room() {
    let mut store = Store::new();
    let ana = person("ana");
    store.writer.set_retention(Retention { days: 0, messages_per_room: 3 });
    store.keep(&many("den", 1, 4));
    store.keep(&[took_back(9, "den", &ana, 4)]);
    expire(&mut store);
    assert_eq!(store.all("den"), [1, 2, 3]);
}
