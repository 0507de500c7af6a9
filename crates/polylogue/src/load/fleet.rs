//! Many clients in one thread: their sockets, and what happens to them.
//!
//! As a server that is to be measured does, a turn reads whatever is ready, and what follows from it is written at the
//! beginning of the next turn, once for each socket.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use proto::ProtocolError;
use proto::client::{Client, ClientOutbox, Happening, Link};
use rustls::ClientConfig;

use super::origin::Origins;
use super::socket::{Given, Route, Socket};
use super::target::{Target, Wish};
use crate::failure::Failure;

/// How much one read takes.
const READ_BYTES: usize = 64 * 1024;
/// How many sockets one turn looks at.
const EVENTS_MAX: usize = 4096;
/// The index of a client.
pub(crate) type Who = usize;

/// Something that happened to a client.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) who: Who,
    /// Nanoseconds since the fleet was made.
    pub(crate) at: u64,
    pub(crate) what: Happening,
}

/// A client and its sockets.
struct Person {
    client: Box<dyn Client>,
    route: Route,
    sockets: [Option<Socket>; 2],
    /// Reads nothing any more unless told to.
    deaf: bool,
    /// Its end was told: once is enough.
    ended: bool,
}

/// All clients.
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    people: Vec<Option<Person>>,
    /// Sockets that have something to write.
    marked: Vec<(Who, usize)>,
    out: ClientOutbox,
    buffer: Box<[u8]>,
    start: Instant,
    tls: Option<Arc<ClientConfig>>,
    origins: Origins,
    count: u64,
    /// What happened since somebody asked.
    heard: Vec<Heard>,
}

/// The place of a link among a person's sockets.
fn place(link: Link) -> Option<usize> {
    match link {
        Link::Main => Some(0),
        Link::Receive => Some(1),
        Link::Peer => None,
    }
}

const LINKS: [Link; 2] = [Link::Main, Link::Receive];

/// How to add a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    pub(crate) wish: Wish,
    /// What the kernel may hold for it, in bytes.
    pub(crate) receive_buffer: Option<usize>,
}

