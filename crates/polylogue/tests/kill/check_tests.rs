//! The check finds everything that it is there for.

use super::{Fault, Kept, Record, Said, Sees, check};
use crate::stamp::Stamp;

fn said(name: &str, number: u32) -> Said {
    Said { from: name.to_owned(), text: Stamp::new(name, 0, number).text() }
}

/// A history of what these said, by name and number.
fn history(said_by: &[(&str, u32)]) -> Vec<Kept> {
    let ids = 100..;
    ids.zip(said_by)
        .map(|(id, (name, number))| Kept { msgid: id.to_string(), said: said(name, *number) })
        .collect()
}

/// Somebody who sent so many, of which the first few were acknowledged, and saw some.
fn record(name: &str, sent: u32, acknowledged: u32, sees: Sees, seen: &[(&str, u32)]) -> Record {
    let seen = seen.iter().map(|(name, number)| said(name, *number)).collect();
    Record { name: name.to_owned(), run: 0, sent, acknowledged: (0..acknowledged).collect(), sees, seen }
}

fn stamp(number: u32) -> Stamp {
    Stamp::new("ana", 0, number)
}

const WHOLE: [(&str, u32); 5] = [("ana", 0), ("bob", 0), ("ana", 1), ("bob", 1), ("ana", 2)];

fn records() -> Vec<Record> {
    vec![
        record("ana", 4, 2, Sees::All, &WHOLE[..4]),
        record("bob", 2, 2, Sees::Others, &[("ana", 0), ("ana", 1)]),
        record("eve", 0, 0, Sees::All, &WHOLE),
    ]
}

#[test]
fn nothing_is_wrong_with_a_good_history() {
    // Ana's last two were not acknowledged: one is there, one isn't.
    assert_eq!(check(&records(), &history(&WHOLE)), []);
    assert_eq!(check(&[], &[]), []);
}

#[test]
fn what_is_lost_is_found() {
    let faults = check(&records(), &history(&WHOLE[..2]));
    assert!(faults.contains(&Fault::Lost(stamp(1))), "{faults:?}");
    assert!(faults.contains(&Fault::Lost(Stamp::new("bob", 0, 1))), "{faults:?}");
    // And what was shown too early.
    assert!(faults.contains(&Fault::NotKept("eve".to_owned(), said("ana", 1))), "{faults:?}");
    let nothing = check(&[record("ana", 1, 1, Sees::All, &[])], &[]);
    assert_eq!(nothing, [Fault::Lost(stamp(0))]);
}

#[test]
fn a_hole_is_found_even_if_nobody_was_promised_what_was_in_it() {
    let faults = check(&[record("ana", 4, 1, Sees::All, &[])], &history(&[("ana", 0), ("ana", 3)]));
    assert_eq!(faults, [Fault::Skipped(stamp(1)), Fault::Skipped(stamp(2))]);
}

#[test]
fn what_is_there_twice_is_found() {
    let mut doubled = history(&[("ana", 0), ("ana", 1), ("ana", 0)]);
    let records = [record("ana", 2, 2, Sees::All, &[])];
    assert_eq!(check(&records, &doubled), [Fault::Twice(stamp(0))]);
    doubled.pop();
    doubled[1].msgid = doubled[0].msgid.clone();
    assert_eq!(check(&records, &doubled), [Fault::SameId("100".to_owned())]);
}

#[test]
fn disorder_is_found() {
    let records = [record("ana", 3, 3, Sees::All, &[])];
    let faults = check(&records, &history(&[("ana", 0), ("ana", 2), ("ana", 1)]));
    assert_eq!(faults, [Fault::Disorder(stamp(1))]);

    let later = Record { run: 1, ..record("ana", 1, 1, Sees::All, &[]) };
    let mut runs = history(&[("ana", 0), ("ana", 0)]);
    runs[0].said.text = Stamp::new("ana", 1, 0).text();
    assert_eq!(check(&[record("ana", 1, 1, Sees::All, &[]), later], &runs), [Fault::Disorder(stamp(0))]);
}

#[test]
fn what_is_not_whole_is_found() {
    let mut broken = history(&[("ana", 0), ("ana", 1)]);
    broken[1].said.text.pop();
    let text = broken[1].said.text.clone();
    let faults = check(&[record("ana", 2, 1, Sees::All, &[])], &broken);
    assert_eq!(faults, [Fault::Broken(text)]);
}

#[test]
fn what_nobody_sent_is_found() {
    let faults = check(&[record("ana", 1, 1, Sees::All, &[])], &history(&[("ana", 0), ("ana", 1)]));
    assert_eq!(faults, [Fault::NeverSent(stamp(1))]);
    assert_eq!(check(&[], &history(&[("ana", 0)])), [Fault::NeverSent(stamp(0))]);
    let mut forged = history(&[("ana", 0)]);
    forged[0].said.from = "eve".to_owned();
    let faults = check(&[record("ana", 1, 1, Sees::All, &[])], &forged);
    assert_eq!(faults, [Fault::Forged("eve".to_owned(), stamp(0))]);
}

#[test]
fn an_observer_who_saw_another_order_is_found() {
    let records = [
        record("ana", 2, 2, Sees::All, &[]),
        record("bob", 1, 1, Sees::All, &[]),
        record("eve", 0, 0, Sees::All, &[("bob", 0), ("ana", 0)]),
    ];
    let faults = check(&records, &history(&[("ana", 0), ("bob", 0), ("ana", 1)]));
    let [Fault::OutOfStep { observer, seen, kept }] = faults.as_slice() else { panic!("{faults:?}") };
    assert_eq!((observer.as_str(), seen, kept), ("eve", &said("bob", 0), &Some(said("ana", 0))));
}

#[test]
fn an_observer_who_missed_one_or_saw_one_twice_is_found() {
    for seen in [[("ana", 0), ("ana", 2)], [("ana", 0), ("ana", 0)]] {
        let records = [record("ana", 3, 3, Sees::All, &[]), record("eve", 0, 0, Sees::All, &seen)];
        let faults = check(&records, &history(&[("ana", 0), ("ana", 1), ("ana", 2)]));
        assert!(matches!(faults.as_slice(), [Fault::OutOfStep { .. }]), "{faults:?}");
    }
}
