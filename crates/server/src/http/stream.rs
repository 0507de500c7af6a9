//! A connection with TLS, as the web service's library reads and writes it.

use std::io::{self, ErrorKind, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::{HELD_BYTES_MAX, Scratch, Tls};

/// How much one read takes, beside what an earlier one has left.
const READ_BYTES: usize = 16 * 1024;

/// A connection with TLS that a reactor has begun.
pub(super) struct TlsStream {
    socket: TcpStream,
    tls: Box<Tls>,
    /// Decrypted, and how much of it was read.
    text: Vec<u8>,
    read: usize,
    buffer: Box<[u8]>,
    scratch: Scratch,
}

impl TlsStream {
    /// `text` is what was decrypted already.
    pub(super) fn new(socket: TcpStream, tls: Box<Tls>, text: Vec<u8>) -> Self {
        let buffer = vec![0; HELD_BYTES_MAX + READ_BYTES].into_boxed_slice();
        Self { socket, tls, text, read: 0, buffer, scratch: Scratch::default() }
    }

    /// Has something done with the encrypting side.
    fn write_with<T>(
        &mut self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let mut socket = Blocking { socket: &mut self.socket, context };
        match act(&mut self.tls.writer(&mut socket, &mut self.scratch)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let waiting = &this.text[this.read..];
            if !waiting.is_empty() {
                let len = waiting.len().min(out.remaining());
                out.put_slice(&waiting[..len]);
                this.read += len;
                return Poll::Ready(Ok(()));
            }
            if this.tls.is_peer_closed() {
                return Poll::Ready(Ok(()));
            }
            this.text.clear();
            this.read = 0;
            let held = this.tls.put_back(&mut this.buffer);
            let mut buffer = ReadBuf::new(&mut this.buffer[held..]);
            ready!(Pin::new(&mut this.socket).poll_read(context, &mut buffer))?;
            let len = buffer.filled().len();
            if len == 0 {
                return Poll::Ready(Ok(()));
            }
            let opened = this.tls.open(&mut this.buffer[..held + len], &mut this.text);
            // What the protocol itself has to say goes now or with the next answer.
            let _ = this.write_with(context, |writer| writer.flush());
            opened.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().write_with(context, |writer| writer.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write_with(context, |writer| writer.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.tls.say_goodbye();
        ready!(this.write_with(context, |writer| writer.flush()))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

/// A socket that is written to as one that would block, and remembers whom to wake when it no longer would.
struct Blocking<'a, 'b> {
    socket: &'a mut TcpStream,
    context: &'a mut Context<'b>,
}

impl Write for Blocking<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.context, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
