//! The server's states: a client begins, is challenged, and proves itself.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq;

use super::keys::{ScramKeys, hmac, sha256, xor};
use super::{CLIENT_FINAL, CLIENT_FIRST, SaslError, attribute, extensions, hash, is_nonce, text, unescape};

/// A client has said who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFirst {
    name: String,
    nonce: String,
    /// The header before the message proper, both commas included: `c=` has to repeat it.
    gs2_header: String,
    /// client-first-message-bare: all that follows the header.
    bare: String,
}

impl ClientFirst {
    /// Takes `client-first-message = gs2-header [reserved-mext ","] username "," nonce ["," extensions]`
    /// apart (RFC 5802, 7).
    ///
    /// The header's `n` and `y` are alike to us: `y` says that the client can bind to a channel and believes
    /// that we can't, which is so, for we never offer SCRAM-SHA-256-PLUS.
    ///
    /// # Errors
    /// [`SaslError::ChannelBinding`] for `p=`, [`SaslError::NotAllowed`] for an authorization identity other
    /// than the name, [`SaslError::Extension`] for `m=`, [`SaslError::UserName`] for a wrong escape, and what
    /// is not of this form.
    pub fn parse(message: &[u8]) -> Result<Self, SaslError> {
        let malformed = SaslError::Malformed { what: CLIENT_FIRST };
        let message = text(message, CLIENT_FIRST)?;
        let (flag, rest) = message.split_once(',').ok_or(malformed)?;
        let (identity, bare) = rest.split_once(',').ok_or(malformed)?;
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(SaslError::ChannelBinding),
            _ => return Err(malformed),
        }
        let mut attributes = bare.split(',');
        let name = unescape(attribute(&mut attributes, 'n', CLIENT_FIRST)?)?;
        if name.is_empty() {
            return Err(SaslError::Empty { what: "user name" });
        }
        let nonce = attribute(&mut attributes, 'r', CLIENT_FIRST)?;
        if !is_nonce(nonce) {
            return Err(malformed);
        }
        extensions(attributes, CLIENT_FIRST)?;
        if !identity.is_empty() && unescape(identity.strip_prefix("a=").ok_or(malformed)?)? != name {
            return Err(SaslError::NotAllowed);
        }
        Ok(Self {
            name: name.into_owned(),
            nonce: nonce.to_owned(),
            gs2_header: format!("{flag},{identity},"),
            bare: bare.to_owned(),
        })
    }

    /// The account's name, as the client wrote it but for the escapes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client's nonce.
    #[must_use]
    pub fn client_nonce(&self) -> &str {
        &self.nonce
    }

    /// The server-first-message, and the state that awaits the client's proof.
    ///
    /// `server_nonce` is new and random each time, see [`nonce`](super::nonce); `keys` are the account's, or
    /// [`ScramKeys::fake`].
    ///
    /// # Panics
    /// If `server_nonce` is empty or has a character that a nonce can't have.
    #[must_use]
    pub fn challenge(self, server_nonce: &str, keys: ScramKeys) -> (Vec<u8>, ClientFinalExpected) {
        assert!(is_nonce(server_nonce), "a nonce is of printable characters without a comma");
        let nonce = format!("{}{server_nonce}", self.nonce);
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(keys.salt), keys.iterations);
        let expected = ClientFinalExpected {
            nonce,
            channel_binding: BASE64.encode(self.gs2_header),
            signed: format!("{},{server_first},", self.bare),
            keys,
        };
        (server_first.into_bytes(), expected)
    }
}

/// A client has been challenged and has one try to prove itself.
pub struct ClientFinalExpected {
    /// The client's nonce and ours.
    nonce: String,
    /// The value that `c=` must have.
    channel_binding: String,
    /// `AuthMessage` without its last part, client-final-message-without-proof.
    signed: String,
    keys: ScramKeys,
}

impl ClientFinalExpected {
    /// Checks `client-final-message = channel-binding "," nonce ["," extensions] "," proof` (RFC 5802, 7).
    /// The client has proved itself if this returns the server-final-message, `v=…`.
    ///
    /// # Errors
    /// [`SaslError::Proof`] if the client doesn't know the password, [`SaslError::Nonce`],
    /// [`SaslError::ChannelBindingDiffers`], [`SaslError::Extension`], and what is not of this form.
    pub fn verify(self, message: &[u8]) -> Result<Vec<u8>, SaslError> {
        let message = text(message, CLIENT_FINAL)?;
        let malformed = SaslError::Malformed { what: CLIENT_FINAL };
        // Base64 has no comma, so the proof is what follows the last.
        let (without_proof, proof) = message.rsplit_once(',').ok_or(malformed)?;
        let mut attributes = without_proof.split(',');
        let channel_binding = attribute(&mut attributes, 'c', CLIENT_FINAL)?;
        let nonce = attribute(&mut attributes, 'r', CLIENT_FINAL)?;
        extensions(attributes, CLIENT_FINAL)?;
        let proof = hash(attribute(&mut proof.split(','), 'p', CLIENT_FINAL)?, "proof")?;
        if channel_binding != self.channel_binding {
            return Err(SaslError::ChannelBindingDiffers);
        }
        if nonce != self.nonce {
            return Err(SaslError::Nonce);
        }
        let auth_message: [&[u8]; 2] = [self.signed.as_bytes(), without_proof.as_bytes()];
        // ClientProof is ClientKey XOR ClientSignature, so this gives the key back (RFC 5802, 3).
        let client_key = xor(&proof, &hmac(&self.keys.stored_key, &auth_message));
        if !bool::from(sha256(&client_key).ct_eq(&self.keys.stored_key)) {
            return Err(SaslError::Proof);
        }
        let signature = hmac(&self.keys.server_key, &auth_message);
        Ok(format!("v={}", BASE64.encode(signature)).into_bytes())
    }
}

impl fmt::Debug for ClientFinalExpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFinalExpected").field("nonce", &self.nonce).finish_non_exhaustive()
    }
}
