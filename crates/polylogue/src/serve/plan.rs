//! What the flags, the environment and the file together ask for.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use hub::RoomName;
use server::{ServerConfig, StoreConfig, TlsFiles};

use super::doors::{self, Door, Wish};
use crate::cli::{Common, Serve, Server};
use crate::config::{Config, Level, Problem, Tls};
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
    /// Certificate and key.
    tls: (Option<PathBuf>, Option<PathBuf>),
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
        let (cert, key) = self.tls.clone();
        config.tls.cert = cert.or(config.tls.cert);
        config.tls.key = key.or(config.tls.key);
        Ok(config)
    }
}

impl Plan {
    /// What the server is to be told.
    ///
    /// # Errors
    /// If messages are to be kept and there is no place for them.
    pub(super) fn server(&self) -> Result<ServerConfig, &'static str> {
        let Config { durability, retention, .. } = self.config;
        let keep = |folder| StoreConfig { folder, durability, retention };
        Ok(ServerConfig {
            store: self.config.folder()?.map(keep),
            admin: self.config.admin()?,
            own_address: Some(super::banner::own_address()),
            // As SIGHUP does it, and in the same place.
            reload: server::Reload::new(|| {
                if let Err(error) = signal_hook::low_level::raise(signal_hook::consts::SIGHUP) {
                    tracing::error!(%error, "the configuration can't be read again");
                }
            }),
            // That there are both was found out when the plan was made.
            tls: tls_files(&self.config).ok().flatten(),
            listeners: self.doors.iter().map(Door::listener).collect(),
            reactors: NonZeroUsize::new(self.config.threads).map(NonZeroUsize::get),
            limits: self.config.limits.clone(),
            settings: gateway::Settings { irc_sts: self.sts(), ..self.config.gateway.clone() },
            hub: self.config.hub.clone(),
        })
    }

    /// For how long IRC clients are to come back encrypted. To which port is known when the ports are open.
    fn sts(&self) -> Option<gateway::Sts> {
        let duration_s = self.config.sts.as_secs();
        let is_wanted = duration_s > 0 && self.config.tls.cert.is_some();
        is_wanted.then_some(gateway::Sts { port: 0, duration_s })
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
            doors::usual(config.lan, config.tls.cert.is_some())
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

/// The configuration of a file and the environment, for other commands.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn load_config(file: Option<&Path>) -> Result<Config, Failure> {
    let source = Source { file: file.map(Path::to_owned), level: None, tls: (None, None) };
    source.load().map_err(|problems| wrong(&problems))
}

fn configure(common: Common) -> Result<(Config, Source), Failure> {
    let tls = (common.tls_cert, common.tls_key);
    let source = Source { file: common.config, level: common.log, tls };
    let mut config = source.load().map_err(|problems| wrong(&problems))?;
    tls_files(&config)?;
    if let Some(folder) = common.data {
        (config.keep, config.folder) = (true, Some(folder));
    }
    config.keep &= !common.ephemeral;
    config.admin_socket = common.admin_socket.or(config.admin_socket);
    if let Some(lobby) = common.lobby {
        let name = RoomName::new(&lobby).map_err(|refusal| {
            Failure::usage(format!("--lobby: {refusal}"), "any other 1 to 64 characters will do")
        })?;
        config.hub.lobby = name.as_str().to_owned();
    }
    Ok((config, source))
}

/// The certificate and its key, if there are to be any.
///
/// # Errors
/// If there is only one of them.
pub(super) fn tls_files(config: &Config) -> Result<Option<TlsFiles>, Failure> {
    let (given, file, missing, flag) = match &config.tls {
        Tls { cert: None, key: None } => return Ok(None),
        Tls { cert: Some(cert), key: Some(key) } => {
            return Ok(Some(TlsFiles { cert: cert.clone(), key: key.clone() }));
        }
        Tls { cert: Some(cert), key: None } => ("tls.cert", cert, "tls.key", "--tls-key"),
        Tls { cert: None, key: Some(key) } => ("tls.key", key, "tls.cert", "--tls-cert"),
    };
    Err(Failure::usage(
        format!("{given} is {}, but there is no {missing}", file.display()),
        format!("give {missing} too, or {flag}; without both there is no TLS"),
    ))
}

/// All problems of a configuration, each with its hint.
fn wrong(problems: &[Problem]) -> Failure {
    let all: Vec<_> = problems.iter().map(Problem::to_string).collect();
    Failure { what: all.join("\nerror: "), hint: None, blame: Blame::Usage }
}
