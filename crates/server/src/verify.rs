//! Passwords are checked here, on a thread of their own: it takes many milliseconds, on purpose, and nobody else may
//! have to wait for that.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use hub::{Credentials, Purpose, SCRAM_ITERATIONS, ScramKeys, Secret, SessionId};
use proto::sasl::scram;

use crate::shared::Shared;

/// Something to do. A session waits for it before it goes on, so there is at most one of each.
#[derive(Debug)]
pub(crate) enum Work {
    /// Does a password fit?
    Check {
        session: SessionId,
        purpose: Purpose,
        name: String,
        /// As PHC strings write it: `$argon2id$…`; empty: it fits nothing.
        hash: Secret,
        password: Secret,
    },
    /// Make what is kept of a password.
    Derive { session: SessionId, password: Secret },
}

/// What waits to be checked.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    works: VecDeque<Work>,
    ended: bool,
}

impl Verifier {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in line.
    pub(crate) fn push(&self, work: Work) {
        self.lock().works.push_back(work);
        self.more.notify_one();
    }

    /// Ends [`run`], whatever waits.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.more.notify_all();
    }

    fn next(&self) -> Option<Work> {
        let waiting = |queue: &mut Queue| queue.works.is_empty() && !queue.ended;
        let mut queue = self.more.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        if queue.ended { None } else { queue.works.pop_front() }
    }
}

/// Does what waits until [`Verifier::end`].
pub(crate) fn run(shared: &Shared) {
    // What passwords of accounts are compared with that aren't there: it takes as long.
    let nobody = hashed("nobody's").unwrap_or_default();
    while let Some(work) = shared.verifier.next() {
        match work {
            Work::Check { session, purpose, name, hash, password } => {
                let right = match hash.reveal() {
                    "" => {
                        is_right(&Secret::new(&nobody), &password);
                        false
                    }
                    _ => is_right(&hash, &password),
                };
                shared.verified(session, (purpose, &name), right);
            }
            Work::Derive { session, password } => match credentials(&password) {
                Some(credentials) => shared.derived(session, credentials),
                None => tracing::error!("a password can't be hashed: the system gives no random bytes"),
            },
        }
    }
}

/// What is kept of a password; `None` if the system has no random bytes.
pub(crate) fn credentials(password: &Secret) -> Option<Credentials> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    let keys = scram::ScramKeys::derive(password.reveal(), salt, SCRAM_ITERATIONS);
    let scram = ScramKeys {
        salt: keys.salt,
        iterations: keys.iterations,
        stored_key: keys.stored_key,
        server_key: keys.server_key,
    };
    Some(Credentials { hash: Secret::new(&hashed(password.reveal())?), scram })
}

fn hashed(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    let salt = SaltString::encode_b64(&salt).ok()?;
    Argon2::default().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string()).ok()
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
