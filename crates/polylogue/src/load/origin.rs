//! Where connections come from: addresses of this machine and their ports, taken in turn.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// How many source addresses there may be.
pub(crate) const SOURCES_MAX: u8 = 250;
/// Connections for which one source address is enough, if nothing else is said.
const PER_SOURCE: usize = 5000;

/// Ports to come from, if the address is chosen: taken in turn, because the kernel's search for a free one takes long
/// when many were used lately.
const PORTS: std::ops::Range<u16> = 10_000..60_000;

/// Where connections come from.
#[derive(Debug)]
pub(crate) struct Origins {
    sources: u8,
    /// The last port that a connection came from.
    port: u16,
}

impl Origins {
    /// For so many connections; `sources` is how many addresses they come from, if it was said.
    pub(crate) fn new(connections: usize, sources: Option<u8>) -> Self {
        Self {
            sources: sources.unwrap_or_else(|| sources_for(connections)).clamp(1, SOURCES_MAX),
            port: PORTS.start + fastrand::u16(..PORTS.end - PORTS.start),
        }
    }

    /// The address that a connection comes from, if it isn't left to the kernel: they are dealt out in turn.
    pub(crate) fn address(&self, to: SocketAddr, number: usize) -> Option<Ipv4Addr> {
        if self.sources < 2 || !to.is_ipv4() || !to.ip().is_loopback() {
            return None;
        }
        // 127.0.0.1 is left to others.
        let last = 2 + u8::try_from(number % usize::from(self.sources)).unwrap_or_default();
        Some(Ipv4Addr::new(127, 0, 0, last))
    }

    /// Opens a connection from an address that was chosen, and the next port there that is free.
    ///
    /// # Errors
    /// Those of `open`, but that a port is taken.
    pub(crate) fn open<T>(
        &mut self,
        address: Option<Ipv4Addr>,
        mut open: impl FnMut(Option<SocketAddr>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut tries = 0;
        loop {
            let from = address.map(|address| {
                self.port = if self.port < PORTS.end { self.port + 1 } else { PORTS.start };
                SocketAddr::new(address.into(), self.port)
            });
            match open(from) {
                Err(error) if is_taken(&error) && tries < PORTS.len() => tries += 1,
                result => return result,
            }
        }
    }
}

/// How many source addresses so many connections need.
pub(crate) fn sources_for(connections: usize) -> u8 {
    u8::try_from(connections / PER_SOURCE + 1).unwrap_or(SOURCES_MAX).min(SOURCES_MAX)
}

/// Whether a port can't be had, or not for this server.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_addresses_are_dealt_out_on_this_machine_only() {
        let here: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let origins = |sources| Origins::new(0, Some(sources));
        let last = |number, sources| origins(sources).address(here, number).map(|source| source.octets()[3]);
        assert_eq!([last(0, 3), last(1, 3), last(2, 3), last(3, 3)], [Some(2), Some(3), Some(4), Some(2)]);
        assert_eq!(last(usize::from(SOURCES_MAX) - 1, SOURCES_MAX), Some(251));
        assert_eq!(last(5, 1), None);
        for there in ["192.0.2.1:1", "[::1]:1"] {
            assert_eq!(origins(3).address(there.parse().unwrap(), 5), None);
        }
        assert_eq!([sources_for(0), sources_for(4999), sources_for(5000)], [1, 1, 2]);
        assert_eq!(sources_for(usize::MAX), SOURCES_MAX);
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let mut origins = Origins::new(0, Some(2));
        let mut tried = Vec::new();
        let opened = origins.open(Some(Ipv4Addr::LOCALHOST), |from| {
            tried.extend(from.map(|from| from.port()));
            if tried.len() < 3 { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(from) }
        });
        tried.dedup();
        assert_eq!((tried.len(), opened.unwrap().map(|from| from.port())), (3, tried.last().copied()));
    }
}
