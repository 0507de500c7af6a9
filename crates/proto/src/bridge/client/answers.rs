//! What a client reads from a server, whichever server it is.

use super::super::block::{Block, Blocks};
use super::super::{BLOCK_BYTES_MAX, Contact, ServerFrame};
use crate::ProtocolError;

/// A server's answers, one after the other. Takes the forms of all known servers: headers in any case and
/// spacing, further headers, none at all.
#[derive(Debug)]
pub struct Answers {
    blocks: Blocks,
}

impl Answers {
    /// A decoder that keeps at most `buffer_bytes_max` bytes while nobody takes answers out.
    #[must_use]
    pub fn new(buffer_bytes_max: usize) -> Self {
        Self { blocks: Blocks::new(BLOCK_BYTES_MAX, buffer_bytes_max.max(BLOCK_BYTES_MAX)) }
    }

    /// Takes what one read gave.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.blocks.feed(bytes);
    }

    /// The next answer; `Ok(None)`: feed more.
    ///
    /// # Errors
    /// An answer that is none; the next call goes on behind it. A fatal error repeats.
    pub fn next_frame(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        self.blocks.next_block()?.map(|block| decode(&block)).transpose()
    }

    /// Nothing will come any more: what is there is an answer, or never will be one.
    ///
    /// # Errors
    /// As [`Answers::next_frame`].
    pub fn finish(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        if self.blocks.partial().is_empty() {
            return Ok(None);
        }
        decode(&self.blocks.take_all()).map(Some)
    }
}

fn decode(block: &[u8]) -> Result<ServerFrame, ProtocolError> {
    let block = Block::parse(block)?;
    let verb = block.verb.to_ascii_uppercase();
    Ok(match verb.as_str() {
        "REGACK" => ServerFrame::RegAck {
            contact: contact(&block),
            status: block.get("Status").is_some_and(|status| status == "registered"),
        },
        "BRIDGEACK" => {
            let contact = contact(&block);
            let is_empty = contact.ip.is_empty() && contact.id.is_empty();
            ServerFrame::BridgeAck((!is_empty).then_some(contact))
        }
        "PROBEACK" => ServerFrame::ProbeAck,
        "QUITACK" => ServerFrame::QuitAck,
        "UNREGACK" => ServerFrame::UnregAck,
        "CHATACK" | "CHAT_ACK" => {
            let delivered = block.get("Status").is_some_and(|status| status == "delivered");
            ServerFrame::ChatAck { delivered }
        }
        "INFOACK" => ServerFrame::Info { lines: block.lines().map(|line| line.trim().to_owned()).collect() },
        "ERROR" => ServerFrame::Error { message: block.get("Message").unwrap_or_default().to_owned() },
        "REGNACK" => ServerFrame::Error { message: "the server does not register this name".to_owned() },
        _ => return Err(ProtocolError::unknown("answer", block.verb.as_bytes())),
    })
}

/// Headers that a server leaves out are empty.
fn contact(block: &Block<'_>) -> Contact {
    let get = |name| block.get(name).unwrap_or_default().to_owned();
    Contact { id: get("clientID"), ip: get("IP"), port: get("Port") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(input: &str) -> Result<ServerFrame, ProtocolError> {
        let mut answers = Answers::new(4096);
        answers.feed(input.as_bytes());
        answers
            .next_frame()
            .and_then(|frame| frame.map_or_else(|| answers.finish(), |it| Ok(Some(it))))
            .map(|frame| frame.unwrap_or_else(|| panic!("nothing in {input:?}")))
    }

    #[test]
    fn the_forms_of_other_servers() {
        for empty in [
            "BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n\r\n",
            "BRIDGEACK\r\nclientID:\r\nIP:\r\nPort:\r\n\r\n",
            "BRIDGEACK\r\nclientID:\r\n IP: \r\n Port:\r\n\r\n",
            "BRIDGEACK\r\n\r\n",
        ] {
            assert_eq!(answer(empty), Ok(ServerFrame::BridgeAck(None)), "{empty:?}");
        }
        let ack = answer("REGACK\r\nclientID:ana\r\nStatus:registered").unwrap();
        assert!(matches!(ack, ServerFrame::RegAck { contact, status: true } if contact.id == "ana"));
        assert!(matches!(answer("REGNACK\r\n\r\n"), Ok(ServerFrame::Error { .. })));
        assert!(answer("HELLO\r\n\r\n").is_err());
    }
}
