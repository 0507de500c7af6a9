//! `polylogue-floor PORT [--batching]`: what the kernel asks for chat, and nothing else.
//!
//! It is one thread around an epoll, and speaks just enough IRC that a load generator can't tell it from a server. It
//! sends the same bytes as the real one, with one `send` for each delivery; with `--batching`, with one `writev` for
//! each reader and turn. It has no rules, no ranks, no limits for its users and no history. What a real server costs
//! more than this is what can be improved in it; the rest is the kernel's.
//!
//! What it leaves out on purpose: arrivals and departures are told to nobody else, a list of names has the newcomer
//! alone, and whoever takes a name that is taken has it.

mod floor;
mod irc;
mod wire;

use std::io::Write as _;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::floor::Floor;

const USAGE: &str = "polylogue-floor PORT [--batching]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments_of(&arguments).and_then(|(port, batching)| run(port, batching)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The port, and whether to batch.
fn arguments_of(arguments: &[String]) -> Result<(u16, bool), String> {
    let (port, batching) = match arguments {
        [port] => (port, false),
        [port, flag] if flag == "--batching" => (port, true),
        _ => return Err(format!("a port is expected, and --batching or nothing\nhint: {USAGE}")),
    };
    let port = port.parse().map_err(|_| format!("{port:?} is not a port from 0 to 65535\nhint: {USAGE}"))?;
    Ok((port, batching))
}

/// Serves until it is killed.
fn run(port: u16, batching: bool) -> Result<(), String> {
    // Each connection is an open file.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|error| format!("the limit of open files can't be raised: {error}"))?;
    let (floor, port) = Floor::bind(port, batching).map_err(|error| format!("127.0.0.1:{port}: {error}"))?;
    let mut output = std::io::stdout();
    writeln!(output, "listening on 127.0.0.1:{port}")
        .and_then(|()| output.flush())
        .map_err(|error| format!("the standard output can't be written: {error}"))?;
    floor.run().map_err(|error| error.to_string())
}
