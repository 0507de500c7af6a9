//! The real server as a process: on free ports, ended when the test is over.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::stream::{PATIENCE, Stream};

/// The binary under test, with nothing of the outer environment that could change what it does.
pub(crate) fn polylogue() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polylogue"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POLYLOGUE_") {
            command.env_remove(name);
        }
    }
    // Who wants something kept says where.
    command.env("POLYLOGUE_STORE__KEEP", "false");
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself.
pub(crate) fn output(arguments: &[&str]) -> Output {
    polylogue().args(arguments).output().unwrap()
}

/// A running server. Ended by its id on drop.
pub(crate) struct Server {
    process: Process,
    /// What it printed before the joining lines, by protocol: `every protocol`, `rooms`, …
    addresses: BTreeMap<String, SocketAddr>,
}

impl Server {
    /// A server on a free port for every protocol, and with `arguments`.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_as(polylogue().args(["serve", "--listen", "0"]).args(arguments))
    }

    /// A server that keeps what is said in a folder.
    pub(crate) fn start_keeping(folder: &Path) -> Self {
        Self::start_as(polylogue().args(["serve", "--listen", "0", "--data"]).arg(folder))
    }

    /// A server as `command` says.
    pub(crate) fn start_as(command: &mut Command) -> Self {
        let mut process = Process::start("polylogue", command.stderr(Stdio::piped()));
        let banner = process.stdout.expect(" kept");
        process.stdout.line();
        let addresses = banner
            .lines()
            .filter_map(|line| line.strip_prefix("listening on ")?.split_once(" for "))
            .map(|(address, protocol)| (protocol.to_owned(), address.parse().unwrap()))
            .collect();
        Self { process, addresses }
    }

    /// Where every protocol is understood.
    pub(crate) fn address(&self) -> SocketAddr {
        self.pinned("every protocol")
    }

    /// The port pinned to a protocol.
    #[track_caller]
    pub(crate) fn pinned(&self, protocol: &str) -> SocketAddr {
        *self.addresses.get(protocol).unwrap_or_else(|| panic!("nobody listens for {protocol}"))
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A child process whose output is read. Ended by its id on drop.
pub(crate) struct Process {
    name: String,
    child: Child,
    pub(crate) stdout: Stream,
    /// The standard error, if it was piped.
    pub(crate) stderr: Option<Stream>,
}

impl Process {
    /// Starts a process with pipes for input and output.
    ///
    /// # Panics
    /// If it can't be started, with the way to install it.
    #[track_caller]
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("{name} can't be started: {error}\nhint: `cargo xtask test` installs what the tests need")
        });
        let stdout = Stream::new(name, child.stdout.take().unwrap());
        let stderr = child.stderr.take().map(|stderr| Stream::new(format!("{name}'s errors"), stderr));
        Self { name: name.to_owned(), child, stdout, stderr }
    }

    /// Writes into its standard input.
    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).unwrap();
    }

    /// Ends its standard input.
    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// Its id.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} didn't end", self.name);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Whether it is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
