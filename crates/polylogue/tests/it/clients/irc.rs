//! IRC clients that nobody here wrote: WeeChat, irssi, ii, and the libraries `irc` (Python) and `irc-framework`
//! (JavaScript) with the few lines that make a person of them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Folder;
use super::python::{python, terminal, tools};
use crate::fixture::Process;
use crate::stream::{PATIENCE, Stream};

/// A client that can be told what to do, and watched.
pub(crate) trait IrcClient {
    /// Says something in the room that it was started for.
    fn say(&mut self, text: &str);
    /// Says something to somebody.
    fn tell(&mut self, nick: &str, text: &str);
    /// Takes another nickname.
    fn rename(&mut self, nick: &str);
    /// Comes into another room.
    fn join(&mut self, room: &str);
    /// Leaves.
    fn quit(&mut self);
    /// What it shows.
    fn screen(&mut self) -> &mut Stream;
    /// What it shows when it was put out of a room by `by`.
    fn kicked(&self, room: &str, by: &str) -> String;
    /// Waits until it has ended or is disconnected.
    fn is_gone(&mut self);
}

/// Waits until a file is there.
#[track_caller]
fn wait_for(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} didn't appear", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Opens a FIFO for writing, once it is there.
#[track_caller]
fn open_fifo(path: &Path) -> File {
    wait_for(path);
    OpenOptions::new().write(true).open(path).unwrap()
}

/// What is written to files, some of which may not be there yet, as it is written.
fn follow(name: &str, paths: &[PathBuf]) -> Process {
    let mut tail = Command::new("tail");
    Process::start(name, tail.args(["-n", "+1", "-s", "0.05", "-q", "-F"]).args(paths).stderr(Stdio::null()))
}

/// A library with a script around it.
pub(crate) struct Scripted(Process);

impl Scripted {
    /// The Python package.
    pub(crate) fn python(address: SocketAddr, nick: &str, room: &str) -> Self {
        let mut command = Command::new(python());
        command.arg(script("irc_person.py"));
        Self::start("the irc package", &mut command, address, nick, room)
    }

    /// The npm package.
    pub(crate) fn framework(address: SocketAddr, nick: &str, room: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(script("irc_person.js")).env("NODE_PATH", tools().join("node/node_modules"));
        Self::start("irc-framework", &mut command, address, nick, room)
    }

    fn start(name: &str, command: &mut Command, address: SocketAddr, nick: &str, room: &str) -> Self {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut process = Process::start(name, command.args([&ip, &port, nick, room]));
        process.stdout.expect(&format!("on {room}\n"));
        Self(process)
    }
}

/// A script of ours, beside this file.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/scripts").join(name)
}

impl IrcClient for Scripted {
    fn say(&mut self, text: &str) {
        self.0.write(&format!("say {text}\n"));
    }

    fn tell(&mut self, nick: &str, text: &str) {
        self.0.write(&format!("tell {nick} {text}\n"));
    }

    fn rename(&mut self, nick: &str) {
        self.0.write(&format!("nick {nick}\n"));
    }

    fn join(&mut self, room: &str) {
        self.0.write(&format!("join {room}\n"));
        self.0.stdout.expect(&format!("on {room}\n"));
    }

    fn quit(&mut self) {
        self.0.write("quit\n");
    }

    fn screen(&mut self) -> &mut Stream {
        &mut self.0.stdout
    }

    fn kicked(&self, room: &str, by: &str) -> String {
        format!("kick {room} {by} ")
    }

    fn is_gone(&mut self) {
        self.0.stdout.expect("gone");
        assert!(self.0.wait().success());
    }
}

/// WeeChat without a screen: told what to do through its FIFO, watched through its log.
pub(crate) struct WeeChat {
    process: Process,
    log: Process,
    fifo: File,
    _folder: Folder,
    room: String,
}

impl WeeChat {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        let folder = Folder::new("weechat");
        let home = folder.path().display().to_string();
        let server = format!(
            "/server add poly {}/{} -notls -nicks={nick} -autojoin={room}",
            address.ip(),
            address.port()
        );
        let mut command = Command::new("weechat-headless");
        command.args(["-d", &home]);
        for line in [
            "/set logger.file.flush_delay 0",
            &format!("/set logger.file.path {home}/logs"),
            &format!("/set fifo.file.path {home}/fifo"),
            &server,
            "/connect poly",
        ] {
            command.args(["-r", line]);
        }
        let process = Process::start("weechat-headless", command.stderr(Stdio::null()));
        let fifo = open_fifo(&folder.path().join("fifo"));
        let buffers = ["server.poly", "poly.#lobby", "poly.#stage", "poly.nora", "poly.mia", "poly.max"];
        let logs = buffers.map(|buffer| folder.path().join(format!("logs/irc.{buffer}.weechatlog")));
        let mut log = follow("WeeChat", &logs);
        log.stdout.expect(&format!("Channel {room}:"));
        Self { process, log, fifo, _folder: folder, room: room.to_owned() }
    }

    fn type_in(&mut self, buffer: &str, text: &str) {
        writeln!(self.fifo, "irc.{buffer} *{text}").unwrap();
    }
}

