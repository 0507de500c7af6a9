//! A store with a large room in it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{
    Card, Dialect, Event, EventId, FormerFace, HistoryKey, Kept, Kind, RoomCard, RoomName, Scope, Shared,
    Style, Text, Whose,
};
use server::Durability;
use store::Writer;

use crate::{Failed, kept, talk};

/// The room's name.
pub(crate) const ROOM: &str = "big";
/// When its first message was said; then there was one each second.
pub(crate) const BEGUN_MS: u64 = 1_600_000_000_000;
/// How many people talk in it.
const PEOPLE: usize = 200;
const BATCH: usize = 1_000;

/// The moment of a message.
pub(crate) fn moment(number: usize) -> EventId {
    EventId::first_of(BEGUN_MS + 1_000 * number as u64)
}

/// The room.
pub(crate) fn room() -> Result<Arc<RoomCard>, Failed> {
    Ok(Arc::new(RoomCard::former(RoomName::new(ROOM)?)))
}

/// Makes the store.
pub(crate) fn fill(folder: &Path, messages: usize) -> Result<(), Failed> {
    let begun = Instant::now();
    let (mut writer, _) = Writer::open(folder, Durability::Process)?;
    let room = room()?;
    let history = HistoryKey::of_room(room.name());
    let people: Vec<Arc<Card>> = (0..PEOPLE).map(|number| Arc::new(person(number))).collect();
    let event = |number: usize| {
        let id = moment(number);
        let kind = Kind::Message {
            from: people.get(number * 7 % PEOPLE).cloned().unwrap_or_else(|| Arc::new(person(0))),
            scope: Scope::Room(room.clone()),
            text: Text::kept(&format!("message {number} is about as long as what a person says in a chat")),
            style: Style::Plain,
            tags: None,
            seams: None,
        };
        let event = Shared::new(Event { id, unix_ms: id.unix_ms(), by: None, kind });
        Kept::Event { whose: Whose::Room(history.clone()), event }
    };
    for first in (0..messages).step_by(BATCH) {
        let batch: Vec<Kept> = (first..messages.min(first + BATCH)).map(event).collect();
        writer.keep(&batch)?;
    }
    let written = begun.elapsed();
    while writer.index()? {}
    writer.close()?;
    let bytes = std::fs::metadata(folder.join(store::FILE_NAME))?.len();
    println!(
        "a room of {messages} messages: {:.0} messages/s written, {:.0}/s with their words, {} MiB",
        messages as f64 / written.as_secs_f64(),
        messages as f64 / begun.elapsed().as_secs_f64(),
        bytes / (1024 * 1024)
    );
    Ok(())
}

fn person(number: usize) -> Card {
    Card::former(FormerFace {
        name: format!("person{number}"),
        nick: format!("person{number}"),
        username: "~p".to_owned(),
        host: "host.example".to_owned(),
        account: None,
        dialect: Dialect::Irc,
        bot: false,
    })
}

/// How long a server takes to start with it.
pub(crate) fn start(folder: &Path) -> Result<(), Failed> {
    for after in ["a clean end", "a sudden end"] {
        let begun = Instant::now();
        let (answered, opened) = talk::with_server(kept(folder, Durability::Process), |address| {
            let opened = begun.elapsed();
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.write_all(b"NICK first\r\nUSER f 0 * :f\r\n")?;
            let mut lines = BufReader::new(stream).lines();
            lines
                .find(|line| line.as_ref().map_or(true, |line| line.contains(" 001 ")))
                .ok_or("no welcome")??;
            Ok((begun.elapsed(), opened))
        })?;
        println!(
            "start after {after}: ports open after {opened:.2?}, first client welcome after {answered:.2?}"
        );
        // Leaves a log behind, as a server that was killed does.
        std::fs::write(folder.join(format!("{}-wal", store::FILE_NAME)), [0; 4096])?;
    }
    Ok(())
}
