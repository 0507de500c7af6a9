//! Connections that sign in and then say nothing: what each costs, and how soon a newcomer is answered beside them.

use std::time::{Duration, Instant};

use proto::client::Happening;

use super::arguments::Idle;
use super::fleet::{Fleet, Heard, Manner};
use super::gather::{Names, gather, quiet};
use super::kernel;
use super::process::Process;
use super::report::{Faults, Figure, Latency, Report, Server, histogram};
use super::target::{Protocol, Wish};
use crate::failure::Failure;

/// How many come when all are there, one after the other.
const NEWCOMERS: usize = 50;

pub(crate) fn run(arguments: &Idle) -> Result<Report, Failure> {
    let Idle { target, connections, join, seconds: watched, common } = arguments;
    let process = common.pid.map(Process::new).transpose()?;
    let before = process.map(Process::used).transpose()?;
    let kernel_before = kernel::memory();
    let mut fleet = Fleet::new((connections + NEWCOMERS) * target.sockets(), common.sources)?;
    let room = (*join || target.protocol != Protocol::Irc).then(|| common.room.clone());
    let manner = Manner { wish: Wish { room, ..Wish::default() }, ..Manner::default() };
    let mut names = Names::new();
    let begun = Instant::now();
    let gathered = gather(&mut fleet, &[target], *connections, common.at_once, &mut names, &manner)?;
    let seconds = begun.elapsed().as_secs_f64();
    let came = process.map(Process::used).transpose()?;
    quiet(&mut fleet)?;
    let rested = process.map(Process::used).transpose()?;
    let faults = watch(&mut fleet, Duration::from_secs_f64(*watched))?;
    let waited = process.map(Process::used).transpose()?;
    let kernel_after = kernel::memory();
    let mut newcomers = histogram();
    for _ in 0..NEWCOMERS {
        let newcomer = gather(&mut fleet, &[target], 1, 1, &mut names, &manner)?;
        newcomer.took.iter().for_each(|&took| newcomers.saturating_record(took));
    }
    let mut took = histogram();
    gathered.took.iter().for_each(|&ns| took.saturating_record(ns));
    let mut server = None;
    let mut figures = vec![
        figure("a newcomer is signed in, p50", newcomers.value_at_quantile(0.5) as f64 / 1e3, "µs"),
        figure("a newcomer is signed in, max", newcomers.max() as f64 / 1e3, "µs"),
    ];
    if let (Some(before), Some(came), Some(rested), Some(waited)) = (before, came, rested, waited) {
        let mut spent = before.until(came);
        spent.resident_after = waited.resident;
        let kernel = kernel_before.zip(kernel_after);
        let kernel_each = kernel.map(|(before, after)| (after as f64 - before as f64) / *connections as f64);
        let used = Server::of(spent, *connections as u64, *connections);
        server = Some(Server { kernel_each, ..used });
        let idle = rested.until(waited);
        let each = (idle.user_s + idle.system_s) * 1e6 / idle.seconds / *connections as f64;
        figures.push(figure("idle, processor time each", each, "µs a second"));
    }
    Ok(Report {
        scenario: "idle",
        protocols: vec![target.scheme],
        connections: *connections,
        seconds,
        sent: *connections as u64,
        deliveries: *connections as u64,
        per_second: *connections as f64 / seconds,
        latency_us: Latency::of(&took),
        faults,
        server,
        figures,
    })
}

/// Lets time pass; who loses the connection meanwhile is a fault.
fn watch(fleet: &mut Fleet, time: Duration) -> Result<Faults, Failure> {
    let until = Instant::now() + time;
    let (mut faults, mut heard) = (Faults::default(), Vec::new());
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(faults);
        }
        fleet.turn(left)?;
        fleet.take_heard(&mut heard);
        for Heard { what, .. } in heard.drain(..) {
            if let Happening::Ended { reason } = what {
                faults.lose(reason);
            }
        }
    }
}

/// One figure.
pub(crate) fn figure(name: &'static str, value: f64, unit: &'static str) -> Figure {
    Figure { name, value, unit }
}
