//! What a burst of arrivals costs those who are in a large room: a real server, real sockets, IRC.
//!
//! `cargo bench -p polylogue-benches --bench presence [-- MEMBERS ARRIVALS]` (5000 and 1000): the members join, then
//! all arrivals at once, while a member talks. Printed for three settings: every arrival told at once, arrivals at
//! the room's pace (the room is below the size for announcing), and the default, where the room is above it.

#![expect(clippy::print_stdout, reason = "its output is the result")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hub::{Dialect, HubConfig};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use server::{Listener, Server, ServerConfig};

/// How often the talker says something.
const EVERY: Duration = Duration::from_millis(50);
/// For how long it is watched after the burst has begun.
const WATCHED: Duration = Duration::from_secs(5);
/// A machine this slow measures nothing.
const PATIENCE: Duration = Duration::from_secs(120);

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (members, arrivals) = match numbers[..] {
        [members, arrivals, ..] => (members, arrivals),
        _ => (5_000, 1_000),
    };
    println!("{members} members, {arrivals} arrivals at once; {WATCHED:?} from the burst on");
    println!(
        "{:<22}{:>14}{:>16}{:>14}{:>14}{:>14}",
        "", "all in after", "B/s per member", "JOINs each", "talk p50", "talk max"
    );
    let paced = HubConfig { announce_members_max: 1_000_000, ..HubConfig::default() };
    let all = HubConfig { announcements_per_s: 1_000_000, announcements_burst: 1_000_000, ..paced.clone() };
    for (name, config) in
        [("every arrival told", all), ("at the room's pace", paced), ("default", HubConfig::default())]
    {
        let run = run(config, members, arrivals)?;
        println!(
            "{name:<22}{:>14}{:>16.0}{:>14.1}{:>14}{:>14}",
            format!("{:.2?}", run.joined),
            run.bytes_per_s,
            run.joins,
            format!("{:.2?}", run.median),
            format!("{:.2?}", run.slowest),
        );
    }
    Ok(())
}

/// What came out.
struct Run {
    /// Until all who arrived were in.
    joined: Duration,
    /// What each of those who were there before was sent, at most in one second.
    bytes_per_s: f64,
    /// Of how many arrivals each of them was told.
    joins: f64,
    /// From saying something until every member of before had it.
    median: Duration,
    slowest: Duration,
}

fn run(hub: HubConfig, members: usize, arrivals: usize) -> Result<Run, Failed> {
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = vec![Listener { addr, dialect: Some(Dialect::Irc), optional: false }];
    let server = Server::bind(ServerConfig { listeners, hub, ..ServerConfig::default() })?;
    let address = server.local_addrs().first().ok_or("no port")?.0;
    let handle = server.handle();
    let thread = std::thread::spawn(move || server.run());
    let measured = People::gather(address, members).and_then(|people| people.burst(address, arrivals));
    handle.shutdown();
    thread.join().map_err(|_| "the server panicked")??;
    measured
}

/// A client, as far as it is looked at.
struct Person {
    stream: TcpStream,
    bytes: u64,
    joins: u64,
    /// The end of what came last, where a line may have been cut.
    rest: Vec<u8>,
    is_in: bool,
    /// How many of the talker's messages it has.
    heard: usize,
}

struct People {
    poll: Poll,
    events: Events,
    all: Vec<Person>,
    buffer: Vec<u8>,
}

impl People {
    fn gather(address: SocketAddr, members: usize) -> Result<Self, Failed> {
        let mut people = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            all: Vec::new(),
            buffer: vec![0; 256 * 1024],
        };
        let end = Instant::now() + PATIENCE;
        while people.all.len() < members {
            let next = (people.all.len() + 200).min(members);
            while people.all.len() < next {
                people.connect(address)?;
            }
            while !people.all.iter().all(|person| person.is_in) {
                people.turn(end)?;
            }
        }
        Ok(people)
    }

    fn connect(&mut self, address: SocketAddr) -> Result<(), Failed> {
        let number = self.all.len();
        // Connected before it is watched: loopback answers at once.
        let stream = std::net::TcpStream::connect(address)?;
        (&stream).write_all(format!("NICK m{number}\r\nUSER m 0 * :m\r\nJOIN #big\r\n").as_bytes())?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        self.all.push(Person { stream, bytes: 0, joins: 0, rest: Vec::new(), is_in: false, heard: 0 });
        Ok(())
    }

    /// Reads what has come.
    fn turn(&mut self, end: Instant) -> Result<(), Failed> {
        if Instant::now() > end {
            return Err("it takes too long".into());
        }
        self.poll.poll(&mut self.events, Some(Duration::from_millis(1)))?;
        for event in &self.events {
            let Some(person) = self.all.get_mut(event.token().0) else { continue };
            loop {
                match person.stream.read(&mut self.buffer) {
                    Ok(0) => return Err("the server closed a connection".into()),
                    Ok(length) => person.take(self.buffer.get(..length).unwrap_or_default()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Lets everybody else arrive at once, while the first member talks.
    fn burst(mut self, address: SocketAddr, arrivals: usize) -> Result<Run, Failed> {
        let members = self.all.len();
        for person in &mut self.all {
            (person.bytes, person.joins, person.heard) = (0, 0, 0);
        }
        let begun = Instant::now();
        for _ in 0..arrivals {
            self.connect(address)?;
        }
        let (mut joined, mut said, mut heard, mut latencies) = (None, 0, true, Vec::new());
        let (mut last_said, mut second, mut before, mut most) = (begun, begun, 0, 0.0_f64);
        while begun.elapsed() < WATCHED || joined.is_none() || !heard {
            if heard && last_said.elapsed() >= EVERY {
                said += 1;
                (heard, last_said) = (false, Instant::now());
                let talker = self.all.first_mut().ok_or("nobody is there")?;
                talker.heard = said;
                talker.stream.write_all(format!("PRIVMSG #big :ping {said}\r\n").as_bytes())?;
            }
            self.turn(begun + PATIENCE)?;
            if !heard && self.all.iter().take(members).all(|person| person.heard >= said) {
                heard = true;
                latencies.push(last_said.elapsed());
            }
            if joined.is_none() && self.all.iter().all(|person| person.is_in) {
                joined = Some(begun.elapsed());
            }
            if second.elapsed() >= Duration::from_secs(1) {
                let bytes: u64 = self.all.iter().take(members).map(|person| person.bytes).sum();
                most = most.max((bytes - before) as f64 / members as f64 / second.elapsed().as_secs_f64());
                (before, second) = (bytes, Instant::now());
            }
        }
        latencies.sort_unstable();
        let joins: u64 = self.all.iter().take(members).map(|person| person.joins).sum();
        Ok(Run {
            joined: joined.ok_or("nobody came")?,
            bytes_per_s: most,
            joins: joins as f64 / members as f64,
            median: latencies.get(latencies.len() / 2).copied().unwrap_or_default(),
            slowest: latencies.last().copied().unwrap_or_default(),
        })
    }
}

impl Person {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &self.rest) {
            let line = self.rest.get(start..end).unwrap_or_default();
            self.is_in |= memchr::memmem::find(line, b" 366 ").is_some();
            self.joins += u64::from(memchr::memmem::find(line, b" JOIN #big").is_some());
            self.heard += usize::from(memchr::memmem::find(line, b" PRIVMSG #big :ping ").is_some());
            start = end + 1;
        }
        self.rest.drain(..start);
    }
}
