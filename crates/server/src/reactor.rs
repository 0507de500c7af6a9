//! A reactor: one thread, one poll, and the connections that live there.
//!
//! Each turn of its loop reads whatever is ready, applies all of it to the hub, hands out what the hub asks to be
//! handed out, and then flushes every connection that has something queued, exactly once. So a message to a
//! thousand people costs no wake-up and no task switch for each, several messages to one reader share a write,
//! and nothing is written while the hub is locked. What is handed out last to somebody isn't queued: nothing else will
//! share its write, and to come back to each connection for it costs a part of what the write does.
//!
//! Those who take part come first. Newcomers, and those who haven't said what they speak, are seen to when the turn
//! has flushed, and only for a while: however many come, they keep nobody waiting for long.
//!
//! Sockets are registered once, for both directions, edge-triggered: a connection costs no further system call
//! but its reads and writes.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{CallId, Effect, SessionId};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::conn::{Conn, Stage};
use crate::handout::{self, Follows, Run};
use crate::http::Visitor;
use crate::inbox::{Newcomer, News};
use crate::listen::Door;
use crate::receipts::Receipts;
use crate::shared::Shared;
use crate::turn::Turn;

/// The token of a reactor's waker.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// The token of those who only acknowledge.
const RECEIPTS: Token = Token(usize::MAX - 1);
/// Listeners count downwards from here, connections upwards from 0.
const LISTENERS: usize = usize::MAX - 2;

/// How much one read takes.
const READ_BYTES: usize = 64 * 1024;
/// How many sockets one turn looks at.
const EVENTS_MAX: usize = 1024;
/// How many commands wait for the hub before a turn that is still reading takes them there.
const ASKS_MAX: usize = 4096;
/// How long a reactor that holds back waits before it looks again.
const HOLD_BACK: Duration = Duration::from_millis(1);
/// For how long a turn sees to newcomers: a few of them. A turn that took long by itself gives them a part of that, so
/// that they come in to a busy server too.
const NEWCOMERS_TIME: Duration = Duration::from_micros(100);
/// What part.
const NEWCOMERS_PART: u32 = 4;
/// How often commands and what follows from them go back and forth before the turn flushes.
const ROUNDS_MAX: usize = 8;

/// One thread's share of the connections.
pub(crate) struct Reactor {
    shard: u8,
    poll: Poll,
    receipts: Receipts,
    conns: Slab<Box<Conn>>,
    /// Tells apart the connections that used one slot.
    generation: u32,
    turn: Turn,
    /// The listeners; only the first reactor has them.
    door: Option<Door>,
    /// Newcomers that the first reactor has taken in for this one.
    arrivals: VecDeque<Newcomer>,
    /// Slots of those who don't take part, and have something to read.
    put_off: VecDeque<usize>,
    /// Another reactor can't keep up: nothing is read until it has.
    holds_back: bool,
    stop_at: Option<Instant>,
    // Storage that is used again every turn.
    buffer: Box<[u8]>,
    news: Vec<News>,
    fx: Vec<Effect>,
    run: Run,
}

impl Reactor {
    pub(crate) fn new(shard: u8, poll: Poll, shared: Arc<Shared>, door: Option<Door>) -> io::Result<Self> {
        let receipts = Receipts::new(poll.registry(), RECEIPTS)?;
        let mut reactor = Self {
            shard,
            poll,
            receipts,
            conns: Slab::new(),
            generation: 0,
            turn: Turn::new(shared),
            door,
            arrivals: VecDeque::new(),
            put_off: VecDeque::new(),
            holds_back: false,
            stop_at: None,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            news: Vec::new(),
            fx: Vec::new(),
            run: Run::default(),
        };
        if let Some(door) = &mut reactor.door {
            door.register(reactor.poll.registry(), |index| Token(LISTENERS - index))?;
        }
        Ok(reactor)
    }

