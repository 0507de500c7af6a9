//! A hub, sessions and a clock, all in memory. Does with outboxes and effects what the server does, in the same
//! order, but without sockets and waiting.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::detect::{Detector, Verdict};
use gateway::{Close, Outbox, Session, Settings};
use hub::{
    AddressPolicy, Admission, Audience, CallId, Command, Credentials, Dialect, Effect, Hub, HubConfig, Now,
    Operator, Origin, Outcome, Privileges, Reply, SCRAM_ITERATIONS, ScramKeys, Secret, SessionId, Shared,
};
use store::{Durability, Reader, Writer};
use tempfile::TempDir;
use transcript::{Host, Opening};

use crate::dialects;

/// Everything that a server has but the sockets. For the player of transcripts, and for tests that drive it by
/// hand: connections are called by names of the test's own.
pub(crate) struct World {
    hub: Hub,
    config: HubConfig,
    settings: Arc<Settings>,
    now: Now,
    connections: BTreeMap<SessionId, Connection>,
    names: BTreeMap<String, SessionId>,
    calls: Vec<(CallId, std::net::SocketAddrV4)>,
    work: VecDeque<Work>,
    opened: u32,
    /// What the transcript says about feeding a byte at a time.
    bytewise: Option<bool>,
    store: Option<Store>,
}

struct Connection {
    address: IpAddr,
    speaks: Speaks,
    /// What the peer has not taken yet.
    wire: Vec<Vec<u8>>,
    close: Option<Close>,
    ended_by_peer: bool,
    is_websocket: bool,
    is_secure: bool,
}

/// What a connection speaks.
enum Speaks {
    /// Not known yet.
    Something(Detector),
    /// A dialect; the hub knows the session.
    Dialect(Dialect, Box<dyn Session>),
}

impl Connection {
    fn new(address: IpAddr, speaks: Speaks) -> Self {
        Self {
            address,
            speaks,
            wire: Vec::new(),
            close: None,
            ended_by_peer: false,
            is_websocket: false,
            is_secure: false,
        }
    }

    /// Whether it is IRC over a stream.
    fn has_lines(&self) -> bool {
        matches!(self.speaks, Speaks::Dialect(Dialect::Irc, _)) && !self.is_websocket
    }

    /// The session, unless it is over or not begun.
    fn session(&self) -> Option<&dyn Session> {
        match &self.speaks {
            Speaks::Dialect(_, session) if self.close.is_none() => Some(&**session),
            Speaks::Dialect(..) | Speaks::Something(_) => None,
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        match &self.speaks {
            Speaks::Dialect(dialect, _) => Some(*dialect),
            Speaks::Something(_) => None,
        }
    }
}

/// What is kept of a password here: a salt that is always the same makes transcripts that are.
fn credentials(password: Secret) -> Credentials {
    let keys = proto::sasl::scram::ScramKeys::derive(password.reveal(), [7; 16], SCRAM_ITERATIONS);
    let proto::sasl::scram::ScramKeys { salt, iterations, stored_key, server_key } = keys;
    Credentials { hash: password, scram: ScramKeys { salt, iterations, stored_key, server_key } }
}

/// What is kept, in a folder of its own.
struct Store {
    writer: Writer,
    reader: Reader,
    _folder: TempDir,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _) = Writer::open(folder.path(), Durability::Process).unwrap();
        Self { reader: writer.reader().unwrap(), writer, _folder: folder }
    }
}

/// What is still to be done for the hub before the next thing from outside.
enum Work {
    Command(SessionId, Command),
    Close(SessionId),
}

/// More timers than this without the clock moving is a session that never lets it move.
const TIMERS_AT_ONCE_MAX: usize = 100_000;

impl Default for World {
    fn default() -> Self {
        let operator = |password, privileges| Operator { hash: Secret::new(password), privileges };
        let operators = [
            ("root".to_owned(), operator("secret", Privileges::all())),
            ("helper".to_owned(), operator("help", Privileges::WALLOPS)),
        ];
        let config = HubConfig { operators: operators.into(), ..HubConfig::default() };
        Self::new(config, Settings::default())
    }
}

