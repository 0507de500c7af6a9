//! What is kept comes back as it was, or not at all.

use hub::{Kept, Kind, Recall, Scope, Shared, Style, Text, Window};
use rusqlite::hooks::{AuthAction, Authorization};

use super::*;

/// Everything about an event but its address.
fn shown(event: &Shared) -> String {
    format!("{:?}", &**event)
}

#[track_caller]
fn comes_back(kept: &Kept, recall: &Recall) {
    let Kept::Event { event, .. } = kept else { panic!("{kept:?}") };
    let mut store = Store::new();
    store.keep(std::slice::from_ref(kept));
    for _ in 0..2 {
        let found = store.recall(recall);
        assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), [shown(event)]);
        store = store.again();
    }
}

fn everything(name: &str) -> Recall {
    let mut recall = page(&[of_room(name)], Some(room(name)), Window::Latest(id(0)), 10);
    if let Recall::Page { all_kinds, .. } = &mut recall {
        *all_kinds = true;
    }
    recall
}

#[test]
fn messages_come_back_as_they_were_said() {
    for style in [Style::Plain, Style::Bare, Style::Notice, Style::Action] {
        for (tags, seams) in [(None, None), (Some("+a=b;+c".into()), Some([3_usize, 70].as_slice().into()))] {
            let kind = Kind::Message {
                from: member("ana"),
                scope: Scope::Room(room("Den")),
                text: Text::kept("hi\nthere \u{2} 👍 'quoted' \"twice\""),
                style,
                tags,
                seams,
            };
            comes_back(&in_room("Den", event(77, kind)), &everything("Den"));
        }
    }
}

#[test]
fn faces_come_back_whatever_is_special_about_them() {
    for dialect in Dialect::ALL {
        let from = Arc::new(Card::former(FormerFace {
            name: "Ana Lu".to_owned(),
            nick: "Ana_Lu".to_owned(),
            username: "~a".to_owned(),
            host: "gate.example".to_owned(),
            account: Some("analu".to_owned()),
            dialect,
            bot: true,
        }));
        comes_back(&said(9, "den", &from, "hi"), &everything("den"));
    }
}

#[test]
fn whoever_comes_back_is_not_entered_again() {
    let (mut store, mut other) = (Store::new(), Store::new());
    for number in 1..=3 {
        // With a card of their own each time, as after they had left.
        let (ana, bob) = (person("ana"), person("bob"));
        for store in [&mut store, &mut other] {
            store.keep(&[said(10 * number, "den", &ana, "hi"), wrote(10 * number + 1, &ana, &bob, "psst")]);
            store.keep(&[said(10 * number + 2, "den", &bob, "hi")]);
        }
    }
    let another = Arc::new(Card::former(FormerFace {
        name: "ana".to_owned(),
        nick: "ana".to_owned(),
        username: "~user".to_owned(),
        host: "elsewhere.example".to_owned(),
        account: None,
        dialect: Dialect::Irc,
        bot: false,
    }));
    store.keep(&[said(50, "den", &another, "hi")]);
    assert_eq!((store.count("face"), other.count("face")), (3, 2));
    assert_eq!(store.all("den"), [10, 12, 20, 22, 30, 32, 50]);
}

#[test]
fn a_crowd_is_entered_however_large() {
    let mut store = Store::new();
    let crowd: Vec<_> = (0..3_000).map(|number| person(&format!("guest{number}"))).collect();
    let batch = |from: u64| -> Vec<Kept> {
        (from..).zip(&crowd).map(|(number, who)| said(number, "den", who, "hi")).collect()
    };
    store.keep(&batch(1));
    store.keep(&batch(10_000));
    // They were here all the time: their numbers stand on their cards.
    assert_eq!((store.events(), store.count("face")), (6_000, 3_000));
}

