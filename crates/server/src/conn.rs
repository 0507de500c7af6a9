//! One connection: its socket, the stage it is in, and what waits to be written.
//!
//! ```text
//! accepted ─▶ Undecided ─▶ Session ─▶ Closing ─▶ gone
//!                 └─▶ Http ─▶ Session (WebSocket)
//!                       └─▶ handed to the web service
//! ```
//!
//! Each method does something to the connection and leaves the rest to the turn: commands for the hub, and a
//! mark that the connection has to be looked at when the turn flushes. What comes in is `intake.rs`, what goes
//! out `outlet.rs`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway::bridge::RingSession;
use gateway::detect::Detector;
use gateway::{Carrier, Close, Due, Opening, Outbox, Session};
use hub::{CallId, Dialect, Form, Now, Origin, Outcome, Reply, SessionId, Shared as Event, Token};
use mio::net::TcpStream;

use crate::drain::TurnedAway;
use crate::inbox::Newcomer;
use crate::metrics::Kind;
use crate::queue::WriteQueue;
use crate::shared::Ask;
use crate::tls::Tls;
use crate::turn::Turn;
use crate::ws::{self, WebSocket};

/// How long a session may go on after its peer has said that nothing more will come.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(60);
/// How long a flushed connection is kept while the server is stopping.
const LINGER_STOPPING: Duration = Duration::from_millis(500);

/// One connection.
///
/// In this order in memory: what every delivery looks at comes first and close together, because a server of many
/// connections mostly waits for memory.
#[repr(C)]
pub(crate) struct Conn {
    pub(crate) id: SessionId,
    /// The form in which it takes messages without a call of the session ([`Session::form`]).
    pub(crate) form: Option<Form>,
    pub(crate) socket: TcpStream,
    /// Among those that the turn looks at when it flushes.
    pub(crate) marked: bool,
    /// The socket takes no more until it says so.
    pub(crate) blocked: bool,
    /// To be taken out when the turn flushes.
    pub(crate) gone: bool,
    /// Among those that the reactor reads again without being told to.
    pub(crate) unread: bool,
    /// There once the peer has begun a TLS handshake.
    pub(crate) tls: Option<Box<Tls>>,
    /// There once the peer has made its connection a WebSocket.
    pub(crate) websocket: Option<Box<WebSocket>>,
    pub(crate) queue: WriteQueue,
    pub(crate) stage: Stage,
    /// What its peer is heard for.
    due: Due,
    /// Whether it is heard with those who only acknowledge.
    pub(crate) is_receiver: bool,
    /// How many events are still to be handed to it, where they were counted.
    pub(crate) to_come: usize,
    /// Among those that the reactor hears when others have been heard.
    pub(crate) put_off: bool,
    /// The connection's own deadline; a session has another.
    pub(crate) deadline: Option<Instant>,
    /// Its entry among the reactor's timers.
    pub(crate) armed: Option<Instant>,
    pub(crate) peer: SocketAddr,
    /// What it is counted as.
    kind: Kind,
    /// The protocol of the listener that it came to.
    pub(crate) pinned: Option<Dialect>,
    /// The kernel has seen the end of the input, which may still have to be read.
    pub(crate) input_ends: bool,
    /// Nothing more will come from the peer.
    pub(crate) read_closed: bool,
    /// Everything was written and the peer knows that nothing follows.
    pub(crate) write_closed: bool,
    /// Why it isn't taken: it is told as soon as the protocol is known.
    pub(crate) turned_away: Option<Box<TurnedAway>>,
}

/// How far a connection has come.
pub(crate) enum Stage {
    /// Not enough has come to tell the protocol.
    Undecided(Detector),
    /// An HTTP request that isn't complete.
    Http(Vec<u8>),
    /// To be handed to the web service, with what was read.
    Web(Vec<u8>),
    /// Connecting to a waiting bridge client.
    Dialing(CallId),
    /// A protocol is spoken.
    Session(Box<dyn Session>),
    /// What waits is written, what comes is thrown away.
    Closing,
}

