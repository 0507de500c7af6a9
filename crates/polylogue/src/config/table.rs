//! Every key: its name, its explanation, where its value lives and which values it takes. The file, the
//! environment, `polylogue config` and the errors are all made from this table, so they agree.

use std::path::PathBuf;

use hub::{Admission, Name, RoomName};
use server::Durability;

use super::field::{Field, Unit};
use super::keys::Key;
use super::listen;
use super::log::{Format, Level};
use super::operators;

/// A file's name, or nothing.
fn named(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

fn shown(file: &Option<PathBuf>) -> String {
    file.as_ref().map_or_else(String::new, |file| file.display().to_string())
}

/// An address of a page, without a slash at its end.
fn url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_fine = |host: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
        host.starts_with(|c: char| c != '/') && host.chars().all(fine)
    };
    match host {
        _ if text.is_empty() => Ok(String::new()),
        Some(host) if is_fine(host) => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not http:// or https:// and a host")),
    }
}

const DAY_S: u64 = 24 * 60 * 60;
const MIB: u64 = 1024 * 1024;
const MANY: u64 = 10_000_000;

/// All keys, in the order in which they are printed.
pub(super) static KEYS: &[Key] = &[
    Key::new(
        "server",
        "name",
        &["The name that the server itself speaks under; nobody else can take it."],
        Field::Text(
            "1 to 32 characters, not ALL",
            |config| config.hub.server_name.clone(),
            |config, text| {
                let name = Name::new(text).map_err(|refusal| refusal.to_string())?.to_string();
                config.gateway.server_name.clone_from(&name);
                config.hub.server_name = name;
                Ok(())
            },
        ),
    ),
    Key::new(
        "server",
        "lobby",
        &["The room that always exists and that whoever names no room is in."],
        Field::Text(
            "1 to 64 characters",
            |config| config.hub.lobby.clone(),
            |config, text| {
                let name = RoomName::new(text).map_err(|refusal| refusal.to_string())?;
                config.hub.lobby = name.as_str().to_owned();
                Ok(())
            },
        ),
    ),
    Key::new(
        "server",
        "listen",
        &[
            "Where to listen: PORT, HOST:PORT or [IPV6]:PORT; after it =PROTOCOL pins the port to one of tmp,",
            "muca, rooms, bridge, messenger, irc, else what each client says first decides. Port 0 takes a free one.",
            "Empty: the usual ports 5050, 5000, 8888=rooms, 40452=muca, 5555=bridge and 6667=irc, with TLS also",
            "6697=irc, of which those that are taken are left out with a warning. One that is named here has to be free.",
        ],
        Field::List(
            listen::EXPECTED,
            |config| config.listen.iter().map(ToString::to_string).collect(),
            |config, items| {
                config.listen = items.iter().map(|item| item.parse()).collect::<Result<_, _>>()?;
                Ok(())
            },
        ),
    ),
    Key::new(
        "server",
        "lan",
        &["Whether ports without a host are open on all interfaces, and not only on loopback."],
        Field::Switch(|config| &mut config.lan),
    ),
    Key::new(
        "server",
        "url",
        &[
            "Where browsers find the page, for links that people are given: https://chat.example.org. Empty: the first",
            "port that answers browsers, at this machine's address.",
        ],
        Field::Text(
            "http:// or https:// and a host",
            |config| config.hub.web_url.clone(),
            |config, text| {
                config.hub.web_url = url(text)?;
                Ok(())
            },
        ),
    ),
    Key::new(
        "server",
        "threads",
        &["Threads that serve connections; 0: one for each core."],
        Field::Size(0..=64, |config| &mut config.threads),
    ),
    Key::new(
        "store",
        "keep",
        &[
            "Whether what is said is kept, for those who come later. If not (--ephemeral), there is no history.",
        ],
        Field::Switch(|config| &mut config.keep),
    ),
    Key::new(
        "store",
        "folder",
        &["The folder that it is kept in; empty: polylogue in the user's data folder. One server has one."],
        Field::Text(
            "a folder's name",
            |config| shown(&config.folder),
            |config, text| {
                config.folder = named(text);
                Ok(())
            },
        ),
    ),
    Key::new(
        "store",
        "durability",
        &[
            "What kept messages survive: process, which is any end of the server however sudden, or power, which is",
            "loss of power too and makes each message wait for the disk.",
        ],
        Field::Text(
            "process or power",
            |config| match config.durability {
                Durability::Process => "process".to_owned(),
                Durability::Power => "power".to_owned(),
            },
            |config, text| {
                config.durability = match text {
                    "process" => Durability::Process,
                    "power" => Durability::Power,
                    _ => return Err(format!("{text:?} is not process or power")),
                };
                Ok(())
            },
        ),
    ),
    Key::new(
        "store",
        "keep_days",
        &["How many days what is said is kept; 0: for ever."],
        Field::Count(0..=36_500, |config| &mut config.retention.days),
    ),
    Key::new(
        "store",
        "keep_messages_per_room",
        &[
            "How many messages of each room are kept, the latest; 0: all. A room may have a hundredth more for a while.",
            "Conversations aren't counted.",
        ],
        Field::Size(0..=MANY, |config| &mut config.retention.messages_per_room),
    ),
    Key::new(
        "accounts",
        "registration",
        &[
            "Who can make an account: open, which is anybody, invited, which is whoever has an invitation, or closed,",
            "which is only whoever runs the server (polylogue admin accounts add).",
        ],
        Field::Text(
            "open, invited or closed",
            |config| config.hub.admission.as_str().to_owned(),
            |config, text| {
                let admission = Admission::named(text);
                config.hub.admission =
                    admission.ok_or_else(|| format!("{text:?} is not open, invited or closed"))?;
                Ok(())
            },
        ),
    ),
    Key::new(
        "admin",
        "socket",
        &[
            "The Unix socket that takes them; empty: admin.sock in the store's folder, and none if nothing is kept.",
            "Only the user that the server runs as, and root, can use it.",
        ],
        Field::Text(
            "a file's name",
            |config| shown(&config.admin_socket),
            |config, text| {
                config.admin_socket = named(text);
                Ok(())
            },
        ),
    ),
    Key::new(
        "tls",
        "cert",
        &[
            "The file with the server's certificate in PEM, and after it those that lead to one that clients know",
            "(an ACME client's fullchain.pem). SIGHUP reads both files again; who is connected stays.",
        ],
        Field::Text(
            "a file's name",
            |config| shown(&config.tls.cert),
            |config, text| {
                config.tls.cert = named(text);
                Ok(())
            },
        ),
    ),
    Key::new(
        "tls",
        "key",
        &["The file with the certificate's private key in PEM, without a passphrase (privkey.pem)."],
        Field::Text(
            "a file's name",
            |config| shown(&config.tls.key),
            |config, text| {
                config.tls.key = named(text);
                Ok(())
            },
        ),
    ),
    Key::new(
        "log",
        "level",
        &["error, warn, info, debug or trace. Read again on SIGHUP."],
        Field::Text(
            Level::EXPECTED,
            |config| config.log.level.to_string(),
            |config, text| {
                config.log.level = text.parse()?;
                Ok(())
            },
        ),
    ),
    Key::new(
        "log",
        "format",
        &["text, or json with one object a line."],
        Field::Text(
            Format::EXPECTED,
            |config| config.log.format.to_string(),
            |config, text| {
                config.log.format = text.parse()?;
                Ok(())
            },
        ),
    ),
    Key::new(
        "dialects",
        "commands",
        &["Whether /msg, /who and the like are commands where a protocol has no other way to say them."],
        Field::Switch(|config| &mut config.gateway.commands),
    ),
    Key::new(
        "dialects",
        "pause_ms",
        &["How long nothing must come before a message without an end counts as complete."],
        Field::Time(Unit::Milliseconds, 10..=10_000, |config| &mut config.gateway.pause),
    ),
    Key::new(
        "dialects",
        "roster_window_ms",
        &["How long changes of who is present are gathered into one list."],
        Field::Time(Unit::Milliseconds, 0..=10_000, |config| &mut config.hub.roster_window),
    ),
    Key::new(
        "dialects",
        "legacy_bytes_max",
        &[
            "The largest message that a rooms or messenger client is sent; longer ones are split between words.",
        ],
        Field::Size(128..=MIB, |config| &mut config.gateway.legacy_bytes_max),
    ),
    Key::new(
        "muca",
        "gap_ms",
        &["The least time between two objects to one client; half of them take one read for one object."],
        Field::Time(Unit::Milliseconds, 0..=10_000, |config| &mut config.gateway.muca_gap),
    ),
    Key::new(
        "rooms",
        "gap_ms",
        &["The least time between two messages to one client that doesn't use lines."],
        Field::Time(Unit::Milliseconds, 0..=10_000, |config| &mut config.gateway.rooms_gap),
    ),
    Key::new(
        "bridge",
        "allow",
        &[
            "Networks whose addresses a client may give as its own although it connects from elsewhere, as in",
            "[\"192.0.2.0/24\"]. Any other such address is replaced by the one that the client was seen at.",
        ],
        Field::List(
            "IPv4 networks, as in 192.0.2.0/24",
            |config| config.hub.addresses.allowed.iter().map(ToString::to_string).collect(),
            |config, items| {
                let networks = items
                    .iter()
                    .map(|item| item.parse().map_err(|_| format!("{item:?} is not an IPv4 network")));
                config.hub.addresses.allowed = networks.collect::<Result<_, _>>()?;
                Ok(())
            },
        ),
    ),
    Key::new(
        "bridge",
        "status",
        &[
            "Whether REGACK has a fourth header `Status: registered`. No known client needs it, one breaks on it.",
        ],
        Field::Switch(|config| &mut config.gateway.bridge_status),
    ),
    Key::new(
        "bridge",
        "registrations_max",
        &["Registrations kept at once."],
        Field::Size(1..=MANY, |config| &mut config.hub.registrations_max),
    ),
    Key::new(
        "bridge",
        "ring_s",
        &["How long a waiting client may take to accept the server's connection when it is written to."],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.limits.ring),
    ),
    Key::new(
        "bridge",
        "waiting_s",
        &["How long a client may wait for a partner, and how long a pair is remembered."],
        Field::Time(Unit::Seconds, 1..=30 * DAY_S, |config| &mut config.hub.waiting_max),
    ),
    Key::new(
        "irc",
        "name",
        &["The server's name: with a point in it, so that clients tell it from people."],
        Field::Text(
            "letters, digits, - and at least one point",
            |config| config.gateway.irc_name.clone(),
            |config, text| {
                let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
                if text.len() > 63 || !text.contains('.') || !text.chars().all(legal) {
                    return Err(format!("{text:?} is no server's name"));
                }
                config.gateway.irc_name = text.to_owned();
                Ok(())
            },
        ),
    ),
    Key::new(
        "irc",
        "network",
        &["The network's name."],
        Field::Text(
            "1 to 32 letters, digits, - and _",
            |config| config.gateway.irc_network.clone(),
            |config, text| {
                let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if text.is_empty() || text.len() > 32 || !text.chars().all(legal) {
                    return Err(format!("{text:?} is no network's name"));
                }
                config.gateway.irc_network = text.to_owned();
                Ok(())
            },
        ),
    ),
    Key::new(
        "irc",
        "motd",
        &["The message of the day, line by line."],
        Field::List(
            "texts",
            |config| config.gateway.motd.clone(),
            |config, lines| {
                config.gateway.motd = lines.to_vec();
                Ok(())
            },
        ),
    ),
    Key::new(
        "irc",
        "ping_s",
        &["After how long a silent client is asked whether it is there."],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.gateway.irc_ping),
    ),
    Key::new(
        "irc",
        "pong_s",
        &["How long it may take to answer."],
        Field::Time(Unit::Seconds, 1..=DAY_S, |config| &mut config.gateway.irc_pong),
    ),
    Key::new(
        "irc",
        "sts_duration_s",
        &[
            "With TLS: how long clients are to come back encrypted only (IRCv3 sts). 0: they may do as they like.",
            "They then insist on a certificate that they can check. A mistake lasts as long as this.",
        ],
        Field::Time(Unit::Seconds, 0..=366 * DAY_S, |config| &mut config.sts),
    ),
    Key::new(
        "irc",
        "operators",
        &[
            "Who becomes a server operator with OPER NAME PASSWORD: \"NAME PRIVILEGES HASH\". Privileges, apart by",
            "commas, or all: kill, wallops, rehash, rooms (keep order in all rooms), see (addresses, secret rooms).",
            "`polylogue operator NAME` makes such a line. Read again on SIGHUP and REHASH.",
        ],
        Field::List(operators::EXPECTED, operators::written, operators::read),
    ),
    Key::new(
        "messenger",
        "sent",
        &[
            "Whether every client's message is acknowledged with SENT. Off: with SEND, as the protocol's table",
            "has it, except to clients that are known by their habits to want SENT.",
        ],
        Field::Switch(|config| &mut config.gateway.messenger_sent),
    ),
    Key::new(
        "messenger",
        "receipt_ms",
        &[
            "How long a recipient may take to acknowledge before it counts as served and isn't waited for again.",
        ],
        Field::Time(Unit::Milliseconds, 100..=600_000, |config| &mut config.gateway.messenger_receipt),
    ),
    Key::new(
        "messenger",
        "body_ms",
        &["How long a body may stay shorter than its header says before the session ends."],
        Field::Time(Unit::Milliseconds, 100..=600_000, |config| &mut config.gateway.messenger_body),
    ),
    Key::new(
        "messenger",
        "gap_ms",
        &["The least time between two messages to one client that may not have read the first."],
        Field::Time(Unit::Milliseconds, 0..=10_000, |config| &mut config.gateway.messenger_gap),
    ),
];
