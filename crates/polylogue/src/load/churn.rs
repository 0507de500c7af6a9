//! Visits: connect, sign in, join, speak, leave; then the next one. Where a protocol has rooms, each visitor has a room
//! of its own.

use std::time::{Duration, Instant};

use proto::client::Happening;

use super::arguments::Churn;
use super::fleet::{Fleet, Heard, Manner, Who};
use super::gather::Names;
use super::process::Process;
use super::report::{Faults, Latency, Report, Server, histogram};
use super::stamp::Stamp;
use super::target::{Protocol, Wish};
use crate::failure::Failure;

/// How long a server may take to end any visit at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a visitor says has this many bytes.
const BODY_BYTES: usize = 64;

/// Visits under way: for each client, when its visit began.
struct Visits<'a> {
    arguments: &'a Churn,
    names: Names,
    begun: Vec<Option<u64>>,
    started: usize,
    ended: usize,
    body: String,
    faults: Faults,
}

pub(crate) fn run(arguments: &Churn) -> Result<Report, Failure> {
    let Churn { target, visits, common } = arguments;
    let process = common.pid.map(Process::new).transpose()?;
    let mut fleet = Fleet::new(2 * common.at_once, common.sources.or(u8::try_from(visits / 5000 + 1).ok()))?;
    let mut state = Visits {
        arguments,
        names: Names::new(),
        begun: Vec::new(),
        started: 0,
        ended: 0,
        body: String::new(),
        faults: Faults::default(),
    };
    let before = process.map(Process::used).transpose()?;
    let begun = Instant::now();
    for _ in 0..common.at_once.clamp(1, *visits) {
        state.begin(None, &mut fleet)?;
    }
    let mut took = histogram();
    let mut heard = Vec::new();
    let mut progress = Instant::now();
    while state.ended < *visits {
        fleet.turn(Duration::from_millis(100))?;
        fleet.take_heard(&mut heard);
        for item in heard.drain(..) {
            if let Some(ns) = state.hear(item, &mut fleet)? {
                took.saturating_record(ns);
                progress = Instant::now();
            }
        }
        if progress.elapsed() > PATIENCE {
            let left = visits - state.ended;
            return Err(Failure::run(
                format!("{left} visits don't end"),
                "is this the right protocol for the port?",
            ));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = process.map(Process::used).transpose()?;
    let spent = before.zip(after).map(|(before, after)| before.until(after));
    Ok(Report {
        scenario: "churn",
        protocols: vec![target.scheme],
        connections: common.at_once,
        seconds,
        sent: *visits as u64,
        deliveries: *visits as u64,
        per_second: *visits as f64 / seconds,
        latency_us: Latency::of(&took),
        faults: state.faults,
        server: spent.map(|spent| Server::of(spent, *visits as u64, common.at_once)),
        figures: Vec::new(),
    })
}

impl Visits<'_> {
    /// Begins a visit, in the place of one that has ended.
    fn begin(&mut self, place: Option<Who>, fleet: &mut Fleet) -> Result<(), Failure> {
        let Churn { target, common, .. } = self.arguments;
        let lane = place.unwrap_or(self.begun.len());
        let room = match target.protocol {
            Protocol::Irc | Protocol::Rooms | Protocol::Tmp => format!("{}{lane}", common.room),
            Protocol::Muca | Protocol::Messenger | Protocol::Bridge => common.room.clone(),
        };
        let manner = Manner { wish: Wish { room: Some(room), ..Wish::default() }, ..Manner::default() };
        let name = self.names.next().unwrap_or_default();
        let now = Some(fleet.now());
        match place {
            Some(who) => {
                fleet.put(who, target, &name, &manner)?;
                self.begun[who] = now;
            }
            None => {
                fleet.add(target, &name, &manner)?;
                self.begun.push(now);
            }
        }
        self.started += 1;
        Ok(())
    }

    /// How long a visit took, if one has ended.
    fn hear(&mut self, Heard { who, at, what }: Heard, fleet: &mut Fleet) -> Result<Option<u64>, Failure> {
        match what {
            Happening::SignedIn { .. } => {
                let Churn { target, .. } = self.arguments;
                Stamp { sender: 0, number: 0, sent: at }.write(BODY_BYTES, &mut self.body);
                let body = &self.body;
                fleet.act(who, |client, out| {
                    if target.protocol != Protocol::Bridge {
                        client.say(body, out)?;
                    }
                    client.leave(out);
                    Ok(())
                })?;
                return Ok(None);
            }
            Happening::Refused { code, reason } => self.faults.refuse(format!("{code} {reason}")),
            Happening::Ended { .. } => {}
            _ => return Ok(None),
        }
        let Some(begun) = self.begun.get_mut(who).and_then(Option::take) else { return Ok(None) };
        self.ended += 1;
        let now = fleet.now();
        fleet.remove(who);
        if self.started < self.arguments.visits {
            self.begin(Some(who), fleet)?;
        }
        Ok(Some(now - begun))
    }
}
