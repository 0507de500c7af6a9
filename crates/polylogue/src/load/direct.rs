//! Private messages between pairs: one of each says, the other hears. Where the protocol acknowledges (messenger), the
//! next message waits for that too.

use super::arguments::Direct;
use super::fanout::report;
use super::fleet::{Fleet, Manner};
use super::gather::{Names, gather, quiet};
use super::process::Process;
use super::report::Report;
use super::talk::{Conversation, Sender};
use super::target::{Protocol, Wish};
use crate::failure::Failure;

pub(crate) fn run(arguments: &Direct) -> Result<Report, Failure> {
    let Direct { target, pairs, talk, common } = arguments;
    target.check_direct().map_err(|why| Failure::usage(why, "take another protocol"))?;
    target.check_size(talk.size)?;
    let process = common.pid.map(Process::new).transpose()?;
    let before = process.map(Process::used).transpose()?;
    let mut fleet = Fleet::new(2 * pairs * target.sockets(), common.sources)?;
    // Who needs no room is in none.
    let room = (target.protocol != Protocol::Irc).then(|| common.room.clone());
    let manner = Manner { wish: Wish { room, ..Wish::default() }, ..Manner::default() };
    let gathered = gather(&mut fleet, &[target], 2 * pairs, common.at_once, &mut Names::new(), &manner)?;
    quiet(&mut fleet)?;
    let two: Vec<_> = gathered.people.chunks_exact(2).zip(gathered.names.chunks_exact(2)).collect();
    let senders = two.into_iter().map(|(people, names)| {
        let to = names[1].clone();
        Sender::new(
            people[0],
            vec![people[1]],
            Box::new(move |client, text, out| client.tell(&to, text, out)),
        )
    });
    let conversation = Conversation::new(talk, senders.collect())?;
    let talked = conversation.run(&mut fleet, process, |_| Ok(()))?;
    let mut report = report("direct", 2 * pairs, &talked);
    report.protocols = vec![target.scheme];
    if let (Some(server), Some(before)) = (&mut report.server, before) {
        server.began_with(before.resident, 2 * pairs);
    }
    Ok(report)
}
