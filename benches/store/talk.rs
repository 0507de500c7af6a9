//! People who talk, and wait to be told that what they said is kept.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hub::Dialect;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use server::{Listener, Server, ServerConfig, StoreConfig};

use crate::Failed;

/// Before anything is counted.
pub(crate) const WARMING_UP: Duration = Duration::from_millis(500);
/// A machine this slow measures nothing.
const PATIENCE: Duration = Duration::from_secs(60);
const BODY: &str = "sixty-four bytes of text, which is about what a person would say";

/// Runs a server while something is measured.
pub(crate) fn with_server<T>(
    store: Option<StoreConfig>,
    measure: impl FnOnce(SocketAddr) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = vec![Listener { addr, dialect: Some(Dialect::Irc), optional: false }];
    let server = Server::bind(ServerConfig { listeners, store, ..ServerConfig::default() })?;
    let address = server.local_addrs().first().ok_or("no port")?.0;
    let handle = server.handle();
    let thread = std::thread::spawn(move || server.run());
    let measured = measure(address);
    handle.shutdown();
    thread.join().map_err(|_| "the server panicked")??;
    measured
}

/// What came out.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    pub(crate) acks_per_s: f64,
    /// From sending a message until its echo.
    pub(crate) median: Duration,
    /// 99 of 100 took no longer.
    pub(crate) slow: Duration,
}

struct Talker {
    stream: TcpStream,
    /// One message, as it goes over the wire.
    line: Vec<u8>,
    /// When those were sent that aren't acknowledged.
    sent: VecDeque<Instant>,
    /// The end of what came last, where a line may have been cut.
    rest: Vec<u8>,
    is_in: bool,
}

pub(crate) struct Talkers {
    poll: Poll,
    events: Events,
    all: Vec<Talker>,
    window: usize,
    latencies: Vec<Duration>,
    buffer: Vec<u8>,
}

impl Talkers {
    /// Each comes into a room of its own.
    pub(crate) fn join(address: SocketAddr, count: usize, window: usize) -> Result<Self, Failed> {
        let mut talkers = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            all: Vec::new(),
            window,
            latencies: Vec::new(),
            buffer: vec![0; 256 * 1024],
        };
        for number in 0..count {
            // Connected before it is watched: loopback answers at once.
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            let hello = format!(
                "CAP REQ :echo-message\r\nNICK t{number}\r\nUSER t 0 * :t\r\nCAP END\r\nJOIN #room{number}\r\n"
            );
            (&stream).write_all(hello.as_bytes())?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            talkers.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            talkers.all.push(Talker {
                stream,
                line: format!("PRIVMSG #room{number} :{BODY}\r\n").into_bytes(),
                sent: VecDeque::new(),
                rest: Vec::new(),
                is_in: false,
            });
        }
        let end = Instant::now() + PATIENCE;
        while !talkers.all.iter().all(|talker| talker.is_in) {
            talkers.turn(end, false)?;
        }
        Ok(talkers)
    }

    /// Everybody talks as fast as it is acknowledged.
    pub(crate) fn measure(&mut self, measured: Duration) -> Result<Talk, Failed> {
        for talker in &mut self.all {
            talker.say(self.window)?;
        }
        let end = Instant::now() + PATIENCE;
        let begun = Instant::now();
        while begun.elapsed() < WARMING_UP {
            self.turn(end, true)?;
        }
        self.latencies.clear();
        let begun = Instant::now();
        while begun.elapsed() < measured {
            self.turn(end, true)?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.sort_unstable();
        let at = |share: f64| {
            latencies
                .get((latencies.len() as f64 * share) as usize)
                .copied()
                .ok_or("nothing was acknowledged")
        };
        Ok(Talk { acks_per_s: latencies.len() as f64 / seconds, median: at(0.5)?, slow: at(0.99)? })
    }

    /// Reads what has come, and says as much again.
    fn turn(&mut self, end: Instant, talks: bool) -> Result<(), Failed> {
        if Instant::now() > end {
            return Err("it takes too long".into());
        }
        self.poll.poll(&mut self.events, Some(Duration::from_millis(10)))?;
        for event in &self.events {
            let Some(talker) = self.all.get_mut(event.token().0) else { continue };
            loop {
                match talker.stream.read(&mut self.buffer) {
                    Ok(0) => return Err("the server closed a connection".into()),
                    Ok(length) => {
                        let bytes = self.buffer.get(..length).unwrap_or_default();
                        let acknowledged = talker.take(bytes, &mut self.latencies);
                        if talks {
                            talker.say(acknowledged)?;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

impl Talker {
    /// Says something so many times. What is under way is so little that the kernel always has room for it.
    fn say(&mut self, times: usize) -> Result<(), Failed> {
        if times > 0 {
            self.stream.write_all(&self.line.repeat(times))?;
            let now = Instant::now();
            self.sent.extend(std::iter::repeat_n(now, times));
        }
        Ok(())
    }

    /// How many were acknowledged.
    fn take(&mut self, bytes: &[u8], latencies: &mut Vec<Duration>) -> usize {
        self.rest.extend_from_slice(bytes);
        let now = Instant::now();
        let (mut start, mut acknowledged) = (0, 0);
        for end in memchr::memchr_iter(b'\n', &self.rest) {
            let line = self.rest.get(start..end).unwrap_or_default();
            start = end + 1;
            if !self.is_in {
                self.is_in = memchr::memmem::find(line, b" 366 ").is_some();
            } else if memchr::memmem::find(line, b" PRIVMSG #").is_some()
                && let Some(sent) = self.sent.pop_front()
            {
                latencies.push(now - sent);
                acknowledged += 1;
            }
        }
        self.rest.drain(..start);
        acknowledged
    }
}
