//! WebSocket (RFC 6455), the server's side, after the handshake: frames in, messages out, and headers for what
//! is sent.
//!
//! tungstenite knows what a frame's header and a close code are. Its `WebSocket` is not used, because that keeps
//! the buffer of the largest frame that ever came for as long as the connection lives; this decoder owns memory
//! only while a message is incomplete.

use std::borrow::Cow;
use std::io::Cursor;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use gateway::Carrier;
use proto::ProtocolError;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::queue::{HEADER_BYTES_MAX, Header};

/// A control frame's payload may have this many bytes (section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// A connection's WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    pub(crate) decoder: Decoder,
    /// What messages go as.
    pub(crate) carrier: Carrier,
    /// When something last came from the peer, of any kind.
    pub(crate) heard: Instant,
    /// A ping was sent and nothing came since.
    pub(crate) pinged: bool,
    /// The code for our close frame, if it isn't the normal one.
    pub(crate) close_code: CloseCode,
}

impl WebSocket {
    pub(crate) fn new(now: Instant, message_bytes_max: usize, carrier: Carrier) -> Self {
        Self {
            decoder: Decoder::new(message_bytes_max),
            carrier,
            heard: now,
            pinged: false,
            close_code: CloseCode::Normal,
        }
    }

    /// The header of a whole message with a payload of this length.
    pub(crate) fn header(&self, len: usize) -> Header {
        let data = if self.carrier == Carrier::WebSocketBinary { Data::Binary } else { Data::Text };
        header(OpCode::Data(data), len)
    }
}

/// Something that a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A whole text message, UTF-8.
    Text(Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// To be answered by a pong with the same payload.
    Ping(Bytes),
    /// Nothing to do.
    Pong,
    /// The peer closes; nothing that follows counts. To be answered by a close with this code.
    Close(CloseCode),
}

/// Why the connection can't go on, and the code that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: CloseCode,
    pub(crate) error: ProtocolError,
}

fn broken(what: &'static str, when: &'static str) -> Failure {
    Failure { code: CloseCode::Protocol, error: ProtocolError::OutOfPlace { what, when } }
}

/// Bytes in, messages out. After a failure, feed it no more.
#[derive(Debug)]
pub(crate) struct Decoder {
    buf: BytesMut,
    /// The parts so far of a message in several frames, and whether it is text.
    message: Option<(bool, BytesMut)>,
    message_bytes_max: usize,
}

impl Decoder {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self { buf: BytesMut::new(), message: None, message_bytes_max }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The next message; `None`: feed more.
    ///
    /// # Errors
    /// If the peer broke the protocol or a limit.
    pub(crate) fn next_message(&mut self) -> Result<Option<Incoming>, Failure> {
        while let Some((header, payload)) = self.next_frame()? {
            match header.opcode {
                OpCode::Control(Control::Ping) => return Ok(Some(Incoming::Ping(payload.freeze()))),
                OpCode::Control(Control::Pong) => return Ok(Some(Incoming::Pong)),
                OpCode::Control(Control::Close) => {
                    return close_code(&payload).map(Incoming::Close).map(Some);
                }
                OpCode::Data(Data::Text) => self.begin(true, payload)?,
                OpCode::Data(Data::Binary) => self.begin(false, payload)?,
                OpCode::Data(Data::Continue) => self.append(&payload)?,
                OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                    return Err(broken("a frame of a reserved type", "ever"));
                }
            }
            if header.is_final
                && let Some((is_text, message)) = self.message.take()
            {
                return complete(is_text, message.freeze()).map(Some);
            }
        }
        // Nothing whole is left; an empty buffer is given back.
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
        }
        Ok(None)
    }

    fn begin(&mut self, is_text: bool, payload: BytesMut) -> Result<(), Failure> {
        if self.message.is_some() {
            return Err(broken("a new message", "inside another one"));
        }
        self.message = Some((is_text, payload));
        Ok(())
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let Some((_, message)) = &mut self.message else {
            return Err(broken("a continuation", "before a message"));
        };
        if message.len() + payload.len() > self.message_bytes_max {
            return Err(self.too_long());
        }
        message.extend_from_slice(payload);
        Ok(())
    }

    fn too_long(&self) -> Failure {
        let error = ProtocolError::TooLong { what: "WebSocket message", limit: self.message_bytes_max };
        Failure { code: CloseCode::Size, error }
    }

    /// The next whole frame, unmasked.
    fn next_frame(&mut self) -> Result<Option<(FrameHeader, BytesMut)>, Failure> {
        let mut cursor = Cursor::new(&self.buf);
        let parsed =
            FrameHeader::parse(&mut cursor).map_err(|_| broken("a frame of a reserved type", "ever"))?;
        let Some((header, len)) = parsed else { return Ok(None) };
        let header_len = cursor.position() as usize;
        self.check(&header, len)?;
        let len = len as usize;
        if self.buf.len() < header_len + len {
            return Ok(None);
        }
        self.buf.advance(header_len);
        let mut payload = self.buf.split_to(len);
        let mask = header.mask.unwrap_or_default();
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok(Some((header, payload)))
    }

    fn check(&self, header: &FrameHeader, len: u64) -> Result<(), Failure> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(broken("a reserved bit", "without an extension"));
        }
        if header.mask.is_none() {
            return Err(broken("an unmasked frame", "from a client"));
        }
        if matches!(header.opcode, OpCode::Control(_)) && (!header.is_final || len > CONTROL_BYTES_MAX) {
            return Err(broken("a control frame", "in parts or with more than 125 bytes"));
        }
        if len > self.message_bytes_max as u64 {
            return Err(self.too_long());
        }
        Ok(())
    }
}