impl Fleet {
    /// Nobody yet. `connections` is how many there will be.
    ///
    /// # Errors
    /// If the limit of open files doesn't allow as many.
    pub(crate) fn new(connections: usize, sources: Option<u8>) -> Result<Self, Failure> {
        allow_open_files(connections)?;
        let tls = super::tls::configuration().map_err(io::Error::other)?;
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            people: Vec::new(),
            marked: Vec::new(),
            out: ClientOutbox::default(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            start: Instant::now(),
            tls: Some(tls),
            origins: Origins::new(connections, sources),
            count: 0,
            heard: Vec::new(),
        })
    }

    /// How many events the sockets had so far.
    pub(crate) fn events(&self) -> u64 {
        self.count
    }

    /// Nanoseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes what happened since the last call; the list's storage is used again.
    pub(crate) fn take_heard(&mut self, heard: &mut Vec<Heard>) {
        heard.clear();
        std::mem::swap(&mut self.heard, heard);
    }

    /// Adds a client, which begins to connect.
    ///
    /// # Errors
    /// If the protocol can't do what is wished, or the kernel can't.
    pub(crate) fn add(&mut self, target: &Target, name: &str, manner: &Manner) -> Result<Who, Failure> {
        let who = self.people.len();
        self.people.push(None);
        self.put(who, target, name, manner)?;
        Ok(who)
    }

    /// Puts a new client in the place of one that is gone.
    ///
    /// # Errors
    /// As [`Fleet::add`].
    pub(crate) fn put(
        &mut self,
        who: Who,
        target: &Target,
        name: &str,
        manner: &Manner,
    ) -> Result<(), Failure> {
        let client = target.client(name, &manner.wish).map_err(|why| Failure::usage(why, ""))?;
        let route = Route {
            to: target.address,
            from: self.origins.address(target.address, who),
            carrier: target.carrier,
            path: target.path(&manner.wish),
            tls: self.tls.clone(),
            receive_buffer: manner.receive_buffer,
        };
        self.people[who] = Some(Person { client, route, sockets: [None, None], deaf: false, ended: false });
        self.dial(who, 0)
    }

    fn dial(&mut self, who: Who, at: usize) -> Result<(), Failure> {
        let Some(person) = self.people.get_mut(who).and_then(Option::as_mut) else { return Ok(()) };
        let Person { route, sockets, .. } = person;
        let mut socket =
            self.origins.open(route.from, |from| Socket::open(route, from)).map_err(|error| {
                Failure::run(format!("can't connect to {}: {error}", route.to), "is the server running?")
            })?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket.stream, Token(2 * who + at), both)?;
        sockets[at] = Some(socket);
        Ok(())
    }

    /// Has a client do something; what it leaves is written next turn.
    ///
    /// # Errors
    /// What it can't do.
    pub(crate) fn act(
        &mut self,
        who: Who,
        act: impl FnOnce(&mut dyn Client, &mut ClientOutbox) -> Result<(), ProtocolError>,
    ) -> Result<(), Failure> {
        let Some(person) = self.people.get_mut(who).and_then(Option::as_mut) else { return Ok(()) };
        act(person.client.as_mut(), &mut self.out)
            .map_err(|error| Failure::run(format!("a client can't do that: {error}"), ""))?;
        self.settle(who, 0);
        Ok(())
    }

    /// Closes a client's sockets without another word.
    pub(crate) fn remove(&mut self, who: Who) {
        if let Some(person) = self.people.get_mut(who) {
            *person = None;
        }
    }

    /// Lets a client read nothing any more.
    pub(crate) fn deafen(&mut self, who: Who) {
        if let Some(person) = self.people.get_mut(who).and_then(Option::as_mut) {
            person.deaf = true;
        }
    }

    /// Reads so many bytes for a client that reads nothing by itself, and throws them away.
    pub(crate) fn sip(&mut self, who: Who, bytes: usize) {
        let person = self.people.get_mut(who).and_then(Option::as_mut);
        if let Some(socket) = person.and_then(|person| person.sockets[0].as_mut()) {
            // A server that has hung up is no news: it was expected to.
            let _ = io::Read::read(&mut socket.stream, &mut self.buffer[..bytes]);
        }
    }

    /// Writes what is queued, waits for `patience` at most, and reads what has come.
    ///
    /// # Errors
    /// If the kernel fails; what a single connection suffers is told to its client.
    pub(crate) fn turn(&mut self, patience: Duration) -> Result<(), Failure> {
        for (who, at) in std::mem::take(&mut self.marked) {
            self.flush(who, at);
        }
        // What has happened already is not to wait.
        let patience = if self.heard.is_empty() { patience } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.count += 1;
            let Token(token) = event.token();
            self.on_event(token / 2, token % 2, event);
        }
        self.events = events;
        Ok(())
    }

    fn on_event(&mut self, who: Who, at: usize, event: &mio::event::Event) {
        let Self { people, out, buffer, .. } = self;
        let Some(person) = people.get_mut(who).and_then(Option::as_mut) else { return };
        let Person { client, sockets, deaf, .. } = person;
        let Some(socket) = &mut sockets[at] else { return };
        let link = LINKS[at];
        let mut give = |given: Given<'_>| match given {
            Given::Open => client.on_connected(link, out),
            Given::Bytes(bytes) => client.on_bytes(link, bytes, out),
        };
        let mut open = Ok(true);
        if event.is_writable() {
            open = socket.on_writable(&mut give).map(|()| true);
        }
        if open.is_ok() && !*deaf && (event.is_readable() || event.is_read_closed() || event.is_error()) {
            open = socket.read(buffer, event.is_read_closed(), &mut give);
        }
        let has_queued = socket.has_queued() && !socket.is_blocked();
        match open {
            Ok(true) => {}
            Ok(false) => self.hung_up(who, at, None),
            Err(error) => self.hung_up(who, at, Some(error)),
        }
        if has_queued {
            self.marked.push((who, at));
        }
        let now = self.now();
        self.settle(who, now);
    }

    fn hung_up(&mut self, who: Who, at: usize, error: Option<io::Error>) {
        let Some(person) = self.people.get_mut(who).and_then(Option::as_mut) else { return };
        person.sockets[at] = None;
        if let Some(error) = error {
            self.out.tell(Happening::Ended { reason: error.to_string() });
        }
        person.client.on_closed(LINKS[at], &mut self.out);
    }

    fn flush(&mut self, who: Who, at: usize) {
        let person = self.people.get_mut(who).and_then(Option::as_mut);
        let Some(socket) = person.and_then(|person| person.sockets[at].as_mut()) else { return };
        if let Err(error) = socket.flush() {
            self.hung_up(who, at, Some(error));
            self.settle(who, 0);
        }
    }

    /// Queues what a client has left to be written, and notes what happened to it.
    fn settle(&mut self, who: Who, at: u64) {
        if self.out.wire.is_empty() && self.out.happenings.is_empty() {
            return;
        }
        let mut out = std::mem::take(&mut self.out);
        for (link, bytes) in out.wire.drain(..) {
            let Some(place) = place(link) else { continue };
            let person = self.people.get_mut(who).and_then(Option::as_mut);
            let Some(socket) = person.and_then(|person| person.sockets[place].as_mut()) else { continue };
            let was_queued = socket.has_queued();
            match socket.push(&bytes) {
                Ok(()) if !was_queued => self.marked.push((who, place)),
                Ok(()) => {}
                Err(error) => out.happenings.push(Happening::Ended { reason: error.to_string() }),
            }
        }
        let mut hung_up = false;
        for what in out.happenings.drain(..) {
            match what {
                Happening::Dial { link: Link::Receive, .. } => {
                    if let Err(error) = self.dial(who, 1) {
                        self.tell_end(who, at, error.what);
                    }
                }
                Happening::Hangup { link } => {
                    // What is queued for it is written first.
                    hung_up |= place(link).is_some_and(|place| self.hang_up(who, place));
                }
                Happening::Ended { reason } => self.tell_end(who, at, reason),
                what => self.heard.push(Heard { who, at, what }),
            }
        }
        // The storage is used again.
        self.out = out;
        if hung_up {
            self.tell_end(who, at, "it hung up".to_owned());
        }
    }

    /// Notes that a client's connection is gone, if that isn't known yet.
    fn tell_end(&mut self, who: Who, at: u64, reason: String) {
        let Some(person) = self.people.get_mut(who).and_then(Option::as_mut) else { return };
        if !std::mem::replace(&mut person.ended, true) {
            self.heard.push(Heard { who, at, what: Happening::Ended { reason } });
        }
    }

    /// Closes one socket; whether it was the last.
    fn hang_up(&mut self, who: Who, place: usize) -> bool {
        let Some(person) = self.people.get_mut(who).and_then(Option::as_mut) else { return false };
        let Some(mut socket) = person.sockets[place].take() else { return false };
        // It is gone for us, whatever becomes of the last words.
        let _ = socket.flush();
        person.sockets.iter().all(Option::is_none)
    }
}

/// Raises the limit of open files to what is wanted, and has the kernel make room for them in its table: when that has to
/// grow later, with several threads there, whoever opens a file waits for many milliseconds.
pub(crate) fn allow_open_files(connections: usize) -> Result<(), Failure> {
    let wanted = connections as u64 + 64;
    raise_limit(connections, wanted)?;
    if let (Ok(file), Ok(last)) = (File::open("/dev/null"), i32::try_from(wanted - 1)) {
        // Without it all goes well, but not as smoothly.
        let _ = rustix::io::fcntl_dupfd_cloexec(&file, last);
    }
    Ok(())
}

fn raise_limit(connections: usize, wanted: u64) -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.maximum.is_some_and(|maximum| maximum < wanted) || setrlimit(Resource::Nofile, raised).is_err() {
        let allowed = limit.maximum.unwrap_or_default();
        return Err(Failure::run(
            format!("{connections} connections need {wanted} open files, and the limit is {allowed}"),
            "ask for fewer, or raise it (ulimit -n)",
        ));
    }
    Ok(())
}
