//! What a run has found: for people a table, for programs one JSON object.

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
    /// Came before one that was sent earlier.
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
    /// Resident memory in bytes, before anything was done and at the end.
    pub(crate) resident_before: u64,
    pub(crate) resident_after: u64,
    /// What it grew by, for each connection.
    pub(crate) resident_each: f64,
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
            resident_before: spent.resident_before,
            resident_after: spent.resident_after,
            resident_each: grown / connections.max(1) as f64,
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

impl Report {
    /// Prints it.
    ///
    /// # Errors
    /// If nobody takes it.
    pub(crate) fn print(&self, json: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            return writeln!(out, "{}", serde_json::to_string(self)?);
        }
        let protocols = self.protocols.join("+");
        writeln!(
            out,
            "{} {protocols}, {} connections, {:.1} s",
            self.scenario, self.connections, self.seconds
        )?;
        let mut row = |name: &str, value: &str| writeln!(out, "  {name:<34}{value}");
        row("sent", &self.sent.to_string())?;
        row("deliveries", &self.deliveries.to_string())?;
        row("a second", &format!("{:.0}", self.per_second))?;
        let Latency { count, p50, p90, p99, p99_9, max } = self.latency_us;
        if count > 0 {
            let times = format!("p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  p99.9 {p99_9:.0}  max {max:.0}");
            row("latency, µs", &times)?;
        }
        if let Some(Server { cpu_us_each, user_us_each, system_us_each, cores_busy, .. }) = &self.server {
            let parts =
                format!("user {user_us_each:.2}, system {system_us_each:.2}; {cores_busy:.2} cores busy");
            row("server, µs each", &format!("{cpu_us_each:.2} ({parts})"))?;
        }
        if let Some(Server { resident_before, resident_after, resident_each, .. }) = self.server {
            let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
            let (before, after) = (mib(resident_before), mib(resident_after));
            let memory =
                format!("{before:.1} MiB, then {after:.1} MiB: {resident_each:.0} bytes a connection");
            row("server, memory", &memory)?;
        }
        for Figure { name, value, unit } in &self.figures {
            row(name, &format!("{value:.2} {unit}"))?;
        }
        let Faults { missing, repeated, out_of_order, refused, lost_connections, first } = &self.faults;
        if !self.faults.none() {
            let faults = format!(
                "{missing} missing, {repeated} repeated, {out_of_order} out of order, {refused} refused, \
                 {lost_connections} connections lost"
            );
            row("FAULTS", &faults)?;
        }
        if let Some(first) = first {
            row("the first", first)?;
        }
        Ok(())
    }
}
