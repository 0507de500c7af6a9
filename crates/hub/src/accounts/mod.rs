//! Accounts: names that belong to somebody, and how one shows that one is that.

mod devices;
mod invitations;
mod login;
mod orders;
mod presence;
mod registration;
mod visitors;

pub use presence::Presence;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gcra::{GcraState, RateLimit};
use hmac::{Hmac, Mac};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::markers::Markers;
use crate::names::Key;
use crate::{EventId, HistoryKey, Hub, Name, Now, Refusal, Secret, SessionId};

pub use invitations::{Admission, INVITATION_USES_MAX, Invitation, InvitationDigest, NewInvitation};
pub use visitors::Done;

/// Wrong passwords that one account takes at once; then one in so many seconds.
const ATTEMPTS_OF_ACCOUNT: (u32, u64) = (5, 10);
/// The same of one address, whatever accounts they are for; new accounts count too.
const ATTEMPTS_OF_ADDRESS: (u32, u64) = (20, 5);
/// Accounts and addresses whose wrong passwords are remembered.
const ATTEMPTS_MAX: usize = 10_000;
/// The shortest password, in characters, and the longest, in bytes.
const PASSWORD_CHARS_MIN: usize = 6;
const PASSWORD_BYTES_MAX: usize = 300;
/// Certificates, and passwords for single programs, of one account.
const EXTRAS_MAX: usize = 20;
/// Characters of a password for a single program: 50 bits, which wrong passwords can't be tried through.
const APP_PASSWORD_CHARS: usize = 10;
/// How often SCRAM hashes a password. All accounts have the same, so that none stands out.
pub const SCRAM_ITERATIONS: u32 = 4096;

/// Messages that a device is shown at once of what it has missed.
const MISSED_MAX: usize = 1_000;

/// The place of all private messages, as far as devices are concerned.
const PRIVATE: &str = "@";

/// SHA-256 of a client's certificate.
pub type Fingerprint = [u8; 32];

/// What SCRAM-SHA-256 checks a password with (RFC 5802, 3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ScramKeys {
    /// What the password was salted with.
    pub salt: [u8; 16],
    /// How often it was hashed.
    pub iterations: u32,
    /// Checks the client.
    pub stored_key: [u8; 32],
    /// Proves the server.
    pub server_key: [u8; 32],
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its hash, in whatever form the host checks ([`crate::Effect::Verify`]).
    pub hash: Secret,
    /// What SCRAM checks it with.
    pub scram: ScramKeys,
}

/// A password that the server made for a single program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// What its owner calls it.
    pub label: String,
    /// SHA-256 of it: it is random, so that is enough.
    pub digest: [u8; 32],
}

/// An account, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: Name,
    /// When it was made: milliseconds since 1970.
    pub since_ms: u64,
    /// What is kept of its password.
    pub credentials: Credentials,
    /// Certificates that are as good as the password.
    pub certificates: BTreeSet<Fingerprint>,
    /// Passwords for single programs.
    pub app_passwords: Vec<AppPassword>,
    /// Whether its user stays when its last device goes.
    pub always_on: bool,
}

/// Who a session says it is.
#[derive(Debug)]
pub enum Proof {
    /// By a password. After `@` in the account's name stands which of the owner's devices it is.
    Password {
        /// Which account.
        account: String,
        /// The account's password, or one for a single program.
        password: Secret,
    },
    /// By a certificate that the session has shown.
    Certificate {
        /// Which account; `None`: whichever it is of.
        account: Option<String>,
        /// The certificate's.
        fingerprint: Fingerprint,
    },
    /// By SCRAM, which the session has checked with the keys that it was given.
    Scram {
        /// Which account.
        account: String,
    },
}

/// What a logged-in session is logged in to.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) account: Arc<str>,
    /// Which of the owner's devices it is; empty: the one that has no name.
    pub(crate) device: Arc<str>,
}

/// All accounts.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_key: BTreeMap<Key, Account>,
    certificates: FxHashMap<Fingerprint, Key>,
    of_accounts: FxHashMap<Key, GcraState>,
    of_addresses: FxHashMap<IpAddr, GcraState>,
    /// What is being done with a session's password elsewhere.
    pending: FxHashMap<SessionId, Pending>,
    /// Up to which event each device has been shown what happens at a place: account, device, history. One that is
    /// being shown it: [`EventId::LAST`].
    pub(crate) seen: BTreeMap<(Key, Arc<str>, Arc<str>), EventId>,
    /// Up to where each has read.
    pub(crate) markers: BTreeMap<Key, Markers>,
    invitations: BTreeMap<InvitationDigest, Invitation>,
    /// Which accounts may come into which rooms, whoever else may.
    welcomes: BTreeSet<(HistoryKey, Key)>,
}

/// What is to be done when the host is ready with a password.
#[derive(Debug)]
enum Pending {
    LogIn { key: Key, identity: Identity, by_service: bool },
    Register { name: Name, invitation: Option<String>, by_service: bool },
    ChangePassword { key: Key },
}

impl Accounts {
    pub(crate) fn get(&self, name: &str) -> Option<&Account> {
        self.by_key.get(&Key::of(name))
    }

