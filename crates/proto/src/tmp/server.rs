//! What a server reads and writes.

use bytes::{Bytes, BytesMut};

use super::header::{self, Message};
use super::{Body, ClientFrame, MESSAGE_WORD, ServerFrame, TYPING_WORD};
use crate::ProtocolError;

/// A whole `STATE_UPG_1` message.
pub const STATE_UPG_1: &str = "tmp://STATE_UPG_1                     ::/                    ::/";
/// A whole `DISCONNECT` message.
pub const DISCONNECT: &str = "tmp://DISCONNECT                      ::/                    ::/";

/// Reads one message of a client.
///
/// # Errors
/// `Malformed` header, `Unknown` type, `Missing` name, `TooLong` body. The protocol has one answer to all of
/// them: `DISCONNECT`.
pub fn decode(message: &str, body_bytes_max: usize) -> Result<ClientFrame<'_>, ProtocolError> {
    let Message { kind, user, body } = Message::read(message, body_bytes_max)?;
    match kind {
        "SET_USR" => Ok(ClientFrame::SetUsr { name: named(user)? }),
        "CHAT_MSSG" => Ok(ClientFrame::ChatMssg { user: named(user)?, body }),
        "EXIT_CHAT" => Ok(ClientFrame::ExitChat),
        _ => Err(ProtocolError::unknown("type", kind.as_bytes())),
    }
}

fn named(user: &str) -> Result<&str, ProtocolError> {
    if user.is_empty() { Err(ProtocolError::Missing { what: "user name" }) } else { Ok(user) }
}

/// Writes one message for a client. A name longer than the user field is clipped.
pub fn encode(frame: &ServerFrame<'_>, out: &mut BytesMut) {
    match *frame {
        ServerFrame::StateUpg1 => out.extend_from_slice(STATE_UPG_1.as_bytes()),
        ServerFrame::StateUpg2 { name } => header::write("STATE_UPG_2", name, out),
        ServerFrame::SetUsrConflict { name } => header::write("SET_USR_CONFLICT", name, out),
        ServerFrame::ChatMssg { user, body } => encode_chat(user, body, out),
        ServerFrame::Disconnect => out.extend_from_slice(DISCONNECT.as_bytes()),
        ServerFrame::LimitReached => header::write("SERVER_CLIENT_LIMIT_REACHED", "", out),
    }
}

/// One message in a buffer of its own.
#[must_use]
pub fn message(frame: &ServerFrame<'_>) -> Bytes {
    match *frame {
        ServerFrame::StateUpg1 => Bytes::from_static(STATE_UPG_1.as_bytes()),
        ServerFrame::Disconnect => Bytes::from_static(DISCONNECT.as_bytes()),
        _ => {
            let mut out = BytesMut::new();
            encode(frame, &mut out);
            out.freeze()
        }
    }
}

/// Writes a chat message; the same bytes in both directions.
pub(super) fn encode_chat(user: &str, body: Body<'_>, out: &mut BytesMut) {
    let (word, space, text) = match body {
        Body::Message(text) => (MESSAGE_WORD, " ", text),
        Body::Typing => (TYPING_WORD, "", ""),
        Body::Other(text) => ("", "", text),
    };
    // Exactly as much as is needed: then the bytes can be shared without being copied or wrapped.
    out.reserve(header::bytes(user) + word.len() + space.len() + text.len());
    header::write("CHAT_MSSG", user, out);
    for part in [word, space, text] {
        out.extend_from_slice(part.as_bytes());
    }
}
