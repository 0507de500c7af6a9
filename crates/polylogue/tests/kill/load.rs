//! Load: people of several protocols talk in the lobby as fast as they are acknowledged.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use crate::check::{Record, Sees};
use crate::clients::{Client, Happening, Irc, Rooms, Tmp, messenger};
use crate::fixture::Server;
use crate::stamp::Stamp;
use crate::stream::PATIENCE;

/// How many messages of one sender are on their way.
const WINDOW: u32 = 8;
/// How far the one who takes one message a round trip may be behind: the server hangs up on who is behind by a megabyte.
const BEHIND_MAX: i64 = 2_000;
/// Who that is.
const SLOWEST: &str = "max";

/// People at work, each in a thread.
pub(crate) struct Load {
    threads: Vec<JoinHandle<(Record, Box<dyn Client>)>>,
    /// Senders that have their first acknowledgement.
    begun: Receiver<()>,
    senders: u32,
    /// The server may close from now on.
    may_end: Arc<AtomicBool>,
}

/// Who sends, and who only looks on.
struct People {
    senders: Vec<Box<dyn Client>>,
    observers: Vec<Box<dyn Client>>,
}

impl People {
    fn join(address: SocketAddr) -> Self {
        let irc = |nick, capabilities| Box::new(Irc::join(address, nick, capabilities));
        let (max, hears) = messenger::join(address, "max");
        let senders: Vec<Box<dyn Client>> = vec![
            irc("ines", "batch echo-message labeled-response message-tags"),
            irc("igor", "echo-message"),
            irc("ivan", "batch labeled-response message-tags"),
            Box::new(max),
            Box::new(Rooms::join(address, "rita")),
            Box::new(Tmp::join(address, "tess")),
        ];
        Self { senders, observers: vec![Box::new(hears), irc("otto", "echo-message")] }
    }
}

impl Load {
    /// Everybody comes in, and then the senders begin. Each sends `each` messages, or goes on to the server's end.
    pub(crate) fn start(address: SocketAddr, run: u32, each: Option<u32>) -> Self {
        let People { senders, observers } = People::join(address);
        let count = u32::try_from(senders.len()).unwrap();
        let may_end = Arc::new(AtomicBool::new(false));
        let (sender, begun) = channel();
        let (behind, ends) = (Arc::default(), Arc::clone(&may_end));
        let task = Task { run, each, senders: count, sends: true, begun: sender, behind, may_end: ends };
        let observing = Task { sends: false, ..task.clone() };
        let threads = senders.into_iter().map(|client| (client, task.clone()));
        let threads = threads.chain(observers.into_iter().map(|client| (client, observing.clone())));
        let threads = threads.map(|(client, task)| thread::spawn(move || task.perform(client))).collect();
        Self { threads, begun, senders: count, may_end }
    }

    /// Waits until every sender has had something acknowledged.
    #[track_caller]
    pub(crate) fn wait_until_everybody_was_acknowledged(&self) {
        for _ in 0..self.senders {
            self.begun.recv_timeout(PATIENCE).expect("somebody's first message isn't acknowledged");
        }
    }

    /// Kills the server, and gives what everybody did and saw until then.
    #[track_caller]
    pub(crate) fn kill(self, server: &mut Server) -> Vec<Record> {
        self.may_end.store(true, Ordering::SeqCst);
        kill(server);
        self.records()
    }

    /// Waits for the end of everybody's work.
    #[track_caller]
    pub(crate) fn records(self) -> Vec<Record> {
        // Nobody leaves before all are done.
        let ended: Vec<_> =
            self.threads.into_iter().map(|thread| thread.join().expect("a client failed")).collect();
        ended.into_iter().map(|(record, _)| record).collect()
    }
}

/// What one of them has to do.
#[derive(Clone)]
struct Task {
    run: u32,
    each: Option<u32>,
    senders: u32,
    sends: bool,
    begun: Sender<()>,
    /// By how many messages the slowest is behind.
    behind: Arc<AtomicI64>,
    may_end: Arc<AtomicBool>,
}

