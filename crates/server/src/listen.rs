//! The listening sockets: binding them, and taking in newcomers within the limits.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hub::Dialect;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Listener;
use crate::admin::AdminError;
use crate::inbox::Newcomer;
use crate::shared::Shared;
use crate::tls::TlsError;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long accepting rests when the kernel has no more to give.
const REST: Duration = Duration::from_millis(100);
/// How many newcomers above the limit are let in to be told so.
const TURNED_AWAY_MAX: usize = 64;

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A port that can't be had.
    #[error("{}", .0)]
    Port(PortError),
    /// No listener was given, or none of the optional ones could be had.
    #[error("nothing to listen on\n  give at least one address with --listen ADDR[=PROTOCOL]")]
    NoListener,
    /// A certificate or a key that can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The hub can't be made of its configuration.
    #[error("the hub's configuration: {0}")]
    Hub(#[from] hub::Refusal),
    /// The socket for orders can't be had.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Nothing can be kept.
    #[error("nothing can be kept: {0}")]
    Store(#[from] store::StoreError),
    /// The kernel gives no more descriptors or threads.
    #[error("can't prepare the server: {0}")]
    Kernel(#[from] io::Error),
}

/// A port that can't be had.
#[derive(Debug)]
pub struct PortError {
    /// What was wanted.
    pub listener: Listener,
    /// Why not.
    pub error: io::Error,
}

impl std::fmt::Display for PortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Listener { addr, dialect, .. } = self.listener;
        let wanted_by = dialect.map_or("all protocols", Dialect::as_str);
        write!(f, "can't listen on {addr}, wanted for {wanted_by}: {}", self.error)
    }
}

/// Binds one listener.
pub(crate) fn bind(listener: Listener) -> Result<(TcpListener, SocketAddr), PortError> {
    open(listener.addr).map_err(|error| PortError { listener, error })
}

fn open(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A server that was just stopped can be started again.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Accepted sockets take these over, which saves two system calls for each. Messages are to leave at once,
    // each in a segment of its own: half of the clients take one read for one message.
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into());
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// The listeners, in the reactor that accepts.
#[derive(Debug)]
pub(crate) struct Door {
    listeners: Vec<(TcpListener, Option<Dialect>)>,
    /// Listeners where somebody waits.
    waiting: VecDeque<usize>,
    /// No accepting before this moment.
    rests_until: Option<Instant>,
    /// A descriptor to give up when there are no others, to take in a newcomer with and hang up: or else it
    /// would wait for ever, and the listener would be ready for ever.
    spare: Option<File>,
    complaints: Complaints,
}

impl Door {
    pub(crate) fn new(listeners: Vec<(TcpListener, Option<Dialect>)>) -> Self {
        Self {
            listeners,
            waiting: VecDeque::new(),
            rests_until: None,
            spare: spare(),
            complaints: Complaints::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.listeners.len()
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: impl Fn(usize) -> Token) -> io::Result<()> {
        for (index, (listener, _)) in self.listeners.iter_mut().enumerate() {
            registry.register(listener, token(index), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Somebody waits at this listener.
    pub(crate) fn knock(&mut self, index: usize) {
        if !self.waiting.contains(&index) {
            self.waiting.push_back(index);
        }
    }

    /// When [`Door::accept`] wants to be called next.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.rests_until.unwrap_or_else(Instant::now))
    }

    /// Takes in one of those who wait, or turns one away; the listeners take turns. Whether there was anybody.
    pub(crate) fn accept(&mut self, now: Instant, shared: &Shared, take: impl FnOnce(Newcomer)) -> bool {
        if self.rests_until.is_some_and(|until| until > now) {
            return false;
        }
        self.rests_until = None;
        while let Some(index) = self.waiting.pop_front() {
            let Some((listener, pinned)) = self.listeners.get(index) else { continue };
            match listener.accept() {
                Ok((socket, peer)) => match shared.admit(peer.ip(), TURNED_AWAY_MAX) {
                    Ok(()) => {
                        let turned_away = shared.turns_away(peer.ip());
                        if let Some(why) = &turned_away {
                            self.complaints.refuse(now, shared, why.word());
                        }
                        shared.metrics.accepted();
                        take(Newcomer { socket, peer, pinned: *pinned, turned_away });
                    }
                    Err(what) => self.complaints.refuse(now, shared, what),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) if is_exhaustion(&error) => match self.hang_up_on_one(index) {
                    Ok(()) => self.complaints.refuse(now, shared, "open_files"),
                    // The kernel looks for a descriptor first, and then whether there is anybody.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => {
                        self.complaints.make_wait(now, &error);
                        self.rests_until = Some(now + REST);
                        self.waiting.push_front(index);
                        return false;
                    }
                },
                // The newcomer has gone already; the next one may be there.
                Err(error) => tracing::debug!(%error, "accept"),
            }
            self.waiting.push_back(index);
            return true;
        }
        false
    }

    /// Gives up the spare descriptor for as long as it takes to hang up on one newcomer.
    fn hang_up_on_one(&mut self, index: usize) -> io::Result<()> {
        let Some((listener, _)) = self.listeners.get(index) else { return Ok(()) };
        drop(self.spare.take());
        let accepted = listener.accept().map(drop);
        self.spare = spare();
        accepted
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Whether the process or the system has no more descriptors or memory.
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    exhausted.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Counts every newcomer that isn't taken, and logs it at most once a second: a flood must not flood the log.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    since: u64,
}

impl Complaints {
    fn refuse(&mut self, now: Instant, shared: &Shared, what: &'static str) {
        shared.metrics.refused(what);
        self.since += 1;
        if self.may_log(now) {
            tracing::warn!(limit = what, newcomers = self.since, "newcomers are turned away");
            self.since = 0;
        }
    }

    /// Nobody is turned away, but nobody can be taken either.
    fn make_wait(&mut self, now: Instant, error: &io::Error) {
        if self.may_log(now) {
            tracing::warn!(%error, "newcomers have to wait");
        }
    }

    fn may_log(&mut self, now: Instant) -> bool {
        let may = self.last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1));
        if may {
            self.last = Some(now);
        }
        may
    }
}
