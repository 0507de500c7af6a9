//! People who say numbered, stamped things, and the check that everybody gets each exactly once and in order.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use proto::ProtocolError;
use proto::client::{Client, ClientOutbox, Happening};

use super::arguments;
use super::fleet::{Fleet, Heard, Who};
use super::process::{Process, Spent, Used};
use super::report::{Faults, histogram};
use super::stamp::{SENDERS_MAX, Stamp};
use crate::failure::Failure;

/// At a fixed rate, how many messages of one sender may be on their way: more, and the server can't keep up.
const BEHIND_MAX: u32 = 100_000;
/// No waiting when the next message is due so soon: the kernel's timers are too coarse for it.
const SPIN: Duration = Duration::from_millis(2);

/// How a sender says something.
pub(crate) type Say = Box<dyn Fn(&mut dyn Client, &str, &mut ClientOutbox) -> Result<(), ProtocolError>>;

/// One who talks.
pub(crate) struct Sender {
    pub(crate) who: Who,
    pub(crate) say: Say,
    /// Who has to get it.
    pub(crate) hearers: Vec<Who>,
    /// Messages that were sent, and those of them that all have.
    sent: u32,
    done: u32,
    /// For each message on its way, how many have yet to get it; the first is number `done`.
    open: VecDeque<u32>,
}

impl Sender {
    pub(crate) fn new(who: Who, hearers: Vec<Who>, say: Say) -> Self {
        Self { who, say, hearers, sent: 0, done: 0, open: VecDeque::new() }
    }

    fn under_way(&self) -> u32 {
        self.sent - self.done
    }
}

/// What was measured.
pub(crate) struct Talked {
    pub(crate) seconds: f64,
    pub(crate) sent: u64,
    pub(crate) deliveries: u64,
    pub(crate) latency: Histogram<u64>,
    pub(crate) faults: Faults,
    pub(crate) spent: Option<Spent>,
}

/// A talk under way.
pub(crate) struct Conversation<'t> {
    talk: &'t arguments::Talk,
    senders: Vec<Sender>,
    /// The number that each hearer waits for, of each sender.
    expected: Vec<Vec<u32>>,
    /// Of which sender, to whom, and which: passed by a later one, so that they are missing or late.
    passed: HashSet<(usize, Who, u32)>,
    body: String,
    measuring: bool,
    /// Somebody who talks has lost the connection: the talk is over.
    cut_off: bool,
    talked: Talked,
}

impl<'t> Conversation<'t> {
    /// # Errors
    /// If what is asked for can't be.
    pub(crate) fn new(talk: &'t arguments::Talk, senders: Vec<Sender>) -> Result<Self, Failure> {
        if senders.len() > SENDERS_MAX {
            return Err(Failure::usage(
                format!("{} senders", senders.len()),
                format!("at most {SENDERS_MAX} can be told apart"),
            ));
        }
        let most = senders.iter().flat_map(|sender| &sender.hearers).max().map_or(0, |who| who + 1);
        let talked = Talked {
            seconds: 0.0,
            sent: 0,
            deliveries: 0,
            latency: histogram(),
            faults: Faults::default(),
            spent: None,
        };
        let expected = vec![vec![0; most]; senders.len()];
        Ok(Self {
            talk,
            senders,
            expected,
            passed: HashSet::new(),
            body: String::new(),
            measuring: false,
            cut_off: false,
            talked,
        })
    }

