//! The socket's file: made so that nobody else can use it, taken over from a server that died, removed at the end.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::AdminSocket;

/// Why there is no socket for orders.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A server listens there.
    #[error("{} is the socket of another server, which runs", .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{} is there and is no socket", .0.display())]
    NotASocket(PathBuf),
    /// Anything else.
    #[error("can't make the socket {}: {error}", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl AdminError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse(_) => "end that one, or give this one a socket of its own with --admin-socket",
            Self::NotASocket(_) => "--admin-socket takes another path",
            Self::Socket { .. } => {
                "--admin-socket takes another path, of at most 107 bytes, in a folder that can be written to"
            }
        }
    }
}

/// Where orders come in. Dropped, its file is removed.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: UnixListener,
    file: File,
}

/// The same, within the runtime.
pub(super) struct Accepting {
    socket: tokio::net::UnixListener,
    _file: File,
}

/// A socket's file, known by more than its name: somebody may have put another one there.
#[derive(Debug)]
struct File {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

/// Opens the socket; `None` if it can't be had and the server can do without it.
///
/// # Errors
/// If it can't be had.
pub(crate) fn open(wanted: &AdminSocket) -> Result<Option<Listener>, AdminError> {
    match bind(&wanted.path) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if wanted.optional => {
            tracing::warn!(hint = error.hint(), "{error}; polylogue admin can't reach this server");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn bind(path: &Path) -> Result<Listener, AdminError> {
    let failed = |error| AdminError::Socket { path: path.to_owned(), error };
    let socket = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            remove_stale(path)?;
            UnixListener::bind(path).map_err(failed)?
        }
        bound => bound.map_err(failed)?,
    };
    let file = File { path: path.to_owned(), identity: identity(path) };
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    tracing::info!(path = %path.display(), "taking orders");
    Ok(Listener { socket, file })
}

/// Removes what a server that died has left.
fn remove_stale(path: &Path) -> Result<(), AdminError> {
    let failed = |error| AdminError::Socket { path: path.to_owned(), error };
    if !std::fs::symlink_metadata(path).map_err(failed)?.file_type().is_socket() {
        return Err(AdminError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        // It answers, or is too busy to.
        _ => Err(AdminError::InUse(path.to_owned())),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Listener {
    pub(super) fn into_async(self) -> io::Result<Accepting> {
        Ok(Accepting { socket: tokio::net::UnixListener::from_std(self.socket)?, _file: self.file })
    }
}

impl Accepting {
    pub(super) async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_servers_socket_is_replaced_a_live_ones_is_not_and_nothing_else_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let first = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind(&path), Err(AdminError::InUse(_))));
        // As if the process had been killed: the file stays and nobody listens.
        let Listener { socket, file } = first;
        drop(socket);
        std::mem::forget(file);
        let second = bind(&path).unwrap();
        drop(second);
        assert!(!path.exists());
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path), Err(AdminError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn one_that_can_not_be_had_is_missed_only_if_it_was_asked_for() {
        let path = PathBuf::from(format!("/tmp/{}/admin.sock", "x".repeat(200)));
        assert!(open(&AdminSocket { path: path.clone(), optional: true }).unwrap().is_none());
        assert!(matches!(open(&AdminSocket { path, optional: false }), Err(AdminError::Socket { .. })));
    }
}
