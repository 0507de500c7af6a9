//! What the operating system asks of the server: end (SIGTERM, SIGINT), and read log level and
//! certificates again (SIGHUP).

use std::io;
use std::process;
use std::thread;

use server::Handle;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals as Iterator;

use super::logs::LevelHandle;
use super::plan::{Source, tls_files};
use crate::config::Config;

/// The signals, taken from the default handlers.
pub(super) struct Signals(Iterator);

/// What signals change.
pub(super) struct Reload {
    /// Where to read again.
    pub(super) source: Source,
    /// What the server runs with.
    pub(super) config: Config,
    /// What can be changed.
    pub(super) level: LevelHandle,
    /// What takes new certificates.
    pub(super) handle: Handle,
}

impl Signals {
    /// From here on no signal ends the process by itself.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn take() -> io::Result<Self> {
        Iterator::new([SIGHUP, SIGINT, SIGTERM, SIGXFSZ]).map(Self)
    }

    /// Answers signals from now on, and those that came meanwhile. `end` ends the server after everybody has been
    /// told.
    pub(super) fn answer(mut self, end: impl Fn() + Send + 'static, reload: Reload) {
        thread::spawn(move || {
            let mut ending = false;
            for signal in self.0.forever() {
                match signal {
                    SIGHUP => reload.run(),
                    // A file may not grow any more: who writes to it is told.
                    SIGXFSZ => {}
                    _ if ending => {
                        tracing::warn!("told to end again: ending at once");
                        process::exit(1);
                    }
                    _ => {
                        tracing::info!("told to end: saying goodbye to everybody");
                        ending = true;
                        end();
                    }
                }
            }
        });
    }
}

impl Reload {
    /// Reads the certificate and its key again; whether a certificate is something to take over at all. To begin or
    /// to end with TLS takes a restart.
    fn reload_certificate(&self, config: &Config) -> bool {
        let files = match (tls_files(&self.config), tls_files(config)) {
            (Ok(Some(_)), Ok(Some(files))) => files,
            (Ok(Some(_)), Err(failure)) => {
                tracing::error!("the certificate is not reloaded, the old one stays: {}", failure.what);
                return true;
            }
            _ => return false,
        };
        match self.handle.reload_tls(&files) {
            Ok(()) => tracing::info!("reloaded: the certificate in {}", files.cert.display()),
            Err(error) => {
                tracing::error!(
                    hint = error.hint(),
                    "the certificate is not reloaded, the old one stays: {error}"
                );
            }
        }
        true
    }

    fn run(&self) {
        let config = match self.source.load() {
            Ok(config) => config,
            Err(problems) => {
                for problem in problems {
                    tracing::error!("not reloaded: {problem}");
                }
                return;
            }
        };
        self.level.set(config.log.level);
        tracing::info!("reloaded: log.level is {}", config.log.level);
        self.handle.set_operators(config.hub.operators.clone());
        let took_certificate = self.reload_certificate(&config);
        let mut others = config.differences(&self.config);
        let taken_over = |key: &str| matches!(key, "log.level" | "irc.operators");
        others.retain(|key| !(taken_over(key) || took_certificate && key.starts_with("tls.")));
        if !others.is_empty() {
            tracing::warn!(
                "changed in the configuration, but only a restart takes over: {}",
                others.join(", ")
            );
        }
    }
}