impl IrcClient for WeeChat {
    fn say(&mut self, text: &str) {
        self.type_in(&format!("poly.{}", self.room), text);
    }

    fn tell(&mut self, nick: &str, text: &str) {
        self.type_in("server.poly", &format!("/msg {nick} {text}"));
    }

    fn rename(&mut self, nick: &str) {
        self.type_in("server.poly", &format!("/nick {nick}"));
    }

    fn join(&mut self, room: &str) {
        self.type_in("server.poly", &format!("/join {room}"));
        self.log.stdout.expect(&format!("Channel {room}:"));
    }

    fn quit(&mut self) {
        self.type_in("server.poly", "/quit bye");
    }

    fn screen(&mut self) -> &mut Stream {
        &mut self.log.stdout
    }

    fn kicked(&self, _: &str, by: &str) -> String {
        format!("{by} has kicked ")
    }

    fn is_gone(&mut self) {
        assert!(self.process.wait().success());
    }
}

/// irssi at a terminal.
pub(crate) struct Irssi {
    child: Child,
    keyboard: File,
    screen: Stream,
    room: String,
    _folder: Folder,
}

impl Irssi {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        let folder = Folder::new("irssi");
        // All in one window: what is in another one is not on the screen.
        let settings = r#"settings = { "fe-common/core" = { autocreate_windows = "no"; use_status_window = "no";
            use_msgs_window = "no"; autocreate_query_level = "NONE"; autocreate_own_query = "no"; }; };"#;
        fs::write(folder.path().join("config"), settings).unwrap();
        let (terminal, inside) = terminal();
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new("irssi");
        command.arg(format!("--home={}", folder.path().display()));
        command.args(["-c", &ip, "-p", &port, "-n", nick]).env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command.stdin(inside.try_clone().unwrap()).stdout(inside.try_clone().unwrap()).stderr(inside);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("irssi can't be started: {error}\nhint: `cargo xtask test` installs what the tests need")
        });
        let screen = Stream::new("irssi", terminal.try_clone().unwrap());
        let mut irssi = Self { child, keyboard: terminal, screen, room: room.to_owned(), _folder: folder };
        irssi.screen.expect("MOTD");
        irssi.join(room);
        irssi
    }

    fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl IrcClient for Irssi {
    fn say(&mut self, text: &str) {
        let room = self.room.clone();
        self.type_line(&format!("/msg {room} {text}"));
    }

    fn tell(&mut self, nick: &str, text: &str) {
        self.type_line(&format!("/msg {nick} {text}"));
    }

    fn rename(&mut self, nick: &str) {
        self.type_line(&format!("/nick {nick}"));
    }

    fn join(&mut self, room: &str) {
        self.type_line(&format!("/join {room}"));
        self.screen.expect("has joined");
    }

    fn quit(&mut self) {
        self.type_line("/quit bye");
    }

    fn screen(&mut self) -> &mut Stream {
        &mut self.screen
    }

    fn kicked(&self, _: &str, _: &str) -> String {
        "kicked".to_owned()
    }

    fn is_gone(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "irssi didn't end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Irssi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// ii: a folder of files.
pub(crate) struct Ii {
    process: Process,
    /// Where its server's files are.
    server: PathBuf,
    room: String,
    /// Where it is told what to do, by room.
    fifos: BTreeMap<String, File>,
    /// All that it writes anywhere.
    shown: Process,
    _folder: Folder,
}

impl Ii {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        let folder = Folder::new("ii");
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new("ii");
        command.args(["-s", &ip, "-p", &port, "-n", nick, "-i"]).arg(folder.path());
        let process = Process::start("ii", &mut command);
        let server = folder.path().join(&ip);
        wait_for(&server.join("in"));
        let mut greeted = follow("ii", &[server.join("out")]);
        greeted.stdout.expect("MOTD");
        let room = room.to_owned();
        let mut ii = Self { process, server, room, fifos: BTreeMap::new(), shown: greeted, _folder: folder };
        let room = ii.room.clone();
        ii.join(&room);
        ii
    }

    fn write(&mut self, place: &str, line: &str) {
        let fifo = self.server.join(place).join("in");
        // Kept open: what is written to a FIFO that its reader is just opening again may be lost.
        let fifo = self.fifos.entry(place.to_owned()).or_insert_with(|| open_fifo(&fifo));
        // In one piece: it doesn't wait for the rest of a line.
        fifo.write_all(format!("{line}\n").as_bytes()).unwrap();
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
