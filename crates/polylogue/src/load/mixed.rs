//! A day in a community: rooms whose sizes follow Zipf's law, people who talk, type, move, write to each other and look
//! up what was said. The dice are seeded, so that a day can be had again.
//!
//! Most people stay in their room. Those have to hear everything that is said there; of those who move, only that they
//! hear nothing twice and nothing out of order is checked.

use std::any::Any;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use proto::client::{Client, ClientOutbox, Happening};
use proto::irc;

use super::arguments::Mixed;
use super::fleet::{Fleet, Heard, Manner, Who};
use super::gather::{Names, gather, quiet};
use super::idle::figure;
use super::process::Process;
use super::report::{Faults, Latency, Report, Server, histogram};
use super::stamp::{SENDERS_MAX, Stamp};
use super::target::{Protocol, Wish};
use crate::failure::Failure;

/// One in so many people moves from room to room.
const MOVERS: usize = 10;
/// How long messages may take after the last was sent.
const DRAIN: Duration = Duration::from_secs(2);
/// How much is asked for when somebody looks up what was said.
const HISTORY: usize = 50;

const CAPABILITIES: [&str; 5] = ["message-tags", "server-time", "batch", "draft/chathistory", "echo-message"];

/// Everybody, and where they are.
struct Community {
    people: Vec<Who>,
    names: Vec<String>,
    /// The room of each.
    rooms: Vec<usize>,
    /// How many have to hear what is said in a room.
    residents: Vec<u64>,
    /// What each said.
    said: Vec<u32>,
    /// The last number of each sender that each hearer had.
    last: HashMap<(u32, Who), u32>,
    /// By what each client is found.
    index: HashMap<Who, usize>,
    wanted: u64,
    got: u64,
    faults: Faults,
}

pub(crate) fn run(arguments: &Mixed) -> Result<Report, Failure> {
    let Mixed { target, people, rooms, rate, size, seed, seconds: day, common } = arguments;
    if *people > SENDERS_MAX {
        return Err(Failure::usage(
            format!("{people} people"),
            format!("at most {SENDERS_MAX} can be told apart"),
        ));
    }
    let alone = matches!(target.protocol, Protocol::Muca | Protocol::Messenger | Protocol::Bridge);
    target.check_direct().map_err(|why| Failure::usage(why, "take another protocol"))?;
    target.check_size(*size)?;
    let rooms = if alone { 1 } else { *rooms };
    let process = common.pid.map(Process::new).transpose()?;
    let start = process.map(Process::used).transpose()?;
    let mut fleet = Fleet::new(people * target.sockets(), common.sources)?;
    let mut dice = fastrand::Rng::with_seed(*seed);
    let mut community = gather_community(arguments, rooms, &mut dice, &mut fleet)?;
    quiet(&mut fleet)?;

    let before = process.map(Process::used).transpose()?;
    let begun = Instant::now();
    let (mut done, mut latency, mut heard) = (0u64, histogram(), Vec::new());
    let mut deeds = [0u64; 5];
    let mut body = String::new();
    let mut seconds = *day;
    loop {
        let elapsed = begun.elapsed();
        let is_over = elapsed.as_secs_f64() >= *day;
        if is_over
            && (community.got >= community.wanted || elapsed.as_secs_f64() >= day + DRAIN.as_secs_f64())
        {
            break;
        }
        seconds = elapsed.as_secs_f64();
        // Whoever is gone can do nothing any more, and not much can be told of the others.
        if community.faults.lost_connections > 0 {
            break;
        }
        while !is_over && (done as f64) < elapsed.as_secs_f64() * rate {
            done += 1;
            let deed = choose(&mut dice);
            deeds[deed as usize] += 1;
            community.act(deed, arguments, rooms, &mut dice, &mut fleet, &mut body)?;
        }
        fleet.turn(Duration::from_millis(1))?;
        fleet.take_heard(&mut heard);
        for item in heard.drain(..) {
            if let Some(ns) = community.hear(item, *size) {
                latency.saturating_record(ns);
            }
        }
    }
    let spent =
        before.zip(process.map(Process::used).transpose()?).map(|(before, after)| before.until(after));
    let mut faults = community.faults;
    faults.missing = community.wanted.saturating_sub(community.got);
    let mut server = spent.map(|spent| Server::of(spent, latency.len(), *people));
    if let (Some(server), Some(start)) = (&mut server, start) {
        server.began_with(start.resident, *people);
    }
    let names = ["messages to rooms", "typing", "moves", "private messages", "looking things up"];
    Ok(Report {
        scenario: "mixed",
        protocols: vec![target.scheme],
        connections: *people,
        seconds,
        sent: done,
        deliveries: latency.len(),
        per_second: latency.len() as f64 / seconds.max(1e-9),
        latency_us: Latency::of(&latency),
        faults,
        server,
        figures: names.iter().zip(deeds).map(|(name, count)| figure(name, count as f64, "")).collect(),
    })
}

/// What somebody does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Say,
    Type,
    Move,
    Tell,
    Look,
}

fn choose(dice: &mut fastrand::Rng) -> Deed {
    match dice.u32(..100) {
        0..60 => Deed::Say,
        60..80 => Deed::Type,
        80..87 => Deed::Move,
        87..95 => Deed::Tell,
        _ => Deed::Look,
    }
}

