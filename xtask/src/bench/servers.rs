//! The servers, and how each is started.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::built;
use super::running::confined;
use crate::sh::{self, Outcome, command};

/// The cores that server and loads share, where they do.
pub(super) const BOTH: &str = "0,1";

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Server {
    Floor,
    BatchingFloor,
    Polylogue,
    Kept,
    /// [`Server::Floor`] and [`Server::BatchingFloor`], keeping what is said.
    KeepingFloor,
    KeepingBatchingFloor,
    /// As [`Server::Polylogue`], but free to use both cores.
    OneReactor,
    TwoReactors,
    Ngircd,
    Inspircd,
    Hybrid,
}

impl Server {
    pub(super) const ALL: &[Self] = &[
        Self::Floor,
        Self::BatchingFloor,
        Self::Polylogue,
        Self::Kept,
        Self::KeepingFloor,
        Self::KeepingBatchingFloor,
        Self::OneReactor,
        Self::TwoReactors,
        Self::Ngircd,
        Self::Inspircd,
        Self::Hybrid,
    ];

    /// Other people's.
    pub(super) const PEERS: &[Self] = &[Self::Ngircd, Self::Inspircd, Self::Hybrid];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::BatchingFloor => "batching-floor",
            Self::Polylogue => "polylogue",
            Self::Kept => "kept",
            Self::KeepingFloor => "keeping-floor",
            Self::KeepingBatchingFloor => "keeping-batching-floor",
            Self::OneReactor => "one-reactor",
            Self::TwoReactors => "two-reactors",
            Self::Ngircd => "ngircd",
            Self::Inspircd => "inspircd",
            Self::Hybrid => "ircd-hybrid",
        }
    }

    /// The same floor, keeping what is said.
    pub(super) fn keeping(self) -> Option<Self> {
        match self {
            Self::Floor => Some(Self::KeepingFloor),
            Self::BatchingFloor => Some(Self::KeepingBatchingFloor),
            _ => None,
        }
    }

    /// The cores that it may use.
    pub(super) fn cores(self) -> &'static str {
        if matches!(self, Self::OneReactor | Self::TwoReactors) { BOTH } else { "0" }
    }

    /// Where its program is, if it is installed.
    fn program(self) -> Option<PathBuf> {
        match self {
            Self::Floor | Self::BatchingFloor | Self::KeepingFloor | Self::KeepingBatchingFloor => {
                Some(built("polylogue-floor"))
            }
            Self::Polylogue | Self::Kept | Self::OneReactor | Self::TwoReactors => Some(built("polylogue")),
            Self::Ngircd | Self::Inspircd | Self::Hybrid => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                // Where Debian has servers; not everybody's PATH goes there.
                let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
                folders.map(|folder| folder.join(self.name())).find(|program| program.is_file())
            }
        }
    }

    pub(super) fn is_installed(self) -> bool {
        self.program().is_some()
    }

    /// Whether it has to be started as somebody who may do less than we: as root some refuse to run.
    fn as_nobody(self) -> bool {
        Self::PEERS.contains(&self) && sh::read(command("id").arg("-u")).is_ok_and(|user| user.trim() == "0")
    }

    /// What it says of its version.
    pub(super) fn version(self) -> Option<String> {
        let program = self.program()?;
        let flag = if self == Self::Hybrid { "-version" } else { "--version" };
        let said = sh::read(confined(self.cores(), self.as_nobody()).arg(program).arg(flag)).ok()?;
        said.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
    }

    /// The command that starts it in the foreground.
    pub(super) fn command(self, doors: &Doors, folder: &Path) -> Outcome<Command> {
        let program = self.program().ok_or_else(|| format!("{} is not installed", self.name()))?;
        let mut command = confined(self.cores(), self.as_nobody());
        command.arg(program);
        let port = doors.port()?.to_string();
        match self {
            Self::Floor => drop(command.arg(port)),
            Self::BatchingFloor => drop(command.args([port.as_str(), "--batching"])),
            Self::KeepingFloor => drop(command.args([port.as_str(), "--keep"]).arg(emptied(folder)?)),
            Self::KeepingBatchingFloor => {
                command.args([port.as_str(), "--batching", "--keep"]).arg(emptied(folder)?);
            }
            Self::Polylogue | Self::Kept | Self::OneReactor | Self::TwoReactors => {
                self.serve(&mut command, doors, folder)?
            }
            Self::Ngircd => {
                let config = write_config(folder, &port, include_str!("peers/ngircd.conf"))?;
                command.args(["-n", "-f"]).arg(config);
            }
            Self::Inspircd => {
                let config = write_config(folder, &port, include_str!("peers/inspircd.conf"))?;
                command.args(["--nofork", "--config"]).arg(config);
            }
            Self::Hybrid => {
                let config = write_config(folder, &port, include_str!("peers/ircd-hybrid.conf"))?;
                command.args(["-foreground", "-configfile"]).arg(config);
                command.arg("-logfile").arg(folder.join("hybrid.log"));
                command.arg("-pidfile").arg(folder.join("hybrid.pid"));
            }
        }
        Ok(command)
    }

    fn serve(self, command: &mut Command, doors: &Doors, folder: &Path) -> Outcome {
        for (name, _) in std::env::vars_os()
            .filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("POLYLOGUE_")))
        {
            command.env_remove(name);
        }
        let config = folder.join("polylogue.toml");
        fs::write(&config, CONFIG).map_err(|error| format!("{}: {error}", config.display()))?;
        command.args(["serve", "--config"]).arg(config);
        let threads = if self == Self::TwoReactors { "2" } else { "1" };
        command.env("POLYLOGUE_SERVER__THREADS", threads);
        if self == Self::Kept {
            command.arg("--data").arg(emptied(folder)?);
        } else {
            command.arg("--ephemeral");
        }
        for door in &doors.0 {
            command.args(["--listen", &door.listen()]);
        }
        if doors.0.iter().any(|door| door.scheme == "ircs") {
            let (cert, key) = certificate(folder)?;
            command.arg("--tls-cert").arg(cert).arg("--tls-key").arg(key);
        }
        Ok(())
    }
}

