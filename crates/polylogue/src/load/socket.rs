//! One socket of a client: plain or in TLS, with or without WebSocket. What is pushed is written when it is flushed.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use super::websocket::{self, Incoming, WebSocket};

/// What a protocol is carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carrier {
    pub(crate) tls: bool,
    /// A WebSocket, with a subprotocol or without. With one, which is IRC's, each line is a message.
    pub(crate) websocket: Option<Option<&'static str>>,
}

/// How to open a socket.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) to: SocketAddr,
    /// The address to come from, if it isn't left to the kernel.
    pub(crate) from: Option<Ipv4Addr>,
    pub(crate) carrier: Carrier,
    /// The path of the WebSocket.
    pub(crate) path: String,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// How much the kernel may hold for a reader that doesn't read; what is usual if `None`.
    pub(crate) receive_buffer: Option<usize>,
}

/// What a socket gave.
pub(crate) enum Given<'a> {
    /// It is open for the protocol.
    Open,
    /// Bytes of the protocol.
    Bytes(&'a [u8]),
}

/// One socket.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    websocket: Option<Box<WebSocket>>,
    /// What the kernel hasn't taken.
    out: Vec<u8>,
    /// The kernel takes no more until it says so.
    blocked: bool,
    opened: bool,
    hello: Vec<u8>,
    /// Each line is a message of the WebSocket, without its end.
    lines: bool,
}

fn other(error: impl ToString) -> io::Error {
    io::Error::other(error.to_string())
}

/// Begins to connect. `receive_buffer` is how much the kernel may hold for a reader that doesn't read.
///
/// # Errors
/// If there are no descriptors or ports left, or it is known at once that it can't be done.
pub(crate) fn connect(
    to: SocketAddr,
    from: Option<SocketAddr>,
    receive_buffer: Option<usize>,
) -> io::Result<RawSocket> {
    let raw = RawSocket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    raw.set_nonblocking(true)?;
    raw.set_tcp_nodelay(true)?;
    if let Some(bytes) = receive_buffer {
        raw.set_recv_buffer_size(bytes)?;
    }
    if let Some(from) = from {
        // A port that an ended connection still holds is free for another server.
        raw.set_reuse_address(true)?;
        raw.bind(&from.into())?;
    }
    match raw.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
            Err(error)
        }
        _ => Ok(raw),
    }
}

impl Socket {
    /// Begins to connect, from this address and port or from any.
    ///
    /// # Errors
    /// If there are no descriptors or ports left.
    pub(crate) fn open(route: &Route, from: Option<SocketAddr>) -> io::Result<Self> {
        let raw = connect(route.to, from, route.receive_buffer)?;
        let tls = match (route.carrier.tls, &route.tls) {
            (true, Some(config)) => {
                let name = ServerName::IpAddress(route.to.ip().into());
                Some(Box::new(ClientConnection::new(config.clone(), name).map_err(other)?))
            }
            _ => None,
        };
        let request = route.carrier.websocket.map(|subprotocol| {
            websocket::request(&route.to.to_string(), &route.path, subprotocol).into_bytes()
        });
        Ok(Self {
            stream: TcpStream::from_std(raw.into()),
            tls,
            websocket: request.is_some().then(Box::default),
            out: Vec::new(),
            blocked: true,
            opened: false,
            hello: request.unwrap_or_default(),
            lines: route.carrier.websocket.flatten().is_some(),
        })
    }

    /// The kernel takes something, for the first time or again.
    ///
    /// # Errors
    /// If it could not connect.
    pub(crate) fn on_writable(&mut self, mut give: impl FnMut(Given<'_>)) -> io::Result<()> {
        self.blocked = false;
        if self.opened {
            return Ok(());
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        if self.stream.peer_addr().is_err() {
            return Ok(());
        }
        self.opened = true;
        if self.websocket.is_none() {
            give(Given::Open);
        } else {
            let hello = std::mem::take(&mut self.hello);
            self.push_raw(&hello)?;
        }
        Ok(())
    }

    /// Queues one message.
    ///
    /// # Errors
    /// If TLS takes no more.
    pub(crate) fn push(&mut self, message: &[u8]) -> io::Result<()> {
        if self.websocket.is_none() {
            return self.push_raw(message);
        }
        if !self.lines {
            return self.push_frame(websocket::TEXT, message);
        }
        let lines = message.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
        lines.filter(|line| !line.is_empty()).try_for_each(|line| self.push_frame(websocket::TEXT, line))
    }

    fn push_frame(
        &mut self,
        opcode: tungstenite::protocol::frame::coding::OpCode,
        payload: &[u8],
    ) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        websocket::frame(opcode, payload, &mut frame);
        self.push_raw(&frame)
    }

    fn push_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.out.extend_from_slice(bytes),
            Some(tls) => tls.writer().write_all(bytes)?,
        }
        Ok(())
    }

    /// Writes what is queued, as far as the kernel takes it.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.out)?;
            }
        }
        while !self.blocked && !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether something is queued.
    pub(crate) fn has_queued(&self) -> bool {
        !self.out.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Whether the kernel takes no more.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Reads what is there, and `to_the_end` if the server is known to have hung up; whether it has not.
    ///
    /// # Errors
    /// The socket's, and what is wrong with TLS or the WebSocket.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        to_the_end: bool,
        mut give: impl FnMut(Given<'_>),
    ) -> io::Result<bool> {
        loop {
            let len = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..len).unwrap_or_default();
            self.on_bytes(bytes, &mut give)?;
            // Less than was asked for is all there is, but for the end, which nothing else would tell.
            if len < buffer.len() && !to_the_end {
                return Ok(true);
            }
        }
    }

    fn on_bytes(&mut self, mut bytes: &[u8], give: &mut impl FnMut(Given<'_>)) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.on_plain(bytes, give) };
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes)?;
            tls.process_new_packets().map_err(other)?;
            match tls.reader().read_to_end(&mut plain) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        if plain.is_empty() { Ok(()) } else { self.on_plain(&plain, give) }
    }

    fn on_plain(&mut self, bytes: &[u8], give: &mut impl FnMut(Given<'_>)) -> io::Result<()> {
        let Some(mut websocket) = self.websocket.take() else {
            give(Given::Bytes(bytes));
            return Ok(());
        };
        let (lines, mut pongs) = (self.lines, Vec::new());
        let fed = websocket.feed(bytes, |incoming| match incoming {
            Incoming::Open => give(Given::Open),
            Incoming::Message(message) => {
                give(Given::Bytes(message));
                if lines {
                    give(Given::Bytes(b"\n"));
                }
            }
            Incoming::Ping(payload) => pongs.push(payload.to_vec()),
            Incoming::Close => {}
        });
        self.websocket = Some(websocket);
        fed.map_err(other)?;
        pongs.iter().try_for_each(|payload| self.push_frame(websocket::PONG, payload))
    }
}
