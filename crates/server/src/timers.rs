//! When which connection wants to be woken.
//!
//! Each connection has at most one entry. It is moved only when something is wanted earlier than it says; if
//! something is wanted later, the entry comes due, finds nothing to do and is set anew. So a deadline that every
//! message puts off costs nothing, and nothing piles up for deadlines that come and go.

use std::collections::BTreeSet;
use std::time::Instant;

/// Deadlines of the connections of one reactor.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Instant, usize)>,
}

impl Timers {
    /// Sees to it that `slot` is woken no later than `want`. `armed` is the slot's entry.
    pub(crate) fn arm(&mut self, slot: usize, armed: &mut Option<Instant>, want: Option<Instant>) {
        let Some(want) = want else { return };
        match *armed {
            Some(at) if at <= want => {}
            Some(at) => {
                self.entries.remove(&(at, slot));
                self.entries.insert((want, slot));
                *armed = Some(want);
            }
            None => {
                self.entries.insert((want, slot));
                *armed = Some(want);
            }
        }
    }

    /// Takes a slot's entry out.
    pub(crate) fn disarm(&mut self, slot: usize, armed: &mut Option<Instant>) {
        if let Some(at) = armed.take() {
            self.entries.remove(&(at, slot));
        }
    }

    /// The next slot that is due. The caller notes that it has no entry any more.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let (at, _) = self.entries.first()?;
        if *at > now {
            return None;
        }
        self.entries.pop_first().map(|(_, slot)| slot)
    }

    /// When the next entry comes due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_entry_moves_only_forward_and_fires_once() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut timers = Timers::default();
        let (mut one, mut two) = (None, None);
        timers.arm(1, &mut one, Some(at(10)));
        timers.arm(2, &mut two, Some(at(5)));
        timers.arm(1, &mut one, Some(at(20)));
        assert_eq!(one, Some(at(10)));
        timers.arm(1, &mut one, Some(at(3)));
        timers.arm(1, &mut one, None);
        assert_eq!((one, timers.next()), (Some(at(3)), Some(at(3))));
        assert_eq!(timers.pop_due(at(2)), None);
        assert_eq!(timers.pop_due(at(6)), Some(1));
        timers.disarm(2, &mut two);
        assert_eq!((timers.pop_due(at(60)), two), (None, None));
    }
}
