//! What a run has found: for people a table, for programs one JSON object.

use std::fmt;
use std::io::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::process::Spent;

/// The longest time that is told apart from longer ones, in nanoseconds: ten minutes.
const LONGEST_NS: u64 = 600_000_000_000;

/// Everything that a run has found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What was done.
    pub(crate) scenario: &'static str,
    /// In which protocols.
    pub(crate) protocols: Vec<&'static str>,
    /// How many clients.
    pub(crate) connections: usize,
    /// How long was measured.
    pub(crate) seconds: f64,
    /// Messages, or visits, or connections.
    pub(crate) sent: u64,
    /// What came of them: a message to a thousand is a thousand.
    pub(crate) deliveries: u64,
    pub(crate) per_second: f64,
    pub(crate) latency_us: Latency,
    pub(crate) faults: Faults,
    /// What the server used, if its process was given.
    pub(crate) server: Option<Server>,
    /// What a scenario has to say beyond that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) figures: Vec<Figure>,
}

/// A figure that only one scenario has.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

/// How long things took, in microseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

/// What should not have been.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    /// Never came.
    pub(crate) missing: u64,
    /// Came again.
    pub(crate) repeated: u64,
    /// Came after one that was sent later.
    pub(crate) out_of_order: u64,
    /// The server said no.
    pub(crate) refused: u64,
    /// The server hung up, or never answered.
    pub(crate) lost_connections: u64,
    /// What the first of the last two said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<String>,
}

/// What the server's process used.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    /// Microseconds of processor time for each delivery, visit or connection.
    pub(crate) cpu_us_each: f64,
    pub(crate) user_us_each: f64,
    pub(crate) system_us_each: f64,
    /// How many processors it kept busy.
    pub(crate) cores_busy: f64,
    /// How many processors were busy, with this or anything else.
    pub(crate) machine_cores_busy: f64,
    /// Resident memory in bytes, before anything was done and at the end.
    pub(crate) resident_before: u64,
    pub(crate) resident_after: u64,
    /// What it grew by, for each connection.
    pub(crate) resident_each: f64,
    /// What the kernel's memory grew by, for each connection: for both of its ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_each: Option<f64>,
}

/// Where times are gathered.
pub(crate) fn histogram() -> Histogram<u64> {
    // The bounds are right, which is all that can be wrong.
    Histogram::new_with_bounds(1, LONGEST_NS, 3).unwrap_or_else(|_| unreachable!("bounds of a histogram"))
}

impl Latency {
    /// Of times in nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let us = |ns: u64| ns as f64 / 1000.0;
        let at = |quantile: f64| us(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: us(histogram.max()),
        }
    }
}

impl Faults {
    /// Whether there are none.
    pub(crate) fn none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds those of another part of the run, which was earlier.
    pub(crate) fn add(&mut self, earlier: &Self) {
        self.missing += earlier.missing;
        self.repeated += earlier.repeated;
        self.out_of_order += earlier.out_of_order;
        self.refused += earlier.refused;
        self.lost_connections += earlier.lost_connections;
        self.first = earlier.first.clone().or(self.first.take());
    }

    /// The server said no.
    pub(crate) fn refuse(&mut self, why: String) {
        self.refused += 1;
        self.first.get_or_insert(why);
    }

    /// The server hung up.
    pub(crate) fn lose(&mut self, why: String) {
        self.lost_connections += 1;
        self.first.get_or_insert(why);
    }
}

impl Server {
    /// Of what was spent on so many things, by so many connections that came in the same time.
    pub(crate) fn of(spent: Spent, things: u64, connections: usize) -> Self {
        let each = |seconds: f64| seconds * 1e6 / things.max(1) as f64;
        let grown = spent.resident_after as f64 - spent.resident_before as f64;
        Self {
            cpu_us_each: each(spent.user_s + spent.system_s),
            user_us_each: each(spent.user_s),
            system_us_each: each(spent.system_s),
            cores_busy: (spent.user_s + spent.system_s) / spent.seconds.max(1e-9),
            machine_cores_busy: spent.machine_s / spent.seconds.max(1e-9),
            resident_before: spent.resident_before,
            resident_after: spent.resident_after,
            resident_each: grown / connections.max(1) as f64,
            kernel_each: None,
        }
    }
}

impl Server {
    /// Memory counts from before anybody had come.
    pub(crate) fn began_with(&mut self, resident: u64, connections: usize) {
        self.resident_before = resident;
        self.resident_each = (self.resident_after as f64 - resident as f64) / connections.max(1) as f64;
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, repeated, out_of_order, refused, lost_connections, first } = self;
        let kinds = [
            (missing, "missing"),
            (repeated, "repeated"),
            (out_of_order, "out of order"),
            (refused, "refused"),
            (lost_connections, "connections lost"),
        ];
        let some = kinds.iter().filter(|(count, _)| **count > 0);
        let some: Vec<_> = some.map(|(count, kind)| format!("{count} {kind}")).collect();
        f.write_str(if some.is_empty() { "none" } else { "" })?;
        f.write_str(&some.join(", "))?;
        first.iter().try_for_each(|first| write!(f, "; the first: {first}"))
    }
}

