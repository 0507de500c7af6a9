//! What every dialect's session looks like to whoever owns the connection.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{Form, Now, Reply, Shared, Token};

use crate::Outbox;

/// One connection's protocol, between its bytes and the hub.
///
/// The owner of the connection opens the session on the hub, calls the session when something happens, drains
/// the [`Outbox`] after each call, and calls [`Session::on_timer`] when [`Session::wake_at`] has come. A session
/// never blocks and never asks the time.
pub trait Session: Send {
    /// The connection is up and the hub knows the session. Called once, before anything else: most dialects
    /// wait for the client to speak first.
    fn on_open(&mut self, now: Now, out: &mut Outbox) {
        let _ = (now, out);
    }

    /// Bytes came from the peer: over TCP what one read gave, over WebSocket the payload of one text message.
    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox);

    /// A WebSocket binary message came. Most dialects don't care which it is.
    fn on_binary(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        self.on_bytes(now, bytes, out);
    }

    /// The peer closed its side: nothing more will come. What it sent before may still be answered.
    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        let _ = now;
        out.close(crate::Close::ByPeer);
    }

    /// Something happened that concerns this session's user.
    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox);

    /// What [`Session::on_event`] would write, if to write it, message by message, were all that it would do. Then it
    /// need not be called: most of what a server does is this, and it wants neither an outbox nor a look at timers.
    fn ready<'e>(&self, event: &'e Shared) -> Option<&'e [Bytes]> {
        let _ = event;
        None
    }

    /// The wire form that [`Session::ready`] gives any message of another session ([`hub::Event::is_message`]) that
    /// somebody was given in this form already. Holds until the session is next called; a session that would have to
    /// look at the message first has none.
    fn form(&self) -> Option<Form> {
        None
    }

    /// The hub answers.
    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox);

    /// What it said under a token was delivered, and there is no more to say about it. Whether that is all there is to do:
    /// then it needs no [`Session::on_reply`], and nothing that is asked after calls has changed.
    fn on_delivered(&mut self, token: Token) -> bool {
        let _ = token;
        false
    }

    /// The moment of [`Session::wake_at`] has come. May be called early; then nothing happens.
    fn on_timer(&mut self, now: Now, out: &mut Outbox);

    /// The server is going away: say goodbye in the protocol's way and close.
    fn on_shutdown(&mut self, now: Now, out: &mut Outbox);

    /// The server doesn't take the newcomer: say why as far as the protocol can, and close. Called in place of
    /// anything else.
    fn on_turned_away(&mut self, now: Now, reason: &str, out: &mut Outbox) {
        let _ = reason;
        // The protocol's way of saying that the server goes away is its way of saying that it has no place.
        self.on_shutdown(now, out);
    }

    /// When [`Session::on_timer`] wants to be called next. Asked after every call.
    fn wake_at(&self) -> Option<Instant>;

    /// What the peer is to be heard for. Asked after every call.
    fn due(&self) -> Due {
        Due::Anything
    }

    /// The user that the session is logged in as, for logs.
    fn user_name(&self) -> Option<&str>;
}

/// What a peer is to be heard for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Due {
    /// Whatever it says, at once.
    #[default]
    Anything,
    /// It only acknowledges what it is sent, and has nothing to acknowledge.
    Nothing,
    /// It only acknowledges, and nobody waits for that: it may be heard a moment later.
    Receipt,
    /// It only acknowledges, and somebody waits for that.
    UrgentReceipt,
}

