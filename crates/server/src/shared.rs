//! What the reactors share: the hub, the inboxes, the counters.
//!
//! The hub is locked for as long as it takes to apply a turn's commands and to post what they ask to be done;
//! never while anything is written.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gateway::Settings;
use hub::{
    CallId, Command, Credentials, Dialect, Effect, Hub, Kept, Now, Origin, Purpose, Reply, ServerBan,
    SessionId,
};
use rustc_hash::FxHashMap;
use store::Reader;

use crate::bans::Bans;
use crate::drain::Drain;
use crate::http::Web;
use crate::inbox::{Inbox, Newcomer, News};
use crate::journal::{After, Journal};
use crate::keeper;
use crate::metrics::{Metrics, Snapshot};
use crate::tls::Acceptor;
use crate::verify::{Verifier, Work};
use crate::{Limits, Reload};

/// As many reactors as a `u64` has bits, because a set of them is one.
pub(crate) const REACTORS_MAX: usize = 64;

/// What the reactors share.
#[derive(Debug)]
pub(crate) struct Shared {
    hub: Mutex<Hub>,
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) web: Web,
    pub(crate) tls: Acceptor,
    /// Where the server listens, with the pinned protocol.
    pub(crate) listening: Vec<(SocketAddr, Option<Dialect>)>,
    /// The room for those who name none.
    pub(crate) lobby: String,
    connections: AtomicUsize,
    /// Connections of each reactor.
    loads: Vec<AtomicUsize>,
    per_address: Mutex<FxHashMap<IpAddr, usize>>,
    pub(crate) verifier: Verifier,
    pub(crate) journal: Journal,
    /// The folder that things are kept in, if they are.
    pub(crate) folder: Option<PathBuf>,
    /// For what takes long: one at a time.
    pub(crate) spare_reader: Mutex<Option<Reader>>,
    pub(crate) bans: Bans,
    pub(crate) drain: Drain,
    /// Has the configuration read again, elsewhere.
    reload: Reload,
    stopping: AtomicBool,
    /// When the hub wants to be woken, in nanoseconds of [`Clock`]; `u64::MAX`: never.
    hub_wake_ns: AtomicU64,
}

/// What an earlier run of the server has left.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Where it is kept, if anything is.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) bans: Vec<ServerBan>,
    pub(crate) reader: Option<Reader>,
}

/// Something to tell the hub.
#[derive(Debug)]
pub(crate) enum Ask {
    Open { session: SessionId, origin: Origin },
    Command { session: SessionId, command: Command },
    Close { session: SessionId },
    Answered { session: SessionId, call: CallId },
    Unanswered { call: CallId },
}

impl Shared {
    pub(crate) fn new(
        (hub, past): (Hub, Past),
        inboxes: Vec<Inbox>,
        mut settings: Settings,
        limits: Limits,
        listening: Vec<(SocketAddr, Option<Dialect>)>,
        (web, reload): (Web, Reload),
        tls: Acceptor,
    ) -> Self {
        let lobby = hub.config().lobby.clone();
        let clock = Clock::new();
        settings.started_ms = clock.now().unix_ms;
        Self {
            hub: Mutex::new(hub),
            loads: inboxes.iter().map(|_| AtomicUsize::new(0)).collect(),
            inboxes,
            settings: Arc::new(settings),
            limits,
            metrics: Metrics::default(),
            clock,
            web,
            tls,
            listening,
            lobby,
            connections: AtomicUsize::new(0),
            per_address: Mutex::default(),
            verifier: Verifier::default(),
            journal: Journal::default(),
            folder: past.folder,
            spare_reader: Mutex::new(past.reader),
            bans: Bans::new(past.bans),
            drain: Drain::default(),
            reload,
            stopping: AtomicBool::new(false),
            hub_wake_ns: AtomicU64::new(u64::MAX),
        }
    }

