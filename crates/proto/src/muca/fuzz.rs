//! What must hold for any bytes. Run by the fuzzer and, with a few seeds, by `cargo test`.

use bytes::BytesMut;

use super::{ClientFrame, Framing, ServerFrame, client, server};
use crate::ProtocolError;

/// Small enough that inputs reach it.
const BYTES_MAX: usize = 512;

/// Reads `data` as a server and as a client, whole and in pieces; panics if the frames differ, if more is kept than
/// the limit allows, or if what was read doesn't survive being written and read again.
pub fn fuzz(data: &[u8]) {
    let whole = client_frames(data, data.len().max(1), BYTES_MAX);
    let step = usize::from(data.first().copied().unwrap_or_default() % 7) + 1;
    for step in [1, step] {
        assert_eq!(client_frames(data, step, BYTES_MAX), whole, "the client's frames depend on the split");
    }
    for framing in [Framing::Bare, Framing::Length] {
        for frame in whole.iter().flatten() {
            let mut bytes = BytesMut::new();
            client::encode(frame, framing, &mut bytes);
            assert!(framing == Framing::Length || bytes.is_ascii());
            assert_eq!(client_frames(&bytes, 3, 8 * BYTES_MAX), [Ok(settled(frame))]);
        }
    }
    let whole = server_frames(data, data.len().max(1), BYTES_MAX);
    assert_eq!(server_frames(data, step, BYTES_MAX), whole, "the server's frames depend on the split");
    for frame in whole.iter().flatten() {
        let mut bytes = BytesMut::new();
        server::encode(frame, Framing::Bare, &mut bytes);
        assert!(bytes.is_ascii());
        assert_eq!(server_frames(&bytes, 1, 8 * BYTES_MAX), [Ok(frame.clone())]);
    }
}

/// What reading makes of a frame that was written: one final line feed is left out each time.
fn settled(frame: &ClientFrame) -> ClientFrame {
    let mut frame = frame.clone();
    if let ClientFrame::Send { text, .. } = &mut frame
        && text.ends_with('\n')
    {
        text.pop();
    }
    frame
}

fn client_frames(data: &[u8], step: usize, bytes_max: usize) -> Vec<Result<ClientFrame, ProtocolError>> {
    let mut decoder = server::Decoder::new(bytes_max);
    let mut frames = Vec::new();
    for piece in data.chunks(step) {
        decoder.feed(piece);
        while let Some(frame) = decoder.next_frame().transpose() {
            let ended = frame.as_ref().is_err_and(ProtocolError::is_fatal);
            frames.push(frame);
            if ended {
                assert_eq!(decoder.buffered(), 0);
                return frames;
            }
        }
        assert!(decoder.buffered() <= bytes_max + 4);
    }
    frames
}

fn server_frames(data: &[u8], step: usize, bytes_max: usize) -> Vec<Result<ServerFrame, ProtocolError>> {
    let mut decoder = client::Decoder::new(bytes_max);
    let mut frames = Vec::new();
    for piece in data.chunks(step) {
        decoder.feed(piece);
        while let Some(frame) = decoder.next_frame().transpose() {
            let ended = frame.as_ref().is_err_and(ProtocolError::is_fatal);
            frames.push(frame);
            if ended {
                return frames;
            }
        }
        assert!(decoder.buffered() <= bytes_max + 4);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_hold() {
        let seeds: [&[u8]; 10] = [
            br#"{"CMD": "JOIN", "UN": "ana", "UID": "ana@x"}{"CMD": "SEND", "MSG": "}{\"\n", "TO": [], "FROM": ""}"#,
            br#"1{"CMD": "SEND", "MSG": "it\'s \ud83e\udd80 \ud83e \udd80", "TO": ["a", 1, ""], "FROM": "b"} [ "{" ] "}""#,
            b"\0\0\0\x0e{\"CMD\": \"JOIN\"}\0\0\0\0\0\0\0\x02{}\0\0\x02\x01",
            b"{\"CMD\": \"JOIN\n{\"CMD\": \"JOIN\" {\"CMD\": \"JOIN\"}",
            br#"{"CMD": "ACK", "TYPE": "OKAY"}{"CMD": "LIST", "DATA": [{"UN": "\u007b", "UID": "u"}]}"#,
            br#"{"CMD": "MSG", "TYPE": "GROUP", "MSG": "a\\", "FROM": "u"}{"CMD": "MSG", "TYPE": "N/A"}"#,
            b"{\"MSG\": \"\xf0\x9f\xa6\xff\", \"CMD\": \"SEND\", \"TO\": \"all\", \"TO\": [\"\xc3\xa9\"]}",
            &[b'{'; 600],
            &[b'['; 600],
            br#"{"a": [[[[{"b": {}}, {"c": "\\"}]]]], "CMD": "SEND", "TO": [], "MSG": "\u00e9\b\f"}"#,
        ];
        for seed in seeds {
            fuzz(seed);
        }
    }
}
