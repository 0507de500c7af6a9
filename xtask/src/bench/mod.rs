//! `cargo xtask bench`: what Polylogue costs, beside what the kernel asks for the same and beside other servers.
//!
//! Servers are on one core, the load is on another. Each work has a fresh server. What a delivery costs is measured with
//! all servers at once, which take short turns, so that a machine that gets slower is slower for all; the rest in one go
//! each. What is compared is medians over the rounds.

mod load;
mod machine;
mod options;
mod report;
mod results;
mod running;
mod servers;
mod table;
mod works;

use std::path::{Path, PathBuf};

use crate::sh::{self, Outcome, cargo, say, target, top};
use load::{Load, Part};
use options::Options;
use report::Report;
use results::Results;
use running::Running;
use servers::{Doors, Server};
use works::{WORKS, Work};

/// `cargo xtask bench micro` or the servers.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [first, rest @ ..] = arguments
        && first == "micro"
    {
        return sh::run(cargo(["bench", "--package", "polylogue-benches"]).args(rest));
    }
    let options = Options::read(arguments)?;
    for tool in ["taskset", "setpriv"] {
        if !sh::works(sh::command(tool).arg("--version")) {
            return Err(format!(
                "{tool} is not installed\nhint: install util-linux with your package manager"
            ));
        }
    }
    sh::run(&mut cargo(["build", "--release", "--package", "polylogue", "--package", "polylogue-floor"]))?;
    let name = format!("polylogue-bench-{}", std::process::id());
    let folder = Folder::make(std::env::temp_dir().join(name))?;
    let bench = Bench { options: &options, folder: &folder.0, load: Load::new(options.seconds) };
    let results = bench.run()?;
    let report = Report { options: &options, results: &results }.text()?;
    say(&report);
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&results.raw()).map_err(|error| error.to_string())?;
        std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if options.write {
        let file = top().join("docs/speed.md");
        std::fs::write(&file, report).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// A program that was just built.
fn built(name: &str) -> PathBuf {
    target().join("release").join(name)
}

struct Bench<'a> {
    options: &'a Options,
    folder: &'a Path,
    load: Load,
}

impl Bench<'_> {
    fn run(&self) -> Outcome<Results> {
        let mut results = Results::default();
        let works: Vec<&'static Work> = WORKS.iter().filter(|work| self.options.wants_work(work)).collect();
        for round in 1..=self.options.rounds {
            for works in works.chunk_by(|work, next| work.turns.is_some() && work.turns == next.turns) {
                match works {
                    [work] if work.turns.is_none() => self.measure_alone(round, work, &mut results),
                    _ => self.measure_by_turns(round, works, &mut results),
                }
            }
        }
        Ok(results)
    }

    /// Who is to do a work, and can.
    fn servers(&self, work: &'static Work, results: &Results) -> Vec<Server> {
        let may = |server: &Server| {
            self.options.wants_server(*server)
                && server.is_installed()
                && !results.has_failed(work.name, *server)
        };
        work.servers().filter(may).collect()
    }

    /// One work, each server after the other.
    fn measure_alone(&self, round: u32, work: &'static Work, results: &mut Results) {
        for spell in 0..work.spells {
            // Others are measured once: some take long.
            let servers = self.servers(work, results).into_iter();
            for server in servers.filter(|server| spell == 0 || !Server::PEERS.contains(server)) {
                let rate = work.half_of.map(|full| half_rate(results, full)).transpose();
                let outcome = rate.and_then(|rate| self.measure(work, server, rate));
                results.tell((round - 1) * work.spells + spell + 1, work.name, server, outcome);
            }
        }
    }

    /// Works with fresh servers that take turns.
    fn measure_by_turns(&self, round: u32, works: &[&'static Work], results: &mut Results) {
        let mut parts = Vec::new();
        for work in works {
            let takes_turns = |server: &Server| work.timed || !Server::PEERS.contains(server);
            for server in self.servers(work, results).into_iter().filter(takes_turns) {
                let started = || {
                    let folder = Folder::make(self.folder.join(load::part_name(work, server)))?;
                    let doors = Doors::open(work.protocols)?;
                    let running = Running::start(server, &doors, &folder.0)?;
                    Ok((folder, Part { work, server, doors, running }))
                };
                match started() {
                    Ok(started) => parts.push(started),
                    Err(error) => results.tell(round, work.name, server, Err(error)),
                }
            }
        }
        // The servers end before their folders go.
        let (folders, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let outcomes = self.load.by_turns(&parts, self.folder);
        for (Part { work, server, .. }, outcome) in parts.iter().zip(outcomes) {
            results.tell(round, work.name, *server, outcome);
        }
        drop(parts);
        drop(folders);
        for work in works.iter().filter(|work| !work.timed) {
            for server in self.servers(work, results).into_iter().filter(|it| Server::PEERS.contains(it)) {
                let outcome = self.measure(work, server, None);
                results.tell(round, work.name, server, outcome);
            }
        }
    }

    /// One work with a fresh server.
    fn measure(&self, work: &Work, server: Server, rate: Option<u64>) -> Outcome<serde_json::Value> {
        let doors = Doors::open(work.protocols)?;
        let running = Running::start(server, &doors, self.folder)?;
        self.load.run(work, server, &doors, &running, rate, self.folder)
    }
}

/// Half of the messages a second that the slower of the two takes that are compared at that rate.
fn half_rate(results: &Results, full: &str) -> Outcome<u64> {
    let slower = [Server::Floor, Server::Polylogue].into_iter().filter_map(|server| {
        let sent = results.median(full, server, "/sent")?;
        Some(sent / results.median(full, server, "/seconds")?)
    });
    match slower.reduce(f64::min) {
        Some(rate) if rate >= 2.0 => Ok((rate / 2.0) as u64),
        _ => Err(format!("no rate to take half of\nhint: the work {full} is needed for it")),
    }
}

/// A folder for this run; removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn make(folder: PathBuf) -> Outcome<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        // Some servers insist on being somebody who may do less than we may, and write here, too.
        std::fs::create_dir(&folder)
            .and_then(|()| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("warning: {} can't be removed: {error}", self.0.display());
        }
    }
}
