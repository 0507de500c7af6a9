//! The server is killed under load, again and again. Whatever anybody saw acknowledged is there afterwards, once and
//! in order, and nobody ever saw what isn't.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::check::{Fault, Kept, Record, check};
use crate::fixture::{Process, Server, polylogue};
use crate::folder::Folder;
use crate::history;
use crate::load::Load;
use crate::random::Random;

/// How often it is killed under load, if `KILLS` doesn't say.
const KILLS: u64 = 6;
/// How long the load lasts at most, after everybody has had something acknowledged.
const LOAD_MAX: Duration = Duration::from_millis(280);
/// How long a server that is killed while it starts has been starting, at most.
const START_MAX: Duration = Duration::from_millis(60);

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let seed = number("SEED").unwrap_or(clock as u64);
    let kills = number("KILLS").unwrap_or(KILLS);
    eprintln!("SEED={seed} KILLS={kills}");
    let mut test = Killing::new(Random::new(seed));
    let started = Instant::now();
    for run in 0..kills {
        test.run(u32::try_from(run).unwrap());
    }
    test.read_everything();
    test.summary(kills, started.elapsed());
}

struct Killing {
    folder: Folder,
    random: Random,
    server: Server,
    /// The history as far as it was read.
    known: Vec<Kept>,
    /// What everybody did.
    records: Vec<Record>,
    killed_starting: u32,
}

impl Killing {
    fn new(random: Random) -> Self {
        let folder = Folder::new("killing");
        let server = Server::start(&["--data", folder.text()]);
        Self { folder, random, server, known: Vec::new(), records: Vec::new(), killed_starting: 0 }
    }

    /// Load, the kill, the next start, and a look at what is new.
    fn run(&mut self, run: u32) {
        let load = Load::start(self.server.address(), run, None);
        load.wait_until_everybody_was_acknowledged();
        // No waiting for something to happen: the moment has to be any.
        std::thread::sleep(self.random.shorter_than(LOAD_MAX));
        let mut records = load.kill(&mut self.server);
        // The way back is not safe either.
        for _ in 0..self.random.below(3) {
            self.kill_while_starting();
        }
        self.server = Server::start(&["--data", self.folder.text()]);

        let last = self.known.last().map(|kept| kept.msgid.as_str());
        let new = history::read(self.server.address(), last);
        self.assert_good(&format!("run {run}"), &check(&records, &new));
        self.known.extend(new);
        // That was looked at; in a long run it would fill the memory.
        records.iter_mut().for_each(|record| record.seen = Vec::new());
        self.records.extend(records);
    }

    fn kill_while_starting(&mut self) {
        let mut command = polylogue();
        command
            .args(["serve", "--listen", "0", "--data", self.folder.text()])
            .stderr(std::process::Stdio::null());
        let mut process = Process::start("polylogue", &mut command);
        std::thread::sleep(self.random.shorter_than(START_MAX));
        process.signal(Signal::KILL);
        process.wait();
        self.killed_starting += 1;
    }

    /// The whole history, from its beginning: what was read bit by bit, and nothing else.
    fn read_everything(&mut self) {
        let history = history::read(self.server.address(), None);
        self.assert_good("the whole history", &check(&self.records, &history));
        assert!(history == self.known, "the history isn't what it was when it was read bit by bit");
    }

    #[track_caller]
    fn assert_good(&mut self, what: &str, faults: &[Fault]) {
        if faults.is_empty() {
            return;
        }
        let mut text = format!("{what} has {} faults:\n", faults.len());
        for fault in faults.iter().take(20) {
            writeln!(text, "  {fault}").unwrap();
        }
        let log = self.server.process().stderr.as_ref().unwrap().seen();
        panic!("{text}the server's log since then:\n{log}");
    }

    fn summary(&self, kills: u64, elapsed: Duration) {
        let acknowledged: usize = self.records.iter().map(|record| record.acknowledged.len()).sum();
        let sent: u32 = self.records.iter().map(|record| record.sent).sum();
        eprintln!(
            "kills: {kills} under load, {} while starting\n\
             messages: {sent} sent, {acknowledged} acknowledged, {} in the history\n\
             lost: 0, twice: 0\n\
             elapsed: {:.1} s",
            self.killed_starting,
            self.known.len(),
            elapsed.as_secs_f64()
        );
    }
}
