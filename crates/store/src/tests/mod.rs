//! A real database in a folder of its own.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod backups;
mod commit_log;
mod expiring;
mod keeping;
mod looking;
mod opening;
mod people;
mod upgrade;

use std::path::Path;
use std::sync::Arc;

use hub::{
    Actor, Card, Dialect, Event, EventId, FormerFace, HistoryKey, Kept, Kind, Party, Recall, Recalled,
    RoomCard, RoomName, Scope, Shared, Style, Text, Wanted, Whose, Window,
};

use crate::{Durability, FILE_NAME, Reader, Writer};

/// A folder with a store in it.
struct Store {
    folder: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
}

impl Store {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn open(folder: tempfile::TempDir) -> Self {
        let (writer, _) = Writer::open(folder.path(), Durability::Process).unwrap();
        let reader = writer.reader().unwrap();
        Self { folder, writer, reader }
    }

    /// As after a restart of the server.
    fn again(self) -> Self {
        Self::open(self.close())
    }

    fn close(self) -> tempfile::TempDir {
        drop(self.reader);
        self.writer.close().unwrap();
        self.folder
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    #[track_caller]
    fn keep(&mut self, batch: &[Kept]) {
        self.writer.keep(batch).unwrap();
    }

    /// The ids of a room's events in a window.
    #[track_caller]
    fn page(&mut self, name: &str, window: Window, limit: usize) -> Vec<u64> {
        ids(&self.recall(&page(&[of_room(name)], Some(room(name)), window, limit)))
    }

    /// The ids of all of a room's events.
    #[track_caller]
    fn all(&mut self, name: &str) -> Vec<u64> {
        let mut recall = page(&[of_room(name)], Some(room(name)), Window::Latest(id(0)), 1_000);
        if let Recall::Page { all_kinds, .. } = &mut recall {
            *all_kinds = true;
        }
        ids(&self.recall(&recall))
    }

    #[track_caller]
    fn recall(&mut self, recall: &Recall) -> Vec<Shared> {
        match self.reader.recall(recall).unwrap() {
            Recalled::Events(events) => events,
            other => panic!("{other:?}"),
        }
    }

    /// The ids of what is found in a room by words.
    #[track_caller]
    fn search(&mut self, name: &str, text: &str) -> Vec<u64> {
        while self.writer.index().unwrap() {}
        let wanted = Wanted { text: text.to_owned(), ..Wanted::default() };
        ids(&self.recall(&search(name, wanted)))
    }

    /// How many rows the index of words has for these.
    fn words(&self, text: &str) -> i64 {
        let query = "SELECT count(*) FROM words WHERE words MATCH ?1";
        self.writer.db.query_row(query, [text], |row| row.get(0)).unwrap()
    }

    /// How many events are kept.
    fn events(&self) -> i64 {
        let query = "SELECT ifnull(sum(count), 0) FROM block";
        self.writer.db.query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        self.writer.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// Whether some bytes are anywhere in the files.
    fn has_bytes(&self, wanted: &str) -> bool {
        let endings = ["", "-wal"].into_iter().chain(crate::commit_log::ENDINGS);
        endings.map(|ending| format!("{FILE_NAME}{ending}")).any(|name| {
            let bytes = std::fs::read(self.path().join(name)).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
        })
    }
}

fn page(histories: &[HistoryKey], room: Option<Arc<RoomCard>>, window: Window, limit: usize) -> Recall {
    let histories = histories.iter().cloned().collect();
    Recall::Page { histories, room, floor: EventId::default(), window, limit, all_kinds: false }
}

fn search(name: &str, wanted: Wanted) -> Recall {
    let rooms = vec![(of_room(name), room(name))];
    Recall::Search { rooms, party: None, histories: None, floor: EventId::default(), wanted, limit: 100 }
}

fn ids(events: &[Shared]) -> Vec<u64> {
    events.iter().map(|event| event.id.bits()).collect()
}

fn id(bits: u64) -> EventId {
    EventId::from_bits(bits)
}

fn room_name(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

fn room(name: &str) -> Arc<RoomCard> {
    Arc::new(RoomCard::former(room_name(name)))
}

fn of_room(name: &str) -> HistoryKey {
    HistoryKey::of_room(&room_name(name))
}

/// Somebody without an account.
fn person(name: &str) -> Arc<Card> {
    face(name, None)
}

/// Somebody who is logged in to an account of the same name.
fn member(name: &str) -> Arc<Card> {
    face(name, Some(name))
}

fn face(name: &str, account: Option<&str>) -> Arc<Card> {
    Arc::new(Card::former(FormerFace {
        name: name.to_owned(),
        nick: name.to_owned(),
        username: "~user".to_owned(),
        host: format!("host-of-{name}.example"),
        account: account.map(str::to_owned),
        dialect: Dialect::Irc,
        bot: false,
    }))
}

fn event(number: u64, kind: Kind) -> Shared {
    Shared::new(Event { id: id(number), unix_ms: id(number).unix_ms(), by: None, kind })
}

fn message(from: &Arc<Card>, scope: Scope, text: &str) -> Kind {
    Kind::Message {
        from: from.clone(),
        scope,
        text: Text::kept(text),
        style: Style::Plain,
        tags: None,
        seams: None,
    }
}

/// An event in a room.
fn in_room(name: &str, event: Shared) -> Kept {
    Kept::Event { whose: Whose::Room(of_room(name)), event }
}

/// Something said in a room.
fn said(number: u64, name: &str, from: &Arc<Card>, text: &str) -> Kept {
    in_room(name, event(number, message(from, Scope::Room(room(name)), text)))
}

/// Something written to one person.
fn wrote(number: u64, from: &Arc<Card>, to: &Arc<Card>, text: &str) -> Kept {
    let scope = Scope::Private { named: 1, to: Some(to.clone()) };
    Kept::Event { whose: Whose::Pair, event: event(number, message(from, scope, text)) }
}

/// A message of a room taken back.
fn took_back(number: u64, name: &str, by: &Arc<Card>, what: u64) -> Kept {
    let scope = Scope::Room(room(name));
    in_room(name, event(number, Kind::Redact { by: by.clone(), scope, message: id(what), reason: None }))
}

fn topic(number: u64, name: &str, by: &Arc<Card>, topic: Option<&str>) -> Kept {
    let by = Actor::User(by.clone());
    in_room(name, event(number, Kind::Topic { by, room: room(name), topic: topic.map(Into::into) }))
}
