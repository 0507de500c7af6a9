//! A bare TCP connection.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use crate::stream::Stream;

/// A TCP connection whose incoming bytes are read as they come.
pub(crate) struct Socket {
    stream: TcpStream,
    /// What comes.
    pub(crate) incoming: Stream,
}

impl Socket {
    /// Connects; `name` is for failures.
    pub(crate) fn connect(name: &str, address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let incoming = Stream::new(name, stream.try_clone().unwrap());
        Self { stream, incoming }
    }

    /// Sends one message with one write.
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for something.
    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &str) -> String {
        self.incoming.expect(wanted)
    }
}