impl World {
    /// An empty hub at some moment.
    #[expect(clippy::disallowed_methods, reason = "time has to begin somewhere; from here on it is virtual")]
    pub(crate) fn new(config: HubConfig, settings: Settings) -> Self {
        Self {
            hub: Hub::new(config.clone()).unwrap(),
            config,
            settings: Arc::new(settings),
            now: Now { at: Instant::now(), unix_ms: 1_700_000_000_000 },
            connections: BTreeMap::new(),
            names: BTreeMap::new(),
            calls: Vec::new(),
            work: VecDeque::new(),
            opened: 0,
            bytewise: None,
            store: None,
        }
    }

    /// The hub, to look at.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Does what whoever runs the server wants done.
    pub(crate) fn order<T>(&mut self, act: impl FnOnce(&mut Hub, Now, &mut Vec<Effect>) -> T) -> T {
        let mut fx = Vec::new();
        let done = act(&mut self.hub, self.now, &mut fx);
        self.carry_out(fx);
        done
    }

    /// The sessions' settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a text in one piece.
    pub(crate) fn say(&mut self, name: &str, text: &str) {
        let end = self.line_end(name).filter(|_| !text.ends_with('\n')).unwrap_or_default();
        self.send(name, &[text.as_bytes(), end].concat(), false).unwrap();
    }

