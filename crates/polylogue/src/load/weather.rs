//! Bad weather: a room that talks at a steady pace, first undisturbed, then while somebody misbehaves. What is asked is
//! what the others notice: their times, and the server's memory. Both times the same is said for as long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::arguments::{Kind, Talk, Weather};
use super::fanout::report;
use super::fleet::{Fleet, Manner, Who, allow_open_files};
use super::gather::{Names, gather, quiet};
use super::idle::figure;
use super::process::Process;
use super::report::{Figure, Report};
use super::storm::{Begun, Storm, stand_aside, still_there};
use super::talk::{Conversation, Sender, Talked};
use super::target::Wish;
use crate::failure::Failure;

/// What the kernel holds for somebody who reads badly, in bytes: little, so that the server notices soon.
const RECEIVE_BUFFER: usize = 4096;
/// How long it is waited, in the end, for what hasn't come yet, in seconds.
const PATIENCE_S: f64 = 10.0;
/// How many connections a flood makes in a second, if nothing else is said.
const FLOOD_PACE: f64 = 5000.0;

pub(crate) fn run(arguments: &Weather) -> Result<Report, Failure> {
    check(arguments)?;
    let Weather { kind, target, members, size, rate, warmup, seconds, common, .. } = arguments;
    let count = arguments.count.unwrap_or(match kind {
        Kind::Stopped | Kind::Slow => 10,
        Kind::Silent => 10_000,
        Kind::Flood => 100,
        Kind::Fast => 1,
    });
    let process = common.pid.map(Process::new).transpose()?;
    let sockets = (members + count) * target.sockets();
    let mut fleet = Fleet::new(if is_a_storm(*kind) { *members } else { sockets }, common.sources)?;
    allow_open_files(sockets)?;
    let wish = Wish { room: Some(common.room.clone()), ..Wish::default() };
    let manner = Manner { wish, ..Manner::default() };
    let mut names = Names::new();
    let people = gather(&mut fleet, &[target], *members, common.at_once, &mut names, &manner)?.people;
    quiet(&mut fleet)?;
    let talk = Talk {
        window: 1,
        size: *size,
        rate: Some(*rate),
        warmup: *warmup,
        seconds: *seconds,
        cooldown: 0.0,
        patience: PATIENCE_S,
    };
    let mut room = Room { talk, people, process, fleet };
    let calm = room.converse(|_| {})?;
    let before = process.map(Process::used).transpose()?;
    let pace = arguments.pace.unwrap_or(match kind {
        Kind::Silent => count as f64 / (warmup + seconds),
        _ => FLOOD_PACE,
    });
    let storm = Storm {
        to: target.address,
        count,
        pace,
        sources: common.sources,
        core: arguments.core,
        over: AtomicBool::new(false),
        done: AtomicU64::new(0),
    };
    let rough = match kind {
        Kind::Stopped | Kind::Slow => {
            let manner = Manner { receive_buffer: Some(RECEIVE_BUFFER), ..manner };
            let deaf = gather(&mut room.fleet, &[target], count, common.at_once, &mut names, &manner)?.people;
            quiet(&mut room.fleet)?;
            room.beside_the_deaf(&deaf, *kind == Kind::Slow)?
        }
        Kind::Silent => room.beside_the_silent(&storm, &calm)?,
        Kind::Flood => room.beside(&storm, Storm::flood)?,
        Kind::Fast => room.beside(&storm, |storm, begun| storm.talk_without_end(*size, begun))?,
    };
    Ok(summary(arguments, count, &calm, rough, (before.map(|used| used.resident), storm.done.into_inner())))
}

/// Whether those who misbehave do so in a thread of their own.
fn is_a_storm(kind: Kind) -> bool {
    matches!(kind, Kind::Silent | Kind::Flood | Kind::Fast)
}

/// What can't be asked for.
fn check(arguments: &Weather) -> Result<(), Failure> {
    let Weather { kind, target, size, pace, core, common, .. } = arguments;
    target.check_room(&common.room).map_err(|why| Failure::usage(why, "take another --room or protocol"))?;
    target.check_size(*size)?;
    if *kind == Kind::Fast && target.scheme != "irc" {
        return Err(Failure::usage("weather fast speaks irc and nothing else", "give an irc:// URL"));
    }
    if pace.is_some() && !matches!(kind, Kind::Silent | Kind::Flood) {
        return Err(Failure::usage("only the silent and a flood come at a pace", "leave --pace out"));
    }
    if core.is_some() && !is_a_storm(*kind) {
        return Err(Failure::usage(
            "only the silent, a flood and the fast one have a thread of their own",
            "leave --core out",
        ));
    }
    // Better now than when half of it is done.
    let tried = std::thread::scope(|scope| scope.spawn(|| stand_aside(*core)).join());
    tried.unwrap_or(Ok(()))
}

