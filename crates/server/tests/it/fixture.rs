//! A server in this process, and peers that speak to it in raw bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hub::Dialect;
use server::{Handle, Listener, Server, ServerConfig};
use tungstenite::{Message, WebSocket};

/// Longer than anything here takes: only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Dropped, it ends.
pub(crate) struct Fixture {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Fixture {
    /// A server with one port that tells protocols by their first bytes.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// The same, with another configuration.
    pub(crate) fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::pinned(None, change)
    }

    /// A server with one port of a given protocol.
    pub(crate) fn pinned(dialect: Option<Dialect>, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let addr = "127.0.0.1:0".parse().unwrap();
        let listeners = vec![Listener { addr, dialect, optional: false }];
        let mut config = ServerConfig { listeners, reactors: Some(2), ..ServerConfig::default() };
        change(&mut config);
        let server = Server::bind(config).unwrap();
        let (addr, handle) = (server.local_addrs()[0].0, server.handle());
        let thread = Some(std::thread::spawn(move || server.run()));
        Self { addr, handle, thread }
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.addr)
    }

    /// Joins a room as a line client of the rooms protocol.
    pub(crate) fn rooms(&self, name: &str, room: &str) -> Peer {
        let mut peer = self.connect();
        peer.send(&format!("{name}_{room}\n"));
        peer.expect("200\n");
        peer
    }

    /// Joins the lobby with tmp over WebSocket.
    pub(crate) fn tmp(&self, name: &str) -> WebSocket<TcpStream> {
        let mut socket = self.websocket("/");
        assert_eq!(read_text(&mut socket), header("STATE_UPG_1", ""));
        socket.send(Message::text(header("SET_USR", name))).unwrap();
        assert_eq!(read_text(&mut socket), header("STATE_UPG_2", name));
        socket
    }

    pub(crate) fn websocket(&self, path: &str) -> WebSocket<TcpStream> {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{}{path}", self.addr);
        tungstenite::client(url, stream).unwrap().0
    }

    /// The sum of the metrics whose lines begin so.
    pub(crate) fn metric(&self, start: &str) -> i64 {
        let text = self.handle.metrics_text();
        let found = text.lines().filter(|line| line.starts_with(start));
        found.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{what} does not come about:\n{}", self.handle.metrics_text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the server to end, and waits for it.
    pub(crate) fn end(&mut self) {
        self.handle.shutdown();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || matches!(ended, Ok(Ok(()))), "the server failed");
        }
    }
}

/// A tmp frame without a body.
pub(crate) fn header(kind: &str, user: &str) -> String {
    format!("tmp://{kind:32}::/{user:20}::/")
}

pub(crate) fn read_text(socket: &mut WebSocket<TcpStream>) -> String {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A connection that says and expects exact bytes.
pub(crate) struct Peer {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Peer {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        Self::new(stream)
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::with_capacity(64 * 1024, stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// The socket itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Sends each byte in a segment of its own.
    pub(crate) fn send_bytewise(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.stream.write_all(&[*byte]).unwrap();
            // Without a pause the kernel may hand several bytes over in one read.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads exactly this.
    pub(crate) fn expect(&mut self, expected: &str) {
        self.expect_bytes(expected.as_bytes());
    }

    /// Reads exactly this.
    pub(crate) fn expect_bytes(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        let result = self.reader.read_exact(&mut got);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (wanted, came) = (shown(expected), shown(&got));
        assert!(result.is_ok() && got == expected, "expected {wanted:?}, got {came:?}: {result:?}");
    }

    /// Reads until what came ends so, and gives all of it.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut got = Vec::new();
        let mut byte = [0];
        while !got.ends_with(end.as_bytes()) {
            match self.reader.read(&mut byte) {
                Ok(1) => got.push(byte[0]),
                other => panic!("wanted {end:?}, got {:?}: {other:?}", String::from_utf8_lossy(&got)),
            }
        }
        String::from_utf8(got).unwrap()
    }

    /// Reads what is there and counts the bytes that are `wanted`; stops before the end of a line if that is all.
    pub(crate) fn skim(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let bytes = self.reader.fill_buf().unwrap();
        assert!(!bytes.is_empty(), "the server closed");
        let last_line = bytes.len() > 1 && bytes.ends_with(b"\n");
        let len = bytes.len() - usize::from(last_line);
        let count = bytes[..len].iter().filter(|byte| wanted(**byte)).count();
        self.reader.consume(len);
        count
    }

    /// Reads until the server closes, however it does.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return got,
                Ok(len) => got.extend_from_slice(&buffer[..len]),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return got;
                }
                Err(error) => panic!("the server does not close: {error}"),
            }
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}
