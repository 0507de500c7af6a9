//! How events become messages: one form, the same bytes for every tmp client.

use std::borrow::Cow;

use bytes::Bytes;
use hub::{Card, Chunks, Dialect, Event, Form, Kind, Namespace, Scope};
use proto::tmp::{Body, ServerFrame, server};

use crate::text;

/// The one wire form of this dialect.
pub(super) fn form() -> Form {
    crate::form(Dialect::Tmp, 0)
}

/// An event as one message, or none.
pub(super) fn encode(event: &Event) -> Chunks {
    match &event.kind {
        Kind::Message { from, scope, text, bare } => message(from, scope, text.as_str(), *bare),
        Kind::Typing { from, .. } => Chunks::from_iter([chat(from, Body::Typing)]),
        Kind::Roster { .. } => Chunks::new(),
    }
}

/// What other tmp clients say goes out byte for byte, what others say without what a terminal would obey. Nothing
/// goes out that has nothing left once a client has trimmed it: the protocol's own client fails on that.
fn message(from: &Card, scope: &Scope, text: &str, bare: bool) -> Chunks {
    let text = if from.dialect() == Dialect::Tmp { Cow::Borrowed(text) } else { text::plain(text) };
    let body = if bare { Body::Other(&text) } else { Body::Message(&text) };
    if body.is_blank() {
        return Chunks::new();
    }
    let bytes = match scope {
        Scope::Room(_) => chat(from, body),
        Scope::Private { .. } => chat(from, Body::Message(&private(&text))),
    };
    Chunks::from_iter([bytes])
}

/// A text with the mark of what is for its reader alone.
pub(super) fn private(text: &str) -> String {
    format!("(private) {text}")
}

fn chat(from: &Card, body: Body<'_>) -> Bytes {
    server::message(&ServerFrame::ChatMssg { user: from.wire_name(Namespace::Tmp), body })
}
