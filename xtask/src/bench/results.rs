//! What came out, round by round.

use serde_json::{Value, json};

use super::servers::Server;
use crate::sh::{Outcome, say};

/// What one server did in one round.
struct Entry {
    round: u32,
    work: &'static str,
    server: Server,
    outcome: Outcome<Value>,
}

/// Everything that was measured.
#[derive(Default)]
pub(super) struct Results(Vec<Entry>);

impl Results {
    pub(super) fn add(&mut self, round: u32, work: &'static str, server: Server, outcome: Outcome<Value>) {
        self.0.push(Entry { round, work, server, outcome });
    }

    /// The same, and says it to whoever watches.
    pub(super) fn tell(&mut self, round: u32, work: &'static str, server: Server, outcome: Outcome<Value>) {
        say(&format!("round {round}, {work}, {}: {}", server.name(), in_short(&outcome)));
        self.add(round, work, server, outcome);
    }

    fn of(&self, work: &str, server: Server) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.work == work && entry.server == server)
    }

    /// Whether it couldn't be measured in a round before: it isn't waited for again.
    pub(super) fn has_failed(&self, work: &str, server: Server) -> bool {
        self.of(work, server).any(|entry| entry.outcome.is_err())
    }

    /// The median over the rounds of a number that the load generator told.
    pub(super) fn median(&self, work: &str, server: Server, pointer: &str) -> Option<f64> {
        let told = |entry: &Entry| entry.outcome.as_ref().ok()?.pointer(pointer)?.as_f64();
        median(self.of(work, server).filter_map(told).collect())
    }

    /// The median over the rounds of how many times what another told in the same round it was: what is compared was
    /// measured in turns with it, or right after it, whatever the machine was like then.
    pub(super) fn ratio(&self, what: (&str, Server), to: (&str, Server), pointer: &str) -> Option<f64> {
        let told = |entry: &Entry| entry.outcome.as_ref().ok()?.pointer(pointer)?.as_f64();
        let pair = |entry: &Entry| {
            let other = self.of(to.0, to.1).find(|other| other.round == entry.round)?;
            let other = told(other).filter(|other| *other > 0.0)?;
            Some(told(entry)? / other)
        };
        median(self.of(what.0, what.1).filter_map(pair).collect())
    }

    /// What went wrong, in words, each thing once.
    pub(super) fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for entry in &self.0 {
            let trouble = match &entry.outcome {
                Ok(told) => faults(told),
                Err(error) => Some(error.lines().next().unwrap_or_default().to_owned()),
            };
            if let Some(trouble) = trouble {
                let text = format!("{}, {}: {trouble}", entry.work, entry.server.name());
                if !troubles.contains(&text) {
                    troubles.push(text);
                }
            }
        }
        troubles
    }

    /// As they are, for other programs.
    pub(super) fn raw(&self) -> Value {
        let entries = self.0.iter().map(|entry| {
            let (result, error) = (entry.outcome.as_ref().ok(), entry.outcome.as_ref().err());
            json!({
                "round": entry.round, "work": entry.work, "server": entry.server.name(),
                "result": result, "error": error,
            })
        });
        entries.collect()
    }
}

/// A line for whoever watches.
fn in_short(outcome: &Outcome<Value>) -> String {
    let told = match outcome {
        Ok(told) => told,
        Err(error) => return format!("failed: {error}"),
    };
    let number = |pointer| told.pointer(pointer).and_then(Value::as_f64);
    let each = number("/server/cpu_us_each").unwrap_or_default();
    let rate = number("/per_second").map(|rate| format!(", {rate:.0} a second")).unwrap_or_default();
    let faults = faults(told).map(|faults| format!(", {faults}")).unwrap_or_default();
    format!("{each:.2} µs of CPU each{rate}{faults}")
}

/// The faults, if there were any.
fn faults(told: &Value) -> Option<String> {
    let faults = told.get("faults")?.as_object()?;
    let some = faults.iter().filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
    let words: Vec<_> = some.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Of an even count, the middle between the two in the middle.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    match numbers.len() % 2 {
        1 => Some(upper),
        _ => Some((numbers.get(middle - 1)? + upper) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn ratios_are_of_what_was_measured_in_the_same_round() {
        let mut results = Results::default();
        for (round, floor, ours) in [(1, 1.0, 1.1), (2, 2.0, 2.4), (3, 9.0, 9.0)] {
            for (server, cpu) in [(Server::Floor, floor), (Server::Polylogue, ours)] {
                results.add(round, "direct", server, Ok(json!({ "cpu": cpu })));
            }
        }
        results.add(4, "direct", Server::Polylogue, Ok(json!({ "cpu": 70.0 })));
        let (ours, floor) = (("direct", Server::Polylogue), ("direct", Server::Floor));
        assert_eq!(results.ratio(ours, floor, "/cpu"), Some(1.1));
        assert_eq!(results.ratio(("churn", Server::Kept), floor, "/cpu"), None);
    }

    #[test]
    fn what_went_wrong_is_told_and_does_not_count() {
        let mut results = Results::default();
        for (round, cpu) in [(1, 3.0), (2, 5.0)] {
            let told = json!({ "server": { "cpu_us_each": cpu }, "faults": { "missing": 0 } });
            results.add(round, "churn", Server::Floor, Ok(told));
        }
        results.add(3, "churn", Server::Floor, Err("it broke\nhint: mend it".to_owned()));
        results.add(
            1,
            "churn",
            Server::Kept,
            Ok(json!({ "faults": { "missing": 2, "lost_connections": 1 } })),
        );
        assert_eq!(results.median("churn", Server::Floor, "/server/cpu_us_each"), Some(4.0));
        let troubles = results.troubles();
        assert_eq!(troubles[0], "churn, floor: it broke");
        assert!(troubles[1].contains("2 missing") && troubles[1].contains("1 lost connections"));
        assert_eq!(results.raw()[2]["error"], "it broke\nhint: mend it");
    }
}
