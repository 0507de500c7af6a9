//! The works, and what they have to come to.

use super::servers::Server;

/// One call of the load generator.
pub(super) struct Work {
    /// What it is called here.
    pub(super) name: &'static str,
    /// What the load generator is told, without addresses, and without `--seconds`.
    pub(super) arguments: &'static [&'static str],
    /// Whether it goes on for as many seconds as were asked for.
    pub(super) timed: bool,
    /// What it costs is measured in short turns, with other works of this name; else each server does it alone and in one
    /// go. If it has no end in time, other people's servers do it alone: with some it takes ten times as long.
    pub(super) turns: Option<&'static str>,
    /// How often a round has it: a machine that stands still now and then spoils some of many. Other people's servers do it
    /// once.
    pub(super) spells: u32,
    /// The floor to compare with, if any.
    pub(super) floor: Option<Server>,
    /// Who else does it.
    pub(super) others: &'static [Server],
    /// Schemes of the addresses, each of which gets a port.
    pub(super) protocols: &'static [&'static str],
    /// Rooms, each with a load of its own, all at once on the server's cores; none for one load on another core.
    pub(super) rooms: &'static [&'static str],
    /// The work that finds the rate of which this one sends half.
    pub(super) half_of: Option<&'static str>,
}

impl Work {
    /// Who does it, in this order.
    pub(super) fn servers(&self) -> impl Iterator<Item = Server> {
        // Where something is said, there is a floor that keeps it.
        let says = self.arguments.first() != Some(&"idle");
        let keeping = self.floor.filter(|_| says).and_then(Server::keeping);
        self.floor.into_iter().chain(keeping).chain(self.others.iter().copied())
    }

    /// Servers that are given other options.
    pub(super) fn exceptions(&self) -> impl Iterator<Item = (Server, &'static [[&'static str; 2]])> {
        let ours = EXCEPTIONS.iter().filter(|(work, ..)| *work == self.name);
        ours.map(|(_, server, options)| (*server, *options))
    }

    /// What the load generator is told for this server.
    pub(super) fn arguments(&self, server: Server) -> Vec<&'static str> {
        let mut arguments = self.arguments.to_vec();
        let others = self.exceptions().filter(|(it, _)| *it == server).flat_map(|(_, options)| options);
        for [option, value] in others {
            let place = arguments.iter().position(|argument| argument == option);
            if let Some(there) = place.and_then(|place| arguments.get_mut(place + 1)) {
                *there = value;
            }
        }
        arguments
    }
}

const EVERYBODY: &[Server] =
    &[Server::Polylogue, Server::Kept, Server::Ngircd, Server::Inspircd, Server::Hybrid];

/// For works that take some servers minutes to be ready for.
const FEW: &[Server] = &[Server::Polylogue, Server::Kept, Server::Inspircd];
/// For works that others don't do, or not in any reasonable time.
const OURS: &[Server] = &[Server::Polylogue, Server::Kept];

