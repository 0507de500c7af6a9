//! SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
//!
//! ```text
//! client-first  n,,n=bob,r=CLIENT
//! server-first  r=CLIENTSERVER,s=c2FsdA==,i=4096
//! client-final  c=biws,r=CLIENTSERVER,p=PROOF
//! server-final  v=SIGNATURE                          or  e=invalid-proof
//! ```
//!
//! The server keeps [`ScramKeys`] and never the password; a client proves that it knows it, and the server
//! proves that it did when it made the keys. In IRC the client answers the server-final with
//! `AUTHENTICATE +`, and only then numerics 900 and 903 follow.
//!
//! [`ClientFirst`] and [`ClientFinalExpected`] are the server's states, [`Client`] and
//! [`ServerFinalExpected`] the client's.
//!
//! # An account that doesn't exist
//! is answered like one that does, with [`ScramKeys::fake`], and fails at the proof. The same goes for an
//! account that has no keys for SCRAM.

mod client;
mod keys;
mod server;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{SaslError, utf8};

pub use client::{Client, ServerFinalExpected};
pub use keys::{ITERATIONS_MIN, ScramKeys};
pub use server::{ClientFinalExpected, ClientFirst};

/// The name of the mechanism (RFC 7677, 3).
pub const MECHANISM: &str = "SCRAM-SHA-256";

const CLIENT_FIRST: &str = "client-first-message";
const SERVER_FIRST: &str = "server-first-message";
const CLIENT_FINAL: &str = "client-final-message";
const SERVER_FINAL: &str = "server-final-message";

/// A nonce of random bytes: both sides need one that nobody can guess.
#[must_use]
pub fn nonce(random: &[u8; 18]) -> String {
    BASE64.encode(random)
}

/// `printable = %x21-2B / %x2D-7E`, at least one: anything but the comma (RFC 5802, 7).
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// A message as text: UTF-8 without NUL.
fn text<'a>(message: &'a [u8], what: &'static str) -> Result<&'a str, SaslError> {
    let text = utf8(message, what)?;
    if text.contains('\0') { Err(SaslError::Malformed { what }) } else { Ok(text) }
}

/// The value of the next attribute, which has to be this one: their order is fixed (RFC 5802, 5.1).
fn attribute<'a>(
    attributes: &mut std::str::Split<'a, char>,
    letter: char,
    what: &'static str,
) -> Result<&'a str, SaslError> {
    match attributes.next().and_then(|attribute| attribute.split_once('=')) {
        Some((name, value)) if name.chars().eq([letter]) => Ok(value),
        Some(("m", _)) => Err(SaslError::Extension),
        _ => Err(SaslError::Malformed { what }),
    }
}

/// What follows the attributes we know is ignored, unless it is mandatory or not an attribute at all
/// (RFC 5802, 5.1: "m" and the end of the section).
fn extensions(attributes: std::str::Split<'_, char>, what: &'static str) -> Result<(), SaslError> {
    for attribute in attributes {
        let Some((name, value)) = attribute.split_once('=') else {
            return Err(SaslError::Malformed { what });
        };
        match name.as_bytes() {
            b"m" => return Err(SaslError::Extension),
            // A second nonce, or whatever else has its place elsewhere.
            [b'a' | b'c' | b'e' | b'i' | b'n' | b'p' | b'r' | b's' | b'v'] => {
                return Err(SaslError::Malformed { what });
            }
            [letter] if letter.is_ascii_alphabetic() && !value.is_empty() => {}
            _ => return Err(SaslError::Malformed { what }),
        }
    }
    Ok(())
}

/// A name as it stands after `n=` and `a=`: a comma is `=2C`, an equals sign `=3D` (saslname).
fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescape(name: &str) -> Result<Cow<'_, str>, SaslError> {
    let Some((before, _)) = name.split_once('=') else { return Ok(Cow::Borrowed(name)) };
    let mut plain = before.to_owned();
    // Each part but the first stood after an equals sign.
    for part in name.split('=').skip(1) {
        let (sign, rest) = part
            .strip_prefix("2C")
            .map(|rest| (',', rest))
            .or_else(|| part.strip_prefix("3D").map(|rest| ('=', rest)))
            .ok_or(SaslError::UserName)?;
        plain.push(sign);
        plain.push_str(rest);
    }
    Ok(Cow::Owned(plain))
}

/// Decodes base64.
fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, SaslError> {
    BASE64.decode(text).map_err(|_not_base64| SaslError::NotBase64 { what })
}

/// Decodes base64 that has to be as long as a hash.
fn hash(text: &str, what: &'static str) -> Result<[u8; 32], SaslError> {
    base64(text, what)?.try_into().map_err(|_wrong_length| SaslError::Malformed { what })
}
