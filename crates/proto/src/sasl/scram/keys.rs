//! The keys of SCRAM: what comes of a password, what a server keeps of it, what the two sides sign with.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The fewest iterations that a server should use (RFC 7677, 4).
pub const ITERATIONS_MIN: u32 = 4096;

/// What a server keeps instead of a password (RFC 5802, 2.2 and 3). Whoever has it can't log in with it,
/// but can try passwords against it and can pose as the server.
#[derive(Clone)]
pub struct ScramKeys {
    /// Random, an own one for each account and each password.
    pub salt: [u8; 16],
    /// Rounds of PBKDF2, at least [`ITERATIONS_MIN`].
    pub iterations: u32,
    /// `H(ClientKey)`: checks a client's proof.
    pub stored_key: [u8; 32],
    /// Signs the server's last message.
    pub server_key: [u8; 32],
}

impl ScramKeys {
    /// Makes the keys of a password. This is slow on purpose, the slower the more iterations: not for a thread
    /// that others wait for.
    ///
    /// The password is prepared with SASLprep (RFC 4013). One that SASLprep refuses or leaves nothing of is
    /// taken as it is, so that emoji, which its Unicode 3.2 doesn't know, can be in passwords.
    #[must_use]
    pub fn derive(password: &str, salt: [u8; 16], iterations: u32) -> Self {
        let salted = SaltedPassword::derive(password, &salt, iterations);
        Self { salt, iterations, stored_key: sha256(&salted.client_key()), server_key: salted.server_key() }
    }

    /// Keys for an account that doesn't exist, the same each time, that no password belongs to. A stranger
    /// who hasn't got `secret` can't tell them from real ones.
    ///
    /// `name` is the name as accounts are looked up, after case folding and the like: spellings that lead to
    /// one account must lead to one salt here too. `iterations` is what new accounts get; an account with
    /// another count is known by it.
    #[must_use]
    pub fn fake(secret: &[u8; 32], name: &str, iterations: u32) -> Self {
        // A NUL ends the label, which says what the value is for.
        let value = |label: &[u8]| hmac(secret, &[label, b"\0", name.as_bytes()]);
        let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = value(b"scram fake salt");
        Self {
            salt,
            iterations,
            stored_key: value(b"scram fake stored key"),
            server_key: value(b"scram fake server key"),
        }
    }
}

/// Tells the salt and the rounds, which any client is told too.
impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("salt", &self.salt)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// In constant time.
impl PartialEq for ScramKeys {
    fn eq(&self, other: &Self) -> bool {
        let equal: Choice = self.salt.ct_eq(&other.salt)
            & self.iterations.ct_eq(&other.iterations)
            & self.stored_key.ct_eq(&other.stored_key)
            & self.server_key.ct_eq(&other.server_key);
        equal.into()
    }
}

impl Eq for ScramKeys {}

/// `SaltedPassword := Hi(Normalize(password), salt, i)` (RFC 5802, 3). As good as the password.
pub(super) struct SaltedPassword([u8; 32]);

impl SaltedPassword {
    pub(super) fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(prepare(password).as_bytes(), salt, iterations, &mut salted);
        Self(salted)
    }

    /// `ClientKey := HMAC(SaltedPassword, "Client Key")`
    pub(super) fn client_key(&self) -> [u8; 32] {
        hmac(&self.0, &[b"Client Key"])
    }

    /// `ServerKey := HMAC(SaltedPassword, "Server Key")`
    pub(super) fn server_key(&self) -> [u8; 32] {
        hmac(&self.0, &[b"Server Key"])
    }
}

fn prepare(password: &str) -> Cow<'_, str> {
    match stringprep::saslprep(password) {
        // One of soft hyphens only would otherwise be no password at all.
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => Cow::Borrowed(password),
    }
}

/// HMAC-SHA-256 of the parts one after the other.
pub(super) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The one with the other's bits flipped: a proof from key and signature, and back.
pub(super) fn xor(one: &[u8; 32], other: &[u8; 32]) -> [u8; 32] {
    let mut result = *one;
    for (byte, other) in result.iter_mut().zip(other) {
        *byte ^= other;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_prepared_as_far_as_they_can_be() {
        // RFC 4013, 3: a soft hyphen vanishes, compatibility characters are replaced.
        assert_eq!(prepare("I\u{ad}X"), "IX");
        assert_eq!(prepare("\u{2168}"), "IX");
        assert_eq!(prepare("USER"), "USER");
        // Prohibited characters, mixed directions, what Unicode 3.2 didn't know, nothing left.
        for raw in ["\u{7}", "\u{627}\u{31}", "pass\u{1f980}", "\u{ad}", ""] {
            assert_eq!(prepare(raw), raw);
        }
    }

    #[test]
    fn fakes_are_steady_and_differ() {
        let fake = ScramKeys::fake(&[1; 32], "nobody", 4096);
        assert_eq!(fake, ScramKeys::fake(&[1; 32], "nobody", 4096));
        assert_eq!(fake.iterations, 4096);
        for other in [ScramKeys::fake(&[2; 32], "nobody", 4096), ScramKeys::fake(&[1; 32], "nobodx", 4096)] {
            assert_ne!(fake.salt, other.salt);
            assert_ne!(fake.stored_key, other.stored_key);
            assert_ne!(fake.server_key, other.server_key);
        }
        assert_ne!(fake.stored_key, fake.server_key);
        assert_ne!(fake.salt, fake.stored_key[..16]);
    }

    #[test]
    fn any_part_makes_keys_differ() {
        let keys = ScramKeys::derive("pencil", [7; 16], 1);
        assert_eq!(keys, ScramKeys::derive("pencil", [7; 16], 1));
        assert_ne!(keys, ScramKeys { iterations: 2, ..keys.clone() });
        assert_ne!(keys, ScramKeys { salt: [8; 16], ..keys.clone() });
        assert_ne!(keys, ScramKeys { stored_key: [0; 32], ..keys.clone() });
        assert_ne!(keys, ScramKeys { server_key: [0; 32], ..keys.clone() });
        assert_ne!(keys.stored_key, ScramKeys::derive("pencil", [8; 16], 1).stored_key);
        assert_ne!(keys.stored_key, ScramKeys::derive("pencil", [7; 16], 2).stored_key);
        assert_ne!(keys.stored_key, ScramKeys::derive("Pencil", [7; 16], 1).stored_key);
    }

    #[test]
    fn debug_shows_no_keys() {
        let keys = ScramKeys { salt: [1; 16], iterations: 4096, stored_key: [77; 32], server_key: [99; 32] };
        let shown = format!("{keys:?}");
        assert!(shown.contains("4096") && !shown.contains("77") && !shown.contains("99"), "{shown}");
    }
}