const fn work(name: &'static str, arguments: &'static [&'static str], floor: Server) -> Work {
    Work {
        name,
        arguments,
        timed: true,
        turns: None,
        spells: 1,
        floor: Some(floor),
        others: EVERYBODY,
        protocols: &["irc"],
        rooms: &[],
        half_of: None,
    }
}

/// The same in short turns.
const fn in_turns(name: &'static str, arguments: &'static [&'static str], floor: Server) -> Work {
    Work { turns: Some(name), ..work(name, arguments, floor) }
}

/// Fan-out to 100 members, on Polylogue alone.
const fn in_protocols(
    name: &'static str,
    window: &'static Window,
    protocols: &'static [&'static str],
) -> Work {
    let [_, _, _, _, _, _, at_once, ..] = window;
    let others = &[Server::Polylogue];
    Work { floor: None, others, protocols, turns: Some(at_once), ..work(name, window, Server::Floor) }
}

/// Fan-out in three rooms at once, with one reactor and with two.
const fn in_rooms(name: &'static str, window: &'static Window) -> Work {
    let others = &[Server::OneReactor, Server::TwoReactors];
    Work { others, rooms: &["r1", "r2", "r3"], turns: None, ..in_protocols(name, window, &["irc"]) }
}

type Window = [&'static str; 9];

/// How often a round measures latencies: the longest of a thousand differ by a third from one time to the next, even on a
/// machine that has nothing else to do.
const LATENCIES: u32 = 12;
/// How often a round has everybody connect, which takes half a second.
const ARRIVALS: u32 = 4;

const fn fanout(members: &'static str, window: &'static str) -> Window {
    ["fanout", "--members", members, "--senders", "1", "--window", window, "--size", "64"]
}

const ONE: &Window = &fanout("100", "1");
const SIXTEEN: &Window = &fanout("100", "16");
const ONE_TO_MANY: &Window = &fanout("1000", "1");
const SIXTEEN_TO_MANY: &Window = &fanout("1000", "16");
/// Many at once: InspIRCd takes newcomers in once a second.
const IDLE: &[&str] = &["idle", "--connections", "5000", "--at-once", "512"];
const CHURN: &[&str] = &["churn", "--visits", "30000", "--at-once", "16"];
const IDLE_MANY: &[&str] = &["idle", "--connections", "19000"];
const DIRECT: &[&str] = &["direct", "--pairs", "50", "--window", "1", "--size", "64"];
const FOUR: &[&str] = &["irc", "rooms", "tmp", "muca"];
const ALL: &[&str] = &["irc", "rooms", "tmp", "muca", "messenger"];

/// Works that a server does with other options, or not at all. ngIRCd lets ten wait to be accepted, and who is one too many
/// tries again after seconds. Where visitors are kept waiting, there have to be many for it to end, and fewer in all.
const EXCEPTIONS: &[(&str, Server, &[[&str; 2]])] = &[
    ("idle-5000", Server::Ngircd, &[["--at-once", "8"]]),
    ("idle-5000", Server::Hybrid, &[["--at-once", "5000"]]),
    ("churn", Server::Ngircd, &[["--visits", "5000"]]),
    ("churn", Server::Inspircd, &[["--visits", "5000"], ["--at-once", "512"]]),
    ("churn", Server::Hybrid, &[["--visits", "5000"], ["--at-once", "2500"]]),
];

/// All works, in the order in which they are done.
pub(super) const WORKS: &[Work] = &[
    in_turns("fanout-100", ONE, Server::Floor),
    Work { others: FEW, ..in_turns("fanout-1000", ONE_TO_MANY, Server::Floor) },
    in_turns("fanout-100-w16", SIXTEEN, Server::BatchingFloor),
    Work { others: FEW, ..in_turns("fanout-1000-w16", SIXTEEN_TO_MANY, Server::BatchingFloor) },
    in_turns("direct-50", DIRECT, Server::Floor),
    Work { spells: LATENCIES, ..work("tail-w16", SIXTEEN, Server::BatchingFloor) },
    Work { others: &[Server::Polylogue], ..work("full-rate", ONE, Server::Floor) },
    Work {
        others: OURS,
        half_of: Some("full-rate"),
        spells: LATENCIES,
        ..work("half-rate", ONE, Server::Floor)
    },
    Work { timed: false, spells: ARRIVALS, ..work("idle-5000", IDLE, Server::Floor) },
    Work { others: OURS, timed: false, ..work("idle-19000", IDLE_MANY, Server::Floor) },
    Work { timed: false, ..in_turns("churn", CHURN, Server::Floor) },
    in_protocols("irc", ONE, &["irc"]),
    in_protocols("rooms", ONE, &["rooms"]),
    in_protocols("tmp", ONE, &["tmp"]),
    in_protocols("muca", ONE, &["muca"]),
    in_protocols("mixed", ONE, ALL),
    in_protocols("ircs", ONE, &["ircs"]),
    in_protocols("ircws", ONE, &["ircws"]),
    in_protocols("irc-w16", SIXTEEN, &["irc"]),
    in_protocols("rooms-w16", SIXTEEN, &["rooms"]),
    in_protocols("tmp-w16", SIXTEEN, &["tmp"]),
    in_protocols("muca-w16", SIXTEEN, &["muca"]),
    in_protocols("four-w16", SIXTEEN, FOUR),
    in_protocols("mixed-w16", SIXTEEN, ALL),
    in_protocols("ircs-w16", SIXTEEN, &["ircs"]),
    in_protocols("ircws-w16", SIXTEEN, &["ircws"]),
    in_rooms("three-rooms", ONE),
    in_rooms("three-rooms-w16", SIXTEEN),
];

/// A number in what the load generator prints.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) pointer: &'static str,
    pub(super) unit: Unit,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Microseconds,
    Bytes,
    Cores,
}

const fn measure(name: &'static str, pointer: &'static str, unit: Unit) -> Measure {
    Measure { name, pointer, unit }
}

/// Of the server, for each delivery, connection or visit.
pub(super) const CPU: Measure = measure("CPU each", "/server/cpu_us_each", Unit::Microseconds);
const MEMORY: Measure = measure("memory each", "/server/resident_each", Unit::Bytes);
/// Of both ends, which are on this machine.
const KERNEL: Measure = measure("kernel's memory each", "/server/kernel_each", Unit::Bytes);
const P99: Measure = measure("p99", "/latency_us/p99", Unit::Microseconds);
const P99_9: Measure = measure("p99.9", "/latency_us/p99_9", Unit::Microseconds);
pub(super) const CORES: Measure = measure("cores busy", "/server/machine_cores_busy", Unit::Cores);

/// What a number has to stay within.
pub(super) enum Limit {
    /// So many times what it is compared with.
    Ratio(f64),
    /// As it is.
    Absolute(f64),
    /// It is told and that is all.
    None,
}

/// A line of the main table: Polylogue beside the floor.
pub(super) struct Line {
    pub(super) title: &'static str,
    pub(super) work: &'static str,
    pub(super) measure: Measure,
    pub(super) limit: Limit,
}

const fn line(title: &'static str, work: &'static str, measure: Measure, limit: Limit) -> Line {
    Line { title, work, measure, limit }
}

/// The main table.
pub(super) const LINES: &[Line] = &[
    line("fan-out to 100 members", "fanout-100", CPU, Limit::Ratio(1.05)),
    line("fan-out to 1 000 members", "fanout-1000", CPU, Limit::Ratio(1.10)),
    line("fan-out to 100 members, 16 at once", "fanout-100-w16", CPU, Limit::Ratio(1.15)),
    line("fan-out to 1 000 members, 16 at once", "fanout-1000-w16", CPU, Limit::Ratio(1.20)),
    line("from one to one, 50 pairs", "direct-50", CPU, Limit::Ratio(1.20)),
    line("5 000 idle connections", "idle-5000", MEMORY, Limit::Absolute(1_800.0)),
    line("5 000 idle connections", "idle-5000", KERNEL, Limit::None),
    line("connect and register, 5 000", "idle-5000", CPU, Limit::Absolute(65.0)),
    line("19 000 idle connections", "idle-19000", MEMORY, Limit::None),
    line("connect, join, speak, quit", "churn", CPU, Limit::Ratio(2.0)),
    line("fan-out to 100 members, 16 at once", "tail-w16", P99_9, Limit::Ratio(3.0)),
    line("fan-out to 100 members at half the rate", "half-rate", P99, Limit::Ratio(1.5)),
];

/// What `kept` may cost more than keeping nothing.
pub(super) const KEPT_MAX: f64 = 1.08;

/// Works of other protocols, the work with IRC that they are compared with, and what they may cost more.
pub(super) const PROTOCOLS: &[(&str, &str, Option<f64>)] = &[
    ("rooms", "irc", Some(1.15)),
    ("tmp", "irc", Some(1.15)),
    ("muca", "irc", Some(1.15)),
    ("mixed", "irc", Some(1.15)),
    ("ircs", "irc", None),
    ("ircws", "irc", None),
    ("rooms-w16", "irc-w16", Some(1.15)),
    ("tmp-w16", "irc-w16", Some(1.15)),
    ("muca-w16", "irc-w16", Some(1.15)),
    ("four-w16", "irc-w16", Some(1.15)),
    ("mixed-w16", "irc-w16", Some(1.15)),
    ("ircs-w16", "irc-w16", None),
    ("ircws-w16", "irc-w16", None),
];

/// Works with one reactor and with two.
pub(super) const TWO: &[(&str, &str)] = &[
    ("three rooms of 100 members", "three-rooms"),
    ("three rooms of 100 members, 16 at once", "three-rooms-w16"),
];
/// What a delivery may cost more with two reactors: two cores are to make 1.7 times the deliveries of one.
pub(super) const TWO_MAX: f64 = 2.0 / 1.7;
/// How many of two cores have to be busy for that to be true.
pub(super) const BUSY_MIN: f64 = 1.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_turns_leave_as_it_is_is_measured_in_turns() {
        for Line { title, work, measure, .. } in LINES {
            let work = WORKS.iter().find(|it| it.name == *work).unwrap();
            assert!(work.turns.is_none() || measure.pointer == CPU.pointer, "{title}");
        }
        for work in WORKS.iter().filter(|work| work.turns.is_some()) {
            assert!(work.rooms.is_empty() && work.half_of.is_none(), "{}", work.name);
            assert_eq!(work.spells, 1, "{}", work.name);
        }
        let together: Vec<_> = WORKS.chunk_by(|work, next| work.turns == next.turns).collect();
        let named = together.iter().filter_map(|works| works.first()?.turns);
        assert_eq!(named.clone().collect::<std::collections::BTreeSet<_>>().len(), named.count());
    }

    #[test]
    fn some_servers_are_given_other_options() {
        let churn = WORKS.iter().find(|work| work.name == "churn").unwrap();
        let told = |server| churn.arguments(server).join(" ");
        assert_eq!(told(Server::Kept), "churn --visits 30000 --at-once 16");
        assert_eq!(told(Server::Ngircd), "churn --visits 5000 --at-once 16");
        assert_eq!(told(Server::Inspircd), "churn --visits 5000 --at-once 512");
        for (name, server, options) in EXCEPTIONS {
            let work = WORKS.iter().find(|work| work.name == *name).unwrap();
            let arguments = work.arguments(*server);
            for option in *options {
                assert!(arguments.windows(2).any(|pair| pair == option), "{name}, {}", server.name());
            }
        }
    }
}
