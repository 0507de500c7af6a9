//! Bad weather: a room that talks at a steady pace, first undisturbed, then while somebody misbehaves. What is asked is
//! what the others notice: their times, and the server's memory.
//!
//! Those who misbehave as fast as they can do so in a thread of their own, or they would be measured themselves.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::arguments::{Kind, Talk, Weather};
use super::fanout::report;
use super::fleet::{Fleet, Manner, Who};
use super::gather::{Names, gather, quiet};
use super::idle::figure;
use super::process::Process;
use super::report::Report;
use super::talk::{Conversation, Sender, Talked};
use super::target::Wish;
use crate::failure::Failure;

/// What the kernel holds for somebody who reads badly, in bytes: little, so that the server notices soon.
const RECEIVE_BUFFER: usize = 4096;
/// How long it is waited, in the end, for what hasn't come yet, in seconds.
const PATIENCE_S: f64 = 10.0;
/// How much the one who talks without end writes at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long the one who talks without end waits for the server to take it.
const WRITE_TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) fn run(arguments: &Weather) -> Result<Report, Failure> {
    let Weather { kind, target, members, size, rate, warmup, seconds, common, .. } = arguments;
    target.check_room(&common.room).map_err(|why| Failure::usage(why, "take another --room or protocol"))?;
    target.check_size(*size)?;
    if *kind == Kind::Fast && target.scheme != "irc" {
        return Err(Failure::usage("weather fast speaks irc and nothing else", "give an irc:// URL"));
    }
    let count = arguments.count.unwrap_or(match kind {
        Kind::Stopped | Kind::Slow => 10,
        Kind::Silent => 10_000,
        Kind::Flood => 100,
        Kind::Fast => 1,
    });
    let process = common.pid.map(Process::new).transpose()?;
    let mut fleet = Fleet::new((members + count) * target.sockets(), common.sources)?;
    let wish = Wish { room: Some(common.room.clone()), ..Wish::default() };
    let manner = Manner { wish, ..Manner::default() };
    let mut names = Names::new();
    let room = gather(&mut fleet, &[target], *members, common.at_once, &mut names, &manner)?.people;
    quiet(&mut fleet)?;
    let talk = Talk {
        window: 1,
        size: *size,
        rate: Some(*rate),
        warmup: *warmup,
        seconds: *seconds,
        patience: PATIENCE_S,
    };
    let calm = converse(&talk, &room, process, &mut fleet, |_| Ok(()))?;

    let misbehaving = match kind {
        Kind::Stopped | Kind::Slow => {
            let manner = Manner { receive_buffer: Some(RECEIVE_BUFFER), ..manner };
            let people = gather(&mut fleet, &[target], count, common.at_once, &mut names, &manner)?.people;
            quiet(&mut fleet)?;
            people.iter().for_each(|&who| fleet.deafen(who));
            people
        }
        Kind::Silent => (0..count).map(|_| fleet.add_mute(target)).collect::<Result<_, _>>()?,
        Kind::Flood | Kind::Fast => Vec::new(),
    };
    let before = process.map(Process::used).transpose()?;
    let (over, deeds) = (AtomicBool::new(false), AtomicU64::new(0));
    let rough = std::thread::scope(|scope| {
        match kind {
            Kind::Flood => drop(scope.spawn(|| flood(arguments, count, &over, &deeds))),
            Kind::Fast => drop(scope.spawn(|| talk_without_end(arguments, &over, &deeds))),
            Kind::Stopped | Kind::Slow | Kind::Silent => {}
        }
        let mut sipped = Instant::now();
        let rough = converse(&talk, &room, process, &mut fleet, |fleet| {
            if *kind == Kind::Slow && sipped.elapsed() >= Duration::from_secs(1) {
                sipped = Instant::now();
                misbehaving.iter().for_each(|&who| fleet.sip(who, 1));
            }
            Ok(())
        });
        over.store(true, Ordering::Relaxed);
        rough
    })?;
    Ok(summary(arguments, count, &calm, &rough, before.map(|used| used.resident), deeds.into_inner()))
}

fn summary(
    arguments: &Weather,
    count: usize,
    calm: &Talked,
    rough: &Talked,
    resident_before: Option<u64>,
    deeds: u64,
) -> Report {
    let mut report = report("weather", arguments.members + count, rough);
    report.protocols = vec![arguments.target.scheme];
    let (was, is) = (calm.latency.value_at_quantile(0.99), rough.latency.value_at_quantile(0.99));
    report.figures.push(figure("p99 undisturbed", was as f64 / 1e3, "µs"));
    report.figures.push(figure("p99 now", is as f64 / 1e3, "µs"));
    report.figures.push(figure("times as long", is as f64 / was as f64, ""));
    if let (Some(spent), Some(before)) = (rough.spent, resident_before) {
        let grown = spent.resident_after as f64 - before as f64;
        report.figures.push(figure("memory grown by", grown / 1_048_576.0, "MiB"));
    }
    match arguments.kind {
        Kind::Flood => report.figures.push(figure("connections made", deeds as f64, "")),
        Kind::Fast => report.figures.push(figure("it could say", deeds as f64 / 1_048_576.0, "MiB")),
        Kind::Stopped | Kind::Slow | Kind::Silent => {}
    }
    report.faults.add(&calm.faults);
    report
}

/// One talks, the others hear.
fn converse(
    talk: &Talk,
    room: &[Who],
    process: Option<Process>,
    fleet: &mut Fleet,
    meanwhile: impl FnMut(&mut Fleet) -> Result<(), Failure>,
) -> Result<Talked, Failure> {
    let Some((&first, others)) = room.split_first() else {
        return Err(Failure::usage("a room without members", "--members takes 2 or more"));
    };
    let sender = Sender::new(first, others.to_vec(), Box::new(|client, text, out| client.say(text, out)));
    let conversation = Conversation::new(talk, vec![sender])?;
    conversation.run(fleet, process, meanwhile)
}

/// Connects and hangs up, as fast as it can be done, `count` connections at a time.
fn flood(arguments: &Weather, count: usize, over: &AtomicBool, made: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        let wave: Vec<_> =
            (0..count).map_while(|_| TcpStream::connect(arguments.target.address).ok()).collect();
        made.fetch_add(wave.len() as u64, Ordering::Relaxed);
    }
}

/// Says something in another room for as long as the server takes it.
fn talk_without_end(arguments: &Weather, over: &AtomicBool, written: &AtomicU64) {
    let Ok(mut stream) = TcpStream::connect(arguments.target.address) else { return };
    // What a server that answers slowly does to it is its own trouble.
    let _ = stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
    let line = format!("PRIVMSG #elsewhere :{}\r\n", "x".repeat(arguments.size));
    let chunk = line.repeat(CHUNK_BYTES / line.len());
    let hello = "NICK fast\r\nUSER fast 0 * :fast\r\nJOIN #elsewhere\r\n";
    let mut buffer = vec![0; CHUNK_BYTES];
    if stream.write_all(hello.as_bytes()).is_err() {
        return;
    }
    let mut rest: &[u8] = &[];
    while !over.load(Ordering::Relaxed) {
        if rest.is_empty() {
            rest = chunk.as_bytes();
        }
        match stream.write(rest) {
            Ok(len) => {
                rest = &rest[len..];
                written.fetch_add(len as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if matches!(stream.read(&mut buffer), Ok(0)) {
            return;
        }
    }
}