/// A room, the first the likeliest, by Zipf's law.
fn zipf(rooms: usize, dice: &mut fastrand::Rng) -> usize {
    let all: f64 = (1..=rooms).map(|rank| 1.0 / rank as f64).sum();
    let mut left = dice.f64() * all;
    for rank in 1..=rooms {
        left -= 1.0 / rank as f64;
        if left <= 0.0 {
            return rank - 1;
        }
    }
    rooms - 1
}

fn gather_community(
    arguments: &Mixed,
    rooms: usize,
    dice: &mut fastrand::Rng,
    fleet: &mut Fleet,
) -> Result<Community, Failure> {
    let Mixed { target, people, common, .. } = arguments;
    let mut community = Community {
        people: Vec::new(),
        names: Vec::new(),
        rooms: (0..*people).map(|_| zipf(rooms, dice)).collect(),
        residents: vec![0; rooms],
        said: vec![0; *people],
        last: HashMap::new(),
        index: HashMap::new(),
        wanted: 0,
        got: 0,
        faults: Faults::default(),
    };
    let mut names = Names::new();
    for number in 0..*people {
        let room = community.rooms[number];
        let room = if rooms == 1 { common.room.clone() } else { room_name(&common.room, room) };
        let capabilities = CAPABILITIES.iter().map(|&name| name.to_owned()).collect();
        let manner = Manner { wish: Wish { room: Some(room), capabilities }, ..Manner::default() };
        let one = gather(fleet, &[target], 1, 1, &mut names, &manner)?;
        community.people.extend(one.people);
        community.names.extend(one.names);
        if !community.moves(number) {
            community.residents[community.rooms[number]] += 1;
        }
    }
    community.index = community.people.iter().enumerate().map(|(number, &who)| (who, number)).collect();
    Ok(community)
}

fn room_name(room: &str, number: usize) -> String {
    format!("{room}{number}")
}

/// The IRC client that a client is, if it is one.
fn as_irc(client: &mut dyn Client) -> Option<&mut irc::client::Client> {
    let any: &mut dyn Any = client;
    any.downcast_mut()
}

impl Community {
    fn moves(&self, number: usize) -> bool {
        number % MOVERS == MOVERS - 1
    }

    fn act(
        &mut self,
        deed: Deed,
        arguments: &Mixed,
        rooms: usize,
        dice: &mut fastrand::Rng,
        fleet: &mut Fleet,
        body: &mut String,
    ) -> Result<(), Failure> {
        let mut number = dice.usize(..self.people.len());
        let irc = arguments.target.protocol == Protocol::Irc;
        match deed {
            Deed::Say | Deed::Tell => {
                Stamp { sender: number as u32, number: self.said[number], sent: fleet.now() }
                    .write(arguments.size, body);
                self.said[number] += 1;
                if matches!(deed, Deed::Say) {
                    let room = self.rooms[number];
                    self.wanted += self.residents[room] - u64::from(!self.moves(number));
                    return fleet.act(self.people[number], |client, out| client.say(body, out));
                }
                let other = (number + dice.usize(1..self.people.len())) % self.people.len();
                self.wanted += u64::from(!self.moves(other));
                let to = self.names[other].clone();
                fleet.act(self.people[number], |client, out| client.tell(&to, body, out))
            }
            Deed::Type => fleet.act(self.people[number], |client, out| {
                // Not every protocol shows it.
                let _ = client.typing(out);
                Ok(())
            }),
            Deed::Move if irc && rooms > 1 => {
                number -= number % MOVERS;
                number = (number + MOVERS - 1).min(self.people.len() - 1);
                if !self.moves(number) {
                    return Ok(());
                }
                let room = zipf(rooms, dice);
                self.rooms[number] = room;
                let room = format!("#{}", room_name(&arguments.common.room, room));
                self.with_irc(number, fleet, |client, out| client.move_to(&room, out))
            }
            Deed::Look => self.with_irc(number, fleet, |client, out| client.history(HISTORY, out)),
            Deed::Move => Ok(()),
        }
    }

    fn with_irc(
        &self,
        number: usize,
        fleet: &mut Fleet,
        act: impl FnOnce(&mut irc::client::Client, &mut ClientOutbox),
    ) -> Result<(), Failure> {
        fleet.act(self.people[number], |client, out| {
            if let Some(client) = as_irc(client) {
                act(client, out);
            }
            Ok(())
        })
    }

    /// How long a message took, if this is one.
    fn hear(&mut self, Heard { who, at, what }: Heard, size: usize) -> Option<u64> {
        let text = match what {
            Happening::Message { text, .. } => text,
            Happening::Ended { reason } => {
                self.faults.lose(reason);
                return None;
            }
            Happening::Undelivered { reason } => {
                self.faults.refuse(reason);
                return None;
            }
            _ => return None,
        };
        let stamp = Stamp::read(&text, size)?;
        let number = *self.index.get(&who)?;
        if stamp.sender as usize == number {
            return None;
        }
        match self.last.insert((stamp.sender, who), stamp.number) {
            Some(last) if last == stamp.number => {
                self.faults.repeated += 1;
                return None;
            }
            Some(last) if last > stamp.number => self.faults.out_of_order += 1,
            _ => {}
        }
        self.got += u64::from(!self.moves(number));
        Some(at.saturating_sub(stamp.sent).max(1))
    }
}
