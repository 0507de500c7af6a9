//! Whether a history holds what it has to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::stamp::Stamp;

/// A message as a client is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who said it.
    pub(crate) from: String,
    /// What.
    pub(crate) text: String,
}

/// A message of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its id.
    pub(crate) msgid: String,
    /// The message.
    pub(crate) said: Said,
}

/// What a client is shown of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// Nothing.
    Nothing,
    /// All but what it says itself.
    Others,
    /// Everything.
    All,
}

/// What one connection did and saw in one run. It was there before the first message.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its user.
    pub(crate) name: String,
    /// In which run.
    pub(crate) run: u32,
    /// How many it has sent: numbers from 0.
    pub(crate) sent: u32,
    /// Which of them were acknowledged.
    pub(crate) acknowledged: BTreeSet<u32>,
    /// What it is shown.
    pub(crate) sees: Sees,
    /// What it was shown, in order.
    pub(crate) seen: Vec<Said>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It was acknowledged and is not there.
    Lost(Stamp),
    /// It is not there, but what its sender said later is.
    Skipped(Stamp),
    /// It is there more than once.
    Twice(Stamp),
    /// Two messages have this id.
    SameId(String),
    /// It stands behind what its sender said later, or behind a later run.
    Disorder(Stamp),
    /// Part of a text, or nobody's.
    Broken(String),
    /// It isn't from whom it says.
    Forged(String, Stamp),
    /// Its sender never sent it.
    NeverSent(Stamp),
    /// Somebody was shown it, and it isn't there.
    NotKept(String, Said),
    /// Somebody was shown it where the history has something else.
    OutOfStep {
        /// Who.
        observer: String,
        /// What was shown.
        seen: Said,
        /// What the history has in this place.
        kept: Option<Said>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(stamp) => write!(out, "lost: {stamp}"),
            Self::Skipped(stamp) => write!(out, "skipped: {stamp}"),
            Self::Twice(stamp) => write!(out, "twice: {stamp}"),
            Self::SameId(msgid) => write!(out, "two messages have the id {msgid}"),
            Self::Disorder(stamp) => write!(out, "too late in the history: {stamp}"),
            Self::Broken(text) => write!(out, "not whole: {text:?}"),
            Self::Forged(from, stamp) => write!(out, "from {from}: {stamp}"),
            Self::NeverSent(stamp) => write!(out, "never sent: {stamp}"),
            Self::NotKept(observer, said) => write!(out, "{observer} saw what was not kept: {said:?}"),
            Self::OutOfStep { observer, seen, kept } => {
                write!(out, "{observer} saw {seen:?} where the history has {kept:?}")
            }
        }
    }
}

/// Compares a history, or what of it belongs to the runs of these records, with what clients did and saw.
pub(crate) fn check(records: &[Record], history: &[Kept]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let stamps = stamps(history, &mut faults);
    order(&stamps, &mut faults);
    senders(records, &stamps, &mut faults);
    observers(records, history, &mut faults);
    faults
}

/// Reads the history's texts; all must be whole and their sender's own, each there once.
fn stamps(history: &[Kept], faults: &mut Vec<Fault>) -> Vec<Stamp> {
    let (mut ids, mut known, mut stamps) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for Kept { msgid, said } in history {
        if !ids.insert(msgid) {
            faults.push(Fault::SameId(msgid.clone()));
        }
        let Some(stamp) = Stamp::read(&said.text) else {
            faults.push(Fault::Broken(said.text.clone()));
            continue;
        };
        if stamp.sender != said.from {
            faults.push(Fault::Forged(said.from.clone(), stamp.clone()));
        }
        if known.insert(stamp.clone()) {
            stamps.push(stamp);
        } else {
            faults.push(Fault::Twice(stamp));
        }
    }
    stamps
}

/// Runs follow each other, and so do a sender's messages.
fn order(stamps: &[Stamp], faults: &mut Vec<Fault>) {
    let mut run = 0;
    let mut last = BTreeMap::new();
    for stamp in stamps {
        let before = last.entry((&stamp.sender, stamp.run)).or_insert(stamp.number);
        if stamp.run < run || stamp.number < *before {
            faults.push(Fault::Disorder(stamp.clone()));
        }
        run = run.max(stamp.run);
        *before = stamp.number.max(*before);
    }
}

/// Of each sender and run the first so many messages are there, all that were acknowledged among them.
fn senders(records: &[Record], stamps: &[Stamp], faults: &mut Vec<Fault>) {
    let mut kept: BTreeMap<(&str, u32), BTreeSet<u32>> = BTreeMap::new();
    for stamp in stamps {
        kept.entry((&stamp.sender, stamp.run)).or_default().insert(stamp.number);
    }
    for record in records.iter().filter(|record| record.sent > 0) {
        let kept = kept.remove(&(record.name.as_str(), record.run)).unwrap_or_default();
        let stamp = |number| Stamp::new(&record.name, record.run, number);
        let end = kept.last().map_or(0, |last| last + 1).max(record.sent);
        for number in 0..end {
            let is_kept = kept.contains(&number);
            if is_kept && number >= record.sent {
                faults.push(Fault::NeverSent(stamp(number)));
            } else if !is_kept && record.acknowledged.contains(&number) {
                faults.push(Fault::Lost(stamp(number)));
            } else if !is_kept && kept.range(number..).next().is_some() {
                faults.push(Fault::Skipped(stamp(number)));
            }
        }
    }
    for ((sender, run), numbers) in kept {
        faults.extend(numbers.into_iter().map(|number| Fault::NeverSent(Stamp::new(sender, run, number))));
    }
}

/// What each was shown is the beginning of what the history has of that run.
fn observers(records: &[Record], history: &[Kept], faults: &mut Vec<Fault>) {
    for record in records.iter().filter(|record| !record.seen.is_empty()) {
        let mut expected = history.iter().map(|kept| &kept.said).filter(|said| {
            Stamp::read(&said.text).is_some_and(|stamp| stamp.run == record.run)
                && (record.sees == Sees::All || said.from != record.name)
        });
        for seen in &record.seen {
            let kept = expected.next();
            if kept == Some(seen) {
                continue;
            }
            let observer = record.name.clone();
            if history.iter().any(|kept| kept.said == *seen) {
                faults.push(Fault::OutOfStep { observer, seen: seen.clone(), kept: kept.cloned() });
            } else {
                faults.push(Fault::NotKept(observer, seen.clone()));
            }
            // What follows is out of step as well.
            break;
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
