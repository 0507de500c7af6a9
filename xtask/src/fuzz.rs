//! `cargo xtask fuzz`.

use crate::sh::{self, Outcome, cargo, command, say, top};
use crate::tidy::fuzz_targets;

/// Fuzzes one target, or each in turn.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let targets = fuzz_targets()?;
    let (target, seconds) = match arguments {
        [] => (None, "60"),
        [target] => (Some(target), "60"),
        [target, seconds] => (Some(target), seconds.as_str()),
        _ => return Err("too many arguments\nhint: cargo xtask fuzz [TARGET [SECONDS]]".to_owned()),
    };
    if seconds.parse::<u32>().is_err() {
        return Err(format!(
            "{seconds:?} is not a number of seconds\nhint: cargo xtask fuzz [TARGET [SECONDS]]"
        ));
    }
    let targets = match target {
        None => targets,
        Some(target) if targets.contains(target) => vec![target.clone()],
        Some(target) => return Err(format!("no target {target:?}\nhint: there are {}", targets.join(", "))),
    };
    if !sh::works(command("cargo").args(["+nightly", "--version"])) {
        return Err("cargo-fuzz needs a nightly toolchain\nhint: rustup toolchain install nightly".to_owned());
    }
    if !sh::works(&mut cargo(["fuzz", "--version"])) {
        say("cargo-fuzz is not installed: installing it");
        sh::run(&mut cargo(["install", "--locked", "cargo-fuzz"]))?;
    }
    for target in targets {
        // Not the cargo that runs this task: only rustup's knows +nightly, and it must not inherit the choice.
        sh::run(
            command("cargo")
                .args(["+nightly", "fuzz", "run", &target, "--"])
                .args([&format!("-max_total_time={seconds}"), "-max_len=65536", "-timeout=10"])
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("CARGO")
                .current_dir(top()),
        )?;
    }
    Ok(())
}
