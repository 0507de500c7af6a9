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
        let header = self.websocket.as_ref().map(|websocket| websocket.header(message.len()));
        self.push(header, message, turn);
    }

    /// Queues bytes as they are.
    pub(crate) fn push(&mut self, header: Option<Header>, bytes: Bytes, turn: &mut Turn) {
        if self.gone {
            return;
        }
        let before = self.waiting();
        if let Some(header) = header {
            self.queue.push_header(header, &mut turn.spare);
        }
        self.queue.push(bytes, &mut turn.spare);
        self.count_queued(before, turn);
        self.mark(turn);
        if self.is_over_limit(turn) {
            self.relieve(turn);
        }
    }

    /// More waits than may: writes early, and if the peer doesn't take it, gives it up.
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
        if !matches!(self.stage, Stage::Closing) || self.waiting() > 0 || self.gone {
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

    fn write(&mut self, turn: &mut Turn) {
        let before = self.waiting();
        if self.blocked || before == 0 || matches!(self.stage, Stage::Dialing(_)) {
            return;
        }
        let queued = self.queue.bytes();
        let result = self.write_out(turn);
        let written = match &self.tls {
            None => queued - self.queue.bytes(),
            Some(_) => std::mem::take(&mut turn.scratch.sent),
        };
        turn.tally.bytes_out += written as u64;
        self.count_queued(before, turn);
        match result {
            Ok(blocked) => self.blocked = blocked,
            Err(_) => self.lost(turn),
        }
    }

    /// Writes until all is written or the socket takes no more; whether it takes no more.
    fn write_out(&mut self, turn: &mut Turn) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            let ends = matches!(self.stage, Stage::Closing);
            let mut socket = if ends { Plain::ending(&self.socket) } else { Plain::new(&self.socket) };
            return self.queue.write_to(&mut socket, &mut turn.spare);
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
