//! Bringing clients to a server, so many at a time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proto::client::Happening;

use super::fleet::{Fleet, Heard, Manner, Who};
use super::target::Target;
use crate::failure::Failure;

/// How long a server may take to answer anybody at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// When nothing was heard for so long, everybody has heard everything.
const QUIET: Duration = Duration::from_millis(300);
/// How long to wait for that.
const QUIET_MAX: Duration = Duration::from_secs(60);

const LIMITS: &str =
    "the server's limits (connections, per address, open files) may be lower than what was asked for";
pub(crate) const WRONG_PORT: &str = "is this the right protocol for the port?";

/// Nobody could sign in.
pub(crate) fn not_signed_in(why: &str) -> Failure {
    Failure::run(
        format!("the first client could not sign in: {why}"),
        "is the server running, and is this the right protocol for the port?",
    )
}

/// Those who are there.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// In the order in which they were added.
    pub(crate) people: Vec<Who>,
    /// What the server calls each.
    pub(crate) names: Vec<String>,
    /// How long each took from connecting until it was signed in, in nanoseconds.
    pub(crate) took: Vec<u64>,
}

/// Names that two runs against the same server hardly share, of at most nine characters: letters and digits.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    next: u32,
}

impl Names {
    /// For one run.
    pub(crate) fn new() -> Self {
        Self { prefix: format!("p{}", letters(std::process::id(), 2)), next: 0 }
    }
}

impl Iterator for Names {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let name = format!("{}{}", self.prefix, letters(self.next, 6));
        self.next += 1;
        Some(name)
    }
}

/// Letters none of which, nor any two together, look like others: servers may refuse names that look like one that is
/// taken.
const LETTERS: &[u8; 16] = b"abcdefghkpstuxyz";

/// The last places of a number, written with [`LETTERS`].
fn letters(number: u32, places: u32) -> String {
    (0..places).rev().map(|place| char::from(LETTERS[(number >> (4 * place)) as usize & 15])).collect()
}

/// Signs in `count` clients, dealt to the targets in turn.
///
/// # Errors
/// If one is refused, loses its connection, or nobody is answered for long.
pub(crate) fn gather(
    fleet: &mut Fleet,
    targets: &[&Target],
    count: usize,
    at_once: usize,
    names: &mut Names,
    manner: &Manner,
) -> Result<Gathered, Failure> {
    let mut gathered =
        Gathered { people: Vec::with_capacity(count), names: Vec::new(), took: Vec::with_capacity(count) };
    let mut signed_in: HashMap<Who, String> = HashMap::with_capacity(count);
    let mut since = HashMap::new();
    let mut heard: Vec<Heard> = Vec::new();
    let mut progress = Instant::now();
    while signed_in.len() < count {
        while gathered.people.len() < count && gathered.people.len() - signed_in.len() < at_once.max(1) {
            let target = targets[gathered.people.len() % targets.len()];
            let name = names.next().unwrap_or_default();
            let who = fleet.add(target, &name, manner)?;
            since.insert(who, fleet.now());
            gathered.people.push(who);
        }
        fleet.turn(Duration::from_millis(100))?;
        fleet.take_heard(&mut heard);
        for Heard { who, at, what } in heard.drain(..) {
            let why = match what {
                Happening::SignedIn { name } => {
                    progress = Instant::now();
                    if let Some(since) = since.remove(&who) {
                        gathered.took.push(at.saturating_sub(since));
                    }
                    signed_in.insert(who, name);
                    continue;
                }
                Happening::Refused { code, reason } => format!("{code} {reason}"),
                Happening::Ended { reason } => reason,
                _ => continue,
            };
            return Err(match signed_in.len() {
                0 => not_signed_in(&why),
                count => {
                    Failure::run(format!("after {count} clients were signed in, one was not: {why}"), LIMITS)
                }
            });
        }
        if progress.elapsed() > PATIENCE {
            let missing = count - signed_in.len();
            return Err(Failure::run(
                format!("{missing} of {count} clients are still not signed in after {PATIENCE:?}"),
                WRONG_PORT,
            ));
        }
    }
    gathered.names = gathered.people.iter().map(|who| signed_in.remove(who).unwrap_or_default()).collect();
    Ok(gathered)
}

/// Waits until nobody hears anything any more: of arrivals, for example.
///
/// # Errors
/// If the kernel fails, somebody loses the connection, or it never becomes quiet.
pub(crate) fn quiet(fleet: &mut Fleet) -> Result<(), Failure> {
    let (begun, mut last) = (Instant::now(), Instant::now());
    let mut heard = Vec::new();
    while last.elapsed() < QUIET {
        let before = fleet.events();
        fleet.turn(QUIET / 3)?;
        if fleet.events() != before {
            last = Instant::now();
        }
        fleet.take_heard(&mut heard);
        for Heard { what, .. } in heard.drain(..) {
            if let Happening::Ended { reason } = what {
                return Err(Failure::run(
                    format!("one who was signed in was disconnected: {reason}"),
                    LIMITS,
                ));
            }
        }
        if begun.elapsed() > QUIET_MAX {
            return Err(Failure::run("the server never becomes quiet", "is somebody else talking to it?"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_different() {
        let names: Vec<_> = Names::new().take(2000).collect();
        let all: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(all.len(), 2000);
        assert!(names.iter().all(|name| name.len() == 9 && name.chars().all(|c| c.is_ascii_alphanumeric())));
    }
}
