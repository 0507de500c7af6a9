//! `polylogue load`: what can be asked of it.

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand, ValueEnum, value_parser};

use super::origin::SOURCES_MAX;
use super::stamp::BYTES_MIN;
use super::target::Target;

/// `polylogue load`.
#[derive(Debug, Args)]
#[command(after_help = LOAD_HELP)]
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

const LOAD_HELP: &str = "\
With the server's process id, what it used is reported too:
  polylogue load fanout irc://127.0.0.1:6667 --members 500 --pid 4711

Exit codes: 0 everything was right, 1 there were faults or it could not be done, 2 wrong usage.";

const URL_HELP: &str = "\
PROTOCOL is irc, ircs (TLS), ircws or ircwss (WebSocket, plain or in TLS), tmp, tmps (TLS), rooms, muca,
messenger or bridge. No certificate is checked: nothing secret is sent.";

const KINDS_HELP: &str = "\
KIND is
  stopped  members of the room that read nothing any more
  slow     members of the room that read one byte a second
  silent   connections that say nothing at all
  flood    connections from one address, one after the other and soon gone
  fast     somebody who talks in another room as fast as the server reads (irc)

PROTOCOL is irc, ircs (TLS), ircws or ircwss (WebSocket, plain or in TLS), tmp, tmps (TLS), rooms, muca or
messenger. No certificate is checked: nothing secret is sent.";

/// More of anything than a machine has ports for is a slip of the pen.
const COUNT_MAX: u64 = 10_000_000;

/// So many, or more.
fn at_least(least: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=COUNT_MAX)
}

/// A number that can be divided by.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok(number),
        _ => Err(format!("{text:?} is not a number above 0 and up to a thousand million")),
    }
}

/// A time that may be none.
fn pause(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok(seconds),
        _ => Err(format!("{text:?} is not a number from 0 to a thousand million")),
    }
}

/// How long a message is.
fn size(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(size @ BYTES_MIN..=0x10_0000) => Ok(size),
        Ok(_) => Err(format!("{BYTES_MIN} bytes to 1 MiB: its number and its time alone take {BYTES_MIN}")),
        Err(error) => Err(error.to_string()),
    }
}

/// What all kinds take.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The server's process: reports its processor time and memory
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// From how many addresses of 127.0.0.0/8 to connect [default: one for 5000 connections]
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=i64::from(SOURCES_MAX)))]
    pub(crate) sources: Option<u8>,
    /// How many connections may be signing in at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least(1))]
    pub(crate) at_once: usize,
    /// The room
    #[arg(long, value_name = "NAME", default_value = "lobby")]
    pub(crate) room: String,
}

/// How people talk.
#[derive(Debug, Clone, Args)]
pub(crate) struct Talk {
    /// How many messages of one sender may be on their way
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) window: u32,
    /// How long a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = size)]
    pub(crate) size: usize,
    /// How many messages a second, of all together [default: as many as the window allows]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// How long to talk before measuring
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = pause)]
    pub(crate) warmup: f64,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = positive)]
    pub(crate) seconds: f64,
    /// How long to talk on after measuring: of several loads at once, so that all talk while any of them measures
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = pause)]
    pub(crate) cooldown: f64,
    /// How long to wait, in the end, for what hasn't come yet
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = pause)]
    pub(crate) patience: f64,
}

/// `polylogue load fanout`.
#[derive(Debug, Clone, Args)]
#[command(after_help = URL_HELP)]
pub(crate) struct Fanout {
    /// The server, as PROTOCOL://HOST:PORT; of several, members are dealt to each in turn
    #[arg(value_name = "URL", required = true)]
    pub(crate) targets: Vec<Target>,
    /// How many are in the room
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least(2))]
    pub(crate) members: usize,
    /// How many of them talk
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least(1))]
    pub(crate) senders: usize,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load direct`.
#[derive(Debug, Clone, Args)]
#[command(after_help = URL_HELP)]
pub(crate) struct Direct {
    /// The server, as PROTOCOL://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// How many pairs
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least(1))]
    pub(crate) pairs: usize,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load idle`.
#[derive(Debug, Clone, Args)]
#[command(after_help = URL_HELP)]
pub(crate) struct Idle {
    /// The server, as PROTOCOL://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// How many connections
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least(1))]
    pub(crate) connections: usize,
    /// Join the room, instead of only signing in (IRC)
    #[arg(long)]
    pub(crate) join: bool,
    /// How long to watch them do nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = positive)]
    pub(crate) seconds: f64,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load churn`.
#[derive(Debug, Clone, Args)]
#[command(after_help = URL_HELP)]
pub(crate) struct Churn {
    /// The server, as PROTOCOL://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// How many visits
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = at_least(1))]
    pub(crate) visits: usize,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue load mixed`.
#[derive(Debug, Clone, Args)]
#[command(after_help = URL_HELP)]
pub(crate) struct Mixed {
    /// The server, as PROTOCOL://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// How many people there are
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = at_least(2))]
    pub(crate) people: usize,
    /// How many rooms there are, where the protocol has rooms
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least(1))]
    pub(crate) rooms: usize,
    /// How many things people do in a second
    #[arg(long, value_name = "N", default_value_t = 500.0, value_parser = positive)]
    pub(crate) rate: f64,
    /// How long a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = size)]
    pub(crate) size: usize,
    /// What the dice begin with: the same number, the same day
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long the day is
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = positive)]
    pub(crate) seconds: f64,
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
    /// Connections from one address, one after the other and soon gone
    Flood,
    /// Somebody who talks in another room as fast as the server reads
    Fast,
}

/// `polylogue load weather`.
#[derive(Debug, Clone, Args)]
#[command(after_help = KINDS_HELP)]
pub(crate) struct Weather {
    /// Who misbehaves
    #[arg(value_enum, hide_possible_values = true)]
    pub(crate) kind: Kind,
    /// The server, as PROTOCOL://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// How many are in the room
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least(2))]
    pub(crate) members: usize,
    /// How many misbehave [default: 10 members, 10000 silent, a flood of 100 at once]
    #[arg(long, value_name = "N", value_parser = at_least(1))]
    pub(crate) count: Option<usize>,
    /// How many connections the silent or the flood make in a second [default: 5000 of a flood; the silent come
    /// evenly in the time of one measurement]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) pace: Option<f64>,
    /// The processor that the silent, the flood and the fast one use, by its number [default: any]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(0..1024))]
    pub(crate) core: Option<u16>,
    /// How long a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = size)]
    pub(crate) size: usize,
    /// How many messages a second the room hears
    #[arg(long, value_name = "N", default_value_t = 200.0, value_parser = positive)]
    pub(crate) rate: f64,
    /// How long to talk before measuring, each time
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = pause)]
    pub(crate) warmup: f64,
    /// How long to measure without them, and then with them
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = positive)]
    pub(crate) seconds: f64,
    #[command(flatten)]
    pub(crate) common: Common,
}