#[test]
fn topics_and_reactions_come_back_when_they_are_wanted() {
    let ana = person("ana");
    comes_back(&topic(5, "den", &ana, Some("tea")), &everything("den"));
    comes_back(&topic(5, "den", &ana, None), &everything("den"));
    let tags = Kind::Tags {
        from: ana.clone(),
        scope: Scope::Room(room("den")),
        tags: "+draft/react=👍".into(),
        reaction: None,
    };
    comes_back(&in_room("den", event(6, tags)), &everything("den"));

    let mut store = Store::new();
    store.keep(&[topic(1, "den", &ana, Some("tea")), said(2, "den", &ana, "hi")]);
    assert_eq!(store.all("den"), [1, 2]);
    assert_eq!(store.page("den", Window::Latest(id(0)), 10), [2]);
}

#[test]
fn private_messages_come_back_with_both_people() {
    let (ana, bob) = (member("ana"), person("bob"));
    let kept = wrote(8, &ana, &bob, "psst");
    let Kept::Event { whose, event } = &kept else { unreachable!() };
    comes_back(&kept, &page(&[whose.history(event)], None, Window::Latest(id(0)), 10));
}

#[test]
fn what_is_no_event_of_a_history_is_not_kept() {
    let mut store = Store::new();
    let from = person("ana");
    let scope = Scope::Room(room("den"));
    let request = Kind::Message {
        from: from.clone(),
        scope: scope.clone(),
        text: Text::kept("VERSION"),
        style: Style::Request { answer: false },
        tags: None,
        seams: None,
    };
    let typing = Kind::Typing { from, scope, state: hub::Typing::Active };
    store.keep(&[in_room("den", event(1, request)), in_room("den", event(2, typing))]);
    assert_eq!((store.all("den"), store.events()), (vec![], 0));
}

#[test]
fn what_was_taken_back_is_gone_and_its_words_too() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "zanzibar is far"), said(2, "den", &ana, "zanzibar is near")]);
    assert_eq!(store.search("den", "zanzibar"), [1, 2]);
    // One whose words are entered, and one whose words aren't yet.
    store.keep(&[said(3, "den", &ana, "zanzibar again")]);
    store.keep(&[took_back(4, "den", &ana, 1), took_back(5, "den", &ana, 3)]);
    assert_eq!(store.all("den"), [2]);
    assert_eq!(store.search("den", "zanzibar"), [2]);
    assert_eq!(store.words("zanzibar"), 1);
    let mut store = store.again();
    assert_eq!((store.search("den", "zanzibar"), store.words("zanzibar")), (vec![2], 1));
}

#[test]
fn any_message_of_many_can_be_taken_back() {
    let mut store = Store::new();
    let ana = person("ana");
    let batch: Vec<Kept> = (1..=120).map(|number| said(number, "den", &ana, &format!("n{number}"))).collect();
    store.keep(&batch);
    let mut left: Vec<u64> = (1..=120).collect();
    for (number, what) in (1_000..).zip([1, 50, 51, 120, 49, 100, 101]) {
        store.keep(&[took_back(number, "den", &ana, what)]);
        left.retain(|id| *id != what);
        assert_eq!(store.all("den"), left);
        assert_eq!(store.search("den", &format!("n{what}")), []);
        assert_eq!(
            store.page("den", Window::Before(id(what)), 1),
            [left[..].iter().rfind(|id| **id < what)].into_iter().flatten().copied().collect::<Vec<_>>()
        );
    }
    for what in std::mem::take(&mut left) {
        store.keep(&[took_back(2_000 + what, "den", &ana, what)]);
    }
    assert_eq!(
        (store.all("den"), store.count("block"), store.words("n7"), store.count("said")),
        (vec![], 0, 0, 0)
    );
}

#[test]
fn nobody_takes_back_what_is_in_another_room() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "mine"), said(2, "hall", &ana, "other")]);
    store.keep(&[
        took_back(3, "hall", &ana, 1),
        took_back(4, "attic", &ana, 2),
        took_back(5, "den", &ana, 99),
    ]);
    assert_eq!((store.all("den"), store.all("hall")), (vec![1], vec![2]));
}

