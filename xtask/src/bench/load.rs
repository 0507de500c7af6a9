//! The load generator, once or several times at once.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::built;
use super::running::{Running, confined};
use super::servers::{BOTH, Door, Doors, Server};
use super::works::Work;
use crate::sh::Outcome;

/// How long a work may take beside the seconds it was given: a server that takes longer isn't waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long a server and its load have the machine when several take turns, at most: long beside what it costs to change,
/// and short beside what a machine's speed takes to change.
const TURN: Duration = Duration::from_millis(200);

/// How long all turns may take together: who stands still for long may take it for rest, and begin with what it does
/// then.
const TURNS: Duration = Duration::from_millis(600);

/// How long, in seconds, several loads talk before they measure and after it: all of them talk while any measures, if
/// none begins later than another by more.
const APART_MAX: f64 = 1.0;

/// A work that a server does while others stand still.
pub(super) struct Part {
    pub(super) work: &'static Work,
    pub(super) server: Server,
    pub(super) doors: Doors,
    pub(super) running: Running,
}

impl Part {
    /// What no other part is called.
    pub(super) fn name(&self) -> String {
        part_name(self.work, self.server)
    }
}

/// What a server's part in a work is called.
pub(super) fn part_name(work: &Work, server: Server) -> String {
    format!("{}-{}", work.name, server.name())
}

/// How the load is started.
pub(super) struct Load {
    seconds: u32,
}

impl Load {
    pub(super) fn new(seconds: u32) -> Self {
        Self { seconds }
    }

    /// Puts the load of a work on a server; gives what the load generator says.
    pub(super) fn run(
        &self,
        work: &Work,
        server: Server,
        doors: &Doors,
        running: &Running,
        rate: Option<u64>,
        folder: &Path,
    ) -> Outcome<Value> {
        let mut arguments = arguments(work, server, doors, running);
        if work.timed {
            arguments.extend(["--seconds".to_owned(), self.seconds.to_string()]);
        }
        if let Some(rate) = rate {
            arguments.extend(["--rate".to_owned(), rate.to_string()]);
        }
        let patience = PATIENCE + Duration::from_secs(self.seconds.into());
        if work.rooms.is_empty() {
            return what_it_says(start(&arguments, None, folder)?, patience);
        }
        let loads = work.rooms.iter().map(|room| start(&arguments, Some(room), folder));
        let loads = loads.collect::<Outcome<Vec<_>>>()?;
        together(loads.into_iter().map(|load| what_it_says(load, patience)).collect::<Outcome<_>>()?)
    }

    /// Puts loads on several servers, which take short turns with them: whatever the machine does meanwhile, it does to all
    /// of them. Between its turns a server stands still. What each load says, without what the turns make senseless.
    pub(super) fn by_turns(&self, parts: &[Part], folder: &Path) -> Vec<Outcome<Value>> {
        let all = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let turn = TURN.min(TURNS / all.max(1));
        let (seconds, warmup) = ((self.seconds * all).to_string(), all.to_string());
        let start = |part: &Part| {
            let Part { work, server, doors, running } = part;
            let mut load = confined(core(), false);
            load.arg(built("polylogue")).arg("load").args(arguments(work, *server, doors, running));
            if work.timed {
                load.args(["--seconds", &seconds, "--warmup", &warmup]);
            }
            let load = Running::spawn(&format!("load-{}", part.name()), load, folder)?;
            load.pause()?;
            running.pause()?;
            Ok(load)
        };
        let mut loads: Vec<Outcome<Running>> = parts.iter().map(start).collect();
        let until = Instant::now() + PATIENCE + Duration::from_secs((self.seconds * all).into());
        loop {
            let mut goes_on = false;
            for (Part { running, .. }, load) in parts.iter().zip(&mut loads) {
                let taken = load.as_mut().map_err(|error| error.clone());
                match taken.and_then(|load| take_turn(running, load, turn)) {
                    Ok(has_more) => goes_on |= has_more,
                    Err(error) => *load = Err(error),
                }
            }
            if !goes_on || Instant::now() > until {
                break;
            }
        }
        loads.into_iter().map(|load| load.and_then(what_it_said).map(without_times)).collect()
    }
}

/// What a load is told about a server, but for how long.
fn arguments(work: &Work, server: Server, doors: &Doors, running: &Running) -> Vec<String> {
    let mut arguments: Vec<String> = work.arguments(server).into_iter().map(str::to_owned).collect();
    arguments.splice(1..1, doors.0.iter().map(Door::url));
    arguments.extend(["--json".to_owned(), "--pid".to_owned(), running.id().to_string()]);
    arguments
}

