//! What the flags, the environment and the file together ask for.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use hub::RoomName;
use server::ServerConfig;

use super::doors::{self, Door, Wish};
use crate::cli::{Common, Serve, Server};
use crate::config::{Config, Level, Problem};
use crate::failure::{Blame, Failure};

/// What to serve, and where.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Everything that can be chosen.
    pub(super) config: Config,
    /// The sockets to open.
    pub(super) doors: Vec<Door>,
    /// Where the configuration came from, to read it again.
    pub(super) source: Source,
}

/// Where a configuration comes from, beside the flags that only count at the start.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: Option<PathBuf>,
    level: Option<Level>,
}

impl Source {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn load(&self) -> Result<Config, Vec<Problem>> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        let mut config = Config::load(self.file.as_deref(), variables)?;
        if let Some(level) = self.level {
            config.log.level = level;
        }
        Ok(config)
    }
}

impl Plan {
    /// What the server is to be told.
    pub(super) fn server(&self) -> ServerConfig {
        ServerConfig {
            reload: server::Reload::default(),
            listeners: self.doors.iter().map(Door::listener).collect(),
            reactors: NonZeroUsize::new(self.config.threads).map(NonZeroUsize::get),
            limits: self.config.limits.clone(),
            settings: self.config.gateway.clone(),
            hub: self.config.hub.clone(),
        }
    }

    /// The plan of `polylogue serve`.
    ///
    /// # Errors
    /// Flags, environment or file that ask for what can't be.
    pub(crate) fn from_serve(arguments: Serve) -> Result<Self, Failure> {
        let (mut config, source) = configure(arguments.common)?;
        config.lan |= arguments.lan;
        let doors = if !arguments.listen.is_empty() {
            doors::wanted(&arguments.listen, config.lan, Wish::Flag)?
        } else if !config.listen.is_empty() {
            doors::wanted(&config.listen, config.lan, Wish::Key)?
        } else {
            doors::usual(config.lan)
        };
        Ok(Self { config, doors, source })
    }

    /// The plan of `polylogue server`.
    ///
    /// # Errors
    /// As for [`Plan::from_serve`].
    pub(crate) fn from_server(arguments: Server) -> Result<Self, Failure> {
        let listen = arguments.listen();
        let (config, source) = configure(arguments.common)?;
        let doors = doors::wanted(&[listen], false, Wish::TcpChat)?;
        Ok(Self { config, doors, source })
    }
}

fn configure(common: Common) -> Result<(Config, Source), Failure> {
    if let Some(folder) = common.data {
        return Err(Failure::usage(
            format!("--data {}: there is no store in this version, nothing can be kept", folder.display()),
            "leave --data out, or say --ephemeral",
        ));
    }
    let source = Source { file: common.config, level: common.log };
    let mut config = source.load().map_err(|problems| wrong(&problems))?;
    if let Some(lobby) = common.lobby {
        let name = RoomName::new(&lobby).map_err(|refusal| {
            Failure::usage(format!("--lobby: {refusal}"), "any other 1 to 64 characters will do")
        })?;
        config.hub.lobby = name.as_str().to_owned();
    }
    Ok((config, source))
}

/// All problems of a configuration, each with its hint.
fn wrong(problems: &[Problem]) -> Failure {
    let all: Vec<_> = problems.iter().map(Problem::to_string).collect();
    Failure { what: all.join("\nerror: "), hint: None, blame: Blame::Usage }
}
