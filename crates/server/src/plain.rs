//! Reading from and writing to a socket without the detour that the C library takes: its functions look before and after
//! each call whether the thread is to be cancelled, which no thread here ever is. For a message to a thousand people that
//! is a thousand times a few percent.

use std::io::{self, IoSlice, Read, Write};

use mio::net::TcpStream;
use rustix::net::{RecvFlags, SendFlags};

/// A socket that isn't encrypted.
pub(crate) struct Plain<'s>(pub(crate) &'s TcpStream);

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (len, _) = rustix::net::recv(self.0, buffer, RecvFlags::empty())?;
        Ok(len)
    }
}

impl Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A peer that is gone is an error and no signal: Rust's runtime sees to it.
        Ok(rustix::net::send(self.0, bytes, SendFlags::empty())?)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(self.0, slices)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
