//! A bounded queue that keeps messages to one peer apart in time, for clients that take one `recv` for one
//! message.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::Now;

use crate::{Close, Outbox};

/// Lets one message go at once and each further one no sooner than a gap after the one before. Empty, it owns
/// no memory.
#[derive(Debug)]
pub struct Pacer {
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    bytes_max: usize,
    gap: Duration,
    /// Above this many waiting messages they all go without a gap: for peers that would rather have two messages
    /// in one read than wait for minutes.
    patience: usize,
    /// Before this nothing goes, unless patience has ended.
    free_at: Option<Instant>,
    /// Before this nothing goes at all.
    held_until: Option<Instant>,
}

impl Pacer {
    /// A queue of at most `bytes_max` bytes.
    #[must_use]
    pub fn new(gap: Duration, bytes_max: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            queued_bytes: 0,
            bytes_max,
            gap,
            patience: usize::MAX,
            free_at: None,
            held_until: None,
        }
    }

    /// Gives up the gap while more than `messages` wait.
    #[must_use]
    pub fn with_patience(mut self, messages: usize) -> Self {
        self.patience = messages;
        self
    }

    /// Sends a message when its time has come: now, if nothing waits. Over the bound the session is closed.
    pub fn push(&mut self, now: Now, message: Bytes, out: &mut Outbox) {
        self.queued_bytes += message.len();
        self.queue.push_back(message);
        self.on_timer(now, out);
        if self.queued_bytes > self.bytes_max {
            out.close(Close::SlowReader { queued: self.queued_bytes });
        }
    }

    /// The last message that waits, and may still be replaced by [`Pacer::replace_last`].
    #[must_use]
    pub fn last(&self) -> Option<&Bytes> {
        self.queue.back()
    }

    /// Puts another message in the place of the last one that waits.
    pub fn replace_last(&mut self, message: Bytes) {
        if let Some(last) = self.queue.back_mut() {
            self.queued_bytes = self.queued_bytes - last.len() + message.len();
            *last = message;
        }
    }

    /// Lets nothing go for a while, however much waits.
    pub fn hold(&mut self, now: Now, duration: Duration) {
        self.held_until = self.held_until.max(Some(now.at + duration));
    }

    /// Sends what has become due.
    pub fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        if self.held_until.is_some_and(|at| at > now.at) {
            return;
        }
        self.held_until = None;
        while self.queue.len() > self.patience || self.free_at.is_none_or(|at| at <= now.at) {
            let Some(message) = self.queue.pop_front() else { break };
            self.queued_bytes -= message.len();
            out.send(message);
            if !self.gap.is_zero() {
                self.free_at = Some(now.at + self.gap);
            }
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Sends everything that waits, without gaps.
    pub fn flush(&mut self, out: &mut Outbox) {
        out.wire.extend(std::mem::take(&mut self.queue));
        self.queued_bytes = 0;
    }

    /// When [`Pacer::on_timer`] has something to do.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        if self.queue.is_empty() { None } else { self.free_at.max(self.held_until) }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
    fn start() -> Now {
        Now { at: Instant::now(), unix_ms: 0 }
    }

    const GAP: Duration = Duration::from_millis(100);

    fn sent(out: &mut Outbox) -> Vec<Bytes> {
        std::mem::take(&mut out.wire)
    }

    #[test]
    fn the_first_goes_at_once_and_others_after_the_gap() {
        let (mut pacer, mut out, now) = (Pacer::new(GAP, 100), Outbox::default(), start());
        pacer.push(now, "one".into(), &mut out);
        pacer.push(now, "two".into(), &mut out);
        assert_eq!(sent(&mut out), ["one"]);
        assert_eq!(pacer.wake_at(), Some(now.at + GAP));
        pacer.on_timer(now.plus(GAP / 2), &mut out);
        assert!(out.is_empty());
        pacer.on_timer(now.plus(GAP), &mut out);
        assert_eq!(sent(&mut out), ["two"]);
        assert_eq!(pacer.wake_at(), None);
        pacer.push(now.plus(GAP * 3 / 2), "three".into(), &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn over_the_bound_the_session_ends() {
        let (mut pacer, mut out, now) = (Pacer::new(GAP, 5), Outbox::default(), start());
        for _ in 0..2 {
            pacer.push(now, "12345".into(), &mut out);
        }
        assert_eq!(out.close, None);
        pacer.push(now, "6".into(), &mut out);
        assert_eq!(out.close, Some(Close::SlowReader { queued: 6 }));
    }

    #[test]
    fn patience_ends() {
        let (pacer, mut out, now) = (Pacer::new(GAP, 100), Outbox::default(), start());
        let mut pacer = pacer.with_patience(2);
        for message in ["1", "2", "3", "4"] {
            pacer.push(now, message.into(), &mut out);
        }
        assert_eq!(sent(&mut out), ["1", "2"]);
    }

    #[test]
    fn patience_waits_for_a_hold() {
        let (pacer, mut out, now) = (Pacer::new(GAP, 100), Outbox::default(), start());
        let mut pacer = pacer.with_patience(2);
        pacer.hold(now, GAP * 3);
        for message in ["1", "2", "3", "4"] {
            pacer.push(now, message.into(), &mut out);
        }
        assert!(out.is_empty());
        let then = now.plus(GAP * 3);
        assert_eq!(pacer.wake_at(), Some(then.at));
        pacer.on_timer(then, &mut out);
        assert_eq!(sent(&mut out), ["1", "2"]);
        assert_eq!(pacer.wake_at(), Some(then.at + GAP));
    }

    #[test]
    fn held_and_replaced() {
        let (mut pacer, mut out, now) = (Pacer::new(GAP, 100), Outbox::default(), start());
        pacer.hold(now, GAP * 2);
        pacer.push(now, "old".into(), &mut out);
        pacer.replace_last("newer".into());
        assert!(out.is_empty());
        pacer.on_timer(now.plus(GAP * 2), &mut out);
        assert_eq!(sent(&mut out), ["newer"]);
        assert!(pacer.is_empty() && pacer.queued_bytes == 0);
    }
}
