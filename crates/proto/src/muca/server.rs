//! What a server reads and writes.

use bytes::BytesMut;

use super::json::{self, Fault, Fields, write_string};
use super::objects::Objects;
use super::{ClientFrame, EVERYBODY, Framing, Kind, Person, RECIPIENTS_MAX, Recipients, ServerFrame, framed};
use crate::ProtocolError;

/// Reads what a client sends. Drained, it owns no memory.
#[derive(Debug)]
pub struct Decoder(Objects);

impl Decoder {
    /// Objects may have up to `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self(Objects::new(bytes_max))
    }

    /// Takes what one read gave, cut in any way.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// How the client keeps its objects apart; `None` before its first byte.
    #[must_use]
    pub fn framing(&self) -> Option<Framing> {
        self.0.framing()
    }

    /// What is kept of unfinished input, in bytes.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// The next frame; `Ok(None)`: feed more.
    ///
    /// # Errors
    /// An object that is no frame; what comes after it can be read. `TooLong` is fatal and repeats.
    pub fn next_frame(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        let Some(object) = self.0.next_object()? else { return Ok(None) };
        json::read(&object, read).map(Some)
    }
}

fn read(fields: &Fields<'_>) -> Result<ClientFrame, Fault> {
    let command = json::needed(fields.cmd, "CMD")?;
    match command.as_str() {
        "JOIN" => Ok(ClientFrame::Join {
            name: json::string(fields.name)?.unwrap_or_default(),
            uid: json::string(fields.uid)?.unwrap_or_default(),
        }),
        "SEND" => {
            let mut text = json::needed(fields.msg, "MSG")?;
            if text.ends_with('\n') {
                text.pop();
            }
            let from = json::string(fields.from)?.unwrap_or_default();
            Ok(ClientFrame::Send { text, to: read_recipients(fields)?, from })
        }
        _ => Err(ProtocolError::unknown("CMD", command.as_bytes()).into()),
    }
}

fn read_recipients(fields: &Fields<'_>) -> Result<Recipients, Fault> {
    let field = fields.to.ok_or(ProtocolError::Missing { what: "TO" })?;
    let malformed = || Fault::Protocol(ProtocolError::malformed("TO", field.get().as_bytes()));
    // What is no string is nobody's name, but it keeps its place: only a list without entries means everybody.
    let entries: Vec<Option<String>> = match (json::string(fields.to)?, json::list(fields.to)?) {
        (Some(one), _) => vec![Some(one)],
        (None, Some(entries)) if entries.len() <= RECIPIENTS_MAX => {
            entries.into_iter().map(|entry| json::string(Some(entry))).collect::<Result<_, _>>()?
        }
        (None, _) => return Err(malformed()),
    };
    match entries.as_slice() {
        [] => return Ok(Recipients::Everybody),
        [Some(one)] if one.trim().is_empty() || one.trim().eq_ignore_ascii_case(EVERYBODY) => {
            return Ok(Recipients::Everybody);
        }
        _ => {}
    }
    let names = entries.iter().flatten().map(|name| name.trim()).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    if names.is_empty() { Err(malformed()) } else { Ok(Recipients::People(names)) }
}

/// Appends a frame.
pub fn encode(frame: &ServerFrame, framing: Framing, out: &mut BytesMut) {
    match frame {
        ServerFrame::Ack { okay } => framed(framing, out, |out| {
            out.extend_from_slice(br#"{"CMD": "ACK", "TYPE": ""#);
            out.extend_from_slice(if *okay { b"OKAY" } else { b"FAIL" });
            out.extend_from_slice(br#""}"#);
        }),
        ServerFrame::List(people) => {
            let people = people.iter().map(|Person { name, uid }| (name.as_str(), uid.as_str()));
            encode_list(people, framing, out);
        }
        ServerFrame::Message { kind, text, from } => encode_message(*kind, text, from, framing, out),
    }
}

/// Appends a LIST of nicknames and UIDs. UN comes first: some clients go by the order of the keys.
pub fn encode_list<'p>(
    people: impl Iterator<Item = (&'p str, &'p str)>,
    framing: Framing,
    out: &mut BytesMut,
) {
    framed(framing, out, |out| {
        out.extend_from_slice(LIST_START);
        for (index, (name, uid)) in people.enumerate() {
            out.extend_from_slice(if index == 0 { br#"{"UN": "#.as_slice() } else { br#", {"UN": "# });
            write_string(out, name);
            out.extend_from_slice(br#", "UID": "#);
            write_string(out, uid);
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]}");
    });
}

/// What every LIST begins with, after the length if there is one.
pub const LIST_START: &[u8] = br#"{"CMD": "LIST", "DATA": ["#;

/// Appends a MSG.
pub fn encode_message(kind: Kind, text: &str, from: &str, framing: Framing, out: &mut BytesMut) {
    out.reserve(64 + text.len() + from.len());
    framed(framing, out, |out| {
        out.extend_from_slice(br#"{"CMD": "MSG", "TYPE": ""#);
        out.extend_from_slice(kind.as_str().as_bytes());
        out.extend_from_slice(br#"", "MSG": "#);
        write_string(out, text);
        out.extend_from_slice(br#", "FROM": "#);
        write_string(out, from);
        out.extend_from_slice(b"}");
    });
}
