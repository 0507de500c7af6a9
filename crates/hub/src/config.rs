//! The hub's limits and choices.

use std::time::Duration;

use crate::{AddressPolicy, Admission, Operators};

/// The hub's limits and choices.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The room that always exists and that whoever names no room is in.
    pub lobby: String,
    /// Whether somebody keeps what is said ([`crate::Effect::Keep`]); else there is no history.
    pub keeps: bool,
    /// Who can make an account.
    pub admission: Admission,
    /// Where browsers find the server's page, without a slash at the end; empty: see [`crate::Hub::found_at`].
    pub web_url: String,
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
    /// Rooms that one user is in at once.
    pub rooms_per_user_max: usize,
    /// Masks on one list of one room.
    pub masks_max: usize,
    /// Bytes of a topic, a reason, an away message or a real name.
    pub phrase_bytes_max: usize,
    /// Names that one session watches.
    pub watched_max: usize,
    /// Above so many members a room doesn't tell who comes and goes, until they speak.
    pub announce_members_max: usize,
    /// Arrivals and departures told to each member of a room, a second in the long run; more are told later.
    pub announcements_per_s: u32,
    /// Arrivals and departures told to each member of a room at once.
    pub announcements_burst: u32,
    /// Messages remembered for what refers to them: reactions and taking back.
    pub recent_max: usize,
    /// Departures remembered for who asks who had a name.
    pub former_max: usize,
    /// What users' addresses are hidden with: another key, other hosts. Whoever knows it can find addresses.
    pub host_key: [u8; 32],
    /// Who can become a server operator.
    pub operators: Operators,
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
            keeps: false,
            admission: Admission::Open,
            web_url: String::new(),
            server_name: "polylogue".to_owned(),
            text_bytes_max: 4 * 1024,
            name_grace: Duration::ZERO,
            users_max: 100_000,
            room_members_max: 50_000,
            rooms_per_user_max: 100,
            masks_max: 100,
            phrase_bytes_max: 390,
            watched_max: 100,
            announce_members_max: 1_000,
            announcements_per_s: 20,
            announcements_burst: 100,
            recent_max: 4096,
            former_max: 1024,
            host_key: [0; 32],
            operators: Operators::new(),
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