    /// For reading. A turn's commands go through [`Shared::apply`].
    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the hub everything that `shard` has for it, and posts what it asks to be done. `fx` is storage.
    pub(crate) fn apply(&self, shard: u8, now: Now, asks: &mut Vec<Ask>, fx: &mut Vec<Effect>) {
        if asks.is_empty() {
            return;
        }
        self.on_reactor(shard, fx, |hub, fx| {
            for ask in asks.drain(..) {
                match ask {
                    Ask::Open { session, origin } => hub.open(session, origin),
                    Ask::Command { session, command } => hub.apply(now, session, command, fx),
                    Ask::Close { session } => hub.close(now, session, fx),
                    Ask::Answered { session, call } => hub.answered(now, call, session, fx),
                    Ask::Unanswered { call } => hub.unanswered(now, call, fx),
                }
            }
        });
    }

    /// Lets the hub do what has become due.
    pub(crate) fn on_hub_timer(&self, shard: u8, now: Now, fx: &mut Vec<Effect>) {
        if self.hub_wake_at().is_some_and(|at| at <= now.at) {
            self.on_reactor(shard, fx, |hub, fx| hub.on_timer(now, fx));
        }
    }

    /// A reactor calls the hub; what is to be kept it may keep itself.
    fn on_reactor(&self, shard: u8, fx: &mut Vec<Effect>, act: impl FnOnce(&mut Hub, &mut Vec<Effect>)) {
        if let ((), true) = self.call_hub(shard, fx, None, act) {
            keeper::keep_at_once(self, shard);
        }
    }

    /// A password has been checked.
    pub(crate) fn verified(&self, session: SessionId, whose: (Purpose, &str), right: bool) {
        let now = self.clock.now();
        // As if a reactor had done it, but that one has to be woken too.
        self.with_hub(0, &mut Vec::new(), |hub, fx| hub.verified(now, session, whose, right, fx));
        self.inboxes[0].wake();
    }

    /// What is to be kept of a password is made.
    pub(crate) fn derived(&self, session: SessionId, credentials: Credentials) {
        let now = self.clock.now();
        self.with_hub(0, &mut Vec::new(), |hub, fx| hub.derived(now, session, credentials, fx));
        self.inboxes[0].wake();
    }

    /// When the hub wants to be woken.
    pub(crate) fn hub_wake_at(&self) -> Option<Instant> {
        match self.hub_wake_ns.load(Ordering::Acquire) {
            u64::MAX => None,
            ns => Some(self.clock.start + Duration::from_nanos(ns)),
        }
    }

    fn with_hub(&self, shard: u8, fx: &mut Vec<Effect>, act: impl FnOnce(&mut Hub, &mut Vec<Effect>)) {
        self.with_hub_and_after(shard, fx, None, act);
    }

    pub(crate) fn with_hub_and_after<T>(
        &self,
        shard: u8,
        fx: &mut Vec<Effect>,
        after: Option<After>,
        act: impl FnOnce(&mut Hub, &mut Vec<Effect>) -> T,
    ) -> T {
        let (done, waits) = self.call_hub(shard, fx, after, act);
        if waits {
            self.journal.notify();
        }
        done
    }

    /// Calls the hub, and posts what it asks to be done, unless that has to wait in the journal: then the second result
    /// is true, and the journal has to be seen to.
    fn call_hub<T>(
        &self,
        shard: u8,
        fx: &mut Vec<Effect>,
        after: Option<After>,
        act: impl FnOnce(&mut Hub, &mut Vec<Effect>) -> T,
    ) -> (T, bool) {
        let mut hub = self.hub();
        let done = act(&mut hub, fx);
        let waits = hub.config().keeps && self.journal.take(shard, fx, after);
        let mut touched = if waits { 0 } else { self.post(shard, fx) };
        let wake_ns = hub.wake_at().map_or(u64::MAX, |at| {
            u64::try_from(at.saturating_duration_since(self.clock.start).as_nanos()).unwrap_or(u64::MAX)
        });
        let before = self.hub_wake_ns.swap(wake_ns, Ordering::AcqRel);
        drop(hub);
        // The first reactor keeps the hub's time.
        if wake_ns < before {
            touched |= 1;
        }
        touched &= !(1 << shard);
        for other in bits(touched) {
            self.inboxes[other].wake();
        }
        (done, waits)
    }

