//! What events look like to bridge clients.

use bytes::{Bytes, BytesMut};
use hub::{Card, Chunks, Dialect, Event, Namespace, Shared};
use proto::bridge::{ServerFrame, peer, server};

use crate::plain::plain;
use crate::{form, text};

/// The least room for text in a message, whatever its limit and its sender's name.
const TEXT_BYTES_MIN: usize = 64;

/// The name by which a bridge client knows somebody: another bridge client's is the one that it registered.
pub(super) fn name(card: &Card) -> &str {
    match card.dialect() {
        Dialect::Bridge => card.name().as_str(),
        Dialect::Tmp | Dialect::Muca | Dialect::Rooms | Dialect::Messenger | Dialect::Irc => {
            card.wire_name(Namespace::Alphanumeric)
        }
    }
}

/// An answer's bytes.
pub(super) fn answer(frame: &ServerFrame) -> Bytes {
    let mut bytes = BytesMut::with_capacity(128);
    server::encode(frame, &mut bytes);
    bytes.freeze()
}

/// Who wrote a message, and its lines; `None` for what the protocol doesn't show. `named`: with the sender's
/// name before it.
pub(super) fn message(event: &Shared, named: bool, bytes_max: usize) -> Option<(&Card, &[Bytes])> {
    let plain = plain(event, Namespace::Alphanumeric)?;
    let form = form(Dialect::Bridge, u32::from(named));
    let encode = |_: &Event| line(name(plain.from), named, &plain.text, bytes_max);
    Some((plain.from, event.encoded(form, encode)))
}

/// A text on one line, or on several where it is too long for one message.
pub(super) fn line(from: &str, named: bool, text: &str, bytes_max: usize) -> Chunks {
    let text = text::one_line(text);
    let text = text.trim();
    let prefix_len = from.len() + 2;
    let max = bytes_max.saturating_sub(prefix_len).max(TEXT_BYTES_MIN);
    text::split(text, max, char::len_utf8)
        .map(|piece| {
            // Clients take some words for a goodbye wherever they come from; behind a name they don't.
            if named || peer::reads_as_verb(piece) {
                Bytes::from(format!("{from}: {piece}"))
            } else {
                Bytes::copy_from_slice(piece.as_bytes())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_be_mistaken_for_a_goodbye() {
        let line = |text: &str| line("ana", false, text, 1000).concat();
        assert_eq!(line("hi"), b"hi");
        assert_eq!(line("hi\r\nQUIT\r\n\r\n"), b"hi QUIT");
        assert_eq!(line("QUIT\r\n\r\n"), b"ana: QUIT");
        assert_eq!(line("/quit"), b"ana: /quit");
        assert_eq!(line(" CHAT\nType: quit"), b"ana: CHAT Type: quit");
        assert_eq!(line("\u{1b}[2Jhi\u{0}"), b"[2Jhi");
    }
}
