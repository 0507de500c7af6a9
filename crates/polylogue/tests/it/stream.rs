//! What a process or a peer writes, read as it comes and waited for.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that has to come. Long, for machines that are busy: it is only waited for in full
/// when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes from somewhere, in order.
pub(crate) struct Stream {
    name: String,
    chunks: Receiver<Vec<u8>>,
    unread: String,
    pending: Vec<u8>,
    seen: String,
    ended: bool,
}

impl Stream {
    /// Reads `source` from now on. `name` is for failures.
    pub(crate) fn new(name: impl Into<String>, mut source: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A pseudo-terminal whose program has ended gives an error instead of the end.
            while let Ok(length @ 1..) = source.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let (unread, pending, seen) = (String::new(), Vec::new(), String::new());
        Self { name: name.into(), chunks, unread, pending, seen, ended: false }
    }

    /// Waits until `wanted` comes, and reads up to its end. What stood before it is returned.
    ///
    /// # Panics
    /// If it doesn't come.
    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.unread.find(wanted) {
                let rest = self.unread.split_off(at + wanted.len());
                let mut before = std::mem::replace(&mut self.unread, rest);
                before.truncate(at);
                return before;
            }
            assert!(
                self.fill(deadline),
                "{}: {wanted:?} didn't come{}; everything that came:\n{}",
                self.name,
                if self.ended { " before the end" } else { "" },
                self.seen
            );
        }
    }

    /// Reads one line, without its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.expect("\n").trim_end_matches('\r').to_owned()
    }

    /// Waits for the end; what was still unread is returned.
    ///
    /// # Panics
    /// If it doesn't come.
    #[track_caller]
    pub(crate) fn end(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while self.fill(deadline) {}
        assert!(self.ended, "{}: it didn't end; everything that came:\n{}", self.name, self.seen);
        std::mem::take(&mut self.unread)
    }

    /// Everything that has come so far, read or not.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    fn fill(&mut self, deadline: Instant) -> bool {
        match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(chunk) => {
                self.pending.extend(chunk);
                let whole = match std::str::from_utf8(&self.pending) {
                    Ok(text) => text.len(),
                    // A character that is cut in two waits for its other half; what is no text is shown as such.
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    Err(_) => self.pending.len(),
                };
                let text: Vec<u8> = self.pending.drain(..whole).collect();
                let text = String::from_utf8_lossy(&text);
                self.unread.push_str(&text);
                self.seen.push_str(&text);
                true
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.ended = true;
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
        }
    }
}
