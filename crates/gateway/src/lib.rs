//! Detection, and a session per dialect between the codecs and the hub.
//!
//! A [`Session`] takes bytes, events and replies, and leaves bytes and commands in an [`Outbox`]. Like everything
//! below it, it does no input or output and asks no clock.

pub mod bridge;
pub mod detect;
pub mod messenger;
pub mod muca;
mod open;
mod outbox;
pub mod pacer;
pub mod rooms;
mod session;
mod slash;
pub mod text;
pub mod tmp;

use hub::{Dialect, Form};

pub use open::open;
pub use outbox::{Close, Outbox};
pub use session::{Session, Settings};

/// A wire form of a dialect: `variant` is what makes the bytes of its recipients differ.
pub(crate) fn form(dialect: Dialect, variant: u32) -> Form {
    Form((dialect as u64) << 32 | u64::from(variant))
}
