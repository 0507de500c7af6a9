//! What can go wrong with a disk.

use std::path::{Path, PathBuf};

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
    /// What was found can't be handed out.
    #[error("{0}")]
    Output(std::io::Error),
    /// There is no database.
    #[error("{}: there is no store here", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// There is something where nothing may be.
    #[error("{} is there already", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// It is a database, but of another program.
    #[error("{} is no store of Polylogue", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
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
    /// An older program has written it, and it is only to be read.
    #[error("{} has version {found}, which is older than what this program reads", path.display())]
    TooOld {
        /// The database.
        path: PathBuf,
        /// The version that it has.
        found: u32,
    },
    /// What was said last is in the log alone, and the server that uses it doesn't enter it.
    #[error("{} doesn't have what was said last", path.display())]
    Behind {
        /// The database.
        path: PathBuf,
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
            Self::Output(_) => "what was written of it is not all",
            Self::Missing { .. } => "--data names the folder that the server is started with",
            Self::Exists { .. } => "give another name, or move that away first",
            Self::Foreign { .. } => "give the file that polylogue backup made, or another folder with --data",
            Self::InUse { .. } => "end that one, or give this one a folder of its own with --data",
            Self::TooNew { .. } => "run the newer program, or restore a backup that the older one made",
            Self::TooOld { .. } => "a server that is started with that folder brings it up to date",
            Self::Behind { .. } => "the server's log says why; its disk may be full",
            Self::Damaged { .. } => {
                "polylogue restore takes a backup; without one, move the file away and a new one is made"
            }
        }
    }

    /// An error of the database: as damage, if that is what it is.
    pub(crate) fn at(path: &Path, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path.to_owned(), what: error.to_string() }
            }
            _ => error.into(),
        }
    }

    /// Whether it is for want of room on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Database(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}