    /// Posts what has waited for something to be kept. `by` is the reactor that does it: it need not be woken.
    pub(crate) fn post_kept(&self, shard: u8, by: Option<u8>, fx: &mut Vec<Effect>) {
        for reactor in bits(self.post(shard, fx)).filter(|reactor| by.map(usize::from) != Some(*reactor)) {
            self.inboxes[reactor].wake();
        }
    }

    /// Answers a session.
    pub(crate) fn reply(&self, to: SessionId, reply: Reply) {
        if let Some(inbox) = self.inboxes.get(usize::from(to.shard())) {
            inbox.lock().push(News::Reply { to, reply });
            inbox.wake();
        }
    }

    /// Tells those who run the server something.
    pub(crate) fn alert_operators(&self, text: &str) {
        let now = self.clock.now();
        self.with_hub(0, &mut Vec::new(), |hub, fx| hub.alert(now, text, fx));
        self.inboxes[0].wake();
    }

    /// Whether another reactor than `shard` is behind with its news. Whoever takes in more for it meanwhile only
    /// makes it worse, and what waits would grow without bound.
    pub(crate) fn others_are_behind(&self, shard: u8) -> bool {
        let others = self.inboxes.iter().enumerate().filter(|(other, _)| *other != usize::from(shard));
        self.journal.is_behind() || others.map(|(_, inbox)| inbox).any(Inbox::is_behind)
    }

    /// Posts effects to the reactors concerned: which ones, as bits. Called with the hub locked: that gives all
    /// reactors the same order.
    fn post(&self, shard: u8, fx: &mut Vec<Effect>) -> u64 {
        if fx.is_empty() {
            return 0;
        }
        let mut touched = 0;
        // Most news are for the reactor itself, and with one reactor all are. Nobody holds one inbox and waits
        // for another but under the hub's lock.
        let mut own = self.inboxes[usize::from(shard)].lock();
        let is_alone = self.inboxes.len() == 1;
        for effect in fx.drain(..) {
            let news = match effect {
                Effect::Deliver { to, event } | Effect::Keep(Kept::Event { event, .. }, Some(to)) => {
                    News::Deliver { to, event }
                }
                Effect::Reply { to, reply } => News::Reply { to, reply },
                Effect::Ring { call, address } => News::Ring { call, address },
                Effect::Keep(..) | Effect::Recall { .. } => continue,
                Effect::Verify { session, purpose, name, hash, password } => {
                    self.verifier.push(Work::Check { session, purpose, name, hash, password });
                    continue;
                }
                Effect::Derive { session, password } => {
                    self.verifier.push(Work::Derive { session, password });
                    continue;
                }
                Effect::Reload => {
                    self.reload.call();
                    continue;
                }
            };
            if is_alone {
                touched = 1;
                own.push(news);
                continue;
            }
            let reactors = self.concerned(shard, &news);
            touched |= reactors;
            for other in bits(reactors & !(1 << shard)) {
                self.inboxes[other].lock().extend(copy(&news));
            }
            if reactors & (1 << shard) != 0 {
                own.push(news);
            }
        }
        touched
    }

    /// The reactors that news are for.
    fn concerned(&self, shard: u8, news: &News) -> u64 {
        let all = u64::MAX >> (REACTORS_MAX - self.inboxes.len());
        match news {
            News::Deliver { to, event } => {
                // Whoever is told what became of it, too.
                let mut reactors = event.answer().map_or(0, |(session, ..)| (1 << session.shard()) & all);
                for session in to.sessions() {
                    reactors |= (1 << session.shard()) & all;
                    if reactors == all {
                        break;
                    }
                }
                reactors
            }
            News::Reply { to, .. } => (1 << to.shard()) & all,
            News::Ring { .. } | News::Newcomer(_) => 1 << shard,
        }
    }

