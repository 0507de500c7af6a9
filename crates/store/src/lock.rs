//! One server has a folder.

use std::fs::{self, File};
use std::path::Path;

use crate::StoreError;

/// Held for as long as nobody else may change what is in the folder. The end of the process gives it back, however it
/// comes.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder; makes it if it isn't there.
    ///
    /// # Errors
    /// If it can't be used, or another has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        let at = |error| StoreError::Folder { path: folder.to_owned(), error };
        make_private(folder).map_err(at)?;
        let file = File::create(folder.join("polylogue.lock")).map_err(at)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse { path: folder.to_owned() }),
            Err(fs::TryLockError::Error(error)) => Err(at(error)),
        }
    }
}

/// A folder that nobody else can look into.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
