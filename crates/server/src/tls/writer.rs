//! Text in, records out, as far as the socket takes them.

use std::io::{self, ErrorKind, IoSlice, Write};

use bytes::{Buf, BytesMut};

use super::Tls;

/// The largest record's text (RFC 8446, section 5.1).
pub(super) const RECORD_TEXT_BYTES: usize = 16 * 1024;

/// Storage that the connections of one reactor share.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    text: Vec<u8>,
    wire: Vec<u8>,
    /// How many bytes the kernel has taken since somebody last looked.
    pub(crate) sent: usize,
}

/// Encrypts what is written to it and passes it on.
pub(crate) struct Writer<'a, W> {
    pub(super) tls: &'a mut Tls,
    pub(super) socket: &'a mut W,
    pub(super) scratch: &'a mut Scratch,
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
