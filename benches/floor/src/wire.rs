//! The connections, and how bytes get to them.

use std::io::{self, IoSlice};
use std::ops::Range;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::io::{Errno, writev};
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use crate::keep::Keep;

/// What may wait for a reader that doesn't read; one that exceeds it is closed.
const UNSENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many pieces the kernel takes at once (IOV_MAX).
const PIECES_MAX: usize = 1024;

/// A client.
pub(crate) struct Connection {
    /// Its socket.
    pub(crate) socket: OwnedFd,
    /// What NICK gave.
    pub(crate) nick: Box<[u8]>,
    /// What USER gave, until it is registered.
    pub(crate) username: Box<[u8]>,
    /// What its messages begin with, `:nick!~user@host `; empty until it is registered.
    pub(crate) source: Box<[u8]>,
    /// The beginning of a line whose end has not come.
    pub(crate) begun: Vec<u8>,
    /// Whether it has ever joined a room.
    pub(crate) has_joined: bool,
    /// Nothing more is read from it, and it is closed when all is sent.
    pub(crate) is_leaving: bool,
    /// What it is to be sent at the end of the turn.
    queued: Vec<Said>,
    /// What the kernel has not taken.
    unsent: Vec<u8>,
}

/// A place in what was said this turn. Four bytes for each end, since there are many.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    start: u32,
    end: u32,
}

impl Said {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// All connections, by the number of their socket.
pub(crate) struct Wire {
    epoll: OwnedFd,
    batching: bool,
    keep: Option<Keep>,
    connections: Vec<Option<Connection>>,
    /// What is being said; with batching, or where it is kept, all that was said this turn.
    said: Vec<u8>,
    /// How many messages that is.
    count: usize,
    /// What waits until it is kept, and for whom, where it is sent at once then.
    kept_back: Vec<(usize, Said)>,
    /// Who has something queued.
    waiting: Vec<usize>,
    /// Who may be closed at the end of the turn.
    leaving: Vec<usize>,
}

impl Wire {
    pub(crate) fn new(epoll: OwnedFd, batching: bool, keep: Option<Keep>) -> Self {
        Self {
            epoll,
            batching,
            keep,
            connections: Vec::new(),
            said: Vec::new(),
            count: 0,
            kept_back: Vec::new(),
            waiting: Vec::new(),
            leaving: Vec::new(),
        }
    }

    pub(crate) fn epoll(&self) -> &OwnedFd {
        &self.epoll
    }

    /// Takes a new connection.
    pub(crate) fn add(&mut self, socket: OwnedFd) -> Result<(), Errno> {
        let at = socket.as_raw_fd() as usize;
        epoll::add(&self.epoll, &socket, EventData::new_u64(at as u64), EventFlags::IN)?;
        if self.connections.len() <= at {
            self.connections.resize_with(at + 1, || None);
        }
        self.connections[at] = Some(Connection {
            socket,
            nick: Box::default(),
            username: Box::default(),
            source: Box::default(),
            begun: Vec::new(),
            has_joined: false,
            is_leaving: false,
            queued: Vec::new(),
            unsent: Vec::new(),
        });
        Ok(())
    }

    /// Closes a connection, if it is still there.
    pub(crate) fn remove(&mut self, at: usize) -> Option<Connection> {
        self.connections.get_mut(at)?.take()
    }

    pub(crate) fn get(&mut self, at: usize) -> Option<&mut Connection> {
        self.connections.get_mut(at)?.as_mut()
    }

    /// Writes down what `from` says, or is told about itself, once for all who are given it.
    pub(crate) fn say(&mut self, from: usize, write: impl FnOnce(&mut Vec<u8>, &Connection)) -> Option<Said> {
        let connection = self.connections.get(from)?.as_ref()?;
        if !self.batching && self.keep.is_none() {
            self.said.clear();
        }
        self.count += 1;
        let start = self.said.len() as u32;
        write(&mut self.said, connection);
        Some(Said { start, end: self.said.len() as u32 })
    }

    /// Sends it to `to`, or queues it until the end of the turn.
    pub(crate) fn give(&mut self, to: usize, said: Said) {
        let Some(Some(connection)) = self.connections.get_mut(to) else { return };
        if connection.is_leaving {
            return;
        }
        if self.batching {
            if connection.queued.is_empty() {
                self.waiting.push(to);
            }
            connection.queued.push(said);
        } else if self.keep.is_some() {
            self.kept_back.push((to, said));
        } else {
            self.send(to, said);
        }
    }

