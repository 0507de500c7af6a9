//! What a server reads and writes.

use bytes::{Bytes, BytesMut};

use super::block::{Block, Blocks, put_header, put_line};
use super::{BLOCK_BYTES_MAX, ClientFrame, Contact, ServerFrame};
use crate::ProtocolError;

/// A client's requests, one after the other.
#[derive(Debug)]
pub struct Decoder {
    blocks: Blocks,
}

impl Decoder {
    /// A decoder that keeps at most `buffer_bytes_max` bytes while nobody takes requests out.
    #[must_use]
    pub fn new(buffer_bytes_max: usize) -> Self {
        Self { blocks: Blocks::new(BLOCK_BYTES_MAX, buffer_bytes_max.max(BLOCK_BYTES_MAX)) }
    }

    /// Takes what one read gave.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.blocks.feed(bytes);
    }

    /// The next request; `Ok(None)`: feed more.
    ///
    /// # Errors
    /// A request that is none; the next call goes on behind it. A fatal error repeats.
    pub fn next_frame(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        self.blocks.next_block()?.map(|block| decode(&block)).transpose()
    }

    /// Nothing has come for a while: what is there may be a request without its empty line. One that lacks a
    /// header is left to be continued.
    ///
    /// # Errors
    /// As [`Decoder::next_frame`].
    pub fn pause(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        let partial = self.blocks.partial();
        if partial.is_empty() {
            return Ok(None);
        }
        let frame = decode(partial);
        match &frame {
            // `CHAT` alone would open a conversation: whoever types it by hand may still be typing headers.
            Err(ProtocolError::Missing { .. }) | Ok(ClientFrame::Chat { id: None, message: None }) => {
                return Ok(None);
            }
            _ => {}
        }
        self.blocks.take_all();
        frame.map(Some)
    }

    /// Nothing will come any more: what is there is a request, or never will be one.
    ///
    /// # Errors
    /// As [`Decoder::next_frame`].
    pub fn finish(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        if self.blocks.partial().is_empty() {
            return Ok(None);
        }
        decode(&self.blocks.take_all()).map(Some)
    }

    /// Whether no bytes wait for the rest of their request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many bytes wait.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.blocks.len()
    }

    /// What follows a request that ends the requests.
    pub fn take_rest(&mut self) -> Bytes {
        self.blocks.take_all()
    }
}

fn decode(block: &[u8]) -> Result<ClientFrame, ProtocolError> {
    let block = Block::parse(block)?;
    let verb = block.verb.to_ascii_uppercase();
    let id = || block.get("clientID").map(str::to_owned);
    Ok(match verb.as_str() {
        "REGISTER" => ClientFrame::Register(Contact {
            id: block.need("clientID")?.to_owned(),
            ip: block.need("IP")?.to_owned(),
            port: port(block.need("Port")?)?.to_owned(),
        }),
        "BRIDGE" => ClientFrame::Bridge { id: block.need("clientID")?.to_owned() },
        "CHAT" => chat(&block)?,
        "PROBE" => ClientFrame::Probe,
        "QUIT" => ClientFrame::Quit { id: id() },
        "UNREGISTER" => ClientFrame::Unregister { id: id() },
        "INFO" => ClientFrame::Info,
        _ => return Err(ProtocolError::unknown("request", block.verb.as_bytes())),
    })
}

fn chat(block: &Block<'_>) -> Result<ClientFrame, ProtocolError> {
    if let Some(first) = block.get("clientID1") {
        let second = block.need("clientID2")?.to_owned();
        return Ok(ClientFrame::ChatBoth { first: first.to_owned(), second });
    }
    let message = super::peer::message_header(block).map(str::to_owned);
    Ok(ClientFrame::Chat { id: block.get("clientID").map(str::to_owned), message })
}

fn port(value: &str) -> Result<&str, ProtocolError> {
    match value.parse::<u16>() {
        Ok(1..) => Ok(value),
        _ => Err(ProtocolError::malformed("Port", value.as_bytes())),
    }
}

/// Writes an answer.
pub fn encode(frame: &ServerFrame, out: &mut BytesMut) {
    match frame {
        ServerFrame::RegAck { contact, status } => {
            out.extend_from_slice(b"REGACK\r\n");
            put_contact(out, contact);
            if *status {
                out.extend_from_slice(b"Status: registered\r\n");
            }
        }
        ServerFrame::BridgeAck(Some(contact)) => {
            out.extend_from_slice(b"BRIDGEACK\r\n");
            put_contact(out, contact);
        }
        // Docs, rule 2: a client fails without the one space after each colon.
        ServerFrame::BridgeAck(None) => {
            out.extend_from_slice(b"BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n");
        }
        ServerFrame::ProbeAck => out.extend_from_slice(b"PROBEACK\r\n"),
        ServerFrame::QuitAck => out.extend_from_slice(b"QUITACK\r\n"),
        ServerFrame::UnregAck => out.extend_from_slice(b"UNREGACK\r\n"),
        ServerFrame::ChatAck { delivered } => {
            out.extend_from_slice(b"CHATACK\r\n");
            if *delivered {
                out.extend_from_slice(b"Status: delivered\r\n");
            }
        }
        ServerFrame::Info { lines } => {
            out.extend_from_slice(b"INFOACK\r\n");
            for line in lines {
                put_line(out, line);
            }
        }
        ServerFrame::Error { message } => {
            out.extend_from_slice(b"ERROR\r\n");
            put_header(out, "Message", message);
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn put_contact(out: &mut BytesMut, contact: &Contact) {
    put_header(out, "clientID", &contact.id);
    put_header(out, "IP", &contact.ip);
    put_header(out, "Port", &contact.port);
}

#[cfg(test)]
mod tests;
