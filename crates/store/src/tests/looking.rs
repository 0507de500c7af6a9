//! Pages, targets and searches.

use hub::{EventId, HistoryKey, Kept, Party, Recall, Recalled, Wanted, Window};

use super::*;

fn numbered(count: u64) -> Store {
    let mut store = Store::new();
    let ana = person("ana");
    let batch: Vec<Kept> = (1..=count).map(|number| said(number * 10, "den", &ana, "hi")).collect();
    store.keep(&batch);
    store
}

#[test]
fn every_window_is_what_it_says_at_any_place() {
    let mut store = numbered(6);
    for (window, limit, wanted) in [
        (Window::Latest(id(0)), 3, vec![40, 50, 60]),
        (Window::Latest(id(50)), 3, vec![60]),
        (Window::Latest(id(60)), 3, vec![]),
        (Window::Latest(id(45)), 9, vec![50, 60]),
        (Window::Before(id(40)), 2, vec![20, 30]),
        (Window::Before(id(41)), 2, vec![30, 40]),
        (Window::Before(id(10)), 2, vec![]),
        (Window::Before(EventId::LAST), 2, vec![50, 60]),
        (Window::Before(id(0)), 2, vec![]),
        (Window::After(id(30)), 2, vec![40, 50]),
        (Window::After(id(29)), 2, vec![30, 40]),
        (Window::After(id(0)), 2, vec![10, 20]),
        (Window::After(id(60)), 2, vec![]),
        (Window::After(EventId::LAST), 2, vec![]),
        (Window::Between(id(10), id(50)), 9, vec![20, 30, 40]),
        (Window::Between(id(10), id(50)), 2, vec![20, 30]),
        (Window::Between(id(50), id(10)), 9, vec![20, 30, 40]),
        (Window::Between(id(50), id(10)), 2, vec![30, 40]),
        (Window::Between(id(20), id(20)), 2, vec![]),
        (Window::Between(id(0), EventId::LAST), 9, vec![10, 20, 30, 40, 50, 60]),
        (Window::Around(id(30)), 4, vec![10, 20, 30, 40]),
        (Window::Around(id(30)), 3, vec![20, 30, 40]),
        (Window::Around(id(30)), 1, vec![30]),
        (Window::Around(id(35)), 2, vec![30, 40]),
        (Window::Around(id(60)), 4, vec![40, 50, 60]),
        (Window::Around(id(0)), 4, vec![10, 20]),
        (Window::Latest(id(0)), 0, vec![]),
    ] {
        assert_eq!(store.page("den", window, limit), wanted, "{window:?} {limit}");
    }
    assert_eq!(store.page("attic", Window::Latest(id(0)), 9), []);
}

#[test]
fn windows_are_the_same_however_much_was_entered_at_a_time() {
    let ana = person("ana");
    let ids: Vec<u64> = (1..=400).collect();
    for at_once in [1, 7, 50, 51, 400] {
        let mut store = Store::new();
        for batch in ids.chunks(at_once) {
            // Another room's come between.
            let both = batch.iter().flat_map(|number| {
                [said(2 * number, "den", &ana, "hi"), said(2 * number + 1, "hall", &ana, "ho")]
            });
            store.keep(&both.collect::<Vec<_>>());
        }
        let of = |from: u64, to: u64| (from..=to).map(|number| 2 * number).collect::<Vec<_>>();
        assert_eq!(store.page("den", Window::Latest(id(0)), 120), of(281, 400), "{at_once}");
        for at in [1, 2, 49, 50, 51, 52, 100, 101, 399, 400] {
            let (before, after) = (at - 1, at + 1);
            let back = store.page("den", Window::Before(id(2 * at)), 60);
            assert_eq!(back, of(at.saturating_sub(60).max(1), before), "{at_once} {at}");
            assert_eq!(store.page("den", Window::Before(id(2 * at + 1)), 1), of(at, at), "{at_once} {at}");
            let on = store.page("den", Window::After(id(2 * at)), 60);
            assert_eq!(on, of(after, (at + 60).min(400)), "{at_once} {at}");
            assert_eq!(store.page("den", Window::After(id(2 * at - 1)), 1), of(at, at), "{at_once} {at}");
        }
        assert_eq!(store.page("den", Window::Between(id(90), id(210)), 99), of(46, 104), "{at_once}");
    }
}

#[test]
fn ids_of_any_size_are_in_order() {
    let mut store = Store::new();
    let ana = person("ana");
    let moment = EventId::first_of(1_700_000_000_000).bits();
    let far = EventId::last_of(4_000_000_000_000).bits();
    store.keep(&[
        said(far, "den", &ana, "c"),
        said(moment, "den", &ana, "a"),
        said(moment + 1, "den", &ana, "b"),
    ]);
    assert_eq!(store.all("den"), [moment, moment + 1, far]);
    assert_eq!(store.page("den", Window::After(EventId::last_of(1_700_000_000_000)), 9), [far]);
}

#[test]
fn rooms_are_told_apart_and_names_fold() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "a"), said(2, "Attic", &ana, "b"), said(3, "DEN", &ana, "c")]);
    assert_eq!((store.all("Den"), store.all("attic")), (vec![1, 3], vec![2]));
    assert_eq!(store.count("history"), 2);
}

