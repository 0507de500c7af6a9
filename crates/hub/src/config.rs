//! The hub's limits and choices.

use std::time::Duration;

use crate::AddressPolicy;

/// The hub's limits and choices.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The room that always exists and that whoever names no room is in.
    pub lobby: String,
    /// The name that the server itself speaks under; nobody else can take it.
    pub server_name: String,
    /// Bytes of UTF-8 in one message.
    pub text_bytes_max: usize,
    /// How long a login waits for a taken name before it is refused. Where connections are served side by side, the
    /// end of one may be known a moment later than the beginning of the next, and a name must be free as soon as
    /// its user has gone. Zero: it is refused at once.
    pub name_grace: Duration,
    /// Users present at once.
    pub users_max: usize,
    /// Members of one room.
    pub room_members_max: usize,
    /// Messages a second that one session may send in the long run. Peers on this machine have no limit.
    pub messages_per_s: u32,
    /// Messages that one session may send at once.
    pub messages_burst: u32,
    /// How long changes of who is present are gathered into one roster.
    pub roster_window: Duration,
    /// Which contacts of bridge clients are handed out and rung.
    pub addresses: AddressPolicy,
    /// Bridge registrations kept at once.
    pub registrations_max: usize,
    /// Bridge registrations kept at once from one host. This machine has no such limit.
    pub registrations_per_host_max: usize,
    /// How long a bridge client may wait, and how long a pair is remembered.
    pub waiting_max: Duration,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            lobby: "lobby".to_owned(),
            server_name: "polylogue".to_owned(),
            text_bytes_max: 4 * 1024,
            name_grace: Duration::ZERO,
            users_max: 100_000,
            room_members_max: 50_000,
            messages_per_s: 10,
            messages_burst: 30,
            roster_window: Duration::from_millis(50),
            addresses: AddressPolicy::default(),
            registrations_max: 10_000,
            registrations_per_host_max: 64,
            waiting_max: Duration::from_secs(60 * 60),
        }
    }
}