/// What was measured while somebody misbehaved.
struct Rough {
    talked: Talked,
    figures: Vec<Figure>,
}

/// Those who are measured.
struct Room {
    talk: Talk,
    people: Vec<Who>,
    process: Option<Process>,
    fleet: Fleet,
}

impl Room {
    /// One talks, the others hear.
    fn converse(&mut self, mut meanwhile: impl FnMut(&mut Fleet)) -> Result<Talked, Failure> {
        let Some((&first, others)) = self.people.split_first() else {
            return Err(Failure::usage("a room without members", "--members takes 2 or more"));
        };
        let sender = Sender::new(first, others.to_vec(), Box::new(|client, text, out| client.say(text, out)));
        Conversation::new(&self.talk, vec![sender])?.run(&mut self.fleet, self.process, |fleet| {
            meanwhile(fleet);
            Ok(())
        })
    }

    /// Talks beside members who read nothing, or a byte a second.
    fn beside_the_deaf(&mut self, deaf: &[Who], sip: bool) -> Result<Rough, Failure> {
        deaf.iter().for_each(|&who| self.fleet.deafen(who));
        let mut sipped = Instant::now();
        let talked = self.converse(|fleet| {
            if sip && sipped.elapsed() >= Duration::from_secs(1) {
                sipped = Instant::now();
                deaf.iter().for_each(|&who| fleet.sip(who, 1));
            }
        })?;
        Ok(Rough { talked, figures: Vec::new() })
    }

    /// Talks while others do this, in a thread of their own.
    fn beside(&mut self, storm: &Storm, act: impl FnOnce(&Storm, Begun) + Send) -> Result<Rough, Failure> {
        let talked = std::thread::scope(|scope| {
            let (begun, has_begun) = mpsc::channel();
            drop(scope.spawn(|| stand_aside(storm.core).map(|()| act(storm, begun))));
            // On a busy machine the talk could be over before those who give way to it are there. Nothing is ever sent.
            let _ = has_begun.recv();
            let talked = self.converse(|_| {});
            storm.over.store(true, Ordering::Relaxed);
            talked
        })?;
        Ok(Rough { talked, figures: Vec::new() })
    }

    /// Talks while the silent come, and then again while they are there, which is what counts.
    fn beside_the_silent(&mut self, storm: &Storm, calm: &Talked) -> Result<Rough, Failure> {
        let (came, silent) = std::thread::scope(|scope| {
            let crowd = scope.spawn(|| stand_aside(storm.core).and_then(|()| storm.gather_silent()));
            let came = self.converse(|_| {});
            storm.over.store(came.is_err(), Ordering::Relaxed);
            let silent = crowd.join().unwrap_or_else(|_| Err(Failure::run("a thread panicked", "")));
            (came, silent)
        });
        let (came, silent) = (came?, silent?);
        quiet(&mut self.fleet)?;
        let mut talked = self.converse(|_| {})?;
        talked.faults.add(&came.faults);
        let p99 = came.latency.value_at_quantile(0.99) as f64;
        let figures = vec![
            figure("p99 while they came", p99 / 1e3, "µs"),
            figure("times as long then", p99 / calm.latency.value_at_quantile(0.99) as f64, ""),
            figure("connections still there", still_there(&silent) as f64, ""),
        ];
        Ok(Rough { talked, figures })
    }
}

/// `before` is the memory before anybody misbehaved, and `done` what they did.
fn summary(
    arguments: &Weather,
    count: usize,
    calm: &Talked,
    Rough { talked, figures }: Rough,
    (before, done): (Option<u64>, u64),
) -> Report {
    let mut report = report("weather", arguments.members + count, &talked);
    report.protocols = vec![arguments.target.scheme];
    let (was, is) = (calm.latency.value_at_quantile(0.99), talked.latency.value_at_quantile(0.99));
    report.figures.push(figure("p99 undisturbed", was as f64 / 1e3, "µs"));
    report.figures.push(figure("p99 now", is as f64 / 1e3, "µs"));
    report.figures.push(figure("times as long", is as f64 / was as f64, ""));
    if let (Some(spent), Some(before)) = (talked.spent, before) {
        let grown = spent.resident_after as f64 - before as f64;
        report.figures.push(figure("memory grown by", grown / 1_048_576.0, "MiB"));
    }
    report.figures.extend(figures);
    match arguments.kind {
        Kind::Silent | Kind::Flood => report.figures.push(figure("connections made", done as f64, "")),
        Kind::Fast => report.figures.push(figure("it could say", done as f64 / 1_048_576.0, "MiB")),
        Kind::Stopped | Kind::Slow => {}
    }
    report.faults.add(&calm.faults);
    report
}
