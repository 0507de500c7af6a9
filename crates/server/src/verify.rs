//! Passwords are checked here, on a thread of their own: it takes many milliseconds, on purpose, and nobody else may
//! have to wait for that.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use hub::{Credentials, Purpose, SCRAM_ITERATIONS, ScramKeys, Secret, SessionId};
use proto::sasl::scram;
use tokio::sync::oneshot;

use crate::shared::Shared;

/// Visitors of the web page that may wait here. Sessions are not told to come again.
const VISITORS_MAX: usize = 16;

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
    /// Does a visitor's password fit?
    CheckFor { hash: Secret, password: Secret, tell: oneshot::Sender<bool> },
    /// Make what is kept of a visitor's.
    DeriveFor { password: Secret, tell: oneshot::Sender<Credentials> },
}

impl Work {
    /// Whether nobody waits for it any more.
    fn is_in_vain(&self) -> bool {
        match self {
            Self::Check { .. } | Self::Derive { .. } => false,
            Self::CheckFor { tell, .. } => tell.is_closed(),
            Self::DeriveFor { tell, .. } => tell.is_closed(),
        }
    }

    fn is_of_visitor(&self) -> bool {
        matches!(self, Self::CheckFor { .. } | Self::DeriveFor { .. })
    }
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

    /// Has a visitor's password checked; nothing if too many wait. An empty hash fits nothing.
    pub(crate) fn check(&self, hash: Secret, password: Secret) -> Option<oneshot::Receiver<bool>> {
        let (tell, answer) = oneshot::channel();
        self.push_of_visitor(Work::CheckFor { hash, password, tell }).then_some(answer)
    }

    /// Has made what is kept of a visitor's password; nothing if too many wait.
    pub(crate) fn derive(&self, password: Secret) -> Option<oneshot::Receiver<Credentials>> {
        let (tell, answer) = oneshot::channel();
        self.push_of_visitor(Work::DeriveFor { password, tell }).then_some(answer)
    }

    fn push_of_visitor(&self, work: Work) -> bool {
        let mut queue = self.lock();
        queue.works.retain(|work| !work.is_in_vain());
        let has_room = queue.works.iter().filter(|work| work.is_of_visitor()).count() < VISITORS_MAX;
        if has_room {
            queue.works.push_back(work);
            self.more.notify_one();
        }
        has_room
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
    let fits = |hash: &Secret, password: &Secret| match hash.reveal() {
        "" => {
            is_right(&Secret::new(&nobody), password);
            false
        }
        _ => is_right(hash, password),
    };
    while let Some(work) = shared.verifier.next() {
        match work {
            Work::Check { session, purpose, name, hash, password } => {
                shared.verified(session, (purpose, &name), fits(&hash, &password));
            }
            // Who asked may have gone.
            Work::CheckFor { hash, password, tell } => drop(tell.send(fits(&hash, &password))),
            Work::DeriveFor { password, tell } => match credentials(&password) {
                Some(credentials) => drop(tell.send(credentials)),
                None => tracing::error!("a password can't be hashed: the system gives no random bytes"),
            },
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
    fn so_many_visitors_wait_and_who_has_gone_makes_room() {
        let verifier = Verifier::default();
        let ask = || verifier.check(Secret::new(""), Secret::new("secret"));
        let mut waiting: Vec<_> = (0..VISITORS_MAX).map(|_| ask().unwrap()).collect();
        assert!(ask().is_none() && verifier.derive(Secret::new("secret")).is_none());
        waiting.pop();
        assert!(ask().is_some());
    }

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
