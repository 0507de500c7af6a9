//! The Lounge, a web client that stays connected by itself: the npm package, run as whoever hosts it runs it, for one
//! user, who is a script at its web socket.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Folder;
use super::irc::script;
use super::python::tools;
use crate::fixture::Process;
use crate::stream::{PATIENCE, Stream};

/// The Lounge of somebody. It keeps what it has seen in a folder.
pub(crate) struct Lounge {
    home: Folder,
    running: Option<Running>,
}

struct Running {
    service: Process,
    person: Process,
}

impl Lounge {
    /// One that was never started, with a user.
    pub(crate) fn new() -> Self {
        let home = Folder::new("lounge");
        fs::create_dir(home.path().join("users")).unwrap();
        let lounge = Self { home, running: None };
        let mut added = Process::start(
            "thelounge",
            lounge.command().args(["add", "--password", "secret", "--save-logs", "lou"]),
        );
        added.stdout.expect("User lou created");
        assert!(added.wait().success());
        lounge
    }

    fn command(&self) -> Command {
        let mut command = node();
        command.arg(modules().join("thelounge/index.js")).env("THELOUNGE_HOME", self.home.path());
        command.stderr(Stdio::null());
        command
    }

    /// Starts it, and its user's browser.
    pub(crate) fn start(&mut self) {
        let start = ["start", "-c", "host=127.0.0.1", "-c", "port=0"];
        let mut service = Process::start("thelounge", self.command().args(start));
        service.stdout.expect("Available at ");
        let url = service.stdout.expect(" ");
        let mut command = node();
        command.arg(script("lounge_person.js")).arg(url).env("NODE_PATH", modules());
        let mut person = Process::start("the user of The Lounge", &mut command);
        person.stdout.expect("ready\n");
        self.running = Some(Running { service, person });
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.service.signal(Signal::KILL);
        running.service.wait();
    }

    fn screen(&mut self) -> &mut Stream {
        &mut self.running.as_mut().unwrap().person.stdout
    }

    fn tell(&mut self, line: &str) {
        self.running.as_mut().unwrap().person.write(&format!("{line}\n"));
    }

    /// Connects it to an IRC server; it does so itself from then on.
    pub(crate) fn connect(&mut self, address: SocketAddr, nick: &str) {
        self.connect_as(address, nick, "");
    }

    /// The same, logged in to the account of this name if there is a password.
    pub(crate) fn connect_as(&mut self, address: SocketAddr, nick: &str, password: &str) {
        self.tell(&format!("connect {} {} {nick} {password}", address.ip(), address.port()));
        self.is_connected();
    }

    /// Waits until it is registered with the IRC server.
    #[track_caller]
    pub(crate) fn is_connected(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let window = self.window("test");
            if window.iter().any(|(_, text)| text.starts_with("Enabled capabilities: ")) {
                return;
            }
            assert!(Instant::now() < deadline, "The Lounge didn't connect: {window:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Comes into a room.
    pub(crate) fn join(&mut self, room: &str) {
        self.tell(&format!("input /join {room}"));
        self.screen().expect(&format!("joined {room}\n"));
    }

    /// Leaves a room, and closes its window.
    pub(crate) fn part(&mut self, room: &str) {
        self.tell(&format!("input /part {room}"));
        self.screen().expect(&format!("left {room}\n"));
    }

    /// Says something.
    pub(crate) fn say(&mut self, to: &str, text: &str) {
        self.tell(&format!("input /msg {to} {text}"));
    }

    /// Waits until the last of these stands last in the window of a room or a person.
    ///
    /// # Panics
    /// If it doesn't come, or if not exactly these stand there, from top to bottom.
    #[track_caller]
    pub(crate) fn shows(&mut self, name: &str, wanted: &[(String, String)]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let window = self.window(name);
            if window.last() == wanted.last() || Instant::now() > deadline {
                return assert_eq!(window, wanted, "in the window {name}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is said in a window: who, and what.
    fn window(&mut self, name: &str) -> Vec<(String, String)> {
        self.tell(&format!("show {name}"));
        self.screen().expect("top of the window\n");
        let shown = self.screen().expect("end of the window\n");
        let line = |line: &str| line.split_once('|').map(|(who, text)| (who.to_owned(), text.to_owned()));
        shown.lines().map(|shown| line(shown).unwrap()).collect()
    }

    /// Waits until it has written down that it has a network, and whether it has the window of a room. It takes seconds.
    pub(crate) fn remembers(&self, room: &str, has_window: bool) {
        let file = self.home.path().join("users/lou.json");
        let deadline = Instant::now() + PATIENCE;
        let is_written = |user: &str| user.contains("\"nick\"") && user.contains(room) == has_window;
        while !fs::read_to_string(&file).is_ok_and(|user| is_written(&user)) {
            assert!(Instant::now() < deadline, "{} didn't change", file.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Where its packages are.
fn modules() -> PathBuf {
    let modules = tools().join("lounge/node_modules");
    assert!(
        modules.exists(),
        "The Lounge is not installed: there is no {}\nhint: `cargo xtask test` installs it",
        modules.display()
    );
    modules
}

/// A Node.js that is new enough for it.
fn node() -> Command {
    let own = modules().join(".bin/node");
    Command::new(if own.exists() { own } else { PathBuf::from("node") })
}
