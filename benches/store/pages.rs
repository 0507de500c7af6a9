//! Pages of a large room's history.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hub::{EventId, HistoryKey, Recall, Recalled, Window};
use server::Durability;
use store::Writer;

use crate::full::{ROOM, moment, room};
use crate::{Failed, kept, talk};

/// Events of a page.
const LIMIT: usize = 100;
/// Pages of each kind.
const TIMES: usize = 500;

/// Numbers that look random and are the same each time.
struct Places(u64);

impl Places {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// The kinds of pages: name, what the store is asked, and what a client writes.
type Page = (&'static str, fn(EventId) -> Window, fn(EventId) -> String);

const PAGES: [Page; 8] = [
    ("LATEST", |_| Window::Latest(EventId::default()), |_| "LATEST #big *".to_owned()),
    ("BEFORE a message", Window::Before, |at| format!("BEFORE #big msgid={at}")),
    ("BEFORE a moment", Window::Before, |at| format!("BEFORE #big {}", time(at))),
    ("AFTER a message", Window::After, |at| format!("AFTER #big msgid={at}")),
    ("AFTER a moment", Window::After, |at| format!("AFTER #big {}", time(at))),
    (
        "BETWEEN messages",
        |at| Window::Between(at, later(at)),
        |at| format!("BETWEEN #big msgid={at} msgid={}", later(at)),
    ),
    ("AROUND a message", Window::Around, |at| format!("AROUND #big msgid={at}")),
    ("AROUND a moment", Window::Around, |at| format!("AROUND #big {}", time(at))),
];

/// Some pages later.
fn later(at: EventId) -> EventId {
    EventId::first_of(at.unix_ms() + 1_000_000)
}

/// A moment as a client writes it.
fn time(at: EventId) -> String {
    let (days, ms) = (at.unix_ms() / 86_400_000, at.unix_ms() % 86_400_000);
    // Civil from days: https://howardhinnant.github.io/date_algorithms.html
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("timestamp={year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Times pages of each kind, from the store alone and over a socket.
pub(crate) fn run(folder: &Path, messages: usize) -> Result<(), Failed> {
    println!("pages of {LIMIT} in that room, {TIMES} of each kind at any place");
    println!("{:<22}{:>12}{:>12}{:>14}{:>12}", "", "store p50", "p99", "socket p50", "p99");
    let mut alone = Vec::new();
    {
        let (writer, _) = Writer::open(folder, Durability::Process)?;
        let mut reader = writer.reader()?;
        let room = room()?;
        for (_, window, _) in PAGES {
            let mut places = Places(1);
            alone.push(timed(|| {
                let recall = Recall::Page {
                    histories: std::iter::once(HistoryKey::of_room(room.name())).collect(),
                    room: Some(room.clone()),
                    floor: EventId::default(),
                    window: window(moment(places.below(messages - 2 * LIMIT) + LIMIT)),
                    limit: LIMIT,
                    all_kinds: false,
                };
                match reader.recall(&recall)? {
                    Recalled::Events(events) if events.len() == LIMIT => Ok(()),
                    other => Err(format!("no page: {other:?}").into()),
                }
            })?);
        }
    }
    let served = talk::with_server(kept(folder, Durability::Process), |address| {
        let mut client = Client::join(address, "reader")?;
        let mut served = Vec::new();
        for (_, _, command) in PAGES {
            let mut places = Places(1);
            served.push(timed(|| client.page(&command(moment(places.below(messages - 2 * LIMIT) + LIMIT))))?);
        }
        Ok(served)
    })?;
    for (((name, ..), (median, slow)), (served, served_slow)) in PAGES.into_iter().zip(alone).zip(served) {
        println!(
            "{name:<22}{:>12}{:>12}{:>14}{:>12}",
            format!("{median:.2?}"),
            format!("{slow:.2?}"),
            format!("{served:.2?}"),
            format!("{served_slow:.2?}")
        );
    }
    Ok(())
}

/// Median, and what 99 of 100 are not slower than.
fn timed(mut read: impl FnMut() -> Result<(), Failed>) -> Result<(Duration, Duration), Failed> {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        read()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    Ok((at(TIMES / 2), at(TIMES * 99 / 100)))
}

/// Has clients read pages at a pace while something is measured; how many they read.
pub(crate) fn beside<T>(
    address: SocketAddr,
    readers: usize,
    pause: Duration,
    measure: impl FnOnce() -> Result<T, Failed>,
) -> Result<(T, usize), Failed> {
    let (ended, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..readers {
            let mut client = Client::join(address, &format!("reader{number}"))?;
            let (ended, count) = (&ended, &count);
            threads.push(scope.spawn(move || {
                let mut places = Places(number as u64);
                while !ended.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let at = moment(places.below(crate::MESSAGES / 2));
                    let read = client.page(&format!("AFTER #big msgid={at}"));
                    if let Err(error) = read {
                        return Err(error.to_string());
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(pause.saturating_sub(begun.elapsed()));
                }
                Ok(())
            }));
        }
        let measured = measure();
        ended.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a reader panicked")??;
        }
        Ok((measured?, count.load(Ordering::Relaxed)))
    })
}

/// An IRC client that reads history.
struct Client {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Client {
    fn join(address: SocketAddr, name: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let caps = "batch draft/chathistory message-tags server-time";
        let hello = format!("CAP REQ :{caps}\r\nNICK {name}\r\nUSER r 0 * :r\r\nCAP END\r\nJOIN #{ROOM}\r\n");
        (&stream).write_all(hello.as_bytes())?;
        let mut client = Self { stream: BufReader::with_capacity(64 * 1024, stream), line: String::new() };
        client.until(" 366 ")?;
        Ok(client)
    }

    /// Reads a page, which has to be a whole one.
    fn page(&mut self, command: &str) -> Result<(), Failed> {
        self.stream.get_mut().write_all(format!("CHATHISTORY {command} {LIMIT}\r\n").as_bytes())?;
        self.until(" BATCH +")?;
        let lines = self.until(" BATCH -")?;
        if lines < LIMIT { Err(format!("{command}: {lines} lines").into()) } else { Ok(()) }
    }

    /// Reads up to such a line; how many were before it.
    fn until(&mut self, wanted: &str) -> Result<usize, Failed> {
        let mut count = 0;
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line)? == 0 {
                return Err("the server closed the connection".into());
            }
            if self.line.contains(wanted) {
                return Ok(count);
            }
            if self.line.contains(" FAIL ") {
                return Err(self.line.clone().into());
            }
            count += 1;
        }
    }
}
