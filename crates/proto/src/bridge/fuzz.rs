//! What must hold for any bytes.

use bytes::BytesMut;

use super::client::Answers;
use super::server::{Decoder, encode};
use super::{BLOCK_BYTES_MAX, ClientFrame, ServerFrame, peer};
use crate::ProtocolError;

/// Checks everything that must hold for any bytes: nothing panics, any split gives the same requests, answers
/// survive a round trip, and a turn says the same when it is written again.
pub fn fuzz(data: &[u8]) {
    let step = data.first().map_or(1, |byte| usize::from(*byte) + 1);
    assert_eq!(requests(data, step), requests(data, data.len().max(1)), "split by {step}");
    answers(data);
    turn(data);
}

fn requests(data: &[u8], step: usize) -> Vec<Result<ClientFrame, ProtocolError>> {
    let mut decoder = Decoder::new(data.len());
    let mut found = Vec::new();
    for part in data.chunks(step) {
        decoder.feed(part);
        while let Some(frame) = decoder.next_frame().transpose() {
            let fatal = frame.as_ref().is_err_and(ProtocolError::is_fatal);
            found.push(frame);
            if fatal {
                return found;
            }
        }
        let pending = decoder.buffered();
        assert!(pending < BLOCK_BYTES_MAX + 2, "{pending} bytes are kept");
    }
    found.extend(decoder.finish().transpose());
    found
}

fn answers(data: &[u8]) {
    let mut decoder = Answers::new(data.len());
    decoder.feed(data);
    while let Ok(Some(frame)) = decoder.next_frame() {
        let mut wire = BytesMut::new();
        encode(&frame, &mut wire);
        let mut again = Answers::new(wire.len());
        again.feed(&wire);
        let read = again.next_frame();
        // Lines of their own may be anything, an empty one ends the block.
        if !matches!(frame, ServerFrame::Info { .. }) {
            assert_eq!(read, Ok(Some(frame)));
        }
    }
}

fn turn(data: &[u8]) {
    let turn = peer::decode(data);
    assert!(turn.texts.iter().all(|text| !text.is_empty()));
    let _ = peer::is_complete(data);
    for text in &turn.texts {
        // A bare text that isn't a verb is read back as it is.
        let again = peer::decode(text.as_bytes());
        if !text.lines().any(peer::reads_as_verb) && !text.starts_with("ID:") {
            let bare = text.trim_matches(['\r', '\n', '\0']);
            assert_eq!(again.texts.concat(), if bare.trim().is_empty() { "" } else { bare });
        }
    }
}
