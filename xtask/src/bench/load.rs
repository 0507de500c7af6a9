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

/// How long a load has the machine when several take turns: long beside what it costs to change, and short beside what a
/// machine's speed takes to change.
const TURN: Duration = Duration::from_millis(150);

/// How long, in seconds, several loads talk before they measure and after it: all of them talk while any measures, if
/// none begins later than another by more.
const APART_MAX: f64 = 1.0;

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

    /// Puts the load of a work on several servers at once, which take short turns: whatever the machine does meanwhile, it
    /// does to all of them. What each load says, without what the turns make senseless.
    pub(super) fn by_turns(
        &self,
        work: &Work,
        servers: &[(Server, Doors, Running)],
        folder: &Path,
    ) -> Vec<Outcome<Value>> {
        let all = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let (seconds, warmup) = ((self.seconds * all).to_string(), all.to_string());
        let start = |(server, doors, running): &(Server, Doors, Running)| {
            let mut load = confined(core(), false);
            load.arg(built("polylogue")).arg("load").args(arguments(work, *server, doors, running));
            load.args(["--seconds", &seconds, "--warmup", &warmup]);
            let load = Running::spawn(&format!("load-{}", server.name()), load, folder)?;
            load.pause()?;
            Ok(load)
        };
        let mut loads: Vec<Outcome<Running>> = servers.iter().map(start).collect();
        let until = Instant::now() + PATIENCE + Duration::from_secs((self.seconds * all).into());
        loop {
            let mut goes_on = false;
            for load in &mut loads {
                let turn = load.as_mut().map_err(|error| error.clone()).and_then(take_turn);
                match turn {
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

/// Lets a load go on for a turn; whether it isn't done.
fn take_turn(load: &mut Running) -> Outcome<bool> {
    if load.has_ended()?.is_some() {
        return Ok(false);
    }
    load.go_on()?;
    sleep(TURN);
    if load.has_ended()?.is_some() {
        return Ok(false);
    }
    load.pause()?;
    Ok(true)
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
