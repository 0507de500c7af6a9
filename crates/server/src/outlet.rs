//! What goes out on a connection: queued while a turn lasts, written once at its end, encrypted if it is to be.

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;

use bytes::Bytes;
use gateway::Close;

use crate::conn::{Conn, Stage};
use crate::plain::Plain;
use crate::queue::Header;
use crate::turn::Turn;

impl Conn {
    /// Queues a session's message.
    pub(crate) fn push_message(&mut self, message: Bytes, turn: &mut Turn) {
        match self.websocket.as_ref().map(|websocket| websocket.header(message.len())) {
            Some(header) => self.push_frame(header, message, turn),
            None => self.push(message, turn),
        }
    }

    /// Sends bytes at once if nothing is before them; else they are still to be queued. What the socket doesn't take of them
    /// waits.
    pub(crate) fn send_at_once(&mut self, bytes: &Bytes, turn: &mut Turn) -> bool {
        let is_ready = self.queue.is_empty() && !self.blocked && !self.gone && self.tls.is_none();
        if !is_ready || !matches!(self.stage, Stage::Session(_)) {
            return false;
        }
        // What goes wrong goes wrong again when the turn flushes, and is seen to there.
        let Ok(sent) = Plain::new(&self.socket).write(bytes) else { return false };
        turn.tally.bytes_out += sent as u64;
        if sent < bytes.len() {
            self.blocked = true;
            self.push(bytes.slice(sent..), turn);
        }
        true
    }

    /// Queues bytes as they are.
    #[inline]
    pub(crate) fn push(&mut self, bytes: Bytes, turn: &mut Turn) {
        if !self.gone {
            let before = self.queue.bytes();
            self.queue.push(bytes, &mut turn.spare);
            self.on_queued(before, turn);
        }
    }

    /// Queues a frame of a WebSocket.
    pub(crate) fn push_frame(&mut self, header: Header, payload: Bytes, turn: &mut Turn) {
        if !self.gone {
            let before = self.queue.bytes();
            self.queue.push_header(header, &mut turn.spare);
            self.queue.push(payload, &mut turn.spare);
            self.on_queued(before, turn);
        }
    }

    /// Something was queued behind `before` bytes.
    #[inline]
    fn on_queued(&mut self, before: usize, turn: &mut Turn) {
        turn.tally.queued += (self.queue.bytes() - before) as i64;
        self.mark(turn);
        if self.is_over_limit(turn) {
            self.relieve(turn);
        }
    }

    /// More waits than may: writes early, and if the peer doesn't take it, gives it up.
    #[cold]
    fn relieve(&mut self, turn: &mut Turn) {
        self.write(turn);
        if self.is_over_limit(turn) {
            let queued = self.waiting();
            self.close(&Close::SlowReader { queued }, turn);
            self.drop_now(turn);
        }
    }

    fn is_over_limit(&self, turn: &Turn) -> bool {
        self.queue.cost() + self.unsent() > turn.shared.limits.queue_bytes_max
    }

    /// How many bytes the kernel hasn't taken.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.bytes() + self.unsent()
    }

    fn unsent(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.unsent())
    }

    /// Something was queued or written since [`Conn::waiting`] was `before`.
    pub(crate) fn count_queued(&self, before: usize, turn: &mut Turn) {
        turn.tally.queued += self.waiting() as i64 - before as i64;
    }

    /// Throws away what waits.
    fn forget_queued(&mut self, turn: &mut Turn) {
        let before = self.waiting();
        self.queue.clear();
        if let Some(tls) = &mut self.tls {
            tls.clear();
        }
        self.count_queued(before, turn);
    }

    /// Ends it without another word.
    pub(crate) fn drop_now(&mut self, turn: &mut Turn) {
        self.forget_queued(turn);
        self.gone = true;
        self.mark(turn);
    }

    /// Writes what waits, and sees a closing connection to its end.
    pub(crate) fn flush(&mut self, turn: &mut Turn) {
        self.marked = false;
        self.write(turn);
        if matches!(self.stage, Stage::Closing) {
            self.finish(turn);
        }
    }

    /// Ends a closing connection when all is written.
    #[cold]
    fn finish(&mut self, turn: &mut Turn) {
        if self.waiting() > 0 || self.gone {
            return;
        }
        self.say_goodbye(turn);
        if self.waiting() > 0 || self.gone {
            return;
        }
        if self.read_closed {
            self.gone = true;
        } else if !self.write_closed {
            // Closing at once would throw away our last answer if the peer has said something that we haven't
            // read: the kernel then answers with a reset. So only our side is shut, until the peer's is too.
            self.write_closed = true;
            self.gone = self.socket.shutdown(Shutdown::Write).is_err();
        }
    }

    /// Over TLS the end has to be said, or the peer can't tell it from somebody's cutting the line.
    fn say_goodbye(&mut self, turn: &mut Turn) {
        let before = self.waiting();
        if self.tls.as_mut().is_some_and(|tls| tls.say_goodbye()) {
            self.count_queued(before, turn);
            self.write(turn);
        }
    }

    /// Writes until all is written or the socket takes no more.
    fn write(&mut self, turn: &mut Turn) {
        if self.blocked {
            return;
        }
        match if self.tls.is_some() { self.write_encrypted(turn) } else { self.write_plain(turn) } {
            Ok(blocked) => self.blocked = blocked,
            Err(_) => self.lost(turn),
        }
    }

    /// Writes as it is; whether the socket takes no more.
    fn write_plain(&mut self, turn: &mut Turn) -> io::Result<bool> {
        let before = self.queue.bytes();
        let ends = matches!(self.stage, Stage::Closing);
        let mut socket = if ends { Plain::ending(&self.socket) } else { Plain::new(&self.socket) };
        let result = self.queue.write_to(&mut socket, &mut turn.spare);
        let written = before - self.queue.bytes();
        turn.tally.bytes_out += written as u64;
        turn.tally.queued -= written as i64;
        result
    }

    /// Writes as TLS has it; whether the socket takes no more.
    #[inline(never)]
    fn write_encrypted(&mut self, turn: &mut Turn) -> io::Result<bool> {
        let before = self.waiting();
        let result = self.write_records(turn);
        turn.tally.bytes_out += std::mem::take(&mut turn.scratch.sent) as u64;
        self.count_queued(before, turn);
        result
    }

    fn write_records(&mut self, turn: &mut Turn) -> io::Result<bool> {
        let Some(tls) = self.tls.as_mut().filter(|tls| tls.unsent() > 0 || !self.queue.is_empty()) else {
            return Ok(false);
        };
        let mut writer = tls.writer(&mut self.socket, &mut turn.scratch);
        if !self.queue.is_empty() && self.queue.write_to(&mut writer, &mut turn.spare)? {
            return Ok(true);
        }
        match writer.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
            flushed => flushed.map(|()| false),
        }
    }

    /// The socket takes more.
    pub(crate) fn on_writable(&mut self, turn: &mut Turn) {
        self.blocked = false;
        if self.waiting() > 0 {
            self.mark(turn);
        }
    }
}