#[test]
fn several_histories_are_one_in_order() {
    let mut store = Store::new();
    let (bob, ana, logged_in) = (person("bob"), person("ana"), member("ana"));
    store.keep(&[
        wrote(1, &bob, &ana, "one"),
        wrote(2, &bob, &logged_in, "two"),
        wrote(3, &ana, &bob, "three"),
        wrote(4, &logged_in, &bob, "four"),
        wrote(5, &person("eve"), &bob, "not yours"),
    ]);
    let keys =
        [&ana, &logged_in].map(|other| HistoryKey::of_people(&[Party::of(&bob), Party::of(other)])).to_vec();
    let mut of = |window, limit| ids(&store.recall(&page(&keys, None, window, limit)));
    assert_eq!(of(Window::Latest(id(0)), 9), [1, 2, 3, 4]);
    assert_eq!(of(Window::Latest(id(0)), 3), [2, 3, 4]);
    assert_eq!(of(Window::After(id(1)), 2), [2, 3]);
    assert_eq!(of(Window::Before(id(4)), 2), [2, 3]);
    assert_eq!(of(Window::Around(id(3)), 2), [2, 3]);
    assert_eq!(of(Window::Between(id(4), id(1)), 9), [2, 3]);
}

#[test]
fn nothing_below_the_floor_is_shown() {
    let mut store = Store::new();
    let (ana, bob) = (person("ana"), person("bob"));
    store.keep(&[
        wrote(1, &ana, &bob, "earlier"),
        wrote(2, &ana, &bob, "since"),
        wrote(3, &bob, &ana, "now"),
    ]);
    let party = Party::of(&ana);
    let key = HistoryKey::of_people(&[party.clone(), Party::of(&bob)]);
    let floor = id(2);
    for window in [Window::Latest(id(0)), Window::Before(id(9)), Window::After(id(0)), Window::Around(id(2))]
    {
        let histories = std::iter::once(key.clone()).collect();
        let recall = Recall::Page { histories, room: None, floor, window, limit: 9, all_kinds: true };
        assert_eq!(ids(&store.recall(&recall)), [2, 3], "{window:?}");
    }
    while store.writer.index().unwrap() {}
    let wanted = Wanted { text: "earlier".to_owned(), ..Wanted::default() };
    let mut found = |floor| {
        let (party, wanted) = (Some(party.clone()), wanted.clone());
        ids(&store.recall(&Recall::Search { rooms: vec![], party, histories: None, floor, wanted, limit: 9 }))
    };
    assert_eq!((found(id(0)), found(id(2))), (vec![1], vec![]));
}

fn sealed(name: &str, sealed: bool) -> Kept {
    Kept::HistorySealed { history: of_room(name), name: room_name(name), sealed }
}

#[test]
fn of_a_closed_room_that_ended_the_next_sees_nothing() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "ours"), sealed("den", true), said(2, "den", &ana, "still ours")]);
    assert_eq!(store.all("den"), [1, 2]);
    store.keep(&[Kept::HistoryEnded { history: of_room("den"), at: id(3) }]);
    store.keep(&[said(4, "den", &ana, "anew")]);
    assert_eq!(store.all("den"), [4]);
    assert_eq!(store.search("den", "ours"), []);
    // It was closed no longer.
    assert_eq!(store.again().all("den"), [4]);
}

#[test]
fn of_a_room_that_was_closed_when_the_server_ended_the_next_sees_nothing() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[sealed("den", true), said(1, "den", &ana, "ours")]);
    store.keep(&[sealed("hall", true), said(2, "hall", &ana, "opened"), sealed("hall", false)]);
    let mut store = store.again();
    assert_eq!((store.all("den"), store.all("hall")), (vec![], vec![2]));
    store.keep(&[said(3, "den", &ana, "anew")]);
    assert_eq!(store.again().all("den"), [3]);
}

fn renamed(before: &str, after: &str) -> Kept {
    Kept::HistoryRenamed { before: of_room(before), after: of_room(after), name: room_name(after) }
}

#[test]
fn a_history_goes_with_its_room_to_another_name() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "a"), renamed("den", "attic"), said(2, "attic", &ana, "b")]);
    store.keep(&[said(3, "den", &ana, "another den")]);
    assert_eq!((store.all("attic"), store.all("den")), (vec![1, 2], vec![3]));
}

#[test]
fn what_an_earlier_room_of_that_name_said_is_put_aside() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "den's"), said(2, "attic", &ana, "attic's"), renamed("den", "attic")]);
    assert_eq!((store.all("attic"), store.all("den")), (vec![1], vec![]));
    // And once more: two were put aside under one name.
    store.keep(&[said(3, "hall", &ana, "hall's"), renamed("hall", "attic")]);
    let mut store = store.again();
    assert_eq!(store.all("attic"), [3]);
    assert_eq!((store.events(), store.count("history")), (3, 3));
}

