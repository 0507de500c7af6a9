//! ii, whose screen is a folder of files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Folder;
use super::irc::{IrcClient, Returning, follow, open_fifo, wait_for};
use crate::fixture::Process;
use crate::stream::{PATIENCE, Stream};

/// Waits until a text is in a file, after what was in it.
#[track_caller]
fn wait_for_text(path: &Path, after: u64, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    let is_there = |text: &str| text.get(after as usize..).is_some_and(|text| text.contains(wanted));
    while !fs::read_to_string(path).is_ok_and(|text| is_there(&text)) {
        assert!(Instant::now() < deadline, "{wanted:?} didn't come into {}", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// ii: a folder of files.
pub(crate) struct Ii {
    process: Process,
    /// How it connects.
    address: SocketAddr,
    nick: String,
    password: String,
    /// Where its server's files are.
    server: PathBuf,
    room: String,
    /// Where it is told what to do, by room.
    fifos: BTreeMap<String, File>,
    /// All that it writes anywhere.
    shown: Process,
    folder: Folder,
}

impl Ii {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        Self::log_in(address, nick, "", room)
    }

    /// The same, with the password of the account of this name.
    pub(crate) fn log_in(address: SocketAddr, nick: &str, password: &str, room: &str) -> Self {
        let folder = Folder::new("ii");
        let process = Self::run(&folder, address, nick, password);
        let server = folder.path().join(address.ip().to_string());
        wait_for(&server.join("in"));
        let mut shown = follow("ii", &[server.join("out")]);
        shown.stdout.expect("MOTD");
        let (nick, password, room) = (nick.to_owned(), password.to_owned(), room.to_owned());
        let fifos = BTreeMap::new();
        let mut ii = Self { process, address, nick, password, server, room, fifos, shown, folder };
        let room = ii.room.clone();
        ii.join(&room);
        ii
    }

    fn run(folder: &Folder, address: SocketAddr, nick: &str, password: &str) -> Process {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new("ii");
        command.args(["-s", &ip, "-p", &port, "-n", nick, "-i"]).arg(folder.path());
        if !password.is_empty() {
            command.args(["-k", "II_PASSWORD"]).env("II_PASSWORD", format!("{nick}:{password}"));
        }
        Process::start("ii", &mut command)
    }

    fn write(&mut self, place: &str, line: &str) {
        let fifo = self.server.join(place).join("in");
        // Kept open: what is written to a FIFO that its reader is just opening again may be lost.
        let fifo = self.fifos.entry(place.to_owned()).or_insert_with(|| open_fifo(&fifo));
        // In one piece: it doesn't wait for the rest of a line.
        fifo.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Returning for Ii {
    fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait();
        self.fifos.clear();
    }

    fn start_again(&mut self) {
        let (log, room_log) = (self.server.join("out"), self.server.join(&self.room).join("out"));
        let lengths = [&log, &room_log].map(|log| fs::metadata(log).unwrap().len());
        self.process = Self::run(&self.folder, self.address, &self.nick, &self.password);
        wait_for_text(&log, lengths[0], "MOTD");
        let room = self.room.clone();
        self.write("", &format!("/j {room}"));
        wait_for_text(&room_log, lengths[1], &format!("{}(", self.nick));
    }

    fn said(&self) -> Vec<(String, String)> {
        let line = |line: &str| {
            let (who, text) = line.split_once(" <")?.1.split_once("> ")?;
            // What it says itself of comings and goings has another sign.
            (who != "-!-").then(|| (who.to_owned(), text.to_owned()))
        };
        let log = fs::read_to_string(self.server.join(&self.room).join("out")).unwrap();
        log.lines().filter_map(line).collect()
    }
}

impl IrcClient for Ii {
    fn say(&mut self, text: &str) {
        let room = self.room.clone();
        self.write(&room, text);
    }

    fn tell(&mut self, nick: &str, text: &str) {
        self.write("", &format!("/j {nick} {text}"));
    }

    fn rename(&mut self, nick: &str) {
        self.write("", &format!("/n {nick}"));
    }

    fn join(&mut self, room: &str) {
        self.write("", &format!("/j {room}"));
        let out = self.server.join(room).join("out");
        wait_for(&out);
        // From here on that room is what it shows, and what people write to it privately.
        self.shown =
            follow("ii", &[room, "nora", "mia", "max", ""].map(|place| self.server.join(place).join("out")));
    }

    fn quit(&mut self) {
        self.write("", "/q bye");
    }

    fn screen(&mut self) -> &mut Stream {
        &mut self.shown.stdout
    }

    fn kicked(&self, _: &str, by: &str) -> String {
        format!("{by} kicked ")
    }

    fn is_gone(&mut self) {
        self.process.wait();
    }
}