impl Conn {
    /// A connection that was accepted.
    pub(crate) fn accepted(id: SessionId, newcomer: Newcomer, turn: &mut Turn) -> Self {
        let Newcomer { socket, peer, pinned, turned_away } = newcomer;
        let patience =
            if turned_away.is_some() { turn.shared.limits.linger } else { turn.shared.settings.silence };
        let mut conn =
            Self::new(id, socket, peer, Stage::Undecided(Detector::default()), Kind::Undecided, turn);
        conn.deadline = Some(turn.now.at + patience);
        (conn.pinned, conn.turned_away) = (pinned, turned_away.map(Box::new));
        conn.rearm(turn);
        conn
    }

    /// A connection to a waiting bridge client, on its way.
    pub(crate) fn dialing(
        id: SessionId,
        socket: TcpStream,
        peer: SocketAddr,
        call: CallId,
        turn: &mut Turn,
    ) -> Self {
        let mut conn =
            Self::new(id, socket, peer, Stage::Dialing(call), Kind::Dialect(Dialect::Bridge), turn);
        conn.blocked = true;
        conn.deadline = Some(turn.now.at + turn.shared.limits.ring);
        conn.rearm(turn);
        conn
    }

    fn new(
        id: SessionId,
        socket: TcpStream,
        peer: SocketAddr,
        stage: Stage,
        kind: Kind,
        turn: &Turn,
    ) -> Self {
        turn.shared.metrics.connection(None, Some(kind));
        Self {
            socket,
            id,
            form: None,
            peer,
            stage,
            kind,
            websocket: None,
            tls: None,
            queue: WriteQueue::default(),
            deadline: None,
            armed: None,
            pinned: None,
            turned_away: None,
            marked: false,
            blocked: false,
            unread: false,
            put_off: false,
            to_come: 0,
            due: Due::Anything,
            is_receiver: false,
            input_ends: false,
            read_closed: false,
            write_closed: false,
            gone: false,
        }
    }

    fn slot(&self) -> usize {
        self.id.slot() as usize
    }

    /// Has the turn look at this connection when it flushes.
    pub(crate) fn mark(&mut self, turn: &mut Turn) {
        if !self.marked {
            self.marked = true;
            turn.marked.push(self.slot());
        }
    }

    /// Has the reactor read it in the next turn, without being told to.
    pub(crate) fn read_again(&mut self, turn: &mut Turn) {
        if !self.unread {
            self.unread = true;
            turn.unread.push(self.slot());
        }
    }

    pub(crate) fn become_kind(&mut self, kind: Kind, turn: &Turn) {
        turn.shared.metrics.connection(Some(self.kind), Some(kind));
        self.kind = kind;
    }

    /// Whether it ends without ever having said what it speaks.
    pub(crate) fn left_unheard(&self) -> bool {
        self.kind == Kind::Undecided && matches!(self.stage, Stage::Closing)
    }

    /// Takes the connection out of the books.
    pub(crate) fn forget(&mut self, turn: &mut Turn) {
        turn.timers.disarm(self.slot(), &mut self.armed);
        // What is encrypted and not sent goes with the TLS, if the web service gets that.
        turn.tally.queued -= self.waiting() as i64;
        self.queue.clear();
        if !matches!(self.stage, Stage::Web(_)) {
            turn.shared.metrics.connection(Some(self.kind), None);
        }
    }

    /// Sees to it that [`Conn::on_wake`] is called in time.
    pub(crate) fn rearm(&mut self, turn: &mut Turn) {
        let session = match &self.stage {
            Stage::Session(session) => session.wake_at(),
            Stage::Undecided(_) | Stage::Http(_) | Stage::Web(_) | Stage::Dialing(_) | Stage::Closing => None,
        };
        let want = [self.deadline, session].into_iter().flatten().min();
        turn.timers.arm(self.id.slot() as usize, &mut self.armed, want);
    }

