//! TLS around a connection's bytes: records in, plain bytes out, and the other way round.
//!
//! rustls does the protocol, through the interface that leaves all buffers to the caller: what comes is decrypted
//! in the reactor's own buffer, what goes is encrypted in one that the reactor's connections share. A connection
//! owns bytes only of a record that isn't whole, or that the kernel hasn't taken: never more than one that was
//! encrypted, so what waits is still bounded by the queue of what isn't.

mod client;
mod files;
mod identity;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{Error, InvalidMessage};

pub use files::{TlsError, TlsFiles};
pub(crate) use identity::{Acceptor, Identity};
pub(crate) use writer::{Scratch, Writer};

/// More than a record, its header, tag and padding add to a text, and some other messages before it.
const OVERHEAD_BYTES: usize = 512;
/// What may be kept of messages that aren't whole: a record, or a chain of certificates in several.
pub(crate) const HELD_BYTES_MAX: usize = 32 * 1024;

/// How far a connection's TLS has come.
#[expect(clippy::large_enum_variant, reason = "it is in a box of its own, and soon becomes the larger one")]
enum Phase {
    /// The client's greeting isn't whole.
    Greeting(Arc<Identity>),
    /// The handshake goes on, or is done.
    Connected(UnbufferedServerConnection),
}

/// One connection's TLS.
pub(crate) struct Tls {
    phase: Phase,
    /// What came of messages that aren't whole.
    held: Vec<u8>,
    /// What was encrypted and the kernel hasn't taken.
    unsent: BytesMut,
    /// The peer has said that nothing more will come.
    peer_closed: bool,
    /// Nothing more will be encrypted: the peer knows, or it can't be told any more.
    closed: bool,
    /// The peer has broken the protocol; nothing it says counts any more.
    failed: bool,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("with", &self.describe()).finish_non_exhaustive()
    }
}

impl Tls {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self {
            phase: Phase::Greeting(identity),
            held: Vec::new(),
            unsent: BytesMut::new(),
            peer_closed: false,
            closed: false,
            failed: false,
        }
    }

    fn connection(&self) -> Option<&UnbufferedServerConnection> {
        match &self.phase {
            Phase::Greeting(_) => None,
            Phase::Connected(connection) => Some(connection),
        }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection().is_none_or(|connection| connection.is_handshaking())
    }

    /// Whether the peer has said that nothing more will come.
    pub(crate) fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// How many encrypted bytes the kernel hasn't taken.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// What was negotiated, for the log.
    pub(crate) fn describe(&self) -> String {
        let agreed = self.connection().and_then(|connection| {
            Some((connection.protocol_version()?, connection.negotiated_cipher_suite()?.suite()))
        });
        agreed.map_or_else(|| "nothing yet".to_owned(), |(version, suite)| format!("{version:?} {suite:?}"))
    }

    /// The SHA-256 of the client's certificate, if it has shown one.
    pub(crate) fn fingerprint(&self) -> Option<[u8; 32]> {
        let certificate = self.connection()?.peer_certificates()?.first()?;
        ring::digest::digest(&ring::digest::SHA256, certificate).as_ref().try_into().ok()
    }

    /// Puts what is held of earlier reads at the beginning of a buffer: how much it is. What is read next has to
    /// follow it there, and then all of it goes to [`Tls::open`].
    pub(crate) fn put_back(&self, buffer: &mut [u8]) -> usize {
        let len = self.held.len().min(buffer.len());
        buffer[..len].copy_from_slice(&self.held[..len]);
        len
    }

    /// Decrypts what came and adds it to `text`. Answers of the protocol's own wait to be sent afterwards, in
    /// case of an error too.
    ///
    /// # Errors
    /// If the peer doesn't keep to the protocol, or agrees to nothing that is offered.
    pub(crate) fn open(&mut self, wire: &mut [u8], text: &mut Vec<u8>) -> Result<(), Error> {
        if self.failed {
            return Ok(());
        }
        if let Phase::Greeting(identity) = &self.phase
            && let Some(config) = identity.config_for(wire)
        {
            self.phase = Phase::Connected(UnbufferedServerConnection::new(config.clone())?);
        }
        let (done, opened) = match &mut self.phase {
            Phase::Greeting(_) => (0, Ok(false)),
            Phase::Connected(connection) => open_records(connection, wire, &mut self.unsent, text),
        };
        self.peer_closed |= *opened.as_ref().unwrap_or(&false);
        let rest = if self.peer_closed { &[] } else { &wire[done..] };
        let opened = match opened {
            Ok(_) if rest.len() > HELD_BYTES_MAX => Err(InvalidMessage::HandshakePayloadTooLarge.into()),
            opened => opened.map(|_| ()),
        };
        self.held = if opened.is_ok() { rest.to_vec() } else { Vec::new() };
        if opened.is_err() {
            (self.failed, self.closed) = (true, true);
        }
        opened
    }

    /// Encrypts into `wire`: how many bytes of it.
    fn seal(&mut self, text: &[u8], wire: &mut Vec<u8>) -> io::Result<usize> {
        let Some(mut traffic) = traffic(&mut self.phase, &mut self.held) else {
            return Err(io::Error::other("TLS takes no more"));
        };
        if wire.len() < text.len() + OVERHEAD_BYTES {
            wire.resize(text.len() + OVERHEAD_BYTES, 0);
        }
        loop {
            match traffic.encrypt(text, wire) {
                Ok(len) => return Ok(len),
                Err(error) => match encrypt_bytes(error) {
                    Some(required) if required > wire.len() => wire.resize(required, 0),
                    _ => return Err(io::Error::other("TLS has used up its keys")),
                },
            }
        }
    }

    /// Has the peer told, once, that nothing more will come; whether that has to be sent now.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        if std::mem::replace(&mut self.closed, true) {
            return false;
        }
        // In the middle of the handshake there is no way to say it.
        if let Some(mut traffic) = traffic(&mut self.phase, &mut self.held) {
            append(&mut self.unsent, |free| traffic.queue_close_notify(free).map_err(encrypt_bytes));
        }
        !self.unsent.is_empty()
    }

    /// Something to write text to that is to reach `socket` encrypted.
    pub(crate) fn writer<'a, W: Write>(
        &'a mut self,
        socket: &'a mut W,
        scratch: &'a mut Scratch,
    ) -> Writer<'a, W> {
        Writer { tls: self, socket, scratch }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.unsent = BytesMut::new();
    }
}

