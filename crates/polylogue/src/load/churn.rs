//! Visits: connect, sign in, join, speak, leave; then the next one. Where a protocol has rooms, each visitor has a room
//! of its own.

use std::time::{Duration, Instant};

use proto::client::Happening;

use super::arguments::Churn;
use super::fleet::{Fleet, Heard, Manner, Who};
use super::gather::{Names, WRONG_PORT, not_signed_in};
use super::origin::sources_for;
use super::process::Process;
use super::report::{Faults, Latency, Report, Server, histogram};
use super::stamp::Stamp;
use super::target::{Protocol, Wish};
use crate::failure::Failure;

/// How long a server may take to end any visit at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a visitor says has this many bytes.
const BODY_BYTES: usize = 64;

/// A visit under way.
struct Visit {
    begun: u64,
    signed_in: bool,
}

/// Visits under way, by client.
struct Visits<'a> {
    arguments: &'a Churn,
    names: Names,
    now: Vec<Option<Visit>>,
    /// Those whose visit has ended. Others take their places when everything is known that was heard of them.
    free: Vec<Who>,
    /// Whether anybody was ever signed in.
    any: bool,
    started: usize,
    ended: usize,
    body: String,
    faults: Faults,
}

pub(crate) fn run(arguments: &Churn) -> Result<Report, Failure> {
    let Churn { target, visits, common } = arguments;
    let process = common.pid.map(Process::new).transpose()?;
    let at_once = common.at_once.min(*visits);
    let mut fleet = Fleet::new(2 * at_once, common.sources.or(Some(sources_for(*visits))))?;
    let mut state = Visits {
        arguments,
        names: Names::new(),
        now: Vec::new(),
        free: Vec::new(),
        any: false,
        started: 0,
        ended: 0,
        body: String::new(),
        faults: Faults::default(),
    };
    let before = process.map(Process::used).transpose()?;
    let begun = Instant::now();
    for _ in 0..at_once {
        state.begin(None, &mut fleet)?;
    }
    let mut took = histogram();
    let mut heard = Vec::new();
    let (mut progress, mut ended) = (Instant::now(), 0);
    while state.ended < *visits {
        fleet.turn(Duration::from_millis(100))?;
        fleet.take_heard(&mut heard);
        for item in heard.drain(..) {
            if let Some(ns) = state.hear(item, &mut fleet)? {
                took.saturating_record(ns);
            }
        }
        for who in std::mem::take(&mut state.free) {
            if state.started < *visits {
                state.begin(Some(who), &mut fleet)?;
            }
        }
        if state.ended > ended {
            ended = state.ended;
            progress = Instant::now();
        }
        if progress.elapsed() > PATIENCE {
            let left = visits - state.ended;
            return Err(Failure::run(format!("{left} visits don't end"), WRONG_PORT));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = process.map(Process::used).transpose()?;
    let spent = before.zip(after).map(|(before, after)| before.until(after));
    Ok(Report {
        scenario: "churn",
        protocols: vec![target.scheme],
        connections: at_once,
        seconds,
        sent: *visits as u64,
        deliveries: took.len(),
        per_second: took.len() as f64 / seconds,
        latency_us: Latency::of(&took),
        faults: state.faults,
        server: spent.map(|spent| Server::of(spent, took.len(), at_once)),
        figures: Vec::new(),
    })
}

impl Visits<'_> {
    /// Begins a visit, in the place of one that has ended.
    fn begin(&mut self, place: Option<Who>, fleet: &mut Fleet) -> Result<(), Failure> {
        let Churn { target, common, .. } = self.arguments;
        let lane = place.unwrap_or(self.now.len());
        let room = match target.protocol {
            Protocol::Irc | Protocol::Rooms | Protocol::Tmp => format!("{}{lane}", common.room),
            Protocol::Muca | Protocol::Messenger | Protocol::Bridge => common.room.clone(),
        };
        let manner = Manner { wish: Wish { room: Some(room), ..Wish::default() }, ..Manner::default() };
        let name = self.names.next().unwrap_or_default();
        let visit = Some(Visit { begun: fleet.now(), signed_in: false });
        match place {
            Some(who) => {
                fleet.put(who, target, &name, &manner)?;
                self.now[who] = visit;
            }
            None => {
                fleet.add(target, &name, &manner)?;
                self.now.push(visit);
            }
        }
        self.started += 1;
        Ok(())
    }

    /// How long a visit took, if one has ended as it should.
    fn hear(&mut self, Heard { who, at, what }: Heard, fleet: &mut Fleet) -> Result<Option<u64>, Failure> {
        let Some(visit) = self.now.get_mut(who).and_then(Option::as_mut) else { return Ok(None) };
        match what {
            Happening::SignedIn { .. } => {
                (visit.signed_in, self.any) = (true, true);
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
            Happening::Refused { code, reason } if !self.any => {
                return Err(not_signed_in(&format!("{code} {reason}")));
            }
            Happening::Ended { reason } if !self.any => return Err(not_signed_in(&reason)),
            Happening::Refused { code, reason } => {
                visit.signed_in = false;
                self.faults.refuse(format!("{code} {reason}"));
            }
            Happening::Ended { reason } if !visit.signed_in => self.faults.lose(reason),
            Happening::Ended { .. } => {}
            _ => return Ok(None),
        }
        let Some(Visit { begun, signed_in }) = self.now.get_mut(who).and_then(Option::take) else {
            return Ok(None);
        };
        self.ended += 1;
        let now = fleet.now();
        fleet.remove(who);
        self.free.push(who);
        Ok(signed_in.then(|| now - begun))
    }
}