/// Arrivals in a large room aren't what is measured, and waiting until each is told takes long.
const CONFIG: &str = "[limits]\nannounce_members = 100\n";

/// Where a server keeps what is said, without what another has kept there.
fn emptied(folder: &Path) -> Outcome<PathBuf> {
    let data = folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))?;
    }
    Ok(data)
}

fn write_config(folder: &Path, port: &str, text: &str) -> Outcome<PathBuf> {
    let file = folder.join("peer.conf");
    let text = text.replace("{port}", port).replace("{folder}", &folder.display().to_string());
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// A certificate for this run, made once.
fn certificate(folder: &Path) -> Outcome<(PathBuf, PathBuf)> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !cert.exists() {
        let mut make = command("openssl");
        make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        make.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]);
        make.args(["-days", "2", "-keyout"]).arg(&key).arg("-out").arg(&cert);
        sh::read(&mut make)?;
    }
    Ok((cert, key))
}

/// Where a server listens for one protocol.
pub(super) struct Door {
    scheme: &'static str,
    pub(super) port: u16,
}

impl Door {
    /// What `--listen` is told.
    fn listen(&self) -> String {
        let dialect = match self.scheme {
            "ircs" => "irc",
            // On a port for IRC alone nobody looks for a WebSocket.
            "ircws" => "detect",
            scheme => scheme,
        };
        format!("127.0.0.1:{}={dialect}", self.port)
    }

    /// What the load generator is told.
    pub(super) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }
}

/// Where a server listens.
pub(super) struct Doors(pub(super) Vec<Door>);

impl Doors {
    /// Finds a free port for each.
    pub(super) fn open(schemes: &[&'static str]) -> Outcome<Self> {
        let free = || TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("no free port: {error}"));
        // All are held until the last is found, so that they are different.
        let held = schemes.iter().map(|_| free()).collect::<Outcome<Vec<_>>>()?;
        let doors = schemes.iter().zip(&held).map(|(scheme, listener)| {
            let address = listener.local_addr().map_err(|error| format!("no free port: {error}"))?;
            Ok(Door { scheme, port: address.port() })
        });
        doors.collect::<Outcome<Vec<_>>>().map(Self)
    }

    fn port(&self) -> Outcome<u16> {
        self.0.first().map(|door| door.port).ok_or_else(|| "a server without a port".to_owned())
    }
}
