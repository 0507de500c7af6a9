//! Processes, which don't outlast their use.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::servers::{Doors, Server};
use crate::sh::{Outcome, command};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(20);
/// What a server does at its beginning, and the memory that it needs for that, is not what is measured.
const SETTLE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(20);

/// A command on some cores only, with as many open files as there may be, that ends when we do. What comes after is its
/// program and arguments.
pub(super) fn confined(cores: &str, as_nobody: bool) -> Command {
    let mut command = command("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if as_nobody {
        command.args(NOBODY);
    }
    let script = "ulimit -n \"$(ulimit -H -n)\" && exec taskset -c \"$0\" \"$@\"";
    command.args(["sh", "-c", script, cores]);
    command
}

/// Who may do least.
const NOBODY: [&str; 3] = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];

/// A process; ended and waited for when it is dropped.
pub(super) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a server and waits until it listens everywhere.
    pub(super) fn start(server: Server, doors: &Doors, folder: &Path) -> Outcome<Self> {
        let mut running = Self::spawn(server.name(), server.command(doors, folder)?, folder)?;
        for door in &doors.0 {
            let until = Instant::now() + START;
            while TcpStream::connect(("127.0.0.1", door.port)).is_err() {
                if running.has_ended()?.is_some() || Instant::now() > until {
                    return Err(format!("{} doesn't listen: {}", server.name(), running.last_words()));
                }
                sleep(STEP);
            }
        }
        sleep(SETTLE);
        Ok(running)
    }

    /// Starts a program that leaves what it says in the folder; what it is to answer is read from its output.
    pub(super) fn spawn(name: &str, mut command: Command, folder: &Path) -> Outcome<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = || File::options().append(true).open(&log);
        let failed = |error| format!("{}: {error}", log.display());
        File::create(&log).map_err(failed)?;
        command.current_dir(folder).stdin(Stdio::null());
        command.stdout(file().map_err(failed)?).stderr(file().map_err(failed)?);
        let child = command.spawn().map_err(|error| format!("{name} can't be started: {error}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, up to a time.
    pub(super) fn wait(&mut self, patience: Duration) -> Outcome<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.has_ended()? {
                return Ok(status);
            }
            if Instant::now() > until {
                return Err(format!("{} took more than {} s", self.name, patience.as_secs()));
            }
            sleep(STEP);
        }
    }

    /// Stops it until [`Running::go_on`].
    pub(super) fn pause(&self) -> Outcome {
        self.send(Signal::STOP)
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) -> Outcome {
        self.send(Signal::CONT)
    }

    fn send(&self, signal: Signal) -> Outcome {
        kill_process(Pid::from_child(&self.child), signal).map_err(|error| format!("{}: {error}", self.name))
    }

    pub(super) fn has_ended(&mut self) -> Outcome<Option<ExitStatus>> {
        self.child.try_wait().map_err(|error| format!("{} can't be waited for: {error}", self.name))
    }

    /// All that it said.
    pub(super) fn words(&self) -> String {
        std::fs::read(&self.log).map(|words| String::from_utf8_lossy(&words).into_owned()).unwrap_or_default()
    }

    /// The last line that it said that isn't advice.
    pub(super) fn last_words(&self) -> String {
        let words = self.words();
        words
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty() && !line.starts_with("hint: "))
            .unwrap_or("it said nothing")
            .to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; waiting is what matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
