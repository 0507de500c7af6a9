//! The keys of the section `limits`.

use super::field::{Field, Unit};
use super::keys::Key;

const DAY_S: u64 = 24 * 60 * 60;
const MIB: u64 = 1024 * 1024;
const MANY: u64 = 10_000_000;

/// What one client, and all together, may take.
pub(super) static KEYS: &[Key] = &[
    Key::new(
        "limits",
        "text_bytes_max",
        &["The longest message, in bytes of UTF-8."],
        Field::Size(1..=MIB, |config| &mut config.hub.text_bytes_max),
    ),
    Key::new(
        "limits",
        "frame_bytes_max",
        &["The largest frame that a client may send."],
        Field::Size(1024..=16 * MIB, |config| &mut config.gateway.frame_bytes_max),
    ),
    Key::new(
        "limits",
        "queue_bytes_max",
        &["What may wait for a client that reads slowly; one that exceeds it is closed."],
        Field::Both(16 * 1024..=1024 * MIB, |config| {
            [&mut config.limits.queue_bytes_max, &mut config.gateway.queue_bytes_max]
        }),
    ),
    Key::new(
        "limits",
        "connections_max",
        &["Connections at once."],
        Field::Size(1..=MANY, |config| &mut config.limits.connections_max),
    ),
    Key::new(
        "limits",
        "connections_per_address_max",
        &["Connections at once from one address. Loopback has no such limit."],
        Field::Size(1..=MANY, |config| &mut config.limits.connections_per_address_max),
    ),
    Key::new(
        "limits",
        "http_connections_max",
        &["Connections at once that ask for the page, the health or the metrics."],
        Field::Size(1..=MANY, |config| &mut config.limits.http_connections_max),
    ),
    Key::new(
        "limits",
        "login_s",
        &["How long a login may take, from the first byte on."],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.gateway.login),
    ),
    Key::new(
        "limits",
        "silence_s",
        &[
            "How long a connection may say nothing before its first byte, and a bridge client between requests.",
            "Many clients connect before they ask their user anything, so this is minutes.",
        ],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.gateway.silence),
    ),
    Key::new(
        "limits",
        "tmp_idle_s",
        &["How long a tmp client that is logged in may say nothing."],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.gateway.tmp_idle),
    ),
    Key::new(
        "limits",
        "websocket_ping_s",
        &["How long a WebSocket may be silent before it is pinged, and then how long before it is given up."],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.limits.websocket_ping),
    ),
    Key::new(
        "limits",
        "linger_s",
        &["How long a connection is kept after the last answer, for its client to read it and close."],
        Field::Time(Unit::Seconds, 0..=DAY_S, |config| &mut config.limits.linger),
    ),
    Key::new(
        "limits",
        "drain_s",
        &["How long the server may take to end once it was told to."],
        Field::Time(Unit::Seconds, 0..=DAY_S, |config| &mut config.limits.drain),
    ),
    Key::new(
        "limits",
        "users_max",
        &["Users present at once."],
        Field::Size(1..=MANY, |config| &mut config.hub.users_max),
    ),
    Key::new(
        "limits",
        "room_members_max",
        &["Members of one room."],
        Field::Size(1..=MANY, |config| &mut config.hub.room_members_max),
    ),
    Key::new(
        "limits",
        "messages_per_s",
        &[
            "Messages a second that one session may send in the long run. Clients on this machine have no limit.",
        ],
        Field::Count(1..=1_000_000, |config| &mut config.hub.messages_per_s),
    ),
    Key::new(
        "limits",
        "messages_burst",
        &["Messages that one session may send at once."],
        Field::Count(1..=1_000_000, |config| &mut config.hub.messages_burst),
    ),
    Key::new(
        "limits",
        "rooms_per_user",
        &["Rooms that one user is in at once."],
        Field::Size(1..=MANY, |config| &mut config.hub.rooms_per_user_max),
    ),
    Key::new(
        "limits",
        "masks",
        &["Masks on each list of a room: bans, exceptions, invitations."],
        Field::Size(1..=MANY, |config| &mut config.hub.masks_max),
    ),
    Key::new(
        "limits",
        "watched",
        &["People whom one client watches (MONITOR)."],
        Field::Size(1..=MANY, |config| &mut config.hub.watched_max),
    ),
    Key::new(
        "limits",
        "announce_members",
        &["In rooms with more members an arrival is told when the newcomer first does something there."],
        Field::Size(0..=MANY, |config| &mut config.hub.announce_members_max),
    ),
    Key::new(
        "limits",
        "announcements_per_s",
        &[
            "Arrivals and departures that each member of a room is told, a second in the long run; more come later.",
        ],
        Field::Count(1..=1_000_000, |config| &mut config.hub.announcements_per_s),
    ),
    Key::new(
        "limits",
        "announcements_burst",
        &["Arrivals and departures that each member of a room is told at once."],
        Field::Count(1..=1_000_000, |config| &mut config.hub.announcements_burst),
    ),
];
