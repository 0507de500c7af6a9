//! One room: some say, all hear.

use super::arguments::Fanout;
use super::fleet::{Fleet, Manner};
use super::gather::{Names, gather, quiet};
use super::idle::figure;
use super::process::Process;
use super::report::{Latency, Report, Server};
use super::talk::{Conversation, Sender, Talked};
use super::target::{Target, Wish};
use crate::failure::Failure;

pub(crate) fn run(arguments: &Fanout) -> Result<Report, Failure> {
    let Fanout { targets, members, senders, talk, common } = arguments;
    for target in targets {
        target
            .check_room(&common.room)
            .map_err(|why| Failure::usage(why, "take another --room or protocol"))?;
        target.check_size(talk.size)?;
    }
    if senders > members {
        return Err(Failure::usage(
            format!("{senders} of {members} members talk"),
            "not more can talk than are there: give more --members or fewer --senders",
        ));
    }
    let process = common.pid.map(Process::new).transpose()?;
    let before = process.map(Process::used).transpose()?;
    let sockets = targets.iter().map(Target::sockets).max().unwrap_or(1);
    let mut fleet = Fleet::new(sockets * members, common.sources)?;
    let wish = Wish { room: Some(common.room.clone()), ..Wish::default() };
    let manner = Manner { wish, ..Manner::default() };
    let targets: Vec<_> = targets.iter().collect();
    let gathered = gather(&mut fleet, &targets, *members, common.at_once, &mut Names::new(), &manner)?;
    let all_in = fleet.now();
    quiet(&mut fleet)?;
    let people = &gathered.people;
    let talkers = people.iter().take(*senders).map(|&who| {
        let hearers = people.iter().copied().filter(|&other| other != who).collect();
        Sender::new(who, hearers, Box::new(|client, text, out| client.say(text, out)))
    });
    let conversation = Conversation::new(talk, talkers.collect())?;
    let talked = conversation.run(&mut fleet, process, |_| Ok(()))?;
    let mut report = report("fanout", *members, &talked);
    report.protocols = targets.iter().map(|target| target.scheme).collect();
    report.figures.push(figure("all were in after", all_in as f64 / 1e9, "s"));
    if let (Some(server), Some(before)) = (&mut report.server, before) {
        server.began_with(before.resident, *members);
    }
    Ok(report)
}

/// What is said of any talk.
pub(crate) fn report(scenario: &'static str, connections: usize, talked: &Talked) -> Report {
    Report {
        scenario,
        protocols: Vec::new(),
        connections,
        seconds: talked.seconds,
        sent: talked.sent,
        deliveries: talked.deliveries,
        per_second: talked.deliveries as f64 / talked.seconds.max(1e-9),
        latency_us: Latency::of(&talked.latency),
        faults: talked.faults.clone(),
        server: talked.spent.map(|spent| Server::of(spent, talked.deliveries, connections)),
        figures: Vec::new(),
    }
}
