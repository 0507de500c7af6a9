//! What outlasts the process: an embedded SQLite database in a folder.
//!
//! A [`Writer`], of which there is one, keeps what the hub wants kept, a batch in one transaction. [`Reader`]s look
//! things up; they have connections of their own and never wait for the writer (write-ahead log). Everything blocks:
//! the threads are the caller's.
//!
//! All SQL of the project is here.

mod accounts;
mod backup;
mod bans;
mod checkpoint;
mod error;
mod expire;
mod invitations;
mod lock;
mod person;
mod reader;
mod rooms;
mod row;
mod schema;
mod writer;

pub use backup::{Restored, Summary, backup, check, restore};
pub use checkpoint::Checkpointer;
pub use error::StoreError;
pub use expire::Retention;
pub use person::{Erased, Erasing};
pub use reader::{Interrupter, Reader};
pub use schema::{Durability, SCHEMA_VERSION};
pub use writer::{Boot, Writer};

/// The database's name in its folder.
pub const FILE_NAME: &str = "polylogue.db";

#[cfg(test)]
mod tests;