    /// Enters an account, or what has changed of it.
    fn put(&mut self, account: Account) {
        let key = Key::of(account.name.as_str());
        if let Some(old) = self.by_key.get(&key) {
            for fingerprint in &old.certificates {
                self.certificates.remove(fingerprint);
            }
        }
        self.certificates.extend(account.certificates.iter().map(|print| (*print, key.clone())));
        self.by_key.insert(key, account);
    }

    fn remove(&mut self, key: &Key) -> Option<Account> {
        let gone = self.by_key.remove(key)?;
        for fingerprint in &gone.certificates {
            self.certificates.remove(fingerprint);
        }
        self.seen.retain(|(account, ..), _| account != key);
        self.markers.remove(key);
        self.welcomes.retain(|(_, account)| account != key);
        Some(gone)
    }

    /// Whether a password may be tried now.
    fn may_try(&self, now: Now, key: Option<&Key>, address: IpAddr) -> Result<(), Refusal> {
        let of_account = key.and_then(|key| self.of_accounts.get(key));
        let of_address = self.of_addresses.get(&address);
        for (state, limit) in [(of_account, ATTEMPTS_OF_ACCOUNT), (of_address, ATTEMPTS_OF_ADDRESS)] {
            let Some(state) = state else { continue };
            let mut state = *state;
            if state.check_and_modify_at(&rate(limit), now.at, 1).is_err() {
                return Err(Refusal::TooManyAttempts { wait_s: limit.1 });
            }
        }
        // So many at once are no people who mistype.
        match self.of_accounts.len().max(self.of_addresses.len()) > ATTEMPTS_MAX {
            true => Err(Refusal::TooManyAttempts { wait_s: ATTEMPTS_OF_ACCOUNT.1 }),
            false => Ok(()),
        }
    }

    /// A password was wrong, or something else was done that isn't to be done often.
    fn count_attempt(&mut self, now: Now, key: Option<Key>, address: IpAddr) {
        let (account, host) = (rate(ATTEMPTS_OF_ACCOUNT), rate(ATTEMPTS_OF_ADDRESS));
        if self.of_accounts.len() >= ATTEMPTS_MAX {
            self.of_accounts
                .retain(|_, state| state.check_and_modify_at(&account, now.at, account.max()).is_err());
        }
        if self.of_addresses.len() >= ATTEMPTS_MAX {
            self.of_addresses
                .retain(|_, state| state.check_and_modify_at(&host, now.at, host.max()).is_err());
        }
        if let Some(key) = key {
            let _ = self.of_accounts.entry(key).or_default().check_and_modify_at(&account, now.at, 1);
        }
        let _ = self.of_addresses.entry(address).or_default().check_and_modify_at(&host, now.at, 1);
    }

    pub(crate) fn forget_session(&mut self, session: SessionId) {
        self.pending.remove(&session);
    }
}

fn rate((burst, seconds): (u32, u64)) -> Limit {
    Limit { burst, limit: RateLimit::new(burst, Duration::from_secs(seconds * u64::from(burst))) }
}

/// A rate, and how much it takes at once.
struct Limit {
    burst: u32,
    limit: RateLimit,
}

impl Limit {
    fn max(&self) -> u32 {
        self.burst
    }
}

impl std::ops::Deref for Limit {
    type Target = RateLimit;

    fn deref(&self) -> &RateLimit {
        &self.limit
    }
}

/// The account's and the device's name.
fn account_and_device(text: &str) -> (&str, &str) {
    text.split_once('@').unwrap_or((text, ""))
}

impl Hub {
    /// Takes over the accounts that were kept, and what their devices have seen.
    pub fn load_accounts(
        &mut self,
        accounts: impl IntoIterator<Item = Account>,
        seen: impl IntoIterator<Item = (String, String, String, EventId)>,
    ) {
        for account in accounts {
            self.accounts.put(account);
        }
        for (account, device, place, event) in seen {
            self.accounts.seen.insert((Key::of(&account), device.into(), place.into()), event);
        }
    }

    /// All accounts, by name.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.by_key.values()
    }

    /// The account that a session is logged in to.
    pub(crate) fn identity(&self, session: SessionId) -> Option<&Identity> {
        self.sessions.get(&session)?.identity.as_deref()
    }

    /// Whether a name belongs to an account that this session isn't logged in to.
    pub(crate) fn is_somebody_elses(&self, session: SessionId, name: &str) -> bool {
        let Some(account) = self.accounts.get(name) else { return false };
        let identity = self.identity(session);
        identity.is_none_or(|identity| Key::of(&identity.account) != Key::of(account.name.as_str()))
    }

    /// Bytes that nobody can tell without the server's key.
    fn secret_bytes(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A key may have any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.config.host_key) else { return [0; 32] };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn digest(password: &str) -> [u8; 32] {
    Sha256::digest(password.as_bytes()).into()
}

fn has_app_password(account: &Account, password: &Secret) -> bool {
    let digest = digest(password.reveal());
    account.app_passwords.iter().any(|known| known.digest == digest)
}

#[cfg(test)]
mod tests;
