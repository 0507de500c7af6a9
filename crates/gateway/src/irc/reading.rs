//! How a client's lines are taken out of what it sends: one at a time, when it may be begun.

use std::time::Duration;

use gcra::RateLimit;
use hub::Now;
use proto::ProtocolError;
use proto::irc::server::{LineError, check, split_line};

use super::{Call, IrcSession, State, messages};
use crate::Close;

/// What may wait of a client that sends faster than it may, in bytes.
const BACKLOG_BYTES_MAX: usize = 64 * 1024;
impl IrcSession {
    /// Takes what has come.
    pub(super) fn on_input(&mut self, cx: &mut Call<'_>, bytes: &[u8]) {
        let rest = self.read_in_place(cx, bytes);
        if !rest.is_empty() {
            self.decoder.feed(rest);
        }
        self.read(cx);
    }

    /// Takes whole lines where they stand, while they may be begun and nothing waits before them; what is left.
    fn read_in_place<'b>(&mut self, cx: &mut Call<'_>, mut bytes: &'b [u8]) -> &'b [u8] {
        while self.decoder.is_empty()
            && self.takes_lines(cx)
            && let Some((raw, rest)) = split_line(bytes)
        {
            let line = check(raw);
            if !self.may_begin(&line) {
                break;
            }
            self.charge(cx.now);
            match line {
                Ok(line) => self.on_line(cx, line),
                Err(error) => self.on_bad_line(cx, &String::from_utf8_lossy(raw.trim_ascii_end()), error),
            }
            bytes = rest;
        }
        bytes
    }

    /// Takes lines that wait, for as long as they may be begun.
    pub(super) fn read(&mut self, cx: &mut Call<'_>) {
        while !self.decoder.is_empty() && self.takes_lines(cx) {
            let mut decoder = std::mem::take(&mut self.decoder);
            let taken = match decoder.next_line() {
                None => false,
                Some(line) if self.may_begin(&line) => {
                    self.charge(cx.now);
                    match line {
                        Ok(line) => self.on_line(cx, line),
                        Err(error) => self.on_bad_line(cx, &decoder.lent_lossy(), error),
                    }
                    true
                }
                Some(_) => {
                    decoder.keep_line();
                    false
                }
            };
            self.decoder = decoder;
            if !taken {
                break;
            }
        }
        if self.decoder.backlog() > BACKLOG_BYTES_MAX {
            let error = ProtocolError::TooLong { what: "what waits to be read", limit: BACKLOG_BYTES_MAX };
            self.end(cx, Close::Protocol(error), "Excess flood");
        }
        if self.ended && self.flow.is_idle() && !self.must_wait(cx.now) {
            self.end(cx, Close::ByPeer, "Connection closed");
        }
    }

    /// Whether the client is listened to now.
    fn takes_lines(&self, cx: &Call<'_>) -> bool {
        !matches!(self.state, State::Closed) && cx.out.close.is_none() && !self.must_wait(cx.now)
    }

    /// Whether the client has sent so much that it has to wait.
    fn must_wait(&self, now: Now) -> bool {
        self.resume_at.is_some_and(|at| at > now.at)
    }

    /// Counts a line. Whoever sends too many is read more slowly, and nothing is lost.
    fn charge(&mut self, now: Now) {
        if self.origin.is_loopback() {
            return;
        }
        let limits = &self.settings.irc_lines;
        let period = Duration::from_secs(1).mul_f64(f64::from(limits.burst) / f64::from(limits.per_s.max(1)));
        let limit = RateLimit::new(limits.burst.max(1), period);
        self.resume_at = match self.spent.check_and_modify_at(&limit, now.at, 1) {
            Ok(()) => None,
            Err(_) => Some(now.at + Duration::from_secs(1).div_f64(f64::from(limits.per_s.max(1)))),
        };
    }

    fn may_begin(&self, line: &Result<&str, LineError>) -> bool {
        self.flow.is_idle() || self.flow.admits(line.is_ok_and(messages::is_plain))
    }
}