/// A time in the unit that makes it short.
fn time(us: f64) -> String {
    match us {
        ..1e3 => format!("{us:.0} µs"),
        1e3..1e6 => format!("{:.1} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

impl Report {
    /// Prints it.
    ///
    /// # Errors
    /// If nobody takes it.
    pub(crate) fn print(&self, json: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match json {
            true => writeln!(out, "{}", serde_json::to_string(self)?),
            false => write!(out, "{}", self.table()),
        }
    }

    /// What is counted: what was sent, what came of it, and one of these.
    fn words(&self) -> (Option<&'static str>, &'static str, &'static str) {
        match self.scenario {
            "churn" => (None, "visits", "visit"),
            "idle" => (None, "signed in", "connection"),
            "mixed" => (Some("things done"), "deliveries", "delivery"),
            _ => (Some("messages sent"), "deliveries", "delivery"),
        }
    }

    fn table(&self) -> String {
        let protocols = self.protocols.join("+");
        let Self { scenario, connections, seconds, .. } = self;
        let mut table = format!("{scenario}, {protocols}: {connections} connections, {seconds:.1} s\n");
        let mut row = |name: &str, value: &str| table += &format!("  {name:<30}{value}\n");
        let (sent, things, thing) = self.words();
        if let Some(sent) = sent {
            row(sent, &self.sent.to_string());
        }
        row(things, &format!("{}, {:.0} a second", self.deliveries, self.per_second));
        let Latency { count, p50, p90, p99, p99_9, max } = self.latency_us;
        if count > 0 {
            let of = [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p99_9), ("max", max)];
            let times: Vec<_> = of.iter().map(|(name, us)| format!("{name} {}", time(*us))).collect();
            row(&format!("time of a {thing}"), &times.join(", "));
        }
        if let Some(server) = &self.server {
            let Server { cpu_us_each, user_us_each, system_us_each, .. } = server;
            let cpu = format!(
                "{cpu_us_each:.2} µs: {user_us_each:.2} in the program, {system_us_each:.2} in the kernel"
            );
            row(&format!("server, CPU of a {thing}"), &cpu);
            row("server, cores busy", &format!("{:.2}", server.cores_busy));
            row("machine, cores busy", &format!("{:.2}", server.machine_cores_busy));
            let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
            let Server { resident_before, resident_after, resident_each, .. } = server;
            let (before, after) = (mib(*resident_before), mib(*resident_after));
            row("server, memory", &format!("{before}, then {after}: {resident_each:.0} bytes a connection"));
            if let Some(each) = server.kernel_each {
                row("kernel, memory of both ends", &format!("{each:.0} bytes a connection"));
            }
        }
        for Figure { name, value, unit } in &self.figures {
            // Counts have no unit, and no fractions.
            let decimals = if value.fract() == 0.0 { 0 } else { 2 };
            row(name, format!("{value:.decimals$} {unit}").trim_end());
        }
        row(if self.faults.none() { "faults" } else { "FAULTS" }, &self.faults.to_string());
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(scenario: &'static str, faults: Faults) -> Report {
        let mut times = histogram();
        for ns in [90_000, 100_000, 2_500_000, 3_000_000_000] {
            times.saturating_record(ns);
        }
        let spent = Spent {
            user_s: 0.001,
            system_s: 0.003,
            machine_s: 0.75,
            seconds: 0.5,
            resident_before: 10 << 20,
            resident_after: 12 << 20,
        };
        Report {
            scenario,
            protocols: vec!["irc", "tmp"],
            connections: 1024,
            seconds: 0.5,
            sent: 1,
            deliveries: 4,
            per_second: 8.0,
            latency_us: Latency::of(&times),
            faults,
            server: Some(Server::of(spent, 4, 1024)),
            figures: vec![Figure { name: "typing", value: 3.0, unit: "" }],
        }
    }

    #[test]
    fn the_table_says_what_was_counted() {
        let expected = "\
fanout, irc+tmp: 1024 connections, 0.5 s
  messages sent                 1
  deliveries                    4, 8 a second
  time of a delivery            p50 100 µs, p90 3.0 s, p99 3.0 s, p99.9 3.0 s, max 3.0 s
  server, CPU of a delivery     1000.00 µs: 250.00 in the program, 750.00 in the kernel
  server, cores busy            0.01
  machine, cores busy           1.50
  server, memory                10.0 MiB, then 12.0 MiB: 2048 bytes a connection
  typing                        3
  faults                        none
";
        assert_eq!(report("fanout", Faults::default()).table(), expected);
        let table = report("churn", Faults::default()).table();
        assert!(table.contains("\n  visits                        4, 8 a second\n"), "{table}");
    }

    #[test]
    fn faults_are_told_and_those_of_two_parts_are_one() {
        let mut faults = Faults { missing: 2, ..Faults::default() };
        faults.lose("late".to_owned());
        let mut earlier = Faults { missing: 1, repeated: 3, ..Faults::default() };
        earlier.refuse("early".to_owned());
        faults.add(&earlier);
        let table = report("mixed", faults).table();
        let wanted = "  FAULTS                        3 missing, 3 repeated, 1 refused, 1 connections lost; \
                      the first: early\n";
        assert!(table.ends_with(wanted), "{table}");
    }
}
