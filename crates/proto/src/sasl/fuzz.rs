//! What must hold for any bytes, for the fuzzer and for the tests that replay what it found.

use super::plain::Plain;
use super::scram::{Client, ClientFirst, ScramKeys};
use super::{CHUNK_CHARS_MAX, Password, Payload, SaslError, chunks, external};

/// The first byte says how much a message may have; the rest, two messages with NUL NUL between them, is what peers say.
///
/// # Panics
/// If something doesn't hold.
pub fn fuzz(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    round_trip(bytes);
    collect(usize::from(*seed) * 8, bytes);
    let end = bytes.windows(2).position(|pair| pair == b"\0\0").unwrap_or(bytes.len());
    let (one, rest) = bytes.split_at(end);
    let other = rest.get(2..).unwrap_or_default();
    mechanisms(bytes);
    scram_server(one, other);
    scram_client(one, other);
}

/// A message that is cut comes back whole.
fn round_trip(message: &[u8]) {
    let mut payload = Payload::new(message.len());
    let mut arguments = chunks(message).peekable();
    while let Some(argument) = arguments.next() {
        let last = arguments.peek().is_none();
        assert!(argument.len() <= CHUNK_CHARS_MAX);
        let expected = Ok(last.then(|| message.to_vec()));
        assert_eq!(payload.push(&argument), expected, "whole with the last chunk and not before");
    }
    // One byte less is too little.
    if let Some(less) = message.len().checked_sub(1) {
        let mut payload = Payload::new(less);
        let error = chunks(message).find_map(|argument| payload.push(&argument).err());
        assert_eq!(error, Some(SaslError::TooLong { what: "SASL message", limit: less }));
    }
}

/// Any arguments, and after them the collector still works and still has its limit.
fn collect(bytes_max: usize, bytes: &[u8]) {
    let mut payload = Payload::new(bytes_max);
    for argument in String::from_utf8_lossy(bytes).split('\n') {
        if let Ok(Some(message)) = payload.push(argument) {
            assert!(message.len() <= bytes_max);
        }
    }
    let _ = payload.push("*");
    assert_eq!(payload.push("+"), Ok(Some(Vec::new())), "an abort forgets all");
}

fn mechanisms(message: &[u8]) {
    if let Ok(plain) = Plain::parse(message) {
        assert_eq!(plain.message(), message);
    }
    if let Ok(name) = external::parse(message) {
        assert_eq!(name.unwrap_or_default().as_bytes(), message);
    }
}

/// Nobody gets in without the password, and an escaped name comes back.
fn scram_server(first: &[u8], last: &[u8]) {
    let Ok(first) = ClientFirst::parse(first) else { return };
    let again = Client::new(first.name(), Password::new(""), first.client_nonce()).first();
    let Ok(again) = ClientFirst::parse(&again) else { panic!("our own message") };
    assert_eq!((again.name(), again.client_nonce()), (first.name(), first.client_nonce()));
    let keys = ScramKeys::fake(&[0; 32], first.name(), 4096);
    let (challenge, expected) = first.challenge("ours", keys);
    assert!(challenge.starts_with(b"r="));
    assert!(expected.verify(last).is_err(), "no password belongs to these keys");
}

/// What servers say. Few iterations, for speed.
fn scram_client(challenge: &[u8], last: &[u8]) {
    let client = Client::new("bob", Password::new("pencil"), "a").with_iterations(1..=4);
    let Ok((_, expected)) = client.on_challenge(challenge) else { return };
    let _ = expected.verify_server_final(last);
}
