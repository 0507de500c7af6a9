//! Answers in the order of what they answer.

use std::collections::VecDeque;

use bytes::Bytes;
use hub::Token;
use proto::messenger::Role;

/// More SENDs than this don't wait for their outcome at once; a further one has failed.
pub(super) const SENDS_MAX: usize = 512;
/// More answers than this don't wait at all: the session ends.
pub(super) const ANSWERS_MAX: usize = 2 * SENDS_MAX;

/// An answer that is known or will be.
#[derive(Debug)]
pub(super) enum Slot {
    /// Known.
    Ready(Bytes),
    /// To a REGISTER that the hub decides.
    Login(Login),
    /// To a SEND whose outcome isn't known.
    Send {
        /// Names it to the hub.
        token: Token,
        /// The recipient as it was written.
        to: Box<str>,
    },
}

/// A REGISTER that waits for the hub.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) role: Role,
    /// The name as it was written.
    pub(super) name: Box<str>,
    /// Whether a blank followed it.
    pub(super) spaced: bool,
}

/// Answers that wait for those before them.
#[derive(Debug, Default)]
pub(super) struct Answers(VecDeque<Slot>);

impl Answers {
    pub(super) fn push(&mut self, slot: Slot) {
        self.0.push_back(slot);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a REGISTER waits for the hub.
    pub(super) fn is_logging_in(&self) -> bool {
        // Nothing is read behind it, so it is the last.
        matches!(self.0.back(), Some(Slot::Login(_)))
    }

    /// The REGISTER that waits, to be answered with [`Answers::settle_login`].
    pub(super) fn login(&self) -> Option<&Login> {
        self.0.iter().find_map(|slot| match slot {
            Slot::Login(login) => Some(login),
            Slot::Ready(_) | Slot::Send { .. } => None,
        })
    }

    pub(super) fn settle_login(&mut self, answer: Bytes) {
        if let Some(slot) = self.0.iter_mut().find(|slot| matches!(slot, Slot::Login(_))) {
            *slot = Slot::Ready(answer);
        }
    }

    /// The answer to a SEND is known.
    pub(super) fn settle_send(&mut self, wanted: Token, answer: impl FnOnce(&str) -> Bytes) {
        let found =
            self.0.iter_mut().find(|slot| matches!(slot, Slot::Send { token, .. } if *token == wanted));
        if let Some(slot) = found
            && let Slot::Send { to, .. } = &*slot
        {
            *slot = Slot::Ready(answer(to));
        }
    }

    /// Takes the next answer if it is known. Empty, this owns no memory.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        if !matches!(self.0.front()?, Slot::Ready(_)) {
            return None;
        }
        let Some(Slot::Ready(answer)) = self.0.pop_front() else { return None };
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_the_order_of_questions() {
        let mut answers = Answers::default();
        for token in [1, 2] {
            answers.push(Slot::Send { token: Token(token), to: "bob".into() });
        }
        answers.push(Slot::Ready("three".into()));
        answers.settle_send(Token(2), |to| format!("two to {to}").into());
        assert_eq!(answers.next(), None);
        answers.settle_send(Token(1), |_| "one".into());
        let order: Vec<_> = std::iter::from_fn(|| answers.next()).collect();
        assert_eq!(order, ["one", "two to bob", "three"]);
        assert!(answers.is_empty());
    }
}