    /// Talks for as long as was asked, first without measuring. `meanwhile` is called every turn.
    ///
    /// # Errors
    /// If the kernel fails, or the server's process has ended.
    pub(crate) fn run(
        mut self,
        fleet: &mut Fleet,
        process: Option<Process>,
        mut meanwhile: impl FnMut(&mut Fleet) -> Result<(), Failure>,
    ) -> Result<Talked, Failure> {
        let begun = Instant::now();
        let warm = begun + Duration::from_secs_f64(self.talk.warmup);
        let end = warm + Duration::from_secs_f64(self.talk.seconds);
        let silence = end + Duration::from_secs_f64(self.talk.cooldown);
        let mut deadline = silence;
        let mut measured_from: Option<(Instant, Option<Used>)> = None;
        let mut heard = Vec::new();
        let mut is_over = false;
        loop {
            let now = Instant::now();
            if !is_over && measured_from.is_none() && now >= warm {
                self.measuring = true;
                measured_from = Some((now, process.map(Process::used).transpose()?));
            }
            if let Some((from, used)) = measured_from
                && self.measuring
                && (now >= end || self.cut_off)
            {
                self.measuring = false;
                self.talked.seconds = now.duration_since(from).as_secs_f64();
                if let (Some(process), Some(used)) = (process, used) {
                    // A server that is gone has nothing to look at.
                    let now = if self.cut_off { process.used().ok() } else { Some(process.used()?) };
                    self.talked.spent = now.map(|now| used.until(now));
                }
            }
            if !is_over && (now >= silence || self.cut_off) {
                is_over = true;
                deadline = now + Duration::from_secs_f64(self.talk.patience);
            }
            let open: u64 = self.senders.iter().map(|sender| u64::from(sender.under_way())).sum();
            if is_over && (open == 0 || now >= deadline) {
                break;
            }
            let patience = if is_over { Duration::from_millis(50) } else { self.speak(fleet, begun)? };
            fleet.turn(patience)?;
            meanwhile(fleet)?;
            fleet.take_heard(&mut heard);
            for item in heard.drain(..) {
                self.hear(item);
            }
        }
        self.talked.faults.missing += self.missing();
        Ok(self.talked)
    }

    /// What was sent and hasn't come.
    fn missing(&self) -> u64 {
        self.senders.iter().flat_map(|sender| &sender.open).map(|&missing| u64::from(missing)).sum()
    }

    /// Says what is to be said now; how long to wait for what comes.
    fn speak(&mut self, fleet: &mut Fleet, begun: Instant) -> Result<Duration, Failure> {
        let Some(rate) = self.talk.rate else {
            for index in 0..self.senders.len() {
                while self.senders[index].under_way() < self.talk.window {
                    let now = fleet.now();
                    self.say(index, now, fleet)?;
                }
            }
            return Ok(Duration::from_millis(100));
        };
        let elapsed = begun.elapsed();
        let said: u64 = self.senders.iter().map(|sender| u64::from(sender.sent)).sum();
        let due = (elapsed.as_secs_f64() * rate) as u64 + 1;
        let start = fleet.now() - u64::try_from(elapsed.as_nanos()).unwrap_or_default();
        let count = self.senders.len() as u64;
        for number in said..due {
            let index = (number % count) as usize;
            if self.senders[index].under_way() >= BEHIND_MAX {
                return Err(Failure::run(
                    format!("the server can't keep up with {rate} messages a second"),
                    "ask for fewer",
                ));
            }
            // When it was due, not when we got to it: a server that keeps us waiting makes everybody wait.
            let at = start + (number as f64 / rate * 1e9) as u64;
            self.say(index, at, fleet)?;
        }
        let next = Duration::from_secs_f64(due as f64 / rate).saturating_sub(begun.elapsed());
        Ok(if next < SPIN { Duration::ZERO } else { next - SPIN / 2 })
    }

    fn say(&mut self, index: usize, at: u64, fleet: &mut Fleet) -> Result<(), Failure> {
        self.compose(index, at);
        let (sender, body) = (&self.senders[index], &self.body);
        let say = &sender.say;
        fleet.act(sender.who, |client, out| say(client, body, out))
    }

    /// Writes a sender's next message down as one that is on its way.
    fn compose(&mut self, index: usize, at: u64) {
        let sender = &mut self.senders[index];
        let stamp = Stamp { sender: index as u32, number: sender.sent, sent: at };
        stamp.write(self.talk.size, &mut self.body);
        sender.sent += 1;
        sender.open.push_back(sender.hearers.len() as u32);
        self.talked.sent += u64::from(self.measuring);
    }

