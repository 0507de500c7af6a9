//! `polylogue-floor PORT [--batching] [--keep FOLDER]`: what the kernel asks for chat, and nothing else.
//!
//! It is one thread around an epoll, and speaks just enough IRC that a load generator can't tell it from a server. It
//! sends the same bytes as the real one, with one `send` for each delivery; with `--batching`, with one `writev` for
//! each reader and turn. It has no rules, no ranks, no limits for its users and no history. What a real server costs
//! more than this is what can be improved in it; the rest is the kernel's.
//!
//! With `--keep` it keeps what is said in a folder before it sends it, as plainly as can be ([`keep`]).
//!
//! What it leaves out on purpose: arrivals and departures are told to nobody else, a list of names has the newcomer
//! alone, and whoever takes a name that is taken has it.

mod floor;
mod irc;
mod keep;
mod wire;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::floor::Floor;
use crate::keep::Keep;

const USAGE: &str = "polylogue-floor PORT [--batching] [--keep FOLDER]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::read(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What it is told.
struct Options {
    port: u16,
    batching: bool,
    keep: Option<PathBuf>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let unexpected =
            || format!("a port is expected, and --batching or --keep FOLDER or nothing\nhint: {USAGE}");
        let (port, mut rest) = arguments.split_first().ok_or_else(unexpected)?;
        let port =
            port.parse().map_err(|_| format!("{port:?} is not a port from 0 to 65535\nhint: {USAGE}"))?;
        let mut options = Self { port, batching: false, keep: None };
        loop {
            rest = match rest {
                [] => return Ok(options),
                [flag, rest @ ..] if flag == "--batching" => {
                    options.batching = true;
                    rest
                }
                [flag, folder, rest @ ..] if flag == "--keep" => {
                    options.keep = Some(folder.into());
                    rest
                }
                _ => return Err(unexpected()),
            };
        }
    }
}

/// Serves until it is killed.
fn run(Options { port, batching, keep }: Options) -> Result<(), String> {
    // Each connection is an open file.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|error| format!("the limit of open files can't be raised: {error}"))?;
    let keep = keep.map(|folder| Keep::open(&folder)).transpose()?;
    let (floor, port) =
        Floor::bind(port, batching, keep).map_err(|error| format!("127.0.0.1:{port}: {error}"))?;
    let mut output = std::io::stdout();
    writeln!(output, "listening on 127.0.0.1:{port}")
        .and_then(|()| output.flush())
        .map_err(|error| format!("the standard output can't be written: {error}"))?;
    floor.run().map_err(|error| error.to_string())
}
