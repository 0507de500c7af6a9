//! Passwords are checked here, on a thread of their own: it takes many milliseconds, on purpose, and nobody else may
//! have to wait for that.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use hub::{Secret, SessionId};

use crate::shared::Shared;

/// Something to check. A session waits for the answer before it goes on, so there is at most one of each.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) session: SessionId,
    pub(crate) name: String,
    /// As PHC strings write it: `$argon2id$…`.
    pub(crate) hash: Secret,
    pub(crate) password: Secret,
}

/// What waits to be checked.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    checks: VecDeque<Check>,
    ended: bool,
}

impl Verifier {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in line.
    pub(crate) fn push(&self, check: Check) {
        self.lock().checks.push_back(check);
        self.more.notify_one();
    }

    /// Ends [`run`], whatever waits.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.more.notify_all();
    }

    fn next(&self) -> Option<Check> {
        let waiting = |queue: &mut Queue| queue.checks.is_empty() && !queue.ended;
        let mut queue = self.more.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        if queue.ended { None } else { queue.checks.pop_front() }
    }
}

/// Checks what waits until [`Verifier::end`].
pub(crate) fn run(shared: &Shared) {
    while let Some(check) = shared.verifier.next() {
        let right = is_right(&check.hash, &check.password);
        shared.verified(&check, right);
    }
}

/// Whether a password fits a hash. A hash that can't be read fits none.
fn is_right(hash: &Secret, password: &Secret) -> bool {
    PasswordHash::new(hash.reveal())
        .is_ok_and(|hash| Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits() {
        let hash = argon2::password_hash::SaltString::from_b64("c29tZXNhbHRzb21lc2FsdA").unwrap();
        let hash = argon2::PasswordHasher::hash_password(&Argon2::default(), b"operpassword", &hash).unwrap();
        let hash = Secret::new(&hash.to_string());
        assert!(is_right(&hash, &Secret::new("operpassword")));
        assert!(!is_right(&hash, &Secret::new("operpasswore")));
        assert!(!is_right(&Secret::new("operpassword"), &Secret::new("operpassword")));
    }
}