    /// Opens a session. `room` is what the connection's address names.
    pub(crate) fn open(&mut self, dialect: Dialect, room: Option<String>, turn: &mut Turn) {
        self.become_kind(Kind::Dialect(dialect), turn);
        let origin = Origin { dialect, address: self.peer.ip(), secure: self.tls.is_some() };
        let carrier = self.websocket.as_ref().map_or(Carrier::Stream, |websocket| websocket.carrier);
        let certificate = self.tls.as_ref().and_then(|tls| tls.fingerprint());
        let opening = Opening { room, carrier, certificate };
        let mut session = gateway::open(&turn.shared.settings, origin, turn.now, opening);
        if let Some(why) = self.turned_away(turn) {
            let mut out = Outbox::default();
            session.on_turned_away(turn.now, &why.to_string(), &mut out);
            for message in out.wire.drain(..) {
                self.push_message(message, turn);
            }
            return self.close(&why.close(), turn);
        }
        self.deadline = self.websocket.is_some().then(|| turn.now.at + turn.shared.limits.websocket_ping);
        turn.asks.push(Ask::Open { session: self.id, origin });
        self.start(session, dialect, turn);
    }

    /// Why the newcomer isn't taken, if it isn't. A ban may have been set since it came.
    pub(crate) fn turned_away(&self, turn: &Turn) -> Option<TurnedAway> {
        let banned = || turn.shared.bans.find(self.peer.ip(), turn.now.unix_ms).map(TurnedAway::Banned);
        self.turned_away.as_deref().cloned().or_else(banned)
    }

    /// The waiting bridge client that was dialled has answered.
    pub(crate) fn on_dialed(&mut self, call: CallId, turn: &mut Turn) {
        let origin = Origin { dialect: Dialect::Bridge, address: self.peer.ip(), secure: false };
        let contact = turn.shared.contact_for_bridge(self.socket.local_addr());
        let session = RingSession::open(turn.shared.settings.clone(), origin, turn.now, contact);
        (self.deadline, self.blocked) = (None, false);
        turn.asks.push(Ask::Open { session: self.id, origin });
        turn.asks.push(Ask::Answered { session: self.id, call });
        self.start(Box::new(session), Dialect::Bridge, turn);
    }

    fn start(&mut self, session: Box<dyn Session>, dialect: Dialect, turn: &mut Turn) {
        turn.shared.metrics.session(dialect, 1);
        self.stage = Stage::Session(session);
        self.call(turn, |session, now, out| session.on_open(now, out));
    }

    /// Hands an event to the session. What it acknowledges is heard first, if nobody has listened: mostly it has to have done
    /// that before it is sent more.
    pub(crate) fn on_event(&mut self, event: &Event, turn: &mut Turn) {
        if turn.dues.unheard && self.due == Due::Receipt {
            self.hear_receipt(turn);
        }
        self.call(turn, |session, now, out| session.on_event(now, event, out));
    }

    /// Hands the hub's answer to the session.
    pub(crate) fn on_reply(&mut self, reply: Reply, turn: &mut Turn) {
        let welcome = matches!(reply, Reply::Welcome { .. });
        self.call(turn, |session, now, out| session.on_reply(now, reply, out));
        if welcome && let Stage::Session(session) = &self.stage {
            let (dialect, user) = (self.kind.as_str(), session.user_name());
            tracing::info!(peer = %self.peer, dialect, user, "logged in");
        }
    }

    /// Tells the session what became of something that it said.
    pub(crate) fn on_outcome(&mut self, token: Token, outcome: Outcome, turn: &mut Turn) {
        if let (Outcome::Delivered, Stage::Session(session)) = (outcome, &mut self.stage)
            // A fault in one session must not take the others along. It is found again by the call, and seen to.
            && catch_unwind(AssertUnwindSafe(|| session.on_delivered(token))).unwrap_or_default()
        {
            return;
        }
        self.on_reply(Reply::Outcome { token, outcome, away: None }, turn);
    }