/// The limits and choices of sessions, the same for all connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a login may take, from the first byte on.
    pub login: Duration,
    /// How long a tmp session may say nothing.
    pub tmp_idle: Duration,
    /// How long a connection may say nothing before its first byte, and a bridge connection between requests.
    pub silence: Duration,
    /// The largest frame that a client may send, in bytes.
    pub frame_bytes_max: usize,
    /// What may wait inside a session for its peer to be ready, in bytes.
    pub queue_bytes_max: usize,
    /// Whether `/msg`, `/who` and the like are commands in dialects that lack the verb.
    pub commands: bool,
    /// The name that the server itself speaks under.
    pub server_name: String,
    /// How long nothing must come before an unterminated message counts as complete.
    pub pause: Duration,
    /// The least time between two objects to a muca client that takes one `recv` for one object.
    pub muca_gap: Duration,
    /// The least time between two messages to a rooms client that takes one `recv` for one message.
    pub rooms_gap: Duration,
    /// The largest message, in bytes, that a rooms or messenger client is sent; longer texts are split.
    pub legacy_bytes_max: usize,
    /// How long a messenger client may take to acknowledge before it is counted as served.
    pub messenger_receipt: Duration,
    /// How long a body of a messenger client may stay shorter than its header says.
    pub messenger_body: Duration,
    /// The least time between two messages to a messenger client that may not have read the first.
    pub messenger_gap: Duration,
    /// Whether every messenger client is acknowledged with `SENT` and not only those that give a tell.
    pub messenger_sent: bool,
    /// Whether REGACK carries `Status: registered`.
    pub bridge_status: bool,
    /// Whether there is a history.
    pub keeps: bool,
    /// The server's name on IRC: with a point in it, so that clients tell it from people.
    pub irc_name: String,
    /// The network's name on IRC.
    pub irc_network: String,
    /// The message of the day, line by line.
    pub motd: Vec<String>,
    /// After how long a silent IRC client is asked whether it is there.
    pub irc_ping: Duration,
    /// How long it may take to answer.
    pub irc_pong: Duration,
    /// How many lines an IRC client may send; who sends more is read more slowly. Peers on this machine have no
    /// limit.
    pub irc_lines: IrcLines,
    /// Limits of the hub's that IRC clients are told.
    pub irc_limits: IrcLimits,
    /// What IRC clients on unencrypted connections are told of encrypted ones.
    pub irc_sts: Option<Sts>,
    /// When the server was started: milliseconds since 1970.
    pub started_ms: u64,
    /// What IRC clients are told when they register, made of the rest.
    #[doc(hidden)]
    pub irc_greeting: crate::irc::Greeting,
}

/// How many lines a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IrcLines {
    /// A second, in the long run.
    pub per_s: u32,
    /// At once.
    pub burst: u32,
}

/// Limits that IRC clients are told. They are the hub's ([`hub::HubConfig`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IrcLimits {
    /// [`hub::HubConfig::rooms_per_user_max`].
    pub rooms_max: usize,
    /// [`hub::HubConfig::masks_max`].
    pub masks_max: usize,
    /// [`hub::HubConfig::phrase_bytes_max`].
    pub phrase_bytes_max: usize,
    /// [`hub::HubConfig::watched_max`].
    pub watched_max: usize,
}

impl IrcLimits {
    /// The limits of a hub.
    #[must_use]
    pub fn of(config: &hub::HubConfig) -> Self {
        Self {
            rooms_max: config.rooms_per_user_max,
            masks_max: config.masks_max,
            phrase_bytes_max: config.phrase_bytes_max,
            watched_max: config.watched_max,
        }
    }
}

/// Strict transport security (IRCv3 sts): clients are to come back encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sts {
    /// Where TLS is spoken; 0: at the port that the server has for it.
    pub port: u16,
    /// How long clients are to remember it, in seconds.
    pub duration_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(45),
            tmp_idle: Duration::from_secs(600),
            silence: Duration::from_secs(600),
            frame_bytes_max: 64 * 1024,
            queue_bytes_max: 1024 * 1024,
            commands: true,
            server_name: "polylogue".to_owned(),
            pause: Duration::from_millis(150),
            muca_gap: Duration::from_millis(100),
            rooms_gap: Duration::from_millis(10),
            legacy_bytes_max: 1000,
            messenger_receipt: Duration::from_secs(3),
            messenger_body: Duration::from_secs(5),
            messenger_gap: Duration::from_millis(100),
            messenger_sent: false,
            bridge_status: false,
            keeps: false,
            irc_name: "polylogue.local".to_owned(),
            irc_network: "Polylogue".to_owned(),
            motd: Vec::new(),
            irc_ping: Duration::from_secs(120),
            irc_pong: Duration::from_secs(60),
            irc_lines: IrcLines { per_s: 10, burst: 30 },
            irc_limits: IrcLimits::of(&hub::HubConfig::default()),
            irc_sts: None,
            started_ms: 0,
            irc_greeting: crate::irc::Greeting::default(),
        }
    }
}
