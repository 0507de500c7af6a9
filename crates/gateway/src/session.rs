//! What every dialect's session looks like to whoever owns the connection.

use std::time::{Duration, Instant};

use hub::{Now, Reply, Shared};

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

    /// The hub answers.
    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox);

    /// The moment of [`Session::wake_at`] has come. May be called early; then nothing happens.
    fn on_timer(&mut self, now: Now, out: &mut Outbox);

    /// The server is going away: say goodbye in the protocol's way and close.
    fn on_shutdown(&mut self, now: Now, out: &mut Outbox);

    /// When [`Session::on_timer`] wants to be called next. Asked after every call.
    fn wake_at(&self) -> Option<Instant>;

    /// The user that the session is logged in as, for logs.
    fn user_name(&self) -> Option<&str>;
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
        }
    }
}