    /// What the server tells a bridge client as its own contact: the address that the client is reached from, and
    /// the port where bridge is spoken, so that calling back leads somewhere.
    pub(crate) fn contact_for_bridge(&self, local: io::Result<SocketAddr>) -> SocketAddrV4 {
        let local = local.unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let speaks_bridge = |wanted| self.listening.iter().find(|(_, dialect)| *dialect == wanted);
        let door = speaks_bridge(Some(Dialect::Bridge)).or_else(|| speaks_bridge(None));
        let ip = match local.ip().to_canonical() {
            IpAddr::V4(ip) => ip,
            // Only IPv4 is ever dialled.
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        SocketAddrV4::new(ip, door.map_or(local.port(), |(addr, _)| addr.port()))
    }

    /// Counts a newcomer, unless there are too many: then says of what.
    pub(crate) fn admit(&self, address: IpAddr, reserve: usize) -> Result<(), &'static str> {
        let total = self.connections.fetch_add(1, Ordering::Relaxed);
        if total >= self.limits.connections_max.saturating_add(reserve) {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err("connections");
        }
        let address = address.to_canonical();
        if !address.is_loopback() {
            let mut per_address = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = per_address.entry(address).or_default();
            if *count >= self.limits.connections_per_address_max {
                self.connections.fetch_sub(1, Ordering::Relaxed);
                return Err("per_address");
            }
            *count += 1;
        }
        Ok(())
    }

    /// A counted connection is gone.
    pub(crate) fn release(&self, address: IpAddr) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        let address = address.to_canonical();
        if address.is_loopback() {
            return;
        }
        let mut per_address = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&address);
            }
        }
    }

    /// How many connections there are.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whether there are as many connections as there may be.
    pub(crate) fn is_full(&self) -> bool {
        self.connections.load(Ordering::Relaxed) > self.limits.connections_max
    }

    /// Gives a newcomer to another reactor.
    pub(crate) fn hand_over(&self, reactor: usize, newcomer: Newcomer) {
        self.inboxes[reactor].lock().push(News::Newcomer(newcomer));
        self.inboxes[reactor].wake();
    }

    /// The reactor with the fewest connections. It is counted as having one more.
    pub(crate) fn least_loaded(&self) -> usize {
        let loads = self.loads.iter().map(|load| load.load(Ordering::Relaxed));
        let least = loads.enumerate().min_by_key(|(_, load)| *load).map_or(0, |(reactor, _)| reactor);
        self.loads[least].fetch_add(1, Ordering::Relaxed);
        least
    }

    /// A reactor has one connection more or less.
    pub(crate) fn load(&self, reactor: u8, more: bool) {
        let load = &self.loads[usize::from(reactor)];
        if more {
            load.fetch_add(1, Ordering::Relaxed)
        } else {
            load.fetch_sub(1, Ordering::Relaxed)
        };
    }

    /// Asks everybody to finish.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        for inbox in &self.inboxes {
            inbox.wake();
        }
        self.web.stop();
        self.verifier.end();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Everything that was counted, as Prometheus reads it.
    pub(crate) fn metrics_text(&self) -> String {
        let snapshot = {
            let hub = self.hub();
            Snapshot { users: hub.present_count(), rooms: hub.room_count(), counts: hub.counts().clone() }
        };
        self.metrics.text(&snapshot)
    }
}

/// The same news for another reactor. There is but one of a newcomer.
fn copy(news: &News) -> Option<News> {
    match news {
        News::Deliver { to, event } => Some(News::Deliver { to: to.clone(), event: event.clone() }),
        News::Reply { to, reply } => Some(News::Reply { to: *to, reply: reply.clone() }),
        News::Ring { call, address } => Some(News::Ring { call: *call, address: *address }),
        News::Newcomer(_) => None,
    }
}

/// The numbers of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (bit < REACTORS_MAX).then_some(bit)
    })
}

/// The one place where the time is asked: both clocks move together, so that the wall clock that the hub sees
/// never steps back.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_unix: Duration,
}

impl Clock {
    fn new() -> Self {
        let start_unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_unix }
    }

    pub(crate) fn now(&self) -> Now {
        let at = Instant::now();
        let unix = self.start_unix + at.duration_since(self.start);
        Now { at, unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_that_are_set() {
        assert_eq!(bits(0).count(), 0);
        assert_eq!(bits(0b1001).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(bits(u64::MAX).count(), 64);
    }
}