    fn send(&mut self, to: usize, said: Said) {
        let Some(Some(connection)) = self.connections.get_mut(to) else { return };
        let bytes = &self.said[said.range()];
        let sent = match connection.unsent.is_empty() {
            true => sent(send(&connection.socket, bytes, SendFlags::NOSIGNAL), bytes.len()),
            false => 0,
        };
        if sent < bytes.len() {
            connection.keep(&self.epoll, to, [bytes].into_iter(), sent);
        }
    }

    /// Ends a connection once all that it was given is sent.
    pub(crate) fn end(&mut self, at: usize) {
        if let Some(connection) = self.get(at) {
            connection.is_leaving = true;
            self.leaving.push(at);
        }
    }

    /// Keeps what was said, and sends what is queued: each reader's in one call, if it is batching. That is the end of the
    /// turn.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(keep) = &mut self.keep
            && !self.said.is_empty()
        {
            keep.append(&self.said, self.count)?;
        }
        self.count = 0;
        let mut kept_back = std::mem::take(&mut self.kept_back);
        kept_back.drain(..).for_each(|(to, said)| self.send(to, said));
        self.kept_back = kept_back;
        // Made once a turn and used for all readers.
        let mut pieces: Vec<IoSlice<'_>> = Vec::new();
        for to in self.waiting.drain(..) {
            let Some(Some(connection)) = self.connections.get_mut(to) else { continue };
            pieces.clear();
            pieces.extend(connection.queued.drain(..).map(|said| IoSlice::new(&self.said[said.range()])));
            let length = pieces.iter().map(|piece| piece.len()).sum();
            let sent = match connection.unsent.is_empty() {
                true => sent(writev(&connection.socket, &pieces[..pieces.len().min(PIECES_MAX)]), length),
                false => 0,
            };
            if sent < length {
                connection.keep(&self.epoll, to, pieces.iter().map(|piece| &**piece), sent);
            }
        }
        self.said.clear();
        Ok(())
    }

    /// Sends what the kernel has not taken before.
    pub(crate) fn resume(&mut self, at: usize) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        let length = connection.unsent.len();
        let sent = sent(send(&connection.socket, &connection.unsent, SendFlags::NOSIGNAL), length);
        connection.unsent.drain(..sent);
        if connection.unsent.is_empty() {
            connection.unsent = Vec::new();
            connection.watch(&self.epoll, at, EventFlags::IN);
            if connection.is_leaving {
                self.leaving.push(at);
            }
        }
    }

    /// Somebody who is leaving and whom nothing more is to be sent.
    pub(crate) fn next_left(&mut self) -> Option<usize> {
        while let Some(at) = self.leaving.pop() {
            if self.get(at).is_some_and(|connection| connection.is_leaving && connection.unsent.is_empty()) {
                return Some(at);
            }
        }
        None
    }
}

impl Connection {
    /// Keeps what the kernel hasn't taken, all but the first `sent` bytes, until the socket is writable.
    fn keep<'a>(
        &mut self,
        epoll: &OwnedFd,
        at: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
        mut sent: usize,
    ) {
        if self.unsent.is_empty() {
            self.watch(epoll, at, EventFlags::IN | EventFlags::OUT);
        }
        for piece in pieces {
            let skipped = sent.min(piece.len());
            sent -= skipped;
            self.unsent.extend_from_slice(&piece[skipped..]);
        }
        if self.unsent.len() > UNSENT_BYTES_MAX {
            eprintln!("a reader has left {UNSENT_BYTES_MAX} bytes unread: it is closed");
            (self.unsent, self.is_leaving) = (Vec::new(), true);
            // The next that is read from it is its end.
            let _ = shutdown(&self.socket, Shutdown::Both);
        }
    }

    fn watch(&self, epoll: &OwnedFd, at: usize, what: EventFlags) {
        // It can only fail for want of memory, and then the next read or write tells.
        let _ = epoll::modify(epoll, &self.socket, EventData::new_u64(at as u64), what);
    }
}

/// How many of `length` bytes are done with: all of them if the peer is gone, which reading will tell.
fn sent(outcome: Result<usize, Errno>, length: usize) -> usize {
    match outcome {
        Ok(sent) => sent,
        Err(Errno::AGAIN | Errno::INTR) => 0,
        Err(_) => length,
    }
}
