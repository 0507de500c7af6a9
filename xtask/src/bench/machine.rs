//! Where it was measured.

use crate::sh::{self, command};

/// The machine, in a sentence.
pub(super) fn in_words() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let kernel = sh::read(command("uname").args(["-s", "-r"])).unwrap_or_default();
    format!("{cores} cores, {model}, {}", kernel.trim())
}
