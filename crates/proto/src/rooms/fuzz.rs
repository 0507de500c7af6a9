//! What must hold for any bytes, for the fuzzer and for the tests that replay what it found.

use super::{ClientFrame, Decoder, Framing, encode_client};

const LINE_BYTES_MAX: usize = 256;

/// The first byte says how the rest is cut; the rest are a client's bytes.
///
/// # Panics
/// If something doesn't hold.
pub fn fuzz(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    lines_in_any_pieces(*seed, bytes);
    reads_lose_nothing(*seed, bytes);
}

/// Pieces of 1 to 16 bytes whose lengths follow from the seed.
fn pieces(seed: u8, mut bytes: &[u8]) -> Vec<&[u8]> {
    let (mut pieces, mut state) = (Vec::new(), usize::from(seed));
    while !bytes.is_empty() {
        state = (state * 37 + 11) % 251;
        let (piece, rest) = bytes.split_at((state % 16 + 1).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// All frames, and whether an error ended them.
fn drain(decoder: &mut Decoder, frames: &mut Vec<ClientFrame>) -> bool {
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return false,
            Err(error) => {
                assert!(error.is_fatal() && decoder.next_frame() == Err(error), "an error repeats");
                return true;
            }
        }
    }
}

/// A client whose first message ends in a line feed gets the same frames however its bytes are cut, and they
/// encode to something that decodes to the same.
fn lines_in_any_pieces(seed: u8, bytes: &[u8]) {
    let stream = [b"bob_den\r\n", bytes].concat();
    let mut whole = Vec::new();
    let mut decoder = Decoder::new(LINE_BYTES_MAX);
    decoder.feed(&stream);
    decoder.finish();
    let whole_failed = drain(&mut decoder, &mut whole);

    let mut cut = Vec::new();
    let mut decoder = Decoder::new(LINE_BYTES_MAX);
    let mut cut_failed = false;
    for piece in pieces(seed, &stream) {
        decoder.feed(piece);
        cut_failed |= drain(&mut decoder, &mut cut);
        assert!(decoder.buffered() <= LINE_BYTES_MAX, "a line is bounded");
    }
    decoder.finish();
    cut_failed |= drain(&mut decoder, &mut cut);
    assert_eq!((&whole, whole_failed), (&cut, cut_failed));
    assert_eq!(decoder.buffered(), 0);

    let mut again = bytes::BytesMut::new();
    whole.iter().for_each(|frame| encode_client(frame, Framing::Lines, &mut again));
    let mut decoder = Decoder::new(8 * LINE_BYTES_MAX);
    decoder.feed(&again);
    let mut frames = Vec::new();
    assert!(!drain(&mut decoder, &mut frames));
    let no_cr = |frames: Vec<ClientFrame>| frames.into_iter().map(without_cr).collect::<Vec<_>>();
    assert_eq!(no_cr(whole), no_cr(frames));
}

/// A CR at a line's end belongs to the end, so that a text can't keep it.
fn without_cr(frame: ClientFrame) -> ClientFrame {
    match frame {
        ClientFrame::Text(text) => ClientFrame::Text(text.trim_end_matches('\r').to_owned()),
        first => first,
    }
}

/// Where reads are messages their texts together are the text of all bytes: a character that is cut between two
/// reads is whole again.
fn reads_lose_nothing(seed: u8, bytes: &[u8]) {
    let mut decoder = Decoder::new(LINE_BYTES_MAX);
    decoder.feed(b"bob_den");
    decoder.pause();
    let mut frames = Vec::new();
    for piece in pieces(seed, bytes) {
        drain(&mut decoder, &mut frames);
        assert!(decoder.buffered() < 4, "only a cut character stays");
        decoder.feed(piece);
    }
    decoder.finish();
    assert!(!drain(&mut decoder, &mut frames));
    let texts = frames.into_iter().filter_map(|frame| match frame {
        ClientFrame::Text(text) => Some(text),
        ClientFrame::First { .. } => None,
    });
    assert_eq!(texts.collect::<String>(), String::from_utf8_lossy(bytes));
    first_message(bytes);
}

/// Any bytes as a first message: one frame or an error.
fn first_message(bytes: &[u8]) {
    let mut decoder = Decoder::new(LINE_BYTES_MAX);
    decoder.feed(bytes);
    decoder.finish();
    let mut frames = Vec::new();
    drain(&mut decoder, &mut frames);
    if let Some(first) = frames.first() {
        assert!(matches!(first, ClientFrame::First { name, room } if !name.is_empty() && !room.is_empty()));
    }
}
