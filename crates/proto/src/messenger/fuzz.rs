//! What holds for any bytes. Run by the fuzzer and by the tests.

use bytes::BytesMut;

use super::{ClientFrame, ServerFrame, client, server};
use crate::ProtocolError;

const BYTES_MAX: usize = 4096;

/// Neither side panics; cutting the bytes in any way gives the same frames; what is understood is understood
/// again when it is written in the protocol's own way.
pub fn fuzz(data: &[u8]) {
    let whole = client_frames(&[data]);
    let cuts = cut(data);
    assert_eq!(client_frames(&cuts), whole, "{data:?} cut as {cuts:?}");
    for frame in whole.iter().flatten() {
        again(frame);
    }
    let whole = server_frames(&[data]);
    assert_eq!(server_frames(&cuts), whole, "{data:?} cut as {cuts:?}");
    for frame in whole.iter().flatten() {
        let mut bytes = BytesMut::new();
        server::encode(frame, server::Voice::default(), &mut bytes);
        assert_eq!(server_frames(&[&bytes]), [Ok(frame.clone())], "{bytes:?}");
    }
}

/// Pieces whose lengths the data itself decides.
fn cut(data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = data;
    while let Some(first) = rest.first() {
        let (piece, after) = rest.split_at_checked(usize::from(first % 7) + 1).unwrap_or((rest, &[]));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

type Seen<F> = Vec<Result<F, ProtocolError>>;

fn client_frames(pieces: &[&[u8]]) -> Seen<ClientFrame> {
    let mut decoder = server::Decoder::new(BYTES_MAX);
    let mut seen = Seen::new();
    for piece in pieces {
        decoder.feed(piece);
        drain(&mut seen, || decoder.next_frame());
    }
    drain(&mut seen, || decoder.pause());
    drain(&mut seen, || decoder.give_up());
    assert!(decoder.is_empty() || decoder.buffered() == 1, "{decoder:?}");
    seen
}

fn server_frames(pieces: &[&[u8]]) -> Seen<ServerFrame> {
    let mut decoder = client::Decoder::new(BYTES_MAX);
    let mut seen = Seen::new();
    for piece in pieces {
        decoder.feed(piece);
        drain(&mut seen, || decoder.next_frame());
    }
    seen
}

/// Takes frames until there are none or a fatal error comes.
fn drain<F>(seen: &mut Seen<F>, mut next: impl FnMut() -> Result<Option<F>, ProtocolError>) {
    loop {
        match next() {
            Ok(None) => return,
            Ok(Some(frame)) => seen.push(Ok(frame)),
            Err(error) => {
                let is_fatal = error.is_fatal();
                if seen.last().and_then(|last| last.as_ref().err()) != Some(&error) || !is_fatal {
                    seen.push(Err(error));
                }
                if is_fatal {
                    return;
                }
            }
        }
    }
}

/// Writes a frame as our client would and reads it back.
fn again(frame: &ClientFrame) {
    let words = match frame {
        ClientFrame::Register { name, .. } => name,
        ClientFrame::Send { to, .. } => to,
        ClientFrame::Received { about, .. } => about,
        ClientFrame::Error { text } => text,
        ClientFrame::Unregister => "",
    };
    // A replacement character grows, and a recipient that looks like a header field is one when it is read again.
    let is_odd =
        words.contains(char::REPLACEMENT_CHARACTER) || words.to_ascii_lowercase().contains("content-length");
    let is_sure = match frame {
        // Counted in characters, a body of others than ASCII is only found if nothing can be taken for a message.
        ClientFrame::Send { body, layout, .. } => body.is_ascii() && *layout == super::Layout::Lines,
        _ => true,
    };
    if is_odd || !is_sure {
        return;
    }
    let mut bytes = BytesMut::new();
    client::encode(frame, &mut bytes);
    let seen = client_frames(&[&bytes]);
    assert_eq!(seen.first(), Some(&Ok(frame.clone())), "{bytes:?}");
}
