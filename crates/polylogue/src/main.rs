//! One chat server, every client: the command line. A folder per command.

mod admin;
mod cli;
mod config;
mod data;
mod failure;
mod load;
mod operator;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use serve::Plan;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(arguments) => Plan::from_serve(arguments).and_then(serve::run),
        Command::Server(arguments) => Plan::from_server(arguments).and_then(serve::run),
        Command::Admin(arguments) => admin::run(&arguments),
        Command::Backup(arguments) => data::backup(&arguments),
        Command::Restore(arguments) => data::restore(&arguments),
        Command::Check(arguments) => data::check(&arguments),
        Command::Export(arguments) => data::export(&arguments),
        Command::Erase(arguments) => data::erase(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Operator(arguments) => operator::run(&arguments),
        Command::Config => config::run().map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If the standard error is gone too, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "{failure}");
            failure.code()
        }
    }
}
