//! The load generator.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::built;
use super::running::{Running, confined};
use super::servers::{Door, Doors};
use super::works::Work;
use crate::sh::Outcome;

/// How long a work may take beside the seconds it was given: a server that takes longer isn't waited for.
const PATIENCE: Duration = Duration::from_secs(90);

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
        doors: &Doors,
        server: &Running,
        rate: Option<u64>,
        folder: &Path,
    ) -> Outcome<Value> {
        let mut load = confined(core(), false);
        load.arg(built("polylogue")).arg("load");
        load.args(work.arguments.first());
        load.args(doors.0.iter().map(Door::url));
        load.args(work.arguments.iter().skip(1));
        if work.timed {
            load.args(["--seconds", &self.seconds.to_string()]);
        }
        if let Some(rate) = rate {
            load.args(["--rate", &rate.to_string()]);
        }
        load.args(["--pid", &server.id().to_string(), "--json"]);
        let mut load = Running::spawn("load", load, folder)?;
        load.wait(PATIENCE + Duration::from_secs(self.seconds.into()))?;
        let words = load.words();
        // It may have had something to say before.
        let object = words.find("\n{").map_or(0, |at| at + 1);
        let said = words.get(object..).and_then(|words| serde_json::from_str::<Value>(words).ok());
        said.filter(Value::is_object).ok_or_else(|| load.last_words())
    }
}

/// The core that the load is on: one that no server is on, if there are so many.
fn core() -> &'static str {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 2) { "2" } else { "1" }
}
