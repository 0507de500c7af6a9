//! One turn's bytes: what a peer writes until it falls silent.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hub::Now;
use proto::ProtocolError;
use proto::bridge::peer;

/// Gathers a turn. Empty, it owns no memory.
#[derive(Debug)]
pub(super) struct Gather {
    buf: BytesMut,
    pause: Duration,
    bytes_max: usize,
    due: Option<Instant>,
}

impl Gather {
    pub(super) fn new(pause: Duration, bytes_max: usize) -> Self {
        Self { buf: BytesMut::new(), pause, bytes_max, due: None }
    }

    /// Takes what one read gave; gives a turn that is plainly complete.
    pub(super) fn feed(&mut self, now: Now, bytes: &[u8]) -> Result<Option<Bytes>, ProtocolError> {
        if self.buf.len() + bytes.len() > self.bytes_max {
            self.take();
            return Err(ProtocolError::TooLong {
                what: "what was written in one turn",
                limit: self.bytes_max,
            });
        }
        self.buf.extend_from_slice(bytes);
        self.due = Some(now.at + self.pause);
        Ok(if peer::is_complete(&self.buf) { self.take() } else { None })
    }

    /// The turn, if the peer has been silent for long enough.
    pub(super) fn on_timer(&mut self, now: Now) -> Option<Bytes> {
        if self.due.is_some_and(|due| due <= now.at) { self.take() } else { None }
    }

    /// What there is.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        self.due = None;
        let turn = std::mem::take(&mut self.buf);
        (!turn.is_empty()).then(|| turn.freeze())
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.due
    }
}
