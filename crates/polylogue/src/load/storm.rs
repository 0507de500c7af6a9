//! Those who misbehave, each kind in a thread of its own. What it takes to misbehave is not what is measured: so such a
//! thread gives way to the one that measures, and connections are made at a pace, not as fast as it goes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::origin::Origins;
use super::socket::connect;
use crate::failure::Failure;

/// How much the one who talks without end writes at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long the one who talks without end waits for the server to take it.
const WRITE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a server may take to let in those who have asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// Dropped when misbehaving has begun, or never will.
pub(crate) type Begun = Sender<Infallible>;

/// Somebody who misbehaves, and what has come of it so far.
#[derive(Debug)]
pub(crate) struct Storm {
    pub(crate) to: SocketAddr,
    /// How many connections there are at a time.
    pub(crate) count: usize,
    /// How many are made in a second.
    pub(crate) pace: f64,
    /// From how many addresses, if it was said.
    pub(crate) sources: Option<u8>,
    /// On which processor, if it was said.
    pub(crate) core: Option<u16>,
    /// Set when it is to end.
    pub(crate) over: AtomicBool,
    /// Connections that were made, or bytes that were said.
    pub(crate) done: AtomicU64,
}

/// Has this thread give way to others, and run on one processor if it is told which.
///
/// # Errors
/// If there is no such processor for it.
#[cfg(target_os = "linux")]
pub(crate) fn stand_aside(core: Option<u16>) -> Result<(), Failure> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    // Only this thread's: the kernel keeps one for each. That a process may not give way is unheard of.
    let _ = rustix::process::nice(19);
    let Some(core) = core else { return Ok(()) };
    let mut cores = CpuSet::new();
    cores.set(usize::from(core));
    sched_setaffinity(None, &cores).map_err(|error| {
        Failure::usage(format!("processor {core}: {error}"), "--core takes the number of one that is there")
    })
}

/// Elsewhere threads have no such settings, or they are the whole process's.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stand_aside(core: Option<u16>) -> Result<(), Failure> {
    match core {
        None => Ok(()),
        Some(_) => Err(Failure::usage("a processor can't be chosen", "only Linux has --core")),
    }
}

impl Storm {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits until one more is due than were begun; whether there is one.
    fn wait_for_next(&self, since: Instant, begun: usize) -> bool {
        let due = since + Duration::from_secs_f64(begun as f64 / self.pace);
        match due.saturating_duration_since(Instant::now()) {
            // Behind: but one at a time, or what is made up for would be made in one go.
            Duration::ZERO => std::thread::yield_now(),
            rest => std::thread::sleep(rest),
        }
        !self.is_over()
    }

    /// Begins to connect. It will end with a reset: else the kernel remembers each for a minute, and is then busy for tens
    /// of milliseconds with forgetting thousands at a time, in the middle of whatever is measured by then.
    fn connect(&self, from: Option<SocketAddr>) -> std::io::Result<TcpStream> {
        let socket = connect(self.to, from, None)?;
        socket.set_linger(Some(Duration::ZERO))?;
        Ok(socket.into())
    }

    /// Connects and hangs up, again and again; drops `begun` when it has done so for the first time.
    pub(crate) fn flood(&self, begun: Begun) {
        let mut not_begun = Some(begun);
        let mut open = VecDeque::with_capacity(self.count);
        let (since, mut begun) = (Instant::now(), 0);
        while self.wait_for_next(since, begun) {
            begun += 1;
            if open.len() == self.count {
                self.count_made(open.pop_front());
            }
            open.extend(self.connect(None).ok());
            drop(not_begun.take());
        }
        open.into_iter().for_each(|stream| self.count_made(Some(stream)));
    }

    /// Counts a connection if it came about, and hangs up.
    fn count_made(&self, stream: Option<TcpStream>) {
        let made = stream.is_some_and(|stream| stream.peer_addr().is_ok());
        self.done.fetch_add(u64::from(made), Ordering::Relaxed);
    }

    /// Connects, and says nothing: those who are there in the end.
    ///
    /// # Errors
    /// If the kernel has no more sockets or ports.
    pub(crate) fn gather_silent(&self) -> Result<Vec<TcpStream>, Failure> {
        let mut origins = Origins::new(self.count, self.sources);
        let mut streams: Vec<TcpStream> = Vec::with_capacity(self.count);
        let since = Instant::now();
        while streams.len() < self.count && self.wait_for_next(since, streams.len()) {
            let from = origins.address(self.to, streams.len());
            let stream = origins.open(from, |from| self.connect(from)).map_err(|error| {
                Failure::run(format!("can't connect to {}: {error}", self.to), "is the server running?")
            })?;
            streams.push(stream);
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        // The last may have to wait for the server.
        let until = Instant::now() + PATIENCE;
        for stream in &streams {
            while stream.peer_addr().is_err() && Instant::now() < until && !self.is_over() {
                std::thread::sleep(LOOK);
            }
        }
        Ok(streams)
    }

    /// Says something in another room for as long as the server takes it; drops `begun` when it has begun to.
    pub(crate) fn talk_without_end(&self, size: usize, begun: Begun) {
        let mut not_begun = Some(begun);
        let Ok(mut stream) = TcpStream::connect(self.to) else { return };
        // What a server that answers slowly does to it is its own trouble.
        let _ = stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
        let line = format!("PRIVMSG #elsewhere :{}\r\n", "x".repeat(size));
        let chunk = line.repeat(CHUNK_BYTES / line.len());
        let hello = "NICK fast\r\nUSER fast 0 * :fast\r\nJOIN #elsewhere\r\n";
        let mut buffer = vec![0; CHUNK_BYTES];
        if stream.write_all(hello.as_bytes()).is_err() {
            return;
        }
        let mut rest: &[u8] = &[];
        while !self.is_over() {
            if rest.is_empty() {
                rest = chunk.as_bytes();
            }
            match stream.write(rest) {
                Ok(len) => {
                    rest = &rest[len..];
                    self.done.fetch_add(len as u64, Ordering::Relaxed);
                    drop(not_begun.take());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if matches!(stream.read(&mut buffer), Ok(0)) {
                return;
            }
        }
    }
}

/// How many of these connections the server holds: it has let them in, and not hung up.
pub(crate) fn still_there(streams: &[TcpStream]) -> usize {
    let is_there = |mut stream: &TcpStream| {
        stream.peer_addr().is_ok()
            && match stream.read(&mut [0]) {
                Ok(len) => len > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
    };
    streams.iter().filter(|stream| is_there(stream)).count()
}