/// Lets a server and its load go on for a turn; whether they aren't done.
fn take_turn(server: &Running, load: &mut Running, turn: Duration) -> Outcome<bool> {
    if load.has_ended()?.is_some() {
        return Ok(false);
    }
    server.go_on()?;
    load.go_on()?;
    sleep(turn);
    let has_ended = load.has_ended()?.is_some();
    if !has_ended {
        load.pause()?;
    }
    server.pause()?;
    Ok(!has_ended)
}

/// Time stood still in between.
fn without_times(mut said: Value) -> Value {
    if let Some(said) = said.as_object_mut() {
        for senseless in ["latency_us", "per_second"] {
            said.remove(senseless);
        }
    }
    said
}

/// Starts a load: alone and on its own core, or as one of several, each in a room.
fn start(arguments: &[String], room: Option<&str>, folder: &Path) -> Outcome<Running> {
    let mut load = confined(if room.is_some() { BOTH } else { core() }, false);
    load.arg(built("polylogue")).arg("load").args(arguments);
    let Some(room) = room else { return Running::spawn("load", load, folder) };
    let apart = APART_MAX.to_string();
    load.args(["--room", room, "--warmup", &apart, "--cooldown", &apart]);
    Running::spawn(&format!("load-{room}"), load, folder)
}

/// What a load says at its end.
fn what_it_says(mut load: Running, patience: Duration) -> Outcome<Value> {
    load.wait(patience)?;
    what_it_said(load)
}

fn what_it_said(load: Running) -> Outcome<Value> {
    let words = load.words();
    // It may have had something to say before.
    let object = words.find("\n{").map_or(0, |at| at + 1);
    let said = words.get(object..).and_then(|words| serde_json::from_str::<Value>(words).ok());
    said.filter(Value::is_object).ok_or_else(|| load.last_words())
}

/// What several loads at once say, as one: deliveries add up. What the server used in a second, each has measured in its
/// own time, which is nearly the same.
fn together(loads: Vec<Value>) -> Outcome<Value> {
    let all = |pointer: &'static str| {
        loads.iter().filter_map(move |load| load.pointer(pointer)?.as_f64()).collect::<Vec<_>>()
    };
    let sum = |pointer| all(pointer).iter().sum::<f64>();
    let mean = |pointer| sum(pointer) / loads.len() as f64;
    let all_in = all("/figures/0/value");
    let first = all_in.iter().copied().fold(f64::INFINITY, f64::min);
    if all_in.iter().any(|last| last - first > APART_MAX) {
        return Err("the loads didn't begin at the same time".to_owned());
    }
    let (per_second, cores_busy) = (sum("/per_second"), mean("/server/cores_busy"));
    let mut faults = Map::new();
    for (fault, count) in loads.iter().filter_map(|load| load.get("faults")?.as_object()).flatten() {
        let before = faults.get(fault).and_then(Value::as_u64).unwrap_or_default();
        faults.insert(fault.clone(), (before + count.as_u64().unwrap_or_default()).into());
    }
    Ok(json!({
        "seconds": mean("/seconds"), "sent": sum("/sent"), "deliveries": sum("/deliveries"),
        "per_second": per_second,
        "server": {
            "cpu_us_each": cores_busy * 1e6 / per_second, "cores_busy": cores_busy,
            "machine_cores_busy": mean("/server/machine_cores_busy"),
        },
        "faults": faults, "loads": loads,
    }))
}

/// The core that the load is on: one that no server is on, if there are so many.
fn core() -> &'static str {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 2) { "2" } else { "1" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(all_in: f64, per_second: f64, cores_busy: f64) -> Value {
        json!({
            "per_second": per_second, "faults": { "missing": 1, "first": "late" },
            "server": { "cores_busy": cores_busy, "machine_cores_busy": 2.0 },
            "figures": [{ "name": "all were in after", "value": all_in }],
        })
    }

    #[test]
    fn several_loads_are_told_as_one() {
        let told =
            together(vec![load(0.1, 100.0, 0.9), load(0.9, 200.0, 0.7), load(0.2, 100.0, 0.8)]).unwrap();
        assert_eq!(told["per_second"], 400.0);
        assert_eq!(told["server"]["cpu_us_each"].as_f64().unwrap().round(), 2_000.0);
        assert_eq!(told["server"]["machine_cores_busy"], 2.0);
        assert_eq!(told["faults"]["missing"], 3);
        assert!(together(vec![load(0.1, 1.0, 1.0), load(1.2, 1.0, 1.0)]).is_err());
    }
}