impl Task {
    fn perform(self, mut client: Box<dyn Client>) -> (Record, Box<dyn Client>) {
        let mut record = Record {
            name: client.name().to_owned(),
            run: self.run,
            sent: 0,
            acknowledged: BTreeSet::new(),
            sees: client.sees(),
            seen: Vec::new(),
        };
        // Of a server that is dead, what it had already sent is still read.
        let mut writable = true;
        while !self.is_done(&record) {
            while writable && self.may_send(&record) {
                let stamp = Stamp::new(&record.name, self.run, record.sent);
                record.sent += 1;
                // Its own it doesn't see.
                self.behind.fetch_add(i64::from(record.name != SLOWEST), Ordering::Relaxed);
                writable = client.say(stamp.number, &stamp.text()).is_ok();
            }
            let acknowledged = match client.next() {
                Ok(Happening::Acknowledged(number)) => Some(number),
                Ok(Happening::Said(said)) => {
                    let own = said.from == record.name;
                    let number = Stamp::read(&said.text).filter(|_| own).map(|stamp| stamp.number);
                    record.seen.push(said);
                    let is_slowest = record.name == SLOWEST && !self.sends;
                    self.behind.fetch_sub(i64::from(is_slowest), Ordering::Relaxed);
                    number
                }
                Err(error) if self.may_end.load(Ordering::SeqCst) && is_end(error.kind()) => break,
                Err(error) => panic!(
                    "{}, who sees {:?}: {error}; sent {}, acknowledged {}, seen {}",
                    record.name,
                    record.sees,
                    record.sent,
                    record.acknowledged.len(),
                    record.seen.len()
                ),
            };
            if let Some(number) = acknowledged {
                if record.acknowledged.is_empty() {
                    // Nobody waits for it when a number of messages is asked for.
                    let _ = self.begun.send(());
                }
                record.acknowledged.insert(number);
            }
        }
        (record, client)
    }

    fn may_send(&self, record: &Record) -> bool {
        let acknowledged = u32::try_from(record.acknowledged.len()).unwrap();
        // Who sees nothing would not be told when it may go on.
        let is_far_ahead = self.behind.load(Ordering::Relaxed) >= BEHIND_MAX && record.sees != Sees::Nothing;
        self.sends
            && !is_far_ahead
            && record.sent < (acknowledged + WINDOW).min(self.each.unwrap_or(u32::MAX))
    }

    /// Whether everything is sent, acknowledged and seen, if a number of messages was asked for.
    fn is_done(&self, record: &Record) -> bool {
        let Some(each) = self.each else { return false };
        let own = if self.sends { each } else { 0 };
        let seen = match record.sees {
            Sees::Nothing => 0,
            Sees::Others => each * (self.senders - 1),
            Sees::All => each * self.senders,
        };
        record.acknowledged.len() == own as usize && record.seen.len() == seen as usize
    }
}

/// Kills a server, as `kill -9` does. It has to be there still.
#[track_caller]
pub(crate) fn kill(server: &mut Server) {
    let process = server.process();
    assert!(process.is_running(), "the server ended by itself");
    process.signal(Signal::KILL);
    assert_eq!(process.wait().signal(), Some(Signal::KILL.as_raw()));
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[test]
fn under_load_everybody_sees_the_same() {
    use crate::check::{Kept, check};
    let server = Server::start(&["--ephemeral"]);
    let records = Load::start(server.address(), 0, Some(200)).records();
    let observer = records.iter().find(|record| record.name == "otto").unwrap();
    // What one saw stands for the history.
    let kept = |(id, said): (usize, &_)| Kept { msgid: id.to_string(), said: Clone::clone(said) };
    let history: Vec<Kept> = observer.seen.iter().enumerate().map(kept).collect();
    assert_eq!(history.len(), 1200);
    assert_eq!(check(&records, &history), []);
    assert!(records.iter().all(|record| record.acknowledged.len() == record.sent as usize));
}

#[test]
fn a_kill_ends_the_load_with_what_everybody_did_until_then() {
    let mut server = Server::start(&["--ephemeral"]);
    let load = Load::start(server.address(), 0, None);
    load.wait_until_everybody_was_acknowledged();
    let records = load.kill(&mut server);
    let senders: Vec<_> = records.iter().filter(|record| record.sent > 0).collect();
    assert_eq!(senders.len(), 6);
    for record in senders {
        let acknowledged = u32::try_from(record.acknowledged.len()).unwrap();
        assert!(acknowledged > 0 && record.sent <= acknowledged + WINDOW, "{record:?}");
    }
}
