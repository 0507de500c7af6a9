//! `polylogue load`: work for a server of any of the six protocols, ours or another, from one thread; what it cost, and
//! whether everybody got everything exactly once and in order.

pub(crate) mod arguments;
mod churn;
mod direct;
mod fanout;
mod fleet;
mod gather;
mod idle;
mod kernel;
mod mixed;
mod origin;
mod process;
mod report;
mod socket;
mod stamp;
mod storm;
mod talk;
mod target;
mod tls;
mod weather;
mod websocket;

use arguments::{Common, Load, Scenario};

use crate::failure::Failure;

/// Runs one scenario and prints what was found.
///
/// # Errors
/// If it can't be done, or the server did something that it should not have.
pub(crate) fn run(load: &Load) -> Result<(), Failure> {
    let (report, common) = match &load.scenario {
        Scenario::Fanout(arguments) => (fanout::run(arguments)?, &arguments.common),
        Scenario::Direct(arguments) => (direct::run(arguments)?, &arguments.common),
        Scenario::Idle(arguments) => (idle::run(arguments)?, &arguments.common),
        Scenario::Churn(arguments) => (churn::run(arguments)?, &arguments.common),
        Scenario::Mixed(arguments) => (mixed::run(arguments)?, &arguments.common),
        Scenario::Weather(arguments) => (weather::run(arguments)?, &arguments.common),
    };
    let Common { json, .. } = common;
    report.print(*json)?;
    if report.faults.none() {
        return Ok(());
    }
    Err(Failure::run("the server did not do everything right", "see the faults above"))
}
