//! Time as an argument.

use std::time::{Duration, Instant};

/// The moment of a call, given by whoever drives the hub: nothing in the pure crates asks a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and intervals.
    pub at: Instant,
    /// For people and for event ids: milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
}

impl Now {
    /// The moment `by` later, on both clocks.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self { at: self.at + by, unix_ms: self.unix_ms.saturating_add(ms) }
    }
}
