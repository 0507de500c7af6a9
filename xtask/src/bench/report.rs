//! The report: medians, ratios, and whether limits are met.

use std::fmt::Write as _;

use super::machine;
use super::options::Options;
use super::results::Results;
use super::servers::Server;
use super::table::Table;
use super::works::{
    BUSY_MIN, CORES, CPU, KEPT_MAX, LINES, Limit, Line, Measure, PROTOCOLS, TWO, TWO_MAX, Unit, WORKS, Work,
};
use crate::sh::Outcome;

const ABOUT: &str = "\
# What it costs

Written by `cargo xtask bench --write`; numbers of another machine will be different, ratios less so.

Each server is compared with a floor: a program that speaks just enough IRC to be taken for a server, sends the same
bytes, and does nothing else ([benches/floor](../benches/floor/src/main.rs)). So the floor is what the kernel asks, and
the ratio is what a server adds. The floor sends each delivery with one call; the batching floor gathers what one turn of
its loop has for a reader and sends it with one call. A work is compared with the floor that does it cheaper.

The server is alone on one core, the load generator on another. CPU is the server's, user and system together, for each
delivery, connection or visit. Texts have 64 bytes. Settings of Polylogue are the usual ones, but that there is one
reactor, and that rooms of more than 100 members don't tell of arrivals, which would have to be waited for. Latencies are
from writing a message to a member's reading it. The kernel's memory is that of both ends of a connection, which are on this
machine: sockets, their inodes and open files, and what is in TCP's buffers.

What a delivery or a visit costs is measured with all servers of a table's row at once: they and their loads take turns of
a fifth of a second at most and stand still in between, so that a machine whose speed changes does so to all. Connections
and latencies would make no sense so, and are measured in one go, one server right after another; so are visits to other
people's servers, which take their time. A round has latencies and connections several times, in pairs, because a machine
that stands still now and then spoils some of them; other people's servers once.
";

const PEERS: &str = "
## Other servers

As above; in parentheses, how many times the floor. All their throttles are off. ngIRCd takes three lines of a client at
a time, whatever it is told, and the rest of what came at once later: its latencies are about that. InspIRCd registers
clients once a second, and ircd-hybrid asks a name server for the name of each address, which nothing in its settings can
stop: where they keep visitors waiting, so many come at once that they wait together (`--at-once`, below). A name server
may take seconds for so many; what ircd-hybrid does meanwhile, and the list of open questions that it searches for each
answer, are in its figures for connecting.
";

const KEPT: &str = "
## Keeping what is said

With the default store, beside a server that keeps nothing. What the same costs the floor is how many times itself the
floor needs when it keeps what is said in the plainest way that there is with SQLite: it appends what a turn of its loop
has said to a file with one call, before it sends anything, and a thread puts it into a database by the thousand
([keep.rs](../benches/floor/src/keep.rs)). It has no searches, no conversations and no records that can be told from
damage, and reads nothing again. The last column is Polylogue with its store beside that floor.
";

const OTHERS: &str = "
## Other protocols

Fan-out to 100 members, beside the same in IRC, all in turns; `w16` is 16 at once. In `mixed`, members speak IRC, rooms, tmp, muca and messenger in equal parts, in `four` the first four of them; `ircs` is IRC in TLS,
`ircws` over WebSocket. A messenger client acknowledges each message before it is sent the next, and the load sends the
next message when the slowest member has one: so nothing can share a call in `mixed-w16`, for anybody.
";

const REACTORS: &str = "
## Two cores

Two cores given to the server are to make at least 1.7 times the deliveries of one. Here the load shares the cores with
the server: three loads talk at once, each in a room of its own, and nobody is kept to one core. So the cores are hardly
ever idle, and two are worth as much more as a delivery costs less: it may cost at most 2 / 1.7 times as much CPU with two
reactors as with one. The cores that are busy are those of the whole machine; below 1.80 of two, something else than a core
was waited for. CPU each is what the server used in a second, the mean of what the three loads measured, by the deliveries
a second of all three. Each talks for a second before it measures and for another after it, so that all talk while any
measures. Rounds differ by a sixth either way: it takes more than three of them.
";

