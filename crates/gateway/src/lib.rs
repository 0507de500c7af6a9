//! Detection, and a session per dialect between the codecs and the hub.
//!
//! A [`Session`] takes bytes, events and replies, and leaves bytes and commands in an [`Outbox`]. Like everything
//! below it, it does no input or output and asks no clock.

pub mod bridge;
pub mod detect;
pub mod irc;
pub mod messenger;
pub mod muca;
mod open;
mod outbox;
pub mod pacer;
mod plain;
pub mod rooms;
mod session;
mod slash;
pub mod text;
pub mod tmp;

use std::sync::Arc;

use hub::{Dialect, Form, Say, Style, To, Token};

pub use open::{Carrier, Opening, open};
pub use outbox::{Close, Outbox};
pub use session::{Due, IrcLimits, IrcLines, Session, Settings, Sts};

/// A plain message, as dialects without anything else say it.
pub(crate) fn say(to: To, text: impl Into<Arc<str>>, token: Option<Token>) -> hub::Command {
    hub::Command::Say(Say {
        to,
        text: text.into(),
        style: Style::Plain,
        tags: None,
        seams: Vec::new(),
        echo: false,
        token,
        waits: true,
    })
}

/// A wire form of a dialect: `variant` is what makes the bytes of its recipients differ.
pub(crate) fn form(dialect: Dialect, variant: u32) -> Form {
    Form((dialect as u64) << 32 | u64::from(variant))
}
