//! What can go wrong with a disk.

use std::path::PathBuf;

/// Why something could not be kept or looked up.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    /// The folder can't be used.
    #[error("{}: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another process has it.
    #[error("{} is in use by another server", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A newer program has written it.
    #[error("{} has version {found} and this program knows {known}", path.display())]
    TooNew {
        /// The database.
        path: PathBuf,
        /// The version that it has.
        found: u32,
        /// The latest that this program knows.
        known: u32,
    },
    /// It is damaged.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check found first.
        what: String,
    },
}

impl StoreError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Database(_) | Self::Folder { .. } => {
                "--data takes another folder; with --ephemeral nothing is kept and nothing is needed"
            }
            Self::InUse { .. } => "end that one, or give this one a folder of its own with --data",
            Self::TooNew { .. } => "run the newer program, or restore a backup that the older one made",
            Self::Damaged { .. } => {
                "polylogue restore takes a backup; without one, move the file away and a new one is made"
            }
        }
    }

    /// Whether it is for want of room on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Database(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}
