//! A server whose store can be made unwritable and writable again while it runs, in several ways. All of them hold for
//! the superuser too.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, geteuid, prlimit};

use crate::fixture::{Process, Server, polylogue};
use crate::folder::Folder;

/// What happens to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process may not write to files any more: `EFBIG`, and the signal `SIGXFSZ`, which kills who doesn't expect
    /// it. Can be had everywhere.
    SizeLimit,
    /// The files may not be changed any more, `EPERM`. Not every file system can do it, and not everybody may.
    Immutable,
    /// The file system is small and fills up, `ENOSPC`. Needs leave to mount.
    FullDisk,
}

/// The size of the small file system: room for an empty store, and not for much more.
const SMALL: &str = "size=2m";
const LARGE: &str = "size=32m";

/// Somewhere to keep things, and the server that does.
pub(crate) struct Place {
    trouble: Trouble,
    pub(crate) server: Server,
    limit: Option<Rlimit>,
    is_immutable: bool,
    // Last: what is dropped before may still need it.
    folder: Folder,
}

impl Place {
    /// A server with a store that can be written, and with the operator `odin`, whose password is `secret`. `None` if
    /// this trouble can't be made here; that is told, whether the test's output is shown or not.
    pub(crate) fn start(trouble: Trouble) -> Option<Self> {
        let folder = Folder::new("place");
        fs::create_dir(data(&folder)).unwrap();
        if let Err(reason) = is_possible(trouble, &folder) {
            not_run(&format!("a store with the trouble {trouble:?}"), &reason);
            return None;
        }
        fs::write(folder.path().join("polylogue.toml"), operator()).unwrap();
        let server = Server::start_as(&mut command(trouble, &folder));
        Some(Self { trouble, server, limit: None, is_immutable: false, folder })
    }

    /// Makes the store unwritable. A full disk only comes with messages.
    pub(crate) fn break_it(&mut self) {
        match self.trouble {
            Trouble::SizeLimit => {
                let limit = Rlimit { current: Some(0), ..rustix::process::getrlimit(Resource::Fsize) };
                let id = self.server.process().id();
                self.limit = Some(prlimit(Some(id), Resource::Fsize, limit).unwrap());
            }
            Trouble::Immutable => {
                chattr("+i", &self.files()).unwrap();
                self.is_immutable = true;
            }
            Trouble::FullDisk => {}
        }
    }

    /// Makes it writable again.
    pub(crate) fn mend(&mut self) {
        match self.trouble {
            Trouble::SizeLimit => {
                let id = self.server.process().id();
                prlimit(Some(id), Resource::Fsize, self.limit.take().unwrap()).unwrap();
            }
            Trouble::Immutable => {
                chattr("-i", &self.files()).unwrap();
                self.is_immutable = false;
            }
            Trouble::FullDisk => {
                let id = self.server.process().id().to_string();
                let mut command = Command::new("nsenter");
                command.args(["--target", &id, "--mount"]);
                if !geteuid().is_root() {
                    command.args(["--user", "--preserve-credentials"]);
                }
                let options = format!("remount,{LARGE}");
                // Not what the kernel says is set already: its user ids are those outside.
                succeeds(
                    command
                        .args(["mount", "--options-source=disable", "-o", &options])
                        .arg(data(&self.folder)),
                )
                .unwrap();
            }
        }
    }

    /// Whether what was kept is there for another server. A small file system goes with the process that has it.
    pub(crate) fn can_restart(&self) -> bool {
        self.trouble != Trouble::FullDisk
    }

    /// Another server on the same store. The one before has ended.
    pub(crate) fn restart(&mut self) {
        self.server = Server::start_as(&mut command(self.trouble, &self.folder));
    }

    /// The store's files, but not its shared memory, which is no part of what is kept.
    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(data(&self.folder)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.is_file() && !file.to_string_lossy().ends_with("-shm")).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_immutable {
            // Otherwise nobody can remove them.
            let _ = chattr("-i", &self.files());
        }
    }
}

fn data(folder: &Folder) -> PathBuf {
    folder.path().join("data")
}

/// The configuration that makes somebody an operator.
fn operator() -> String {
    let mut process = Process::start("polylogue operator", polylogue().args(["operator", "odin"]));
    process.write("secret\n");
    process.close_stdin();
    process.stdout.end()
}

fn command(trouble: Trouble, folder: &Folder) -> Command {
    let inner = polylogue();
    let mut command = match trouble {
        Trouble::SizeLimit | Trouble::Immutable => polylogue(),
        Trouble::FullDisk => mounted(&format!("mount -t tmpfs -o {SMALL} tmpfs \"$0\""), folder, &inner),
    };
    command.args(["serve", "--listen", "0", "--config"]).arg(folder.path().join("polylogue.toml"));
    command.arg("--data").arg(data(folder));
    command
}

/// A program that finds the data folder mounted so. It has the mount to itself, and the mount ends with it.
fn mounted(mount: &str, folder: &Folder, inner: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(["sh", "-c", &format!("{mount} && exec \"$@\"")]).arg(data(folder)).arg(inner.get_program());
    command
}

/// A command that serves from a folder in which nothing can be written.
pub(crate) fn read_only(folder: &Folder) -> Result<Command, String> {
    fs::create_dir_all(data(folder)).unwrap();
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";
    succeeds(&mut mounted(mount, folder, &Command::new("true")))?;
    let mut command = mounted(mount, folder, &polylogue());
    command.args(["serve", "--listen", "0", "--data"]).arg(data(folder));
    Ok(command)
}

fn is_possible(trouble: Trouble, folder: &Folder) -> Result<(), String> {
    match trouble {
        Trouble::SizeLimit => Ok(()),
        Trouble::Immutable => {
            let files = [folder.path().join("immutable")];
            fs::write(&files[0], "").unwrap();
            // Some file systems only look when a file is opened.
            let mut open = fs::File::options().append(true).open(&files[0]).unwrap();
            chattr("+i", &files)?;
            let written = open.write_all(b"x");
            chattr("-i", &files)?;
            written.err().map(|_| ()).ok_or_else(|| "open files can still be written".to_owned())
        }
        Trouble::FullDisk => {
            let mount = format!("mount -t tmpfs -o {SMALL} tmpfs \"$0\"");
            succeeds(&mut mounted(&mount, folder, &Command::new("true")))
        }
    }
}

/// Tells that something can't be tested here. Not with a macro, whose output is hidden if the test is well.
pub(crate) fn not_run(what: &str, reason: &str) {
    std::io::stderr().write_all(format!("\nNOT TESTED: {what}: {reason}\n").as_bytes()).unwrap();
}

fn chattr(change: &str, files: &[PathBuf]) -> Result<(), String> {
    succeeds(Command::new("chattr").arg(change).args(files.iter().map(|file| -> &OsStr { file.as_ref() })))
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(errors) }
}