const COMMANDS: &str = "
## The commands

`cargo xtask bench` starts a fresh server for each of these, and then `polylogue load` with what stands here and
`--pid PID --json`; where servers take turns, with as many times the seconds as there are servers. Where several talk at once, it does so with `POLYLOGUE_SERVER__THREADS=1` and with 2, and everybody may
use both cores.
";

/// Makes the report.
pub(super) struct Report<'a> {
    pub(super) options: &'a Options,
    pub(super) results: &'a Results,
}

impl Report<'_> {
    /// All of it, as Markdown.
    pub(super) fn text(&self) -> Outcome<String> {
        self.write().map_err(|error| format!("the report can't be written: {error}"))
    }

    fn write(&self) -> Result<String, std::fmt::Error> {
        let mut text = ABOUT.to_owned();
        let (rounds, seconds) = (self.options.rounds, self.options.seconds);
        writeln!(
            text,
            "\nMachine: {}. Medians of {rounds} rounds of {seconds} s; a ratio is the \
         median of the rounds' ratios.",
            machine::in_words()
        )?;
        self.write_lines(&mut text)?;
        self.write_peers(&mut text)?;
        self.write_kept(&mut text)?;
        self.write_protocols(&mut text)?;
        self.write_two(&mut text)?;
        self.write_troubles(&mut text)?;
        self.write_commands(&mut text)?;
        Ok(text)
    }

    fn median(&self, work: &str, server: Server, measure: &Measure) -> Option<f64> {
        self.results.median(work, server, measure.pointer)
    }

    fn floor_of(line: &Line) -> Option<Server> {
        WORKS.iter().find(|work| work.name == line.work)?.floor
    }

    /// How many times what another needs a server does, for one line.
    fn ratio(&self, line: &Line, server: Server, to: Option<Server>) -> Option<f64> {
        self.results.ratio((line.work, server), (line.work, to?), line.measure.pointer)
    }

    fn write_lines(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n## Beside the floor\n")?;
        let mut table = Table::new(&["work", "measured", "floor", "Polylogue", "ratio", "limit", "met"]);
        for line in LINES {
            let ours = self.median(line.work, Server::Polylogue, &line.measure);
            let floor = Self::floor_of(line).and_then(|floor| self.median(line.work, floor, &line.measure));
            if ours.or(floor).is_none() {
                continue;
            }
            let unit = line.measure.unit;
            let ratio = self.ratio(line, Server::Polylogue, Self::floor_of(line));
            let (limit, met) = match line.limit {
                Limit::Ratio(limit) => (format!("≤ {limit:.2}"), met(ratio, limit)),
                Limit::Absolute(limit) => (format!("≤ {}", shown(Some(limit), unit)), met(ours, limit)),
                Limit::None => (String::new(), String::new()),
            };
            let (floor, ours) = (shown(floor, unit), shown(ours, unit));
            table.row(vec![
                line.title.into(),
                line.measure.name.into(),
                floor,
                ours,
                times(ratio),
                limit,
                met,
            ]);
        }
        table.write(text)
    }

    fn write_peers(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{PEERS}")?;
        let names = Server::PEERS.iter().map(|server| server.name());
        let mut table =
            Table::new(&["work", "measured", "Polylogue"].into_iter().chain(names).collect::<Vec<_>>());
        for line in LINES {
            let servers = [Server::Polylogue].iter().chain(Server::PEERS);
            let medians: Vec<_> =
                servers.map(|server| (*server, self.median(line.work, *server, &line.measure))).collect();
            if medians.iter().skip(1).all(|(_, median)| median.is_none()) {
                continue;
            }
            let cells = medians.into_iter().map(|(server, median)| {
                let ratio = self.ratio(line, server, Self::floor_of(line));
                let ratio = ratio.map(|ratio| format!(" ({})", times(Some(ratio))));
                shown(median, line.measure.unit) + &ratio.unwrap_or_default()
            });
            table.row([line.title.into(), line.measure.name.into()].into_iter().chain(cells).collect());
        }
        table.write(text)?;
        writeln!(text)?;
        for server in Server::PEERS {
            let version = server.version().unwrap_or_else(|| "not installed".to_owned());
            writeln!(text, "- {}: {version}", server.name())?;
        }
        Ok(())
    }

    fn write_kept(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{KEPT}")?;
        let mut table = Table::new(&[
            "work",
            "measured",
            "ephemeral",
            "kept",
            "ratio",
            "limit",
            "met",
            "the same costs the floor",
            "beside that floor",
        ]);
        for line in LINES {
            let unit = line.measure.unit;
            let ephemeral = self.median(line.work, Server::Polylogue, &line.measure);
            let kept = self.median(line.work, Server::Kept, &line.measure);
            if kept.is_none() {
                continue;
            }
            let ratio = self.ratio(line, Server::Kept, Some(Server::Polylogue));
            let (ephemeral, kept) = (shown(ephemeral, unit), shown(kept, unit));
            let limit = format!("≤ {KEPT_MAX:.2}");
            let met = met(ratio, KEPT_MAX);
            let floor = Self::floor_of(line);
            let keeping = floor.and_then(Server::keeping);
            let floors = keeping.and_then(|keeping| self.ratio(line, keeping, floor));
            let beside = self.ratio(line, Server::Kept, keeping);
            table.row(vec![
                line.title.into(),
                line.measure.name.into(),
                ephemeral,
                kept,
                times(ratio),
                limit,
                met,
                times(floors),
                times(beside),
            ]);
        }
        table.write(text)
    }

    fn write_protocols(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{OTHERS}")?;
        let mut table = Table::new(&["protocol", "IRC", "CPU each", "ratio", "limit", "met"]);
        for (work, irc, limit) in PROTOCOLS {
            let ratio = self.results.ratio((work, Server::Polylogue), (irc, Server::Polylogue), CPU.pointer);
            let [ours, irc] = [work, irc].map(|work| self.median(work, Server::Polylogue, &CPU));
            if ours.is_none() {
                continue;
            }
            let (irc, ours) = (shown(irc, CPU.unit), shown(ours, CPU.unit));
            let shown_limit = limit.map(|limit| format!("≤ {limit:.2}")).unwrap_or_default();
            let met = limit.map(|limit| met(ratio, limit)).unwrap_or_default();
            table.row(vec![(*work).into(), irc, ours, times(ratio), shown_limit, met]);
        }
        table.write(text)
    }

    fn write_two(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{REACTORS}")?;
        let mut table = Table::new(&[
            "work",
            "one, CPU each",
            "two, CPU each",
            "ratio",
            "limit",
            "one, cores busy",
            "two, cores busy",
            "limit",
            "met",
        ]);
        for (title, work) in TWO {
            let of = |measure| {
                [Server::OneReactor, Server::TwoReactors].map(|server| self.median(work, server, measure))
            };
            let (cpu, cores) = (of(&CPU), of(&CORES));
            if cpu[1].is_none() {
                continue;
            }
            let ratio =
                self.results.ratio((work, Server::TwoReactors), (work, Server::OneReactor), CPU.pointer);
            let met = match cores[1].is_some_and(|busy| busy >= BUSY_MIN) {
                true => met(ratio, TWO_MAX),
                false => "**no**".to_owned(),
            };
            let [one_cpu, two_cpu] = cpu.map(|cpu| shown(cpu, CPU.unit));
            let [one_cores, two_cores] = cores.map(|cores| shown(cores, CORES.unit));
            table.row(vec![
                (*title).into(),
                one_cpu,
                two_cpu,
                times(ratio),
                format!("≤ {TWO_MAX:.2}"),
                one_cores,
                two_cores,
                format!("≥ {BUSY_MIN:.2}"),
                met,
            ]);
        }
        table.write(text)
    }

    fn write_troubles(&self, text: &mut String) -> std::fmt::Result {
        let troubles = self.results.troubles();
        if troubles.is_empty() {
            return Ok(());
        }
        writeln!(text, "\n## What went wrong\n")?;
        troubles.iter().try_for_each(|trouble| writeln!(text, "- {trouble}"))
    }

    fn write_commands(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{COMMANDS}")?;
        writeln!(text, "```sh")?;
        for work in WORKS {
            writeln!(text, "{}", self.command(work))?;
        }
        writeln!(text, "```")
    }

    fn command(&self, work: &Work) -> String {
        let (scenario, rest) = work.arguments.split_first().unwrap_or((&"", &[]));
        let urls: Vec<_> = work.protocols.iter().map(|scheme| format!("{scheme}://127.0.0.1:PORT")).collect();
        let seconds = if work.timed { format!(" --seconds {}", self.options.seconds) } else { String::new() };
        let rate = if work.half_of.is_some() { " --rate N" } else { "" };
        let rest = rest.join(" ");
        let call = format!("polylogue load {scenario} {} {rest}{seconds}{rate}", urls.join(" "));
        let exceptions = work
            .exceptions()
            .map(|(server, options)| format!("; {} has {}", server.name(), options.as_flattened().join(" ")));
        let name = work.name.to_owned() + &exceptions.collect::<String>();
        match work.rooms.join(" ") {
            none if none.is_empty() => format!("{call}   # {name}"),
            rooms => format!(
                "for room in {rooms}; do {call} --room $room --warmup 1 --cooldown 1 & done; wait   # {name}"
            ),
        }
    }
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "—".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn met(number: Option<f64>, limit: f64) -> String {
    match number {
        None => "not measured",
        // Memory may be given back while it is measured; that says nothing about what was taken.
        Some(number) if number <= 0.0 => "not measured",
        Some(number) if number <= limit => "yes",
        Some(_) => "**no**",
    }
    .to_owned()
}

