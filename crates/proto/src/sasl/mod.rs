//! SASL as IRC carries it, the server's side: no dialect of its own, but the words inside `AUTHENTICATE`.
//!
//! ```text
//! authenticate = "AUTHENTICATE" SPACE ( mechanism / "*" / chunk )
//! chunk        = "+" / 1*400base64-char
//! ```
//!
//! A message is base64 (RFC 4648, 4), cut every 400 characters. A chunk shorter than that ends it; if its
//! last chunk is full, `+` ends it, and `+` alone is the empty message
//! (<https://ircv3.net/specs/extensions/sasl-3.1>, "The AUTHENTICATE command"; sasl-3.2 keeps it).
//!
//! [`Payload`] joins the chunks of a client, [`chunks`] cuts what a server says. What the messages mean is in
//! [`plain`], [`external`] and [`scram`]. Which accounts there are is not known here, and nothing here draws
//! random numbers: nonces and salts are arguments.

mod error;
pub mod external;
#[doc(hidden)]
pub mod fuzz;
pub mod plain;
pub mod scram;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq;

pub use error::{SaslError, ServerError};

/// The most characters of one `AUTHENTICATE` argument. A chunk as long as this is followed by another.
pub const CHUNK_CHARS_MAX: usize = 400;

/// The longest message we take from a client unless told otherwise, in bytes after decoding.
pub const PAYLOAD_BYTES_MAX: usize = 8 * 1024;

/// What makes a full chunk: base64 writes three bytes as four characters.
const CHUNK_BYTES: usize = CHUNK_CHARS_MAX / 4 * 3;

/// Joins the `AUTHENTICATE` arguments of a client to messages. Between messages it owns no memory.
pub struct Payload {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// The last chunk had padding, which only the end of a message has.
    padded: bool,
}

impl Payload {
    /// Takes messages of at most `bytes_max` bytes, counted after decoding.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, padded: false }
    }

    /// Takes one argument: the whole message if this ends it, `None` if there is more to come.
    ///
    /// # Errors
    /// [`SaslError::Aborted`] for `*`, [`SaslError::TooLong`], [`SaslError::NotBase64`]. After an error the
    /// message begins anew.
    pub fn push(&mut self, argument: &str) -> Result<Option<Vec<u8>>, SaslError> {
        match self.add(argument) {
            Ok(true) => {
                self.padded = false;
                Ok(Some(std::mem::take(&mut self.bytes)))
            }
            Ok(false) => Ok(None),
            Err(error) => {
                *self = Self::new(self.bytes_max);
                Err(error)
            }
        }
    }

    /// Whether this was the last chunk.
    fn add(&mut self, argument: &str) -> Result<bool, SaslError> {
        let chunk = match argument {
            "*" => return Err(SaslError::Aborted),
            "+" => return Ok(true),
            chunk => chunk,
        };
        if chunk.len() > CHUNK_CHARS_MAX {
            return Err(SaslError::TooLong { what: "AUTHENTICATE argument", limit: CHUNK_CHARS_MAX });
        }
        // A full chunk is a whole number of base64's groups of four, so each can be decoded by itself.
        let decoded = !self.padded && BASE64.decode_vec(chunk, &mut self.bytes).is_ok();
        if !decoded {
            return Err(SaslError::NotBase64 { what: "AUTHENTICATE argument" });
        }
        if self.bytes.len() > self.bytes_max {
            return Err(SaslError::TooLong { what: "SASL message", limit: self.bytes_max });
        }
        self.padded = chunk.ends_with('=');
        Ok(chunk.len() < CHUNK_CHARS_MAX)
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::new(PAYLOAD_BYTES_MAX)
    }
}

/// Tells the length only: what is in it may be a password.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Cuts a message into the arguments of as many `AUTHENTICATE` lines.
pub fn chunks(message: &[u8]) -> impl Iterator<Item = String> {
    // True of the empty message too, which has no chunk but this.
    let full = (message.len().div_ceil(3) * 4).is_multiple_of(CHUNK_CHARS_MAX);
    message.chunks(CHUNK_BYTES).map(|chunk| BASE64.encode(chunk)).chain(full.then(|| "+".to_owned()))
}

/// A password in clear. Its `Debug` shows nothing of it and it has no `Display`.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// The password itself, for checking or hashing.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// In constant time for passwords of one length.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The message or a part of it as text.
fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, SaslError> {
    str::from_utf8(bytes).map_err(|_not_utf8| SaslError::NotUtf8 { what })
}
