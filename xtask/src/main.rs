//! `cargo xtask`: the project's tasks. README.md and `.ci/run` use these and nothing else.

mod bench;
mod fuzz;
mod sh;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use sh::{Outcome, cargo};

const HELP: &str = "\
cargo xtask run [ARGS]              build the server and start it; ARGS as for `polylogue serve`
cargo xtask test                    install what the tests need, then format, lints, tidy, docs and all tests
cargo xtask fuzz [TARGET [SECONDS]] fuzz one target, or each in turn, for SECONDS (60) each
cargo xtask bench [OPTIONS]         what the server costs, beside the kernel and other servers; docs/speed.md says more
    --rounds N (3) --seconds S (5) --only WORK,… --servers NAME,… --json FILE --write (docs/speed.md)
cargo xtask bench micro [ARGS]      the benchmarks of parts; ARGS as for `cargo bench`
cargo xtask tidy                    what the compiler doesn't check: arrows between crates, sizes, links";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("", arguments.as_slice()),
    };
    let outcome = match task {
        "run" => run(rest),
        "test" => test::run(rest),
        "fuzz" => fuzz::run(rest),
        "bench" => bench::run(rest),
        "tidy" => tidy::run(),
        "help" | "--help" | "-h" => {
            sh::say(HELP);
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: {task:?} is not a task\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the server and becomes it, so that signals and the terminal are its own.
fn run(arguments: &[String]) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    let error = cargo(["run", "--release", "--package", "polylogue", "--", "serve"]).args(arguments).exec();
    Err(format!("cargo can't be started: {error}"))
}
