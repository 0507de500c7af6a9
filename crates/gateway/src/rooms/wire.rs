//! What events look like to rooms clients.

use bytes::{Bytes, BytesMut};
use hub::{Chunks, Dialect, Event, Form, Namespace, Shared};
use proto::rooms::{Framing, ServerFrame, encode, encode_message, message_bytes};

use crate::plain::{Plain, plain};
use crate::text;

/// The least room for text in a message, whatever its limit and its sender's name.
const TEXT_BYTES_MIN: usize = 64;

/// One message's bytes.
pub(super) fn message(frame: &ServerFrame, framing: Framing) -> Bytes {
    let mut bytes = BytesMut::new();
    encode(frame, framing, &mut bytes);
    bytes.freeze()
}

/// An event's messages; none for what the protocol doesn't show.
fn event(event: &Event, framing: Framing, bytes_max: usize) -> Chunks {
    plain(event, Namespace::Rooms).map(|plain| said(&plain, framing, bytes_max)).unwrap_or_default()
}

/// An event's messages, made once for all who are sent the same.
pub(super) fn shared(event: &Shared, framing: Framing, bytes_max: usize) -> &[Bytes] {
    event.encoded(form(framing), |event| self::event(event, framing, bytes_max))
}

/// The wire form of a framing.
pub(super) fn form(framing: Framing) -> Form {
    let variant = match framing {
        Framing::Reads => 0,
        Framing::Lines => 1,
    };
    crate::form(Dialect::Rooms, variant)
}

/// What somebody said, or did.
pub(super) fn said(plain: &Plain<'_>, framing: Framing, bytes_max: usize) -> Chunks {
    let from = plain.from.wire_name(Namespace::Rooms);
    texts(from, plain.place.is_private(), &plain.text, framing, bytes_max)
}

/// A text's messages: one for each line, so that no line of a text looks like somebody else's message, and
/// several for a line that is too long for one.
pub(super) fn texts(from: &str, private: bool, text: &str, framing: Framing, bytes_max: usize) -> Chunks {
    let mut messages = Chunks::new();
    let around = message_bytes(from, private, 0, framing);
    let text_max = bytes_max.saturating_sub(around).max(TEXT_BYTES_MIN);
    for line in text::lines(text) {
        for piece in text::split(&text::plain(line), text_max, char::len_utf8) {
            let mut bytes = BytesMut::new();
            encode_message(from, private, piece, framing, &mut bytes);
            messages.push(bytes.freeze());
        }
    }
    messages
}
