//! `polylogue load`: what can be asked of it.

use clap::{Args, Subcommand, ValueEnum};

use super::target::Target;

/// `polylogue load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// What is done to the server.
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// The kinds of load.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// One room: some say, all hear
    Fanout(Fanout),
    /// Private messages between pairs
    Direct(Direct),
    /// Connections that sign in and then say nothing; and how soon a newcomer is answered beside them
    Idle(Idle),
    /// Visits: connect, sign in, join, speak, leave
    Churn(Churn),
    /// A day in a community: rooms of all sizes, typing, arrivals, looking things up
    Mixed(Mixed),
    /// A room that talks while somebody misbehaves: what the others notice
    Weather(Weather),
}

const URL_HELP: &str = "\
The server: PROTOCOL://HOST:PORT, where PROTOCOL is irc, ircs (TLS), ircws or ircwss (WebSocket), tmp, tmps (TLS), \
rooms, muca, messenger or bridge. Certificates aren't checked: nothing secret is sent.";

/// What all kinds take.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The server's process: reports its processor time and memory
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// How many addresses of 127.0.0.0/8 to connect from, if the server is on this machine; else one for 5 000 connections
    #[arg(long, value_name = "N")]
    pub(crate) sources: Option<u8>,
    /// How many connections may be signing in at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) at_once: usize,
    /// The room
    #[arg(long, default_value = "lobby")]
    pub(crate) room: String,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// How people talk.
#[derive(Debug, Clone, Args)]
pub(crate) struct Talk {
    /// How many messages of one sender may be on their way
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) window: u32,
    /// How long a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) size: usize,
    /// How many messages a second, of all senders together, whatever is on its way; without it as many as the window allows
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// How long to talk before measuring
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub(crate) warmup: f64,
}

/// `polylogue load fanout`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Fanout {
    /// Several, of one server: the members are dealt to them in turn
    #[arg(value_name = "URL", required = true, long_help = URL_HELP)]
    pub(crate) targets: Vec<Target>,
    /// How many are in the room
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) members: usize,
    /// How many of them talk
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) senders: usize,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load direct`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Direct {
    #[arg(value_name = "URL", long_help = URL_HELP)]
    pub(crate) target: Target,
    /// How many pairs
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) pairs: usize,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load idle`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Idle {
    #[arg(value_name = "URL", long_help = URL_HELP)]
    pub(crate) target: Target,
    /// How many connections
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Join the room, instead of only signing in (IRC)
    #[arg(long)]
    pub(crate) join: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load churn`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Churn {
    #[arg(value_name = "URL", long_help = URL_HELP)]
    pub(crate) target: Target,
    /// How many visits
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub(crate) visits: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load mixed`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Mixed {
    #[arg(value_name = "URL", long_help = URL_HELP)]
    pub(crate) target: Target,
    /// How many people there are
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) people: usize,
    /// How many rooms there are
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) rooms: usize,
    /// How many things people do in a second
    #[arg(long, value_name = "N", default_value_t = 500.0)]
    pub(crate) rate: f64,
    /// How long a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) size: usize,
    /// What the dice begin with: the same number, the same day
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Who misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Members of the room that read nothing any more
    Stopped,
    /// Members of the room that read one byte a second
    Slow,
    /// Connections that say nothing at all
    Silent,
    /// Connections from one address, as fast as they can be made
    Flood,
    /// Somebody who talks in another room as fast as the server reads
    Fast,
}

/// `polylogue load weather`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Weather {
    /// Who misbehaves
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    #[arg(value_name = "URL", long_help = URL_HELP)]
    pub(crate) target: Target,
    /// How many are in the room
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) members: usize,
    /// How many misbehave; else 10 that read badly, 10 000 that say nothing, 100 of a flood at once, one that talks
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<usize>,
    /// How long a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) size: usize,
    /// How many messages a second the room hears
    #[arg(long, value_name = "N", default_value_t = 200.0)]
    pub(crate) rate: f64,
    #[command(flatten)]
    pub(crate) common: Common,
}