    /// Takes what came for a client, as text.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        self.take(name).iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
    }

    /// Why a client's connection was closed, if it was.
    pub(crate) fn close_reason(&self, name: &str) -> Option<&Close> {
        self.names.get(name).and_then(|id| self.connections.get(id)).and_then(|found| found.close.as_ref())
    }

    /// Opens a connection and signs in under its name.
    pub(crate) fn joined(&mut self, name: &str, dialect: Dialect, room: Option<&str>) {
        let opening = Opening {
            name: name.to_owned(),
            dialect: dialect.as_str().to_owned(),
            argument: room.map(str::to_owned),
            from: None,
        };
        self.join(&opening).unwrap();
    }

    /// Signing in reads the greeting: takes what came and fails if it isn't this.
    pub(crate) fn swallow(&mut self, name: &str, expected: &[&[u8]]) -> Result<(), String> {
        let came = self.take(name);
        if came == expected {
            return Ok(());
        }
        let shown = |messages: Vec<&[u8]>| messages.into_iter().map(transcript::escape).collect::<Vec<_>>();
        let came = shown(came.iter().map(Vec::as_slice).collect());
        Err(format!("{name} can't sign in: expected {:?}, came {came:?}", shown(expected.to_vec())))
    }

    /// Adds a connection under a name of its own.
    fn add(&mut self, name: &str, connection: Connection) -> Result<SessionId, String> {
        if self.names.contains_key(name) {
            return Err(format!("{name} is the name of another connection"));
        }
        self.opened += 1;
        let id = SessionId::new(0, 0, self.opened);
        self.names.insert(name.to_owned(), id);
        let origin = connection.dialect().map(|dialect| Origin {
            dialect,
            address: connection.address,
            secure: connection.is_secure,
        });
        self.connections.insert(id, connection);
        if let Some(origin) = origin {
            self.begin(id, origin);
        }
        Ok(id)
    }

    /// A connection's dialect is known: its session begins.
    fn begin(&mut self, id: SessionId, origin: Origin) {
        self.hub.open(id, origin);
        self.call(id, |session, now, out| session.on_open(now, out));
    }

    /// Gives bytes to a connection whose dialect isn't known yet. Gives back those that its session has to see.
    fn detect(&mut self, id: SessionId, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(Vec::new()) };
        let Speaks::Something(detector) = &mut connection.speaks else { return Ok(bytes.to_vec()) };
        let dialect = match detector.feed(bytes) {
            Verdict::Undecided => return Ok(Vec::new()),
            Verdict::Dialect(dialect) => dialect,
            Verdict::Http | Verdict::Tls => {
                return Err("HTTP and TLS are spoken by the server only".to_owned());
            }
        };
        let seen = [detector.seen(), bytes].concat();
        let origin = Origin { dialect, address: connection.address, secure: false };
        let session = gateway::open(&self.settings, origin, self.now, gateway::Opening::default());
        connection.speaks = Speaks::Dialect(dialect, session);
        self.begin(id, origin);
        Ok(seen)
    }

    /// The connection of this name that still has a session.
    fn id(&self, name: &str) -> Result<SessionId, String> {
        self.names.get(name).copied().ok_or_else(|| format!("nobody is called {name}"))
    }

    /// Calls a session unless it is over, and drains its outbox.
    fn call(&mut self, id: SessionId, call: impl FnOnce(&mut dyn Session, Now, &mut Outbox)) {
        let Some(connection) = self.connections.get_mut(&id).filter(|found| found.close.is_none()) else {
            return;
        };
        let Speaks::Dialect(_, session) = &mut connection.speaks else { return };
        let mut out = Outbox::default();
        call(&mut **session, self.now, &mut out);
        self.work.extend(out.commands.drain(..).map(|command| Work::Command(id, command)));
        for message in &out.wire {
            // IRC's lines are shown one by one, without their ends.
            if connection.has_lines() {
                let lines = message.split_inclusive(|byte| *byte == b'\n');
                let whole = |line: &[u8]| line.strip_suffix(b"\r\n").expect("a line has an end").to_vec();
                connection.wire.extend(lines.map(whole));
            } else {
                connection.wire.push(message.to_vec());
            }
        }
        if let Some(close) = out.close {
            connection.close = Some(close);
            self.work.push_back(Work::Close(id));
        }
    }

    /// Does everything that is still to be done at this moment.
    fn settle(&mut self) {
        for _ in 0..TIMERS_AT_ONCE_MAX {
            while let Some(work) = self.work.pop_front() {
                let mut fx = Vec::new();
                match work {
                    Work::Command(from, command) => self.hub.apply(self.now, from, command, &mut fx),
                    Work::Close(session) => self.hub.close(self.now, session, &mut fx),
                }
                self.carry_out(fx);
            }
            if !self.fire_one() {
                return;
            }
        }
        panic!("timers fire again and again at one moment");
    }

    fn carry_out(&mut self, fx: Vec<Effect>) {
        for effect in fx {
            match effect {
                Effect::Deliver { to, event } => self.hand_out(&to, &event),
                Effect::Reply { to, reply } => self.reply(to, reply),
                Effect::Ring { call, address } => self.calls.push((call, address)),
                // Here a hash is the password itself.
                Effect::Verify { session, purpose, name, hash, password } => {
                    let mut fx = Vec::new();
                    self.hub.verified(self.now, session, (purpose, &name), hash == password, &mut fx);
                    self.carry_out(fx);
                }
                Effect::Derive { session, password } => {
                    let mut fx = Vec::new();
                    self.hub.derived(self.now, session, credentials(password), &mut fx);
                    self.carry_out(fx);
                }
                Effect::Reload => {}
                Effect::Keep(kept, to) => {
                    if let Some(store) = &mut self.store {
                        store.writer.keep([&kept]).unwrap();
                    }
                    if let (hub::Kept::Event { event, .. }, Some(to)) = (kept, to) {
                        self.hand_out(&to, &event);
                    }
                }
                Effect::Recall { to, recall } => {
                    let store = self.store.as_mut().unwrap();
                    while store.writer.index().unwrap() {}
                    let found = store.reader.recall(&recall).unwrap();
                    self.reply(to, Reply::Recalled(found));
                }
            }
        }
    }

    fn hand_out(&mut self, to: &Audience, event: &Shared) {
        for session in to.sessions() {
            self.call(*session, |session, now, out| session.on_event(now, event, out));
        }
        let Some((by, token, outcome)) = event.answer() else { return };
        let mut is_done = false;
        self.call(by, |session, _, _| {
            is_done = outcome == Outcome::Delivered && session.on_delivered(token);
        });
        if !is_done {
            self.reply(by, Reply::Outcome { token, outcome, away: None });
        }
    }

    fn reply(&mut self, to: SessionId, reply: Reply) {
        self.call(to, |session, now, out| session.on_reply(now, reply, out));
    }

    /// Calls the one timer that is due first, if one is.
    fn fire_one(&mut self) -> bool {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now.at);
        if due(self.hub.wake_at()) {
            let mut fx = Vec::new();
            self.hub.on_timer(self.now, &mut fx);
            self.carry_out(fx);
            return true;
        }
        let open = self.connections.iter();
        let first = open
            .filter_map(|(id, connection)| Some((connection.session()?.wake_at()?, *id)))
            .min()
            .filter(|(at, _)| due(Some(*at)));
        let Some((_, id)) = first else { return false };
        self.call(id, |session, now, out| session.on_timer(now, out));
        true
    }

    /// When the next timer is due.
    fn wake_at(&self) -> Option<Instant> {
        let sessions = self.connections.values().filter_map(Connection::session);
        sessions.filter_map(Session::wake_at).chain(self.hub.wake_at()).min()
    }

    fn take_call(&mut self, address: &str) -> Result<(CallId, std::net::SocketAddrV4), String> {
        let found = self.calls.iter().position(|(_, called)| called.to_string() == address);
        found.map(|index| self.calls.remove(index)).ok_or_else(|| {
            format!("the server did not call {address}; it waits for an answer from {:?}", self.calls())
        })
    }
}

