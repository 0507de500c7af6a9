//! The loop, and what the commands do.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, accept_with, bind, getsockname, listen, recv,
    socket_with, sockopt,
};

use crate::irc;
use crate::keep::Keep;
use crate::wire::{Connection, Wire};

/// Newcomers that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// What is looked at in a turn.
const EVENTS_MAX: usize = 1024;
/// What is read at once.
const READ_BYTES: usize = 64 * 1024;
/// The longest line; whoever sends a longer one is closed.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// What the listening socket is called in the epoll: no socket has this number.
const LISTENER: u64 = u64::MAX;

/// The whole server.
pub(crate) struct Floor {
    listener: OwnedFd,
    wire: Wire,
    names: HashMap<Box<[u8]>, usize>,
    rooms: HashMap<Box<[u8]>, Vec<usize>>,
}

impl Floor {
    /// Listens on a port of this machine; gives the port, too.
    pub(crate) fn bind(port: u16, batching: bool, keep: Option<Keep>) -> io::Result<(Self, u16)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        // What is accepted inherits it.
        sockopt::set_tcp_nodelay(&listener, true)?;
        bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        listen(&listener, BACKLOG)?;
        let port = SocketAddrV4::try_from(getsockname(&listener)?)?.port();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let wire = Wire::new(epoll, batching, keep);
        Ok((Self { listener, wire, names: HashMap::new(), rooms: HashMap::new() }, port))
    }

    /// Serves for ever, or until the system refuses something.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match epoll::wait(self.wire.epoll(), spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let (data, flags) = (event.data.u64(), event.flags);
                if data == LISTENER {
                    self.accept()?;
                    continue;
                }
                let at = data as usize;
                if flags.contains(EventFlags::OUT) {
                    self.wire.resume(at);
                }
                if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                    self.read(at, &mut buffer);
                }
            }
            self.wire.flush()?;
            while let Some(at) = self.wire.next_left() {
                self.leave(at);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => self.wire.add(socket)?,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    return Err(io::Error::other(format!("a connection can't be accepted: {error}")));
                }
            }
        }
    }

    /// Reads once, and does what the lines say.
    fn read(&mut self, at: usize, buffer: &mut [u8]) {
        let Some(connection) = self.wire.get(at) else { return };
        let read = match recv(&connection.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((read, _)) if read > 0 => read,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Ok(_) | Err(_) => return self.leave(at),
        };
        if connection.begun.is_empty() {
            let rest = self.lines(at, &buffer[..read]);
            self.keep_begun(at, rest.to_vec());
        } else {
            let mut begun = std::mem::take(&mut connection.begun);
            begun.extend_from_slice(&buffer[..read]);
            let rest = self.lines(at, &begun);
            let done = begun.len() - rest.len();
            begun.drain(..done);
            begun.shrink_to_fit();
            self.keep_begun(at, begun);
        }
    }

    fn keep_begun(&mut self, at: usize, begun: Vec<u8>) {
        if begun.len() > LINE_BYTES_MAX {
            eprintln!("a line has more than {LINE_BYTES_MAX} bytes: its sender is closed");
            return self.leave(at);
        }
        if let Some(connection) = self.wire.get(at) {
            connection.begun = begun;
        }
    }

    /// Does what each whole line says; gives what is left.
    fn lines<'a>(&mut self, at: usize, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let line = &bytes[..end];
            self.line(at, line.strip_suffix(b"\r").unwrap_or(line));
            bytes = &bytes[end + 1..];
        }
        bytes
    }

    fn line(&mut self, at: usize, line: &[u8]) {
        let Some(connection) = self.wire.get(at).filter(|connection| !connection.is_leaving) else { return };
        let is_registered = !connection.source.is_empty();
        let (command, rest) = irc::word(line);
        match command {
            b"PRIVMSG" if is_registered => self.message(at, irc::word(rest).0, line),
            b"PING" => {
                let text = ":polylogue.local PONG polylogue.local :{}\r\n";
                self.tell(at, |out, _| irc::write(out, text, &[irc::trailing(rest)]));
            }
            b"JOIN" if is_registered => self.join(at, irc::trailing(rest)),
            b"NICK" if !is_registered => {
                connection.nick = irc::trailing(rest).into();
                self.register(at);
            }
            b"USER" if !is_registered => {
                connection.username = irc::word(rest).0.into();
                self.register(at);
            }
            b"CAP" if irc::word(rest).0 == b"LS" => {
                self.tell(at, |out, _| out.extend_from_slice(b":polylogue.local CAP * LS :\r\n"));
            }
            b"QUIT" => {
                self.tell(at, |out, _| out.extend_from_slice(b"ERROR :Closing link: localhost (Quit)\r\n"));
                self.wire.end(at);
            }
            _ => {}
        }
    }

    fn register(&mut self, at: usize) {
        let Some(connection) = self.wire.get(at) else { return };
        if connection.nick.is_empty() || connection.username.is_empty() {
            return;
        }
        let username = std::mem::take(&mut connection.username);
        let mut source = Vec::new();
        irc::write(&mut source, ":{}!~{}@localhost ", &[&connection.nick, &username]);
        connection.source = source.into();
        self.names.insert(connection.nick.clone(), at);
        self.tell(at, |out, who| irc::write_welcome(out, &who.nick, &who.source));
    }

    /// Only the newcomer is told, once, with a list of names that has nobody else.
    fn join(&mut self, at: usize, room: &[u8]) {
        let Some(connection) = self.wire.get(at) else { return };
        connection.has_joined = true;
        match self.rooms.get_mut(room) {
            Some(members) if members.contains(&at) => return,
            Some(members) => members.push(at),
            None => drop(self.rooms.insert(room.into(), vec![at])),
        }
        self.tell(at, |out, who| {
            let text = "{}JOIN {}\r\n:polylogue.local 353 {} = {} :{}\r\n\
                :polylogue.local 366 {} {} :End of /NAMES list\r\n";
            irc::write(out, text, &[&who.source, room, &who.nick, room, &who.nick, &who.nick, room]);
        });
    }

    /// Written once, given to everybody else in the room, or to somebody.
    fn message(&mut self, from: usize, target: &[u8], line: &[u8]) {
        let said = self.wire.say(from, |out, who| irc::write_message(out, &who.source, line));
        let Some(said) = said else { return };
        if let Some(members) = self.rooms.get(target) {
            for member in members.iter().filter(|member| **member != from) {
                self.wire.give(*member, said);
            }
        } else if let Some(to) = self.names.get(target) {
            self.wire.give(*to, said);
        } else {
            let text = ":polylogue.local 401 {} {} :No such nick/channel\r\n";
            self.tell(from, |out, who| irc::write(out, text, &[&who.nick, target]));
        }
    }

    /// Tells somebody something about itself.
    fn tell(&mut self, to: usize, write: impl FnOnce(&mut Vec<u8>, &Connection)) {
        if let Some(said) = self.wire.say(to, write) {
            self.wire.give(to, said);
        }
    }

    /// Forgets a connection, which closes it.
    fn leave(&mut self, at: usize) {
        let Some(connection) = self.wire.remove(at) else { return };
        if self.names.get(&connection.nick) == Some(&at) {
            self.names.remove(&connection.nick);
        }
        if connection.has_joined {
            self.rooms.retain(|_, members| {
                members.retain(|member| *member != at);
                !members.is_empty()
            });
        }
    }
}
