//! What it costs that nothing acknowledged is ever lost: a real server, real sockets, a real disk.
//!
//! `cargo bench -p polylogue-benches --bench store [-- PART...] [-- MESSAGES]`, with the parts
//!
//! - `senders`: messages a second, and how long an acknowledgement takes, by how many talk, with nothing kept, kept
//!   against the end of the process, and kept against the loss of power;
//! - `start`: how long a server takes to start with a million messages;
//! - `pages`: how long a page of history takes in a room of that size, from the store alone and over a socket;
//! - `beside`: what reading history does to those who write.
//!
//! Everything is kept in a folder of its own below the working directory's `target`, because a temporary folder may be
//! no disk.

#![expect(clippy::print_stdout, reason = "its output is the result")]

mod full;
mod pages;
mod talk;

use std::path::{Path, PathBuf};
use std::time::Duration;

use server::{Durability, StoreConfig};
use talk::{Talk, Talkers};

pub(crate) type Failed = Box<dyn std::error::Error>;

/// How many messages the large room has.
const MESSAGES: usize = 1_000_000;
/// How long each row is measured.
const MEASURED: Duration = Duration::from_secs(3);

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let messages = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(MESSAGES);
    let named = arguments.iter().any(|argument| argument.parse::<usize>().is_err());
    let wanted = |part: &str| !named || arguments.iter().any(|argument| argument == part);
    let scratch = tempfile::tempdir_in(target()?)?;
    if wanted("senders") {
        senders(scratch.path())?;
    }
    if ["start", "pages", "beside"].into_iter().any(wanted) {
        let folder = scratch.path().join("full");
        full::fill(&folder, messages)?;
        if wanted("start") {
            full::start(&folder)?;
        }
        if wanted("pages") {
            pages::run(&folder, messages)?;
        }
        if wanted("beside") {
            beside(&folder)?;
        }
    }
    Ok(())
}

/// The folder that cargo builds into, where there is a disk.
fn target() -> Result<PathBuf, Failed> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(target.unwrap_or(Path::new(".")).to_owned())
}

fn kept(folder: &Path, durability: Durability) -> Option<StoreConfig> {
    Some(StoreConfig { folder: folder.to_owned(), durability, retention: Default::default() })
}

/// How fast people can talk, and how long they wait to be told that it is kept.
fn senders(scratch: &Path) -> Result<(), Failed> {
    println!("senders, each in a room of its own, with IRC's echo-message; {MEASURED:?} each");
    println!(
        "{:<12}{:>9}{:>9}{:>14}{:>12}{:>12}{:>12}{:>14}",
        "kept", "senders", "window", "acks/s", "p50", "p99", "ratio", "added to p50"
    );
    for count in [1, 10, 100] {
        for window in [1, 16] {
            let mut without: Option<Talk> = None;
            for (name, durability) in [
                ("nothing", None),
                ("process", Some(Durability::Process)),
                ("power", Some(Durability::Power)),
            ] {
                let folder = scratch.join(format!("{name}-{count}-{window}"));
                let store = durability.and_then(|durability| kept(&folder, durability));
                let talk = talk::with_server(store, |address| {
                    Talkers::join(address, count, window)?.measure(MEASURED)
                })?;
                let base = without.get_or_insert_with(|| talk.clone());
                println!(
                    "{name:<12}{count:>9}{window:>9}{:>14.0}{:>12}{:>12}{:>12.2}{:>14}",
                    talk.acks_per_s,
                    format!("{:.2?}", talk.median),
                    format!("{:.2?}", talk.slow),
                    talk.acks_per_s / base.acks_per_s,
                    format!("{:.2?}", talk.median.saturating_sub(base.median)),
                );
            }
        }
    }
    Ok(())
}

/// What it does to those who write that others read the past.
fn beside(folder: &Path) -> Result<(), Failed> {
    println!(
        "100 senders with 16 messages under way, kept against the end of the process, and readers beside them"
    );
    println!("{:<28}{:>12}{:>12}{:>12}{:>12}", "pages of 100", "acks/s", "p50", "p99", "pages/s");
    for (name, readers, pause) in [
        ("none", 0, Duration::ZERO),
        ("100 a second", 2, Duration::from_millis(20)),
        ("1000 a second", 20, Duration::from_millis(20)),
        ("none", 0, Duration::ZERO),
    ] {
        let (talk, pages) = talk::with_server(kept(folder, Durability::Process), |address| {
            let mut talkers = Talkers::join(address, 100, 16)?;
            pages::beside(address, readers, pause, || talkers.measure(MEASURED))
        })?;
        println!(
            "{name:<28}{:>12.0}{:>12}{:>12}{:>12.0}",
            talk.acks_per_s,
            format!("{:.2?}", talk.median),
            format!("{:.2?}", talk.slow),
            pages as f64 / (MEASURED + talk::WARMING_UP).as_secs_f64(),
        );
    }
    Ok(())
}
