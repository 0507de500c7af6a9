//! How events become messages: one form, the same bytes for every tmp client.

use std::borrow::Cow;

use bytes::Bytes;
use hub::{Card, Chunks, Dialect, Event, Form, Kind, Namespace, Style, Typing};
use proto::tmp::{Body, ServerFrame, server};

use crate::plain::{Place, Plain, plain};
use crate::text;

/// The one wire form of this dialect.
pub(super) fn form() -> Form {
    crate::form(Dialect::Tmp, 0)
}

/// An event as one message, or none.
pub(super) fn encode(event: &Event) -> Chunks {
    if let Kind::Typing { from, state: Typing::Active, .. } = &event.kind {
        return Chunks::from_iter([chat(from, Body::Typing)]);
    }
    let bare = matches!(event.kind, Kind::Message { style: Style::Bare, .. });
    plain(event, Namespace::Tmp).map(|plain| message(&plain, bare)).unwrap_or_default()
}

/// What other tmp clients say goes out byte for byte, what others say without what a terminal would obey. Nothing
/// goes out that has nothing left once a client has trimmed it: the protocol's own client fails on that.
pub(super) fn message(plain: &Plain<'_>, bare: bool) -> Chunks {
    let Plain { from, place, text } = plain;
    let text = if from.dialect() == Dialect::Tmp { Cow::Borrowed(&**text) } else { text::plain(text) };
    let body = if bare { Body::Other(&text) } else { Body::Message(&text) };
    if body.is_blank() {
        return Chunks::new();
    }
    let bytes = match place {
        Place::Room => chat(from, body),
        Place::Private { .. } => chat(from, Body::Message(&private(&text))),
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