fn shown(number: Option<f64>, unit: Unit) -> String {
    match (number, unit) {
        (None, _) => "—".to_owned(),
        (Some(number), Unit::Microseconds) if number < 100.0 => format!("{number:.2} µs"),
        (Some(number), Unit::Microseconds) => format!("{number:.0} µs"),
        (Some(number), Unit::Bytes) => format!("{number:.0} B"),
        (Some(number), Unit::Cores) => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_over_the_limit_is_said_frankly() {
        let options = Options::read(&[]).unwrap();
        let mut results = Results::default();
        let cpu = |each: f64| Ok(json!({ "server": { "cpu_us_each": each } }));
        results.add(1, "fanout-100", Server::Floor, cpu(2.0));
        results.add(1, "fanout-100", Server::Polylogue, cpu(2.5));
        results.add(1, "fanout-1000", Server::Floor, cpu(2.0));
        results.add(1, "fanout-1000", Server::Polylogue, cpu(2.1));
        results.add(1, "direct-50", Server::Floor, cpu(1.0));
        let text = Report { options: &options, results: &results }.text().unwrap();
        let words = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start)).unwrap();
            line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(
            words("| fan-out to 100 members ")[2..],
            ["2.00 µs", "2.50 µs", "1.25", "≤ 1.05", "**no**"]
        );
        assert_eq!(
            words("| fan-out to 1 000 members ")[2..],
            ["2.00 µs", "2.10 µs", "1.05", "≤ 1.10", "yes"]
        );
        assert_eq!(words("| from one to one")[2..], ["1.00 µs", "—", "—", "≤ 1.20", "not measured"]);
        assert!(!text.contains("| rooms"), "what was not done is left out");
    }
}