    /// One call to the session, and what it leaves behind.
    pub(crate) fn call(&mut self, turn: &mut Turn, act: impl FnOnce(&mut dyn Session, Now, &mut Outbox)) {
        let Stage::Session(session) = &mut self.stage else { return };
        let (now, mut out) = (turn.now, turn.out.take().unwrap_or_default());
        // A fault in one session must not take the others along.
        let fault = catch_unwind(AssertUnwindSafe(|| act(session.as_mut(), now, &mut out))).is_err();
        if fault {
            tracing::error!(peer = %self.peer, dialect = self.kind.as_str(), "a session panicked");
            *out = Outbox::default();
            self.end("panic", &"a fault of the server", turn);
        }
        if !out.is_empty() {
            self.see_to(&mut out, turn);
        }
        turn.out = Some(out);
        if let Stage::Session(session) = &self.stage {
            self.form = session.form();
            let due = session.due();
            if due != self.due {
                self.change_due(due, turn);
            }
        }
        self.rearm(turn);
    }

    /// Its peer is to be heard for something else than before.
    fn change_due(&mut self, due: Due, turn: &mut Turn) {
        turn.dues.change(self.due, due);
        self.due = due;
        if self.is_receiver != self.only_acknowledges() {
            turn.movers.push(self.slot());
        }
    }

    /// Whether nothing but acknowledgements comes.
    pub(crate) fn only_acknowledges(&self) -> bool {
        self.due != Due::Anything
    }

    /// Does what the session leaves to be done.
    fn see_to(&mut self, out: &mut Outbox, turn: &mut Turn) {
        // Mostly there is nothing of that, and to look costs less than to take it out.
        if !out.notes.is_empty() {
            for line in out.notes.drain(..) {
                tracing::info!("{line}");
            }
        }
        if !out.commands.is_empty() {
            let session = self.id;
            turn.asks.extend(out.commands.drain(..).map(|command| Ask::Command { session, command }));
        }
        // Mostly it is one.
        if out.wire.len() > 1 {
            for message in out.wire.drain(..) {
                self.push_message(message, turn);
            }
        } else if let Some(message) = out.wire.pop() {
            let is_sent = turn.at_once && self.websocket.is_none() && self.send_at_once(&message, turn);
            if !is_sent {
                self.push_message(message, turn);
            }
        }
        if let Some(close) = out.close.take() {
            self.close(&close, turn);
        }
    }

    /// Ends the session for one of its own reasons.
    pub(crate) fn close(&mut self, close: &Close, turn: &mut Turn) {
        self.end(close.reason(), close, turn);
    }

    /// Ends whatever goes on. What waits is still written. `reason` is a word for the metrics.
    pub(crate) fn end(&mut self, reason: &'static str, text: &dyn Display, turn: &mut Turn) {
        let dialect = self.kind.as_str();
        self.form = None;
        if self.only_acknowledges() {
            self.change_due(Due::Nothing, turn);
        }
        match std::mem::replace(&mut self.stage, Stage::Closing) {
            Stage::Closing => return,
            Stage::Session(session) => {
                turn.asks.push(Ask::Close { session: self.id });
                if let Kind::Dialect(dialect) = self.kind {
                    turn.shared.metrics.session(dialect, -1);
                }
                let user = session.user_name();
                tracing::info!(peer = %self.peer, dialect, user, reason, "closed: {text}");
            }
            Stage::Dialing(call) => {
                turn.asks.push(Ask::Unanswered { call });
                tracing::info!(peer = %self.peer, reason, "not reached: {text}");
            }
            Stage::Undecided(_) | Stage::Http(_) | Stage::Web(_) => {
                tracing::debug!(peer = %self.peer, dialect, reason, "closed: {text}");
            }
        }
        turn.shared.metrics.closed(self.kind, reason);
        if let Some(websocket) = self.websocket.take() {
            let (header, payload) = ws::close(websocket.close_code);
            self.push_frame(header, payload, turn);
        }
        let linger = turn.shared.limits.linger;
        let linger = if turn.shared.is_stopping() { linger.min(LINGER_STOPPING) } else { linger };
        self.deadline = Some(turn.now.at + linger);
        self.mark(turn);
        self.rearm(turn);
    }