fn complete(is_text: bool, message: Bytes) -> Result<Incoming, Failure> {
    if !is_text {
        return Ok(Incoming::Binary(message));
    }
    if std::str::from_utf8(&message).is_err() {
        let error = ProtocolError::NotUtf8 { what: "WebSocket text message" };
        return Err(Failure { code: CloseCode::Invalid, error });
    }
    Ok(Incoming::Text(message))
}

/// What to answer to a close frame with this payload (section 7.4).
fn close_code(payload: &[u8]) -> Result<CloseCode, Failure> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        let malformed = ProtocolError::malformed("close frame", payload);
        let failure = Failure { code: CloseCode::Protocol, error: malformed };
        return if payload.is_empty() { Ok(CloseCode::Normal) } else { Err(failure) };
    };
    let code = CloseCode::from(u16::from_be_bytes(*code));
    if !code.is_allowed() {
        return Err(broken("a reserved close code", "on the wire"));
    }
    if std::str::from_utf8(reason).is_err() {
        let error = ProtocolError::NotUtf8 { what: "close reason" };
        return Err(Failure { code: CloseCode::Invalid, error });
    }
    Ok(code)
}

/// A pong with the ping's payload: header and payload.
pub(crate) fn pong(payload: Bytes) -> (Header, Bytes) {
    (header(OpCode::Control(Control::Pong), payload.len()), payload)
}

/// A ping without payload.
pub(crate) fn ping() -> Header {
    header(OpCode::Control(Control::Ping), 0)
}

/// A close frame.
pub(crate) fn close(code: CloseCode) -> (Header, Bytes) {
    let payload = Bytes::copy_from_slice(&u16::from(code).to_be_bytes());
    (header(OpCode::Control(Control::Close), payload.len()), payload)
}

fn header(opcode: OpCode, len: usize) -> Header {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let mut cursor = Cursor::new(bytes.as_mut_slice());
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let formatted = header.format(len as u64, &mut cursor);
    debug_assert!(formatted.is_ok(), "a header without mask has at most 10 bytes");
    let written = cursor.position() as usize;
    Header::new(&bytes[..written])
}