#[test]
fn searches_take_signs_as_they_are() {
    let mut store = Store::new();
    let ana = person("ana");
    let texts = [
        "see http://example.org/a?b=c*",
        "it's \"quoted\"",
        "NEAR AND far OR NOT",
        "the text : -dashed (x) ^y",
        "Ärger in Öl",
        "words",
    ];
    let batch: Vec<Kept> =
        (1u64..).zip(texts).map(|(number, text)| said(number, "den", &ana, text)).collect();
    store.keep(&batch);
    for (text, wanted) in [
        ("http://example.org/a?b=c*", vec![1]),
        ("example", vec![1]),
        ("it's", vec![2]),
        ("\"quoted\"", vec![2]),
        ("\"", vec![]),
        ("near and FAR", vec![3]),
        ("OR", vec![3]),
        ("text:dashed", vec![4]),
        ("dashed:text", vec![]),
        ("text : dashed", vec![4]),
        ("-dashed", vec![4]),
        ("^y (x)", vec![4]),
        ("arger", vec![5]),
        ("word", vec![]),
        ("wor*", vec![]),
        ("no\u{0}word", vec![]),
        ("quoted\u{0}it's", vec![2]),
        ("missing", vec![]),
    ] {
        assert_eq!(store.search("den", text), wanted, "{text:?}");
    }
}

#[test]
fn searches_are_of_the_places_people_and_times_that_are_wanted() {
    let mut store = Store::new();
    let (ana, bob) = (person("ana"), person("Bob"));
    store.keep(&[said(1, "den", &ana, "tea"), said(2, "den", &bob, "tea"), said(3, "hall", &bob, "tea")]);
    store.keep(&[
        said(4, "den", &bob, "tea at 4"),
        said(5, "den", &bob, "cake"),
        topic(6, "den", &bob, Some("tea")),
    ]);
    store.keep(&[wrote(7, &ana, &bob, "tea?"), wrote(8, &bob, &person("eve"), "tea!")]);
    while store.writer.index().unwrap() {}
    let tea = || Wanted { text: "tea".to_owned(), ..Wanted::default() };
    for (wanted, found) in [
        (tea(), vec![1, 2, 4]),
        (Wanted { from: Some("bob".to_owned()), ..tea() }, vec![2, 4]),
        (Wanted { after: Some(id(1)), ..tea() }, vec![2, 4]),
        (Wanted { before: Some(id(4)), ..tea() }, vec![1, 2]),
        (Wanted { from: Some("ana".to_owned()), ..Wanted::default() }, vec![1]),
        (Wanted::default(), vec![1, 2, 4, 5]),
    ] {
        assert_eq!(ids(&store.recall(&search("den", wanted.clone()))), found, "{wanted:?}");
    }
    let (party, floor) = (Some(Party::of(&ana)), id(0));
    let everywhere = |histories, limit| {
        let rooms = vec![(of_room("den"), room("den"))];
        Recall::Search { rooms, party: party.clone(), histories, floor, wanted: tea(), limit }
    };
    assert_eq!(ids(&store.recall(&everywhere(None, 9))), [1, 2, 4, 7]);
    assert_eq!(ids(&store.recall(&everywhere(None, 2))), [4, 7]);
    let none = Some(std::iter::empty::<HistoryKey>().collect());
    assert_eq!(ids(&store.recall(&everywhere(none, 9))), [1, 2, 4]);
}

#[test]
fn targets_are_where_something_was_said_last() {
    let mut store = Store::new();
    let (ana, bob, eve) = (person("ana"), person("bob"), person("eve"));
    let at = |ms: u64| EventId::first_of(ms).bits();
    store.keep(&[
        said(at(1), "den", &bob, "hi"),
        wrote(at(2), &ana, &bob, "hi"),
        wrote(at(3), &eve, &ana, "hi"),
        said(at(4), "hall", &eve, "hi"),
        wrote(at(5), &bob, &eve, "not ana's"),
        said(at(6), "den", &bob, "again"),
        topic(at(7), "hall", &bob, Some("no message")),
    ]);
    let mut targets = |after: u64, before: u64, limit| {
        let rooms = vec![(of_room("den"), room("den")), (of_room("hall"), room("hall"))];
        let (after, before) = (EventId::first_of(after), EventId::first_of(before));
        let recall = Recall::Targets { party: Party::of(&ana), floor: id(0), rooms, after, before, limit };
        match store.reader.recall(&recall).unwrap() {
            Recalled::Targets(targets) => targets,
            other => panic!("{other:?}"),
        }
    };
    let named = |names: &[(&str, u64)]| -> Vec<(String, u64)> {
        names.iter().map(|(name, ms)| ((*name).to_owned(), *ms)).collect()
    };
    assert_eq!(targets(0, 99, 9), named(&[("bob", 2), ("eve", 3), ("#hall", 4), ("#den", 6)]));
    assert_eq!(targets(0, 99, 2), named(&[("bob", 2), ("eve", 3)]));
    assert_eq!(targets(99, 0, 2), named(&[("#hall", 4), ("#den", 6)]));
    assert_eq!(targets(2, 6, 9), named(&[("eve", 3), ("#hall", 4)]));
}
