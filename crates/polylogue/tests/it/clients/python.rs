//! The console client of the PyPI package `cn_tcp_server`, in a pseudo-terminal of its own.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::stream::Stream;

/// The package's client, as a person at a terminal has it.
pub(crate) struct ConsoleClient {
    child: Child,
    keyboard: File,
    /// What is on the terminal.
    pub(crate) screen: Stream,
}

impl ConsoleClient {
    /// Starts the client.
    ///
    /// # Panics
    /// If the package is not installed.
    pub(crate) fn start(address: SocketAddr, name: &str, chat: &str) -> Self {
        let (terminal, inside) = terminal();
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new(python());
        command.args(["-u", "-m", "tcp_chat", "client", "-a", &ip, "-p", &port, "-u", name, "-c", chat]);
        command.stdin(inside.try_clone().unwrap()).stdout(inside.try_clone().unwrap()).stderr(inside);
        let child = command.spawn().unwrap();
        let screen = Stream::new(format!("the console client of {name}"), terminal.try_clone().unwrap());
        Self { child, keyboard: terminal, screen }
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Drop for ConsoleClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new pseudo-terminal: its outer and its inner end.
pub(super) fn terminal() -> (File, File) {
    let outside: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&outside).unwrap();
    unlockpt(&outside).unwrap();
    let path = ptsname(&outside, Vec::new()).unwrap().into_string().unwrap();
    let inside = File::options().read(true).write(true).open(path).unwrap();
    (File::from(outside), inside)
}

/// Where `cargo xtask test` puts what doesn't come from Debian.
pub(super) fn tools() -> PathBuf {
    std::env::var_os("TEST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools"), PathBuf::from)
}

/// The Python that has the packages.
pub(super) fn python() -> PathBuf {
    let python = tools().join("venv/bin/python");
    assert!(
        python.exists(),
        "the Python packages are not installed: there is no {}\nhint: `cargo xtask test` installs it",
        python.display()
    );
    python
}