#[test]
fn ids_go_on_after_the_last_even_if_it_was_taken_back() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(7, "den", &ana, "a"), said(9, "den", &ana, "b"), took_back(10, "den", &ana, 9)]);
    let folder = store.close();
    let (_, boot) = Writer::open(folder.path(), Durability::Process).unwrap();
    assert_eq!(boot.last_event, id(9));
}

/// Has the database refuse to add words or events, as it would on a broken disk, from now on or no longer.
fn refuse(store: &mut Store, table: Option<&'static str>) {
    let hook = table.map(|table| {
        move |context: rusqlite::hooks::AuthContext<'_>| match context.action {
            AuthAction::Insert { table_name } if table_name == table => Authorization::Deny,
            _ => Authorization::Allow,
        }
    });
    store.writer.db.authorizer(hook).unwrap();
    store.writer.db.flush_prepared_statement_cache();
}

#[test]
fn a_batch_that_fails_leaves_nothing_behind() {
    let (ana, bob) = (person("ana"), person("bob"));
    for table in ["block", "face", "history", "party"] {
        let mut store = Store::new();
        store.keep(&[said(1, "den", &ana, "before")]);
        let batch = [said(2, "den", &ana, "one"), wrote(3, &ana, &bob, "two"), took_back(4, "den", &ana, 1)];
        refuse(&mut store, Some(table));
        assert!(store.writer.keep(&batch).is_err(), "{table}");
        assert_eq!(store.all("den"), [1], "{table}");
        assert_eq!((store.count("face"), store.count("history"), store.count("party")), (1, 1, 0), "{table}");
        // Numbers that were given in the failed batch are given again, to others.
        refuse(&mut store, None);
        store.keep(&[
            said(5, "attic", &bob, "after"),
            wrote(6, &bob, &ana, "too"),
            said(7, "den", &ana, "and"),
        ]);
        assert_eq!((store.all("attic"), store.all("den")), (vec![5], vec![1, 7]), "{table}");
        let mut store = store.again();
        assert_eq!((store.all("attic"), store.all("den")), (vec![5], vec![1, 7]), "{table}");
    }
}

#[test]
fn a_full_disk_is_told_as_one_and_passes() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "before")]);
    let pages: u32 = store.writer.db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.writer.db.pragma_update(None, "max_page_count", pages).unwrap();
    let batch: Vec<Kept> = (2..200).map(|number| said(number, "den", &ana, &"long ".repeat(200))).collect();
    let error = store.writer.keep(&batch).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(store.all("den"), [1]);
    store.writer.db.pragma_update(None, "max_page_count", pages + 1_000).unwrap();
    store.keep(&batch);
    assert_eq!(store.all("den"), (1..200).collect::<Vec<_>>());
}

#[test]
fn an_event_is_kept_once() {
    let mut store = Store::new();
    let ana = person("ana");
    store.keep(&[said(1, "den", &ana, "hi")]);
    assert!(store.writer.keep(&[said(2, "den", &ana, "ho"), said(1, "den", &ana, "hi")]).is_err());
    assert_eq!(store.all("den"), [1]);
}

#[test]
fn the_log_is_moved_beside_the_writer() {
    let mut store = Store::new();
    let ana = person("ana");
    let mut checkpointer = store.writer.checkpointer().unwrap();
    let moved = |store: &Store, text: &str| {
        let bytes = std::fs::read(store.path().join(FILE_NAME)).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    store.keep(&[said(1, "den", &ana, "zanzibar")]);
    assert!(!moved(&store, "zanzibar"));
    checkpointer.run().unwrap();
    assert!(moved(&store, "zanzibar"));
    // While somebody writes there is nothing to wait for.
    let change = store.writer.db.transaction().unwrap();
    change.execute("UPDATE note SET value = 5 WHERE key = 'last_event'", []).unwrap();
    checkpointer.run().unwrap();
    change.commit().unwrap();
    store.keep(&[said(6, "den", &ana, "quokka")]);
    assert_eq!(store.all("den"), [1, 6]);
}