impl Host for World {
    fn conf(&mut self, key: &str, value: &str) -> Result<(), String> {
        let settings = Arc::make_mut(&mut self.settings);
        let config = &mut self.config;
        match key {
            "bytewise" => self.bytewise = Some(parsed(value)?),
            "login" => settings.login = transcript::duration(value)?,
            "tmp_idle" => settings.tmp_idle = transcript::duration(value)?,
            "silence" => settings.silence = transcript::duration(value)?,
            "frame_bytes_max" => settings.frame_bytes_max = parsed(value)?,
            "queue_bytes_max" => settings.queue_bytes_max = parsed(value)?,
            "commands" => settings.commands = parsed(value)?,
            "pause" => settings.pause = transcript::duration(value)?,
            "muca_gap" => settings.muca_gap = transcript::duration(value)?,
            "rooms_gap" => settings.rooms_gap = transcript::duration(value)?,
            "legacy_bytes_max" => settings.legacy_bytes_max = parsed(value)?,
            "messenger_receipt" => settings.messenger_receipt = transcript::duration(value)?,
            "messenger_body" => settings.messenger_body = transcript::duration(value)?,
            "messenger_gap" => settings.messenger_gap = transcript::duration(value)?,
            "messenger_sent" => settings.messenger_sent = parsed(value)?,
            "bridge_status" => settings.bridge_status = parsed(value)?,
            "server_name" => {
                value.clone_into(&mut settings.server_name);
                value.clone_into(&mut config.server_name);
            }
            "lobby" => value.clone_into(&mut config.lobby),
            "text_bytes_max" => config.text_bytes_max = parsed(value)?,
            "users_max" => config.users_max = parsed(value)?,
            "room_members_max" => config.room_members_max = parsed(value)?,
            "messages_per_s" => config.messages_per_s = parsed(value)?,
            "messages_burst" => config.messages_burst = parsed(value)?,
            "roster_window" => config.roster_window = transcript::duration(value)?,
            "registrations_max" => config.registrations_max = parsed(value)?,
            "rooms_per_user_max" => config.rooms_per_user_max = parsed(value)?,
            "masks_max" => config.masks_max = parsed(value)?,
            "phrase_bytes_max" => config.phrase_bytes_max = parsed(value)?,
            "watched_max" => config.watched_max = parsed(value)?,
            "announce_members_max" => config.announce_members_max = parsed(value)?,
            "announcements_per_s" => config.announcements_per_s = parsed(value)?,
            "announcements_burst" => config.announcements_burst = parsed(value)?,
            "registration" => {
                config.admission = Admission::named(value).ok_or("it is open, invited or closed")?;
            }
            "keeps" => {
                config.keeps = parsed(value)?;
                settings.keeps = config.keeps;
                self.store = config.keeps.then(Store::new);
            }
            "motd" => settings.motd.push(value.to_owned()),
            "waiting_max" => config.waiting_max = transcript::duration(value)?,
            "allowed" => add_allowed(&mut config.addresses, value)?,
            "own" => config.addresses.own.push(parsed(value)?),
            _ => return Err(format!("no setting is called {key}")),
        }
        settings.irc_limits = gateway::IrcLimits::of(config);
        self.hub = Hub::new(self.config.clone()).map_err(|refusal| refusal.to_string())?;
        Ok(())
    }

