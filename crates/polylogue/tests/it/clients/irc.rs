//! IRC clients that nobody here wrote: WeeChat, irssi, and the libraries `irc` (Python) and `irc-framework`
//! (JavaScript) with the few lines that make a person of them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

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

/// A client that ends without a word, and comes back with the same configuration to the room that it was in.
pub(crate) trait Returning {
    /// Ends it at once.
    fn kill(&mut self);
    /// Starts it again, and waits until it is in the room.
    fn start_again(&mut self);
    /// All that it has shown of what was said in the room: who, and what.
    fn said(&self) -> Vec<(String, String)>;
}

/// Waits until a file is there.
#[track_caller]
pub(super) fn wait_for(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} didn't appear", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Opens a FIFO for writing, once it is there.
#[track_caller]
pub(super) fn open_fifo(path: &Path) -> File {
    wait_for(path);
    OpenOptions::new().write(true).open(path).unwrap()
}

/// What is written to files, some of which may not be there yet, as it is written.
pub(super) fn follow(name: &str, paths: &[PathBuf]) -> Process {
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
    folder: Folder,
    /// How it connects.
    server: String,
    room: String,
}

impl WeeChat {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        Self::start_with(address, nick, room, "")
    }

    /// The same, logged in to the account of this name.
    pub(crate) fn log_in(address: SocketAddr, nick: &str, password: &str, room: &str) -> Self {
        let sasl = format!(" -sasl_mechanism=plain -sasl_username={nick} -sasl_password={password}");
        Self::start_with(address, nick, room, &sasl)
    }

    fn start_with(address: SocketAddr, nick: &str, room: &str, options: &str) -> Self {
        let folder = Folder::new("weechat");
        let (ip, port) = (address.ip(), address.port());
        let server = format!("/server add poly {ip}/{port} -notls -nicks={nick} -autojoin={room}{options}");
        let (process, fifo) = Self::run(&folder, &server);
        let buffers = ["server.poly", "poly.#lobby", "poly.#stage", "poly.nora", "poly.mia", "poly.max"];
        let logs = buffers.map(|buffer| folder.path().join(format!("logs/irc.{buffer}.weechatlog")));
        let log = follow("WeeChat", &logs);
        let mut client = Self { process, log, fifo, folder, server, room: room.to_owned() };
        client.log.stdout.expect(&format!("Channel {room}:"));
        client
    }

    fn run(folder: &Folder, server: &str) -> (Process, File) {
        let home = folder.path().display().to_string();
        let mut command = Command::new("weechat-headless");
        command.args(["-d", &home]);
        for line in [
            "/set logger.file.flush_delay 0",
            &format!("/set logger.file.path {home}/logs"),
            &format!("/set fifo.file.path {home}/fifo"),
            server,
            "/connect poly",
        ] {
            command.args(["-r", line]);
        }
        let process = Process::start("weechat-headless", command.stderr(Stdio::null()));
        (process, open_fifo(&folder.path().join("fifo")))
    }

    fn type_in(&mut self, buffer: &str, text: &str) {
        writeln!(self.fifo, "irc.{buffer} *{text}").unwrap();
    }
}

impl Returning for WeeChat {
    fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait();
        // It would be taken for the next one's.
        fs::remove_file(self.folder.path().join("fifo")).unwrap();
    }

    fn start_again(&mut self) {
        (self.process, self.fifo) = Self::run(&self.folder, &self.server);
        self.log.stdout.expect(&format!("Channel {}:", self.room));
    }

    fn said(&self) -> Vec<(String, String)> {
        let log = self.folder.path().join(format!("logs/irc.poly.{}.weechatlog", self.room));
        let line = |line: &str| {
            let mut parts = line.splitn(3, '\t').skip(1);
            let who = parts.next()?.trim_start_matches(['~', '&', '@', '%', '+', ' ']);
            // What it says itself has a sign instead of a name.
            let is_name = who.starts_with(|c: char| c.is_ascii_alphabetic());
            is_name.then_some((who.to_owned(), parts.next()?.to_owned()))
        };
        fs::read_to_string(log).unwrap().lines().filter_map(line).collect()
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
    folder: Folder,
    /// How it connects.
    arguments: Vec<String>,
}

impl Irssi {
    /// Starts it, and waits until it is in the room.
    pub(crate) fn start(address: SocketAddr, nick: &str, room: &str) -> Self {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let arguments = ["-c", &ip, "-p", &port, "-n", nick].map(str::to_owned);
        let mut irssi = Self::start_with(room, "", arguments.into());
        irssi.screen.expect("MOTD");
        irssi.join(room);
        irssi
    }

    /// The same, logged in to the account of this name.
    pub(crate) fn log_in(address: SocketAddr, nick: &str, password: &str, room: &str) -> Self {
        let (ip, port) = (address.ip(), address.port());
        let network = format!(
            r#"servers = ({{ address = "{ip}"; port = "{port}"; chatnet = "poly"; autoconnect = "yes"; }});
            chatnets = {{ poly = {{ type = "IRC"; nick = "{nick}";
                sasl_mechanism = "PLAIN"; sasl_username = "{nick}"; sasl_password = "{password}"; }}; }};
            channels = ({{ name = "{room}"; chatnet = "poly"; autojoin = "yes"; }});"#
        );
        let mut irssi = Self::start_with(room, &network, Vec::new());
        irssi.screen.expect("has joined");
        irssi
    }

    fn start_with(room: &str, network: &str, arguments: Vec<String>) -> Self {
        let folder = Folder::new("irssi");
        // All in one window: what is in another one is not on the screen.
        let settings = format!(
            r#"settings = {{ "fe-common/core" = {{ autocreate_windows = "no"; use_status_window = "no";
                use_msgs_window = "no"; autocreate_query_level = "NONE"; autocreate_own_query = "no";
                autolog = "yes"; autolog_path = "{}/$0.log"; }}; }};"#,
            folder.path().display()
        );
        fs::write(folder.path().join("config"), format!("{settings}\n{network}")).unwrap();
        let (child, keyboard, screen) = Self::run(&folder, &arguments);
        Self { child, keyboard, screen, room: room.to_owned(), folder, arguments }
    }

    fn run(folder: &Folder, arguments: &[String]) -> (Child, File, Stream) {
        let (terminal, inside) = terminal();
        let mut command = Command::new("irssi");
        command.arg(format!("--home={}", folder.path().display())).args(arguments);
        command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command.stdin(inside.try_clone().unwrap()).stdout(inside.try_clone().unwrap()).stderr(inside);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("irssi can't be started: {error}\nhint: `cargo xtask test` installs what the tests need")
        });
        let screen = Stream::new("irssi", terminal.try_clone().unwrap());
        (child, terminal, screen)
    }

    fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Returning for Irssi {
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        (self.child, self.keyboard, self.screen) = Self::run(&self.folder, &self.arguments);
        self.screen.expect("has joined");
    }

    fn said(&self) -> Vec<(String, String)> {
        let log = self.folder.path().join(format!("{}.log", self.room));
        let line = |line: &str| {
            let (who, text) = line.split_once('<')?.1.split_once("> ")?;
            Some((who.trim_start_matches(['~', '&', '@', '%', '+', ' ']).to_owned(), text.to_owned()))
        };
        fs::read_to_string(log).unwrap().lines().filter_map(line).collect()
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