    fn hear(&mut self, Heard { who, at, what }: Heard) {
        let faults = &mut self.talked.faults;
        let text = match what {
            Happening::Message { text, .. } => text,
            Happening::Undelivered { reason } => return faults.refuse(reason),
            Happening::Refused { code, reason } => return faults.refuse(format!("{code} {reason}")),
            Happening::Ended { reason } => {
                self.cut_off |= self.senders.iter().any(|sender| sender.who == who);
                return faults.lose(reason);
            }
            _ => return,
        };
        let Some(stamp) = Stamp::read(&text, self.talk.size) else { return };
        let index = stamp.sender as usize;
        let Some(sender) = self.senders.get_mut(index) else { return };
        // Some protocols give senders their own.
        if sender.who == who {
            self.talked.deliveries += u64::from(self.measuring);
            return;
        }
        // Of somebody else's load, or of an earlier one.
        if stamp.number >= sender.sent {
            return;
        }
        let Some(expected) = self.expected[index].get_mut(who) else { return };
        if stamp.number >= *expected {
            self.passed.extend((*expected..stamp.number).map(|number| (index, who, number)));
            *expected = stamp.number + 1;
        } else if self.passed.remove(&(index, who, stamp.number)) {
            faults.out_of_order += 1;
        } else {
            faults.repeated += 1;
            return;
        }
        if self.measuring {
            self.talked.deliveries += 1;
            self.talked.latency.saturating_record(at.saturating_sub(stamp.sent).max(1));
        }
        let Some(place) = stamp.number.checked_sub(sender.done) else { return };
        let Some(open) = sender.open.get_mut(place as usize) else { return };
        *open = open.saturating_sub(1);
        while sender.open.front() == Some(&0) {
            sender.open.pop_front();
            sender.done += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: arguments::Talk = arguments::Talk {
        window: 1,
        size: 64,
        rate: None,
        warmup: 0.0,
        seconds: 1.0,
        cooldown: 0.0,
        patience: 0.0,
    };
    const HEARER: Who = 1;

    /// Whoever is 0 says `count` things, and these are those that 1 hears.
    fn heard(count: usize, numbers: &[u32]) -> (Talked, u64) {
        let sender = Sender::new(0, vec![HEARER], Box::new(|_, _, _| Ok(())));
        let mut conversation = Conversation::new(&TALK, vec![sender]).unwrap();
        conversation.measuring = true;
        (0..count).for_each(|_| conversation.compose(0, 5));
        for &number in numbers {
            let mut text = String::new();
            Stamp { sender: 0, number, sent: 5 }.write(TALK.size, &mut text);
            let what = Happening::Message { from: "ana".to_owned(), text, private: false };
            conversation.hear(Heard { who: HEARER, at: 9, what });
        }
        let missing = conversation.missing();
        (conversation.talked, missing)
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        for (numbers, missing, repeated, out_of_order) in [
            (&[0, 1, 2, 3][..], 0, 0, 0),
            (&[0, 2, 3], 1, 0, 0),
            (&[0, 1, 2], 1, 0, 0),
            (&[0, 1, 1, 2, 3], 0, 1, 0),
            (&[0, 2, 1, 3], 0, 0, 1),
            (&[0, 3, 2, 1], 0, 0, 2),
            (&[0, 2, 1, 1], 1, 1, 1),
            // Nobody has said that yet.
            (&[0, 1, 2, 3, 4], 0, 0, 0),
        ] {
            let (talked, left) = heard(4, numbers);
            let Faults { repeated: twice, out_of_order: late, .. } = talked.faults;
            assert_eq!((left, twice, late), (missing, repeated, out_of_order), "{numbers:?}");
            assert_eq!(talked.deliveries, 4 - missing, "{numbers:?}");
        }
    }

    #[test]
    fn what_the_server_says_beside_messages_is_a_fault_or_nothing() {
        let sender = Sender::new(0, vec![HEARER], Box::new(|_, _, _| Ok(())));
        let mut conversation = Conversation::new(&TALK, vec![sender]).unwrap();
        for what in [
            Happening::Undelivered { reason: "full".to_owned() },
            Happening::Ended { reason: "gone".to_owned() },
            Happening::Typing { from: "ana".to_owned() },
            Happening::Message { from: "bob".to_owned(), text: "hi".to_owned(), private: false },
        ] {
            conversation.hear(Heard { who: HEARER, at: 9, what });
        }
        let faults = conversation.talked.faults;
        assert_eq!((faults.refused, faults.lost_connections), (1, 1));
        assert_eq!(faults.first.as_deref(), Some("full"));
    }
}