    fn open(&mut self, opening: &Opening) -> Result<(), String> {
        let address = opening.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let secure = opening.argument.as_deref() == Some("secure");
        let speaks = if opening.dialect == "detect" {
            Speaks::Something(Detector::default())
        } else {
            let dialect = dialects::by_name(&opening.dialect)?;
            let origin = Origin { dialect, address, secure };
            let opening = dialects::opening(dialect, opening.argument.as_deref());
            Speaks::Dialect(dialect, gateway::open(&self.settings, origin, self.now, opening))
        };
        let mut connection = Connection::new(address, speaks);
        connection.is_websocket = opening.argument.as_deref() == Some("websocket");
        connection.is_secure = secure;
        self.add(&opening.name, connection)?;
        self.settle();
        Ok(())
    }

    fn join(&mut self, opening: &Opening) -> Result<(), String> {
        self.open(opening)?;
        let dialect = dialects::by_name(&opening.dialect)?;
        dialects::sign_in(self, dialect, opening)
    }

    fn send(&mut self, name: &str, bytes: &[u8], binary: bool) -> Result<(), String> {
        let id = self.id(name)?;
        let connection = self.connections.get(&id);
        if connection.is_some_and(|connection| connection.ended_by_peer) {
            return Err(format!("{name} has closed and can't send"));
        }
        let bytes = self.detect(id, bytes)?;
        self.call(id, |session, now, out| {
            if binary { session.on_binary(now, &bytes, out) } else { session.on_bytes(now, &bytes, out) }
        });
        self.settle();
        Ok(())
    }

    fn line_end(&self, name: &str) -> Option<&'static [u8]> {
        let connection = self.names.get(name).and_then(|id| self.connections.get(id));
        connection.filter(|connection| connection.has_lines()).map(|_| b"\r\n".as_slice())
    }

    fn close(&mut self, name: &str) -> Result<(), String> {
        let id = self.id(name)?;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.ended_by_peer = true;
            if connection.dialect().is_none() {
                connection.close = Some(Close::ByPeer);
            }
        }
        self.call(id, |session, now, out| session.on_eof(now, out));
        self.settle();
        Ok(())
    }

    fn take(&mut self, name: &str) -> Vec<Vec<u8>> {
        let connection = self.names.get(name).and_then(|id| self.connections.get_mut(id));
        connection.map(|connection| std::mem::take(&mut connection.wire)).unwrap_or_default()
    }

    fn is_closed(&mut self, name: &str) -> bool {
        self.close_reason(name).is_some()
    }

    fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    fn is_framed(&self, name: &str) -> bool {
        let connection = self.names.get(name).and_then(|id| self.connections.get(id));
        // A message of a WebSocket comes whole.
        let dialect = connection.filter(|connection| !connection.is_websocket).and_then(Connection::dialect);
        self.bytewise.unwrap_or_else(|| dialect.is_some_and(dialects::is_framed))
    }

    fn answer(&mut self, name: &str, address: &str) -> Result<(), String> {
        let (call, address) = self.take_call(address)?;
        let origin = Origin { dialect: Dialect::Bridge, address: IpAddr::V4(*address.ip()), secure: false };
        let session = dialects::open_call(&self.settings, origin, self.now)?;
        let speaks = Speaks::Dialect(Dialect::Bridge, session);
        let id = self.add(name, Connection::new(origin.address, speaks))?;
        let mut fx = Vec::new();
        self.hub.answered(self.now, call, id, &mut fx);
        self.carry_out(fx);
        self.settle();
        Ok(())
    }

    fn busy(&mut self, address: &str) -> Result<(), String> {
        let (call, _) = self.take_call(address)?;
        let mut fx = Vec::new();
        self.hub.unanswered(self.now, call, &mut fx);
        self.carry_out(fx);
        self.settle();
        Ok(())
    }

    fn calls(&self) -> Vec<String> {
        self.calls.iter().map(|(_, address)| address.to_string()).collect()
    }

    fn advance(&mut self, by: Duration) {
        let target = self.now.plus(by);
        while let Some(at) = self.wake_at().filter(|at| *at <= target.at) {
            self.now = self.now.plus(at.saturating_duration_since(self.now.at));
            self.settle();
        }
        self.now = target;
    }

    fn shutdown(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.call(id, |session, now, out| session.on_shutdown(now, out));
        }
        self.settle();
    }
}

fn parsed<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{value:?} is no value for this setting"))
}

fn add_allowed(policy: &mut AddressPolicy, value: &str) -> Result<(), String> {
    policy.allowed.push(parsed(value)?);
    Ok(())
}