/// The room that a request's path names: what follows the first slash, without a query; `None`: the lobby.
pub(crate) fn room_of(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let name: Cow<'_, str> =
        percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
    (!name.trim().is_empty()).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tungstenite::protocol::frame::Frame;

    use super::*;

    fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader { is_final, opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
        let frame = Frame::from_payload(header, payload.to_vec().into());
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    const TEXT: OpCode = OpCode::Data(Data::Text);
    const MORE: OpCode = OpCode::Data(Data::Continue);
    const PING: OpCode = OpCode::Control(Control::Ping);
    const CLOSE: OpCode = OpCode::Control(Control::Close);

    fn decode(bytes: &[u8], step: usize) -> Result<Vec<Incoming>, Failure> {
        let mut decoder = Decoder::new(1000);
        let mut all = Vec::new();
        for part in bytes.chunks(step) {
            decoder.feed(part);
            while let Some(message) = decoder.next_message()? {
                all.push(message);
            }
        }
        assert!(decoder.buf.len() <= 1000 + 14 + step);
        Ok(all)
    }

    #[test]
    fn messages_in_parts_with_a_ping_between() {
        let bytes = [
            frame(TEXT, false, b"hel"),
            frame(PING, true, b"?"),
            frame(MORE, true, b"lo"),
            frame(TEXT, true, b""),
        ]
        .concat();
        let whole = vec![
            Incoming::Ping(Bytes::from_static(b"?")),
            Incoming::Text(Bytes::from_static(b"hello")),
            Incoming::Text(Bytes::new()),
        ];
        for step in 1..bytes.len() {
            assert_eq!(decode(&bytes, step).unwrap(), whole, "{step}");
        }
    }

    #[test]
    fn an_idle_decoder_owns_nothing() {
        let mut decoder = Decoder::new(1000);
        decoder.feed(&frame(TEXT, true, &[b'x'; 900]));
        assert!(matches!(decoder.next_message(), Ok(Some(Incoming::Text(_)))));
        assert_eq!(decoder.next_message(), Ok(None));
        assert_eq!(decoder.buf.capacity(), 0);
    }

    #[test]
    fn what_breaks_the_protocol_and_the_code_for_it() {
        let mut unmasked = Vec::new();
        Frame::message(b"x".to_vec(), TEXT, true).format(&mut unmasked).unwrap();
        let mut compressed = frame(TEXT, true, b"x");
        compressed[0] |= 0x40;
        for (bytes, code) in [
            (unmasked, CloseCode::Protocol),
            (compressed, CloseCode::Protocol),
            (frame(MORE, true, b"x"), CloseCode::Protocol),
            ([frame(TEXT, false, b"x"), frame(TEXT, true, b"y")].concat(), CloseCode::Protocol),
            (frame(PING, true, &[0; 126]), CloseCode::Protocol),
            (frame(PING, false, b""), CloseCode::Protocol),
            (vec![0x83, 0x80, 0, 0, 0, 0], CloseCode::Protocol),
            (frame(TEXT, true, b"\xff"), CloseCode::Invalid),
            (frame(TEXT, true, &[b'x'; 1001]), CloseCode::Size),
            ([frame(TEXT, false, &[b'x'; 900]), frame(MORE, true, &[b'x'; 101])].concat(), CloseCode::Size),
            (frame(CLOSE, true, b"\x03"), CloseCode::Protocol),
            (frame(CLOSE, true, &1005u16.to_be_bytes()), CloseCode::Protocol),
            (frame(CLOSE, true, b"\x03\xe8\xff"), CloseCode::Invalid),
        ] {
            let failure = decode(&bytes, bytes.len()).unwrap_err();
            assert_eq!(failure.code, code, "{bytes:?}");
            assert_eq!(decode(&bytes, 1), Err(failure));
        }
    }

    #[test]
    fn a_close_is_answered_with_its_own_code() {
        let close = |payload: &[u8]| decode(&frame(CLOSE, true, payload), 99).unwrap();
        assert_eq!(close(b""), [Incoming::Close(CloseCode::Normal)]);
        assert_eq!(close(b"\x03\xe9bye"), [Incoming::Close(CloseCode::Away)]);
    }

    #[test]
    fn paths_name_rooms() {
        assert_eq!(room_of("/"), None);
        assert_eq!(room_of("/?x=1"), None);
        assert_eq!(room_of("/den"), Some("den".to_owned()));
        assert_eq!(room_of("/caf%C3%A9%20bar?x"), Some("café bar".to_owned()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_any_split(data in proptest::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            let whole = decode(&data, data.len().max(1));
            prop_assert_eq!(decode(&data, step).ok(), whole.ok());
        }

        #[test]
        fn what_the_client_library_sends_is_read(
            messages in proptest::collection::vec("[a-zé🦀]{0,80}", 0..8),
            step in 1usize..100,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| frame(TEXT, true, m.as_bytes())).collect();
            let read = decode(&bytes, step).unwrap();
            let sent: Vec<Incoming> = messages.into_iter().map(|m| Incoming::Text(m.into())).collect();
            prop_assert_eq!(read, sent);
        }
    }
}