    /// Runs until the server has stopped.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut receipts = Events::with_capacity(EVENTS_MAX);
        while !self.is_done() {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.turn.now = self.turn.shared.clock.now();
            // News first: what a client sends may be its answer to something that another reactor has told it,
            // and then what the hub has told us of the same thing was here before.
            self.hand_out(false);
            self.holds_back = self.turn.shared.others_are_behind(self.shard);
            for slot in std::mem::take(&mut self.turn.unread) {
                if let Some(conn) = self.conns.get_mut(slot) {
                    conn.unread = false;
                }
                self.on_readable(slot, false);
            }
            for event in &events {
                self.on_event(event);
            }
            self.hear_receipts(&mut receipts)?;
            self.on_timers();
            if self.stop_at.is_none() && self.turn.shared.is_stopping() {
                self.begin_stop();
            }
            self.talk_with_hub();
            self.flush();
            self.move_receivers();
            self.receipts.settle(&mut self.turn.dues, self.poll.registry())?;
            if self.see_to_newcomers() {
                self.talk_with_hub();
                self.flush();
            }
            let Turn { shared, tally, .. } = &mut self.turn;
            shared.metrics.add(tally);
        }
        for (_, mut conn) in std::mem::take(&mut self.conns) {
            self.forget(&mut conn);
        }
        Ok(())
    }

    /// How long the poll may wait.
    fn patience(&self) -> Option<Duration> {
        let turn = &self.turn;
        if self.holds_back && turn.asks.is_empty() && turn.marked.is_empty() {
            return Some(HOLD_BACK);
        }
        let none_wait = self.turn.unread.is_empty() && self.put_off.is_empty() && self.arrivals.is_empty();
        if !(none_wait && turn.asks.is_empty() && turn.marked.is_empty()) {
            return Some(Duration::ZERO);
        }
        let hub = if self.shard == 0 { turn.shared.hub_wake_at() } else { None };
        let door = self.door.as_ref().and_then(Door::wake_at);
        let away = self.receipts.away_until();
        let next = [turn.timers.next(), hub, door, away, self.stop_at].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn is_done(&self) -> bool {
        self.stop_at.is_some_and(|at| self.conns.is_empty() || at <= self.turn.now.at)
    }

    fn on_event(&mut self, event: &mio::event::Event) {
        let Token(token) = event.token();
        match event.token() {
            WAKER => return,
            RECEIPTS => return self.receipts.ring(),
            Token(_) => {}
        }
        if let Some(index) = LISTENERS.checked_sub(token)
            && let Some(door) = self.door.as_mut().filter(|door| index < door.len())
        {
            return door.knock(index);
        }
        let Some(conn) = self.conns.get_mut(token) else { return };
        if event.is_writable() {
            match conn.stage {
                Stage::Dialing(call) => self.on_dialed(token, call),
                _ => conn.on_writable(&mut self.turn),
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.on_readable(token, event.is_read_closed() || event.is_error());
        }
    }

    /// Hears those who only acknowledge. `events` is storage.
    fn hear_receipts(&mut self, events: &mut Events) -> io::Result<()> {
        while self.receipts.may_have() {
            self.receipts.take(events)?;
            for event in &*events {
                self.on_event(event);
            }
            if events.iter().count() < EVENTS_MAX {
                return Ok(());
            }
            self.receipts.ring();
        }
        Ok(())
    }

    /// Has those who only acknowledge heard together, and everybody else by themselves.
    fn move_receivers(&mut self) {
        while let Some(slot) = self.turn.movers.pop() {
            let Some(conn) = self.conns.get_mut(slot) else { continue };
            let is_one = conn.only_acknowledges();
            if is_one == conn.is_receiver {
                continue;
            }
            let (all, receivers) = (self.poll.registry(), self.receipts.registry());
            let (from, to) = if is_one { (all, receivers) } else { (receivers, all) };
            let moved = from.deregister(&mut conn.socket).and_then(|()| {
                to.register(&mut conn.socket, Token(slot), Interest::READABLE | Interest::WRITABLE)
            });
            match moved {
                Ok(()) => conn.is_receiver = is_one,
                Err(error) => {
                    tracing::warn!(%error, "can't watch a connection");
                    conn.lost(&mut self.turn);
                }
            }
        }
    }

    /// There is something to read. Who takes part is read at once, everybody else later in this turn or in another.
    fn on_readable(&mut self, slot: usize, ends: bool) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        conn.input_ends |= ends;
        if matches!(conn.stage, Stage::Session(_)) {
            self.read(slot);
        } else if !std::mem::replace(&mut conn.put_off, true) {
            self.put_off.push_back(slot);
        }
    }

    /// Reads what is there, up to one buffer: the rest waits until the others had their turn.
    fn read(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        let more = self.holds_back || conn.read(&mut self.buffer, &mut self.turn);
        if more {
            conn.read_again(&mut self.turn);
        }
        // A thousand busy peers can say more in one turn than should wait in memory.
        if self.turn.asks.len() > ASKS_MAX {
            self.talk_with_hub();
        }
    }

    /// Takes in and hears newcomers, one after the other, for as long as they are given; whether there were any.
    fn see_to_newcomers(&mut self) -> bool {
        let begun = Instant::now();
        let turn_took = begun.saturating_duration_since(self.turn.now.at);
        let until = begun + NEWCOMERS_TIME.max(turn_took / NEWCOMERS_PART);
        let mut any = false;
        loop {
            let heard = self.put_off.pop_front().map(|slot| self.hear(slot));
            let arrived = self.arrivals.pop_front().map(|newcomer| self.welcome(newcomer));
            if !self.accept() && heard.is_none() && arrived.is_none() {
                return any;
            }
            any = true;
            if Instant::now() >= until {
                return any;
            }
        }
    }

    /// Reads what somebody says who doesn't take part yet, or any more.
    fn hear(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        conn.put_off = false;
        self.read(slot);
        // Closing a connection takes longer than all the rest, so it has to be done while the time is looked at.
        let Some(conn) = self.conns.get_mut(slot).filter(|conn| conn.left_unheard()) else { return };
        conn.flush(&mut self.turn);
        if conn.gone {
            self.remove(slot);
        }
    }

    /// Takes in one newcomer; whether there was one.
    fn accept(&mut self) -> bool {
        let Some(door) = &mut self.door else { return false };
        let shared = &self.turn.shared;
        let mut taken = None;
        let any = door.accept(self.turn.now.at, shared, |newcomer| taken = Some(newcomer));
        if let Some(newcomer) = taken {
            let reactor = shared.least_loaded();
            if reactor == usize::from(self.shard) {
                self.welcome(newcomer);
            } else {
                shared.hand_over(reactor, newcomer);
            }
        }
        any
    }

    /// Looks after a connection that was accepted, here or elsewhere.
    fn welcome(&mut self, newcomer: Newcomer) {
        let address = newcomer.peer.ip();
        if self.stop_at.is_some() {
            self.turn.shared.release(address);
            return self.turn.shared.load(self.shard, false);
        }
        self.insert(|id, turn| Conn::accepted(id, newcomer, turn));
    }

    fn insert(&mut self, make: impl FnOnce(SessionId, &mut Turn) -> Conn) {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.conns.vacant_entry();
        let slot = entry.key();
        // There are fewer connections than descriptors, of which there are fewer than 2^31.
        let id = SessionId::new(self.shard, self.generation, slot as u32);
        let conn = entry.insert(Box::new(make(id, &mut self.turn)));
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut conn.socket, Token(slot), both) {
            tracing::warn!(%error, "can't watch a connection");
            conn.lost(&mut self.turn);
        }
    }

    /// Calls a waiting bridge client.
    fn ring(&mut self, call: CallId, address: SocketAddr) {
        match TcpStream::connect(address) {
            Ok(socket) => {
                // Not the peer's doing, so it is always admitted; but it is counted.
                let _ = self.turn.shared.admit(address.ip(), usize::MAX);
                self.turn.shared.load(self.shard, true);
                self.insert(|id, turn| Conn::dialing(id, socket, address, call, turn));
            }
            Err(error) => {
                tracing::info!(peer = %address, %error, "can't ring");
                self.turn.asks.push(crate::shared::Ask::Unanswered { call });
            }
        }
    }

    fn on_dialed(&mut self, slot: usize, call: CallId) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        // Writable means that the attempt has ended, one way or the other.
        let failed = conn.socket.take_error().unwrap_or_else(Some);
        match failed {
            Some(error) => conn.end("unreachable", &error, &mut self.turn),
            None if conn.socket.peer_addr().is_ok() => conn.on_dialed(call, &mut self.turn),
            None => {}
        }
    }

    fn on_timers(&mut self) {
        while let Some(slot) = self.turn.timers.pop_due(self.turn.now.at) {
            if let Some(conn) = self.conns.get_mut(slot) {
                conn.on_wake(&mut self.turn);
            }
        }
        if self.shard == 0 {
            self.turn.shared.on_hub_timer(self.shard, self.turn.now, &mut self.fx);
        }
    }

    /// Applies what the connections ask, hands out what follows, and again what follows from that.
    fn talk_with_hub(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let Turn { shared, asks, now, .. } = &mut self.turn;
            shared.apply(self.shard, *now, asks, &mut self.fx);
            self.hand_out(true);
            if self.turn.asks.is_empty() {
                return;
            }
        }
    }

    /// Hands out what there is for this reactor. `is_last`: mostly nothing follows in this turn.
    fn hand_out(&mut self, is_last: bool) {
        let mut news = std::mem::take(&mut self.news);
        self.turn.shared.inboxes[usize::from(self.shard)].take(&mut news);
        let mut run = std::mem::take(&mut self.run);
        let follows = if is_last { handout::count(&mut self.conns, &news) } else { Follows::Unknown };
        for item in news.drain(..) {
            let Some(item) = run.take(item) else { continue };
            run.hand_out(self.shard, &mut self.conns, &mut self.turn, follows);
            // The first of the next run, or nothing that runs hold.
            match run.take(item) {
                None => {}
                Some(News::Reply { to, reply }) => {
                    if let Some(conn) = find(&mut self.conns, to) {
                        conn.on_reply(reply, &mut self.turn);
                    }
                }
                Some(News::Ring { call, address }) => self.ring(call, address.into()),
                Some(News::Newcomer(newcomer)) => self.arrivals.push_back(newcomer),
                Some(News::Deliver { .. }) => debug_assert!(false, "an empty run takes any event"),
            }
        }
        let follows = if is_last && follows == Follows::Unknown { Follows::Nothing } else { follows };
        run.hand_out(self.shard, &mut self.conns, &mut self.turn, follows);
        (self.news, self.run) = (news, run);
    }

    /// Writes what is queued, and drops what is to be dropped.
    fn flush(&mut self) {
        let mut marked = std::mem::take(&mut self.turn.marked);
        for slot in marked.drain(..) {
            let Some(conn) = self.conns.get_mut(slot) else { continue };
            conn.flush(&mut self.turn);
            if conn.gone {
                self.remove(slot);
            }
        }
        // What was marked meanwhile comes next turn; the list keeps its storage.
        marked.append(&mut self.turn.marked);
        self.turn.marked = marked;
    }

    fn remove(&mut self, slot: usize) {
        let mut conn = self.conns.remove(slot);
        self.forget(&mut conn);
        if let Stage::Web(read) = std::mem::replace(&mut conn.stage, Stage::Closing) {
            // A socket that is closed isn't watched any more; one that lives on has to be let go of.
            let _ = self.poll.registry().deregister(&mut conn.socket);
            let Conn { socket, peer, tls, .. } = *conn;
            self.turn.shared.web.visit(Visitor { socket: socket.into(), peer, tls, read });
        }
    }

    /// Takes a connection out of the books. The web service goes on counting those that are handed to it.
    fn forget(&mut self, conn: &mut Conn) {
        conn.forget(&mut self.turn);
        self.turn.shared.load(self.shard, false);
        if !matches!(conn.stage, Stage::Web(_)) {
            self.turn.shared.release(conn.peer.ip());
        }
    }

    /// Stops taking newcomers, and has every session say goodbye.
    fn begin_stop(&mut self) {
        // What has come already may be the end of a TLS handshake, before which goodbye can't be said.
        for slot in std::mem::take(&mut self.put_off) {
            self.hear(slot);
        }
        self.door = None;
        self.stop_at = Some(self.turn.now.at + self.turn.shared.limits.drain);
        for (_, conn) in &mut self.conns {
            conn.on_shutdown(&mut self.turn);
        }
    }
}

/// The connection that a session lives on, unless it is over.
pub(crate) fn find(conns: &mut Slab<Box<Conn>>, session: SessionId) -> Option<&mut Conn> {
    let conn = conns.get_mut(session.slot() as usize)?;
    (conn.id == session).then_some(conn)
}
