//! WebSocket (RFC 6455), the client's side: the handshake, and messages in frames. tungstenite knows what a frame's
//! header is.

use std::io::Cursor;

use bytes::{Buf as _, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The end of an HTTP head.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// What masks our frames: a mask is there for browsers' sake, and any will do.
const MASK: [u8; 4] = [0x5a; 4];

/// One connection's.
#[derive(Debug, Default)]
pub(crate) struct WebSocket {
    /// What isn't whole yet.
    buffer: BytesMut,
    /// A message in several frames, so far.
    message: Vec<u8>,
    open: bool,
}

/// What a server sent.
pub(crate) enum Incoming<'a> {
    /// The handshake is done.
    Open,
    /// A message.
    Message(&'a [u8]),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// The server closes.
    Close,
}

/// The request that asks for a WebSocket.
pub(crate) fn request(host: &str, path: &str, subprotocol: Option<&str>) -> String {
    let subprotocol =
        subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let key = tungstenite::handshake::client::generate_key();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{subprotocol}\r\n"
    )
}

/// Appends a message, or another kind of frame.
pub(crate) fn frame(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader { is_final: true, opcode, mask: Some(MASK), ..FrameHeader::default() };
    // A vector takes everything.
    let _ = header.format(payload.len() as u64, out);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// What messages are sent as.
pub(crate) const TEXT: OpCode = OpCode::Data(Data::Text);
/// The answer to a ping.
pub(crate) const PONG: OpCode = OpCode::Control(Control::Pong);

impl WebSocket {
    /// Takes bytes, cut in any way.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(Incoming<'_>)) -> Result<(), String> {
        self.buffer.extend_from_slice(bytes);
        if !self.open {
            let Some(end) = memchr::memmem::find(&self.buffer, HEAD_END) else { return Ok(()) };
            let head = self.buffer.split_to(end + HEAD_END.len());
            if !head.starts_with(b"HTTP/1.1 101 ") {
                let status = head.as_ref().split(|&byte| byte == b'\r').next().unwrap_or_default();
                return Err(format!("no WebSocket: {}", String::from_utf8_lossy(status)));
            }
            self.open = true;
            on(Incoming::Open);
        }
        loop {
            let mut cursor = Cursor::new(&self.buffer);
            let parsed = FrameHeader::parse(&mut cursor).map_err(|error| error.to_string())?;
            let Some((header, len)) = parsed else { return Ok(()) };
            let (start, len) = (cursor.position() as usize, usize::try_from(len).unwrap_or(usize::MAX));
            let Some(payload) = self.buffer.get(start..start.saturating_add(len)) else { return Ok(()) };
            match header.opcode {
                OpCode::Control(Control::Ping) => on(Incoming::Ping(payload)),
                OpCode::Control(Control::Close) => on(Incoming::Close),
                OpCode::Data(_) if header.is_final && self.message.is_empty() => {
                    on(Incoming::Message(payload));
                }
                OpCode::Data(_) => {
                    self.message.extend_from_slice(payload);
                    if header.is_final {
                        on(Incoming::Message(&std::mem::take(&mut self.message)));
                    }
                }
                OpCode::Control(_) => {}
            }
            self.buffer.advance(start + len);
        }
    }
}
