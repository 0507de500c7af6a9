//! The configuration: defaults, then the file, then the environment, then the flags; later wins. And
//! `polylogue config`, which prints all of it.

mod environment;
mod field;
mod file;
mod keys;
mod limits;
mod listen;
mod log;
pub(crate) mod operators;
mod problem;
mod table;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use server::{AdminSocket, Durability, Retention};

pub(crate) use listen::Listen;
pub(crate) use log::{Format, Level};
pub(crate) use problem::Problem;

/// Everything that can be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where to listen; empty: the usual ports, as far as they are free.
    pub(crate) listen: Vec<Listen>,
    /// Whether listeners without a host are open on all interfaces.
    pub(crate) lan: bool,
    /// The log.
    pub(crate) log: log::Log,
    /// Encryption.
    pub(crate) tls: Tls,
    /// How long IRC clients are to come back encrypted only; zero: not at all.
    pub(crate) sts: Duration,
    /// Threads that serve connections; 0: one for each core.
    pub(crate) threads: usize,
    /// Whether messages are kept.
    pub(crate) keep: bool,
    /// Where; `None`: in the user's data folder.
    pub(crate) folder: Option<PathBuf>,
    /// What kept messages survive.
    pub(crate) durability: Durability,
    /// The socket that takes orders; `None`: in the folder.
    pub(crate) admin_socket: Option<PathBuf>,
    /// How long they are kept.
    pub(crate) retention: Retention,
    /// What the server's sockets are told.
    pub(crate) limits: server::Limits,
    /// What the hub is told.
    pub(crate) hub: hub::HubConfig,
    /// What the sessions are told.
    pub(crate) gateway: gateway::Settings,
}

/// Encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The file with the certificate and those that lead from it to one that clients know, in PEM.
    pub(crate) cert: Option<PathBuf>,
    /// The file with its private key, in PEM; there are both or none.
    pub(crate) key: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            lan: false,
            log: log::Log::default(),
            tls: Tls::default(),
            sts: Duration::ZERO,
            threads: 0,
            keep: true,
            folder: None,
            durability: Durability::Process,
            admin_socket: None,
            retention: Retention::default(),
            limits: server::Limits::default(),
            hub: hub::HubConfig::default(),
            gateway: gateway::Settings::default(),
        }
    }
}

impl Config {
    /// The folder that messages are kept in, if they are.
    ///
    /// # Errors
    /// As for [`Config::data_folder`].
    pub(crate) fn folder(&self) -> Result<Option<PathBuf>, &'static str> {
        self.keep.then(|| self.data_folder()).transpose()
    }

    /// The folder for messages, whether they are kept or not.
    ///
    /// # Errors
    /// If none is given and the user has no data folder.
    pub(crate) fn data_folder(&self) -> Result<PathBuf, &'static str> {
        let usual =
            || directories::ProjectDirs::from("", "", "polylogue").map(|dirs| dirs.data_dir().to_owned());
        let folder = self.folder.clone().or_else(usual);
        folder.ok_or("there is no folder to keep messages in: this user has no home")
    }

    /// The socket that takes orders: the one that is named, or one in the folder that messages are kept in.
    ///
    /// # Errors
    /// As for [`Config::folder`].
    pub(crate) fn admin(&self) -> Result<Option<AdminSocket>, &'static str> {
        if let Some(path) = &self.admin_socket {
            return Ok(Some(AdminSocket { path: path.clone(), optional: false }));
        }
        let in_folder = |folder: PathBuf| AdminSocket { path: folder.join("admin.sock"), optional: true };
        Ok(self.folder()?.map(in_folder))
    }

    /// The defaults, with what the file and the environment say.
    ///
    /// # Errors
    /// Everything that is wrong, in order.
    pub(crate) fn load(
        path: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        if let Some(path) = path {
            match std::fs::read_to_string(path) {
                Ok(text) => file::read(path, &text, &mut config, &mut problems),
                Err(error) => problems.push(Problem {
                    place: path.display().to_string(),
                    what: format!("can't be read: {error}"),
                    hint: "`polylogue config > FILE` makes one with the defaults".to_owned(),
                }),
            }
        }
        environment::read(variables, &mut config, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// The keys whose values differ between two configurations.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let differ = |key: &&keys::Key| key.field.show(self) != key.field.show(other);
        keys::all().filter(differ).map(ToString::to_string).collect()
    }

    /// The configuration as a commented file.
    pub(crate) fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Polylogue's configuration, with the defaults.\n#\n\
             # polylogue serve --config FILE reads it. A key can also be given as an environment variable, named\n\
             # POLYLOGUE_SECTION__KEY (a list with commas between its items), and some as flags; flags win over\n\
             # the environment, the environment over the file.\n",
        );
        for section in keys::SECTIONS {
            let _ = write!(text, "\n# {}\n[{}]\n", section.about, section.name);
            for key in keys::all().filter(|key| key.section == section.name) {
                text.push('\n');
                for line in key.about {
                    let _ = writeln!(text, "# {line}");
                }
                let _ = writeln!(text, "{} = {}", key.name, key.field.show(self));
            }
        }
        text
    }
}

/// `polylogue config`.
pub(crate) fn run() -> io::Result<()> {
    io::stdout().write_all(Config::default().to_toml().as_bytes())
}
