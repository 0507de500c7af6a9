//! The client's states: for our own clients, and to try the server with.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq;

use super::keys::{ITERATIONS_MIN, SaltedPassword, hmac, sha256, xor};
use super::{
    SERVER_FINAL, SERVER_FIRST, SaslError, attribute, base64, escape, extensions, hash, is_nonce, text,
};
use crate::sasl::{Password, ServerError};

/// More rounds than this, and a hostile server keeps the client busy for long.
const ITERATIONS_MAX: u32 = 1_000_000;

/// "no channel binding, no authorization identity" (RFC 5802, 7, gs2-header).
const GS2_HEADER: &str = "n,,";

/// A client that is going to log in, without channel binding.
#[derive(Debug, Clone)]
pub struct Client {
    /// client-first-message-bare.
    bare: String,
    password: Password,
    nonce: String,
    iterations: RangeInclusive<u32>,
}

impl Client {
    /// For an account and its password. `nonce` is new and random each time, see [`nonce`](super::nonce).
    ///
    /// # Panics
    /// If `nonce` is empty or has a character that a nonce can't have.
    #[must_use]
    pub fn new(name: &str, password: Password, nonce: &str) -> Self {
        assert!(is_nonce(nonce), "a nonce is of printable characters without a comma");
        Self {
            bare: format!("n={},r={nonce}", escape(name)),
            password,
            nonce: nonce.to_owned(),
            iterations: ITERATIONS_MIN..=ITERATIONS_MAX,
        }
    }

    /// Accepts these iteration counts instead of 4096 to a million.
    #[must_use]
    pub fn with_iterations(self, iterations: RangeInclusive<u32>) -> Self {
        Self { iterations, ..self }
    }

    /// The client-first-message.
    #[must_use]
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.bare).into_bytes()
    }

    /// Answers a server-first-message: the client-final-message, and the state that awaits the server's.
    ///
    /// # Errors
    /// [`SaslError::Nonce`] if it isn't an answer to our message, [`SaslError::Iterations`],
    /// [`SaslError::Extension`], and what is not of the form
    /// `server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]`.
    pub fn on_challenge(self, message: &[u8]) -> Result<(Vec<u8>, ServerFinalExpected), SaslError> {
        let malformed = SaslError::Malformed { what: SERVER_FIRST };
        let message = text(message, SERVER_FIRST)?;
        let mut attributes = message.split(',');
        let nonce = attribute(&mut attributes, 'r', SERVER_FIRST)?;
        let salt = base64(attribute(&mut attributes, 's', SERVER_FIRST)?, "salt")?;
        let iterations = posit_number(attribute(&mut attributes, 'i', SERVER_FIRST)?).ok_or(malformed)?;
        extensions(attributes, SERVER_FIRST)?;
        // The server has to add something of its own.
        if !nonce.strip_prefix(&self.nonce).is_some_and(is_nonce) {
            return Err(SaslError::Nonce);
        }
        if !self.iterations.contains(&iterations) {
            return Err(SaslError::Iterations { count: iterations });
        }
        let salted = SaltedPassword::derive(self.password.reveal(), &salt, iterations);
        let without_proof = format!("c={},r={nonce}", BASE64.encode(GS2_HEADER));
        let auth_message = format!("{},{message},{without_proof}", self.bare);
        let client_key = salted.client_key();
        let client_signature = hmac(&sha256(&client_key), &[auth_message.as_bytes()]);
        let proof = BASE64.encode(xor(&client_key, &client_signature));
        let expected =
            ServerFinalExpected { signature: hmac(&salted.server_key(), &[auth_message.as_bytes()]) };
        Ok((format!("{without_proof},p={proof}").into_bytes(), expected))
    }
}

/// A client has sent its proof and awaits the server's.
pub struct ServerFinalExpected {
    signature: [u8; 32],
}

impl ServerFinalExpected {
    /// Checks `server-final-message = (server-error / verifier) ["," extensions]`. Without error the server
    /// is one that knows the account's keys.
    ///
    /// # Errors
    /// [`SaslError::Refused`] if the server said no, [`SaslError::ServerSignature`] if it isn't what it
    /// poses as, and what is not of this form.
    pub fn verify_server_final(self, message: &[u8]) -> Result<(), SaslError> {
        let message = text(message, SERVER_FINAL)?;
        let mut attributes = message.split(',');
        if let Some(error) = message.strip_prefix("e=") {
            let value = error.split(',').next().unwrap_or_default();
            return Err(SaslError::Refused(ServerError::parse(value)));
        }
        let signature = hash(attribute(&mut attributes, 'v', SERVER_FINAL)?, "signature")?;
        extensions(attributes, SERVER_FINAL)?;
        if bool::from(signature.ct_eq(&self.signature)) { Ok(()) } else { Err(SaslError::ServerSignature) }
    }
}

impl fmt::Debug for ServerFinalExpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFinalExpected").finish_non_exhaustive()
    }
}

/// `posit-number = %x31-39 *DIGIT`: no sign, no zero before it.
fn posit_number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}
