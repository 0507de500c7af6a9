//! How events become objects, once for all recipients with the same framing.

use bytes::{Bytes, BytesMut};
use hub::{Card, Chunks, Dialect, Event, Form, Kind, Namespace};
use proto::muca::server::{encode, encode_list, encode_message};
use proto::muca::{self, Framing, ServerFrame};

use crate::plain::{Place, Plain};
use crate::text;

/// The wire form of all sessions with this framing.
pub(super) fn form(framing: Framing) -> Form {
    crate::form(Dialect::Muca, framing as u32)
}

pub(super) fn frame(frame: &ServerFrame, framing: Framing) -> Bytes {
    let mut object = BytesMut::new();
    encode(frame, framing, &mut object);
    object.freeze()
}

/// A LIST, unless nobody is in it: clients die of an empty one.
pub(super) fn list(event: &Event, framing: Framing) -> Chunks {
    let Kind::Roster { present } = &event.kind else { return Chunks::new() };
    if present.is_empty() {
        return Chunks::new();
    }
    let mut object = BytesMut::with_capacity(64 * present.len());
    let people = present.iter().map(|card| (card.wire_name(Namespace::Muca), uid(card)));
    encode_list(people, framing, &mut object);
    Chunks::from_buf([object.freeze()])
}

/// A message as one MSG; as several if a bare one would not be shorter than `bytes_max`, which is what clients
/// read at once.
pub(super) fn message(plain: &Plain<'_>, framing: Framing, bytes_max: usize) -> Chunks {
    let (kind, from) = (kind(plain.place), uid(plain.from));
    let object = |text: &str| {
        let mut object = BytesMut::new();
        encode_message(kind, text, from, framing, &mut object);
        object.freeze()
    };
    let text = text::plain(&plain.text);
    if text.is_empty() {
        return Chunks::new();
    }
    let whole = object(&text);
    if framing == Framing::Length || whole.len() < bytes_max {
        return Chunks::from_buf([whole]);
    }
    let room = bytes_max.saturating_sub(object("").len() + 1);
    text::split(&text, room, muca::escaped_len).map(object).collect()
}

fn kind(place: Place) -> muca::Kind {
    match place {
        Place::Room => muca::Kind::All,
        Place::Private { named: 0 | 1 } => muca::Kind::Private,
        Place::Private { .. } => muca::Kind::Group,
    }
}

fn uid(card: &Card) -> &str {
    card.wire_name(Namespace::MucaUid)
}
