//! Reading from and writing to a socket without the detour that the C library takes: its functions look before and after
//! each call whether the thread is to be cancelled, which no thread here ever is. For a message to a thousand people that
//! is a thousand times a few percent.

use std::io::{self, IoSlice, Read, Write};

use mio::net::TcpStream;
use rustix::net::{RecvFlags, SendFlags};

/// What is sent may wait for what follows at once.
#[cfg(target_os = "linux")]
const MORE: SendFlags = SendFlags::MORE;
#[cfg(not(target_os = "linux"))]
const MORE: SendFlags = SendFlags::empty();

/// A socket that isn't encrypted.
pub(crate) struct Plain<'s> {
    socket: &'s TcpStream,
    flags: SendFlags,
}

impl<'s> Plain<'s> {
    pub(crate) fn new(socket: &'s TcpStream) -> Self {
        Self { socket, flags: SendFlags::empty() }
    }

    /// The socket is shut or closed as soon as all is written. So the last words and the end go in one packet, which
    /// is half of the work for the kernel, there and here.
    pub(crate) fn ending(socket: &'s TcpStream) -> Self {
        Self { socket, flags: MORE }
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (len, _) = rustix::net::recv(self.socket, buffer, RecvFlags::empty())?;
        Ok(len)
    }
}

impl Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A peer that is gone is an error and no signal: Rust's runtime sees to it.
        Ok(rustix::net::send(self.socket, bytes, self.flags)?)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(self.socket, slices)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
