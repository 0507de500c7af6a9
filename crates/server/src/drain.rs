//! Why newcomers aren't taken, and a server that waits for everybody to leave.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway::Close;
use hub::Refusal;

use crate::shared::Shared;

/// How often it is looked whether everybody has left.
const ROUND: Duration = Duration::from_millis(100);

/// Why a newcomer isn't taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// There are as many connections as there may be.
    Full,
    /// The server waits for everybody to leave.
    Draining,
    /// Nobody may come from there, and why.
    Banned(Arc<str>),
}

impl TurnedAway {
    /// A word for logs and metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Full => "connections",
            Self::Draining => "draining",
            Self::Banned(_) => "banned",
        }
    }

    /// Why the connection ends.
    pub(crate) fn close(&self) -> Close {
        match self {
            Self::Full => Close::Refused(Refusal::ServerFull { what: "connections" }),
            Self::Draining => Close::Shutdown,
            Self::Banned(_) => Close::Banned,
        }
    }
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("The server is full"),
            Self::Draining => f.write_str("Server going down"),
            Self::Banned(reason) if reason.is_empty() => f.write_str("Banned"),
            Self::Banned(reason) => write!(f, "Banned: {reason}"),
        }
    }
}

/// Whether the server waits for everybody to leave, and until when.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Tells one order from the next.
    order: u64,
    until: Option<Until>,
}

/// When a server ends that still has somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Until {
    at: Instant,
    /// The same in milliseconds since 1970.
    pub(crate) unix_ms: u64,
}

impl Drain {
    /// Whether newcomers are turned away.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Until when it is waited, if it is.
    pub(crate) fn until(&self) -> Option<Until> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).until
    }

    /// From now on it is waited that long, or no longer; the number of the order, and whether it was waited before.
    fn set(&self, until: Option<Until>) -> (u64, bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.order += 1;
        self.on.store(until.is_some(), Ordering::Relaxed);
        (state.order, std::mem::replace(&mut state.until, until).is_some())
    }

    /// The moment of an order that still holds.
    fn ordered(&self, order: u64) -> Option<Until> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.filter(|_| state.order == order)
    }
}

/// Takes no newcomers any more, and ends the server when everybody has left or the time is over. Called within the
/// web service's runtime.
pub(crate) fn begin(shared: &Arc<Shared>, patience: Duration) -> Until {
    let now = shared.clock.now();
    let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    let until = Until { at: now.at + patience, unix_ms: now.unix_ms.saturating_add(patience_ms) };
    let (order, _) = shared.drain.set(Some(until));
    let shared = shared.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(ROUND).await;
            let Some(until) = shared.drain.ordered(order) else { return };
            let sessions = shared.hub().session_count();
            if sessions == 0 || until.at <= Instant::now() {
                tracing::info!(sessions, "drained: ending");
                return shared.stop();
            }
        }
    });
    until
}

/// Takes newcomers again; whether it was waited for everybody to leave.
pub(crate) fn cancel(shared: &Shared) -> bool {
    shared.drain.set(None).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_order_holds() {
        let drain = Drain::default();
        let until = Until { at: Instant::now(), unix_ms: 1 };
        let (first, before) = drain.set(Some(until));
        assert!(!before && drain.is_on());
        let (second, before) = drain.set(Some(until));
        assert!(before && drain.ordered(first).is_none() && drain.ordered(second).is_some());
        assert!(drain.set(None).1);
        assert!(!drain.is_on() && drain.until().is_none() && drain.ordered(second).is_none());
    }
}
