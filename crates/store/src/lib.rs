//! What outlasts the process: an embedded SQLite database in a folder.
//!
//! A [`Writer`], of which there is one, keeps what the hub wants kept, a batch in one transaction. What was said need not
//! come to it at once: it is kept when it is in the [`CommitLog`], a file beside the database, and entered from there many
//! at a time. [`Reader`]s look things up; they have connections of their own, never wait for the writer (write-ahead
//! log), and find what is entered. Everything blocks: the threads are the caller's.
//!
//! All SQL of the project is here.

mod accounts;
mod append;
mod backup;
mod bans;
mod block;
mod catch_up;
mod checkpoint;
mod commit_log;
mod error;
mod expire;
mod frame;
mod invitations;
mod known;
mod lock;
mod lot;
mod numbers;
mod person;
mod reader;
mod record;
mod rooms;
mod row;
mod schema;
mod search;
mod writer;

pub use backup::{Restored, Summary, backup, check, restore};
pub use checkpoint::Checkpointer;
pub use commit_log::{CommitLog, Sealed};
pub use error::StoreError;
pub use expire::Retention;
pub use lot::Lot;
pub use person::{Erased, Erasing};
pub use reader::{Interrupter, Reader};
pub use schema::{Durability, SCHEMA_VERSION};
pub use writer::{Boot, Writer};

/// The database's name in its folder.
pub const FILE_NAME: &str = "polylogue.db";

#[cfg(test)]
mod tests;
