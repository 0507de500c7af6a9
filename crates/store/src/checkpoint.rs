//! What was kept moves from the log into the database's file, beside the writer: it waits for the disk, and nobody is to
//! wait with it.

use std::path::Path;

use rusqlite::Connection;

use crate::{Durability, StoreError, schema};

/// Moves what is in the log. Has a connection of its own; the writer and readers don't wait for it.
#[derive(Debug)]
pub struct Checkpointer {
    db: Connection,
}

impl Checkpointer {
    pub(crate) fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        Ok(Self { db: schema::open_again(path, durability)? })
    }

    /// Moves what there is.
    ///
    /// # Errors
    /// As the disk has it. It stays in the log then, which is as good.
    pub fn run(&mut self) -> Result<(), StoreError> {
        Ok(self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }
}