    /// The peer is gone without a word, or doesn't deserve one.
    pub(crate) fn lost(&mut self, turn: &mut Turn) {
        self.close(&Close::ByPeer, turn);
        self.drop_now(turn);
    }

    /// The deadline has come, or the session's.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn) {
        self.armed = None;
        if self.deadline.is_some_and(|at| at <= turn.now.at) {
            self.deadline = None;
            self.on_deadline(turn);
        }
        self.call(turn, |session, now, out| session.on_timer(now, out));
        self.rearm(turn);
    }

    fn on_deadline(&mut self, turn: &mut Turn) {
        match &self.stage {
            Stage::Undecided(_) if self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) => {
                self.close(&Close::LoginTimeout, turn);
            }
            Stage::Undecided(detector) if detector.seen().is_empty() => self.close(&Close::Idle, turn),
            Stage::Undecided(_) => self.settle(turn),
            Stage::Http(_) => self.close(&Close::LoginTimeout, turn),
            Stage::Dialing(_) => self.close(&Close::LoginTimeout, turn),
            Stage::Session(_) if self.read_closed => self.close(&Close::ByPeer, turn),
            Stage::Session(_) => self.ping(turn),
            Stage::Closing => self.drop_now(turn),
            Stage::Web(_) => {}
        }
    }

    /// A WebSocket peer was silent for long: asks whether it is there, or gives it up.
    fn ping(&mut self, turn: &mut Turn) {
        let interval = turn.shared.limits.websocket_ping;
        let Some(websocket) = &mut self.websocket else { return };
        let due = websocket.heard + interval;
        if due > turn.now.at {
            self.deadline = Some(due);
        } else if websocket.pinged {
            self.end("ping_timeout", &"the peer doesn't answer pings", turn);
        } else {
            websocket.pinged = true;
            self.deadline = Some(turn.now.at + interval);
            self.push_frame(ws::ping(), Bytes::new(), turn);
        }
    }

    /// The peer said that nothing more will come.
    pub(crate) fn on_end_of_input(&mut self, turn: &mut Turn) {
        self.read_closed = true;
        self.mark(turn);
        if let Stage::Undecided(detector) = &self.stage
            && !detector.seen().is_empty()
        {
            self.settle(turn);
        }
        self.call(turn, |session, now, out| session.on_eof(now, out));
        match self.stage {
            Stage::Session(_) => self.deadline = Some(turn.now.at + HALF_CLOSED_MAX),
            Stage::Web(_) | Stage::Closing => {}
            Stage::Undecided(_) | Stage::Http(_) | Stage::Dialing(_) => self.close(&Close::ByPeer, turn),
        }
        self.rearm(turn);
    }

    /// The server is going away.
    pub(crate) fn on_shutdown(&mut self, turn: &mut Turn) {
        match self.stage {
            Stage::Session(_) => self.call(turn, |session, now, out| session.on_shutdown(now, out)),
            Stage::Closing => {
                let soon = turn.now.at + LINGER_STOPPING;
                self.deadline = Some(self.deadline.map_or(soon, |at| at.min(soon)));
            }
            Stage::Undecided(_) | Stage::Http(_) | Stage::Web(_) | Stage::Dialing(_) => {
                self.close(&Close::Shutdown, turn);
            }
        }
        self.rearm(turn);
    }
}
