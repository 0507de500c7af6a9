//! News for a reactor from the others, and from itself.
//!
//! What the hub asks to be done is posted here while the hub is still locked, so that every reactor finds the
//! news in the hub's order. A reactor's own news take the same way: if they took a shorter one, they could
//! overtake those of others.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hub::{Audience, CallId, Reply, SessionId, Shared};
use mio::net::TcpStream;

use crate::drain::TurnedAway;

/// Something for a reactor to do.
#[derive(Debug)]
pub(crate) enum News {
    /// Hand an event to those of the sessions that are the reactor's own.
    Deliver { to: Audience, event: Shared },
    /// Hand an answer to a session.
    Reply { to: SessionId, reply: Reply },
    /// Connect to a waiting bridge client.
    Ring { call: CallId, address: SocketAddrV4 },
    /// Look after a new connection.
    Newcomer(Newcomer),
}

/// A connection that was just accepted.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    /// The protocol of the listener that it came to, if pinned.
    pub(crate) pinned: Option<hub::Dialect>,
    /// It isn't taken, and only told so.
    pub(crate) turned_away: Option<TurnedAway>,
}

/// How many news may wait for a reactor before the others stop reading until it has caught up.
const NEWS_MAX: usize = 4096;

/// One reactor's news.
#[derive(Debug)]
pub(crate) struct Inbox {
    news: Mutex<Vec<News>>,
    /// How many news there were when somebody last posted some.
    waiting: AtomicUsize,
    signalled: AtomicBool,
    waker: mio::Waker,
}

impl Inbox {
    pub(crate) fn new(waker: mio::Waker) -> Self {
        Self {
            news: Mutex::default(),
            waiting: AtomicUsize::new(0),
            signalled: AtomicBool::new(false),
            waker,
        }
    }

    /// Whether more waits here than a reactor that keeps up ever has: then the others take in less.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > NEWS_MAX
    }

    /// For posting. Whoever posts calls [`Inbox::wake`] afterwards, unless it is the reactor itself.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the reactor, once for all that was posted since it last looked.
    pub(crate) fn wake(&self) {
        self.waiting.store(self.lock().len(), Ordering::Relaxed);
        if !self.signalled.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            // The kernel's counter is full or gone: the reactor is awake or dead.
            tracing::error!(%error, "can't wake a reactor");
        }
    }

    /// Swaps the news with an empty list, so that both lists keep their storage.
    pub(crate) fn take(&self, empty: &mut Vec<News>) {
        // First this, then the list: whoever posts in between wakes once too often and not once too few.
        self.signalled.store(false, Ordering::Release);
        self.waiting.store(0, Ordering::Relaxed);
        std::mem::swap(&mut *self.lock(), empty);
    }
}

/// Makes a reactor's poll and its inbox.
///
/// # Errors
/// If the kernel has no more descriptors.
pub(crate) fn poll_and_inbox(token: mio::Token) -> io::Result<(mio::Poll, Inbox)> {
    let poll = mio::Poll::new()?;
    let waker = mio::Waker::new(poll.registry(), token)?;
    Ok((poll, Inbox::new(waker)))
}
