//! Detection, and a session per dialect between the codecs and the hub.
//!
//! A [`Session`] takes bytes, events and replies, and leaves bytes and commands in an [`Outbox`]. Like everything
//! below it, it does no input or output and asks no clock.

mod outbox;
mod session;

pub use outbox::{Close, Outbox};
pub use session::{Session, Settings};
