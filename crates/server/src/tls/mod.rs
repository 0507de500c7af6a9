//! TLS around a connection's bytes: records in, plain bytes out, and the other way round.
//!
//! rustls does the protocol, through the interface that leaves all buffers to the caller: what comes is decrypted
//! in the reactor's own buffer, what goes is encrypted in one that the reactor's connections share. A connection
//! owns bytes only of a record that isn't whole, or that the kernel hasn't taken: never more than one that was
//! encrypted, so what waits is still bounded by the queue of what isn't.

mod client;
mod files;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::{Buf, BytesMut};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{Error, InvalidMessage, ServerConfig};

pub use files::{TlsError, TlsFiles};

/// The largest record's text (RFC 8446, section 5.1).
const RECORD_TEXT_BYTES: usize = 16 * 1024;
/// More than a record, its header, tag and padding add to a text, and some other messages before it.
const OVERHEAD_BYTES: usize = 512;
/// What may be kept of messages that aren't whole: a record, or a chain of certificates in several.
pub(crate) const HELD_BYTES_MAX: usize = 32 * 1024;

/// What new connections are accepted with, if TLS is configured.
#[derive(Default)]
pub(crate) struct Acceptor(RwLock<Option<Arc<ServerConfig>>>);

impl Acceptor {
    /// Reads certificate and key. Until it succeeds, and for connections that are there, nothing changes.
    pub(crate) fn load(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let config = files::load(files)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
        Ok(())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.config().is_some()
    }

    /// For a connection whose peer begins a handshake.
    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acceptor").field(&self.is_on()).finish()
    }
}

/// Storage that the connections of one reactor share.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    text: Vec<u8>,
    wire: Vec<u8>,
    /// How many bytes the kernel has taken since somebody last looked.
    pub(crate) sent: usize,
}

/// One connection's TLS.
pub(crate) struct Tls {
    connection: UnbufferedServerConnection,
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
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            held: Vec::new(),
            unsent: BytesMut::new(),
            peer_closed: false,
            closed: false,
            failed: false,
        })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
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
        let version = self.connection.protocol_version();
        let suite = self.connection.negotiated_cipher_suite().map(|suite| suite.suite());
        format!("{version:?} {suite:?}")
    }

    /// The SHA-256 of the client's certificate, if it has shown one.
    pub(crate) fn fingerprint(&self) -> Option<[u8; 32]> {
        let certificate = self.connection.peer_certificates()?.first()?;
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
        let mut done = 0;
        let opened = loop {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut wire[done..]);
            done += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let Ok(record) = record else { break };
                        done += record.discard;
                        text.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.unsent, |free| data.encode(free).map_err(encode_bytes));
                }
                // It counts as sent once it waits here, where nothing overtakes it.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                // Blocked, ready or closed: nothing happens before more comes. There is no early data.
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let rest = if self.peer_closed { &[] } else { &wire[done..] };
        let opened = match opened {
            Ok(()) if rest.len() > HELD_BYTES_MAX => Err(InvalidMessage::HandshakePayloadTooLarge.into()),
            opened => opened,
        };
        if opened.is_err() {
            self.take_alert(&mut wire[done..]);
            self.held = Vec::new();
            (self.failed, self.closed) = (true, true);
        } else {
            self.held = rest.to_vec();
        }
        opened
    }

    /// What the peer is to be told about an error.
    fn take_alert(&mut self, wire: &mut [u8]) {
        while self.connection.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.connection.process_tls_records(wire).state
            else {
                return;
            };
            append(&mut self.unsent, |free| data.encode(free).map_err(encode_bytes));
        }
    }

    /// Encrypts into `wire`: how many bytes of it.
    fn seal(&mut self, text: &[u8], wire: &mut Vec<u8>) -> io::Result<usize> {
        let state = self.connection.process_tls_records(&mut self.held).state;
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
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
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            self.connection.process_tls_records(&mut self.held).state
        {
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

/// Encrypts what is written to it and passes it on.
pub(crate) struct Writer<'a, W> {
    tls: &'a mut Tls,
    socket: &'a mut W,
    scratch: &'a mut Scratch,
}

impl<W: Write> Writer<'_, W> {
    /// One record's text goes to the socket; whether all of it did. The rest waits.
    fn pass_on(&mut self) -> io::Result<bool> {
        let Scratch { text, wire, sent } = &mut *self.scratch;
        let len = self.tls.seal(text, wire)?;
        let mut rest = &wire[..len];
        let passed = send(self.socket, &mut rest, sent);
        self.tls.unsent.extend_from_slice(rest);
        passed
    }
}

impl<W: Write> Write for Writer<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Takes all, or as much as the socket takes and one record more.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush()?;
        let mut taken = 0;
        let mut slices = slices.iter();
        let mut rest: &[u8] = &[];
        loop {
            self.scratch.text.clear();
            loop {
                let text = &mut self.scratch.text;
                let (part, later) = rest.split_at(rest.len().min(RECORD_TEXT_BYTES - text.len()));
                text.extend_from_slice(part);
                rest = later;
                if !rest.is_empty() {
                    break;
                }
                let Some(next) = slices.next() else { break };
                rest = next;
            }
            if self.scratch.text.is_empty() {
                return Ok(taken);
            }
            taken += self.scratch.text.len();
            if !self.pass_on()? {
                return Ok(taken);
            }
        }
    }

    /// Sends what waits; "would block" if not all of it could be sent.
    fn flush(&mut self) -> io::Result<()> {
        let unsent = &mut self.tls.unsent;
        let mut rest = unsent.as_ref();
        let before = rest.len();
        let passed = send(self.socket, &mut rest, &mut self.scratch.sent);
        let sent = before - rest.len();
        unsent.advance(sent);
        if !passed? {
            return Err(ErrorKind::WouldBlock.into());
        }
        *unsent = BytesMut::new();
        Ok(())
    }
}

/// Writes until all is written or the socket takes no more; whether all is.
fn send(socket: &mut impl Write, bytes: &mut &[u8], sent: &mut usize) -> io::Result<bool> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => {
                *sent += len;
                *bytes = &bytes[len..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