/// Decrypts records: how much of `wire` is done with, and whether nothing more will come. Answers of the protocol's
/// own are added to `unsent`, in case of an error too.
fn open_records(
    connection: &mut UnbufferedServerConnection,
    wire: &mut [u8],
    unsent: &mut BytesMut,
    text: &mut Vec<u8>,
) -> (usize, Result<bool, Error>) {
    let (mut done, mut is_end) = (0, false);
    loop {
        let UnbufferedStatus { discard, state } = connection.process_tls_records(&mut wire[done..]);
        done += discard;
        match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    done += record.discard;
                    text.extend_from_slice(record.payload);
                }
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                append(unsent, |free| data.encode(free).map_err(encode_bytes));
            }
            // It counts as sent once it waits here, where nothing overtakes it.
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => is_end = true,
            // Blocked, ready or closed: nothing happens before more comes. There is no early data.
            Ok(_) => return (done, Ok(is_end)),
            Err(error) => {
                take_alert(connection, &mut wire[done..], unsent);
                return (done, Err(error));
            }
        }
    }
}

/// What the peer is to be told about an error.
fn take_alert(connection: &mut UnbufferedServerConnection, wire: &mut [u8], unsent: &mut BytesMut) {
    while connection.wants_write() {
        let Ok(ConnectionState::EncodeTlsData(mut data)) = connection.process_tls_records(wire).state else {
            return;
        };
        append(unsent, |free| data.encode(free).map_err(encode_bytes));
    }
}

/// What encrypts, once the handshake has come that far.
fn traffic<'a>(phase: &'a mut Phase, held: &mut [u8]) -> Option<WriteTraffic<'a, ServerConnectionData>> {
    let Phase::Connected(connection) = phase else { return None };
    match connection.process_tls_records(held).state {
        Ok(ConnectionState::WriteTraffic(traffic)) => Some(traffic),
        _ => None,
    }
}

/// Has `fill` write at the end of a buffer. It says how much it wrote, or how much room it needs.
fn append(buffer: &mut BytesMut, mut fill: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) {
    let start = buffer.len();
    let mut room = OVERHEAD_BYTES;
    let written = loop {
        buffer.resize(start + room, 0);
        match fill(&mut buffer[start..]) {
            Err(Some(required)) if required > room => room = required,
            written => break written.unwrap_or(0),
        }
    };
    buffer.truncate(start + written);
}

fn encode_bytes(error: EncodeError) -> Option<usize> {
    match error {
        EncodeError::InsufficientSize(size) => Some(size.required_size),
        EncodeError::AlreadyEncoded => None,
    }
}

fn encrypt_bytes(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    }
}
