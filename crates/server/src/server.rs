//! The server as a whole: from a configuration to running threads, and to an end.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gateway::{IrcLimits, IrcLines, Sts};
use hub::{Dialect, Hub, Registration};
use store::{CommitLog, StoreError, Writer};

use crate::admin;
use crate::http::{Web, WebService};
use crate::inbox::poll_and_inbox;
use crate::joining;
use crate::listen::{self, BindError, Door, PortError};
use crate::reactor::{Reactor, WAKER};
use crate::shared::{Past, REACTORS_MAX, Shared};
use crate::tls::{Acceptor, TlsError, TlsFiles};
use crate::verify;
use crate::{Limits, ServerConfig, StoreConfig};
use crate::{journal, keeper};

/// Descriptors that are kept from connections: standard streams, polls, listeners, the web service, a store.
const FILES_RESERVED: u64 = 128;
/// For how many descriptors there is room from the beginning, at most: it is a megabyte of the kernel's.
const FILES_AT_ONCE_MAX: u64 = 0x2_0000;

/// How much later one reactor may learn of the end of a connection than another of the next one's beginning.
const NAME_GRACE: Duration = Duration::from_millis(25);

/// A server that listens, but doesn't serve yet.
pub struct Server {
    shared: Arc<Shared>,
    reactors: Vec<Reactor>,
    web: WebService,
    store: Option<(Writer, CommitLog)>,
    warnings: Vec<PortError>,
}

/// To look at a running server and to stop it, from any thread.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Server {
    /// Opens all ports.
    ///
    /// # Errors
    /// If a port that isn't optional can't be had, or the configuration is no good.
    pub fn bind(config: ServerConfig) -> Result<Self, BindError> {
        let ServerConfig {
            listeners,
            tls,
            reactors,
            limits,
            mut settings,
            mut hub,
            reload,
            store,
            own_address,
            admin,
        } = config;
        let acceptor = Acceptor::default();
        if let Some(files) = &tls {
            acceptor.load(files)?;
        }
        hub.name_grace = hub.name_grace.max(NAME_GRACE);
        settings.keeps = store.is_some();
        settings.irc_limits = IrcLimits::of(&hub);
        settings.irc_lines = IrcLines { per_s: hub.messages_per_s, burst: hub.messages_burst };
        let folder = store.as_ref().map(|store| store.folder.clone());
        let mut past = Past { folder, ..Past::default() };
        let open = |store: StoreConfig| -> Result<_, StoreError> {
            let (mut writer, boot) = Writer::open(&store.folder, store.durability)?;
            writer.set_retention(store.retention);
            let log = writer.log()?;
            Ok(((writer, log), boot))
        };
        let store = store.map(open).transpose()?;
        hub.keeps = store.is_some();
        // Kept, so that hosts look the same from one run to the next.
        match &store {
            Some((_, boot)) => hub.host_key = boot.secret,
            None if hub.host_key == [0; 32] => {
                getrandom::fill(&mut hub.host_key).map_err(std::io::Error::from)?;
            }
            None => {}
        }
        let mut hub = Hub::new(hub)?;
        let mut presences = Vec::new();
        let store = store.map(|((writer, log), boot)| {
            hub.continue_after(boot.last_event);
            hub.load_accounts(boot.accounts, boot.seen);
            hub.load_markers(boot.markers);
            hub.load_rooms(boot.rooms);
            presences = boot.presences;
            hub.load_invitations(boot.invitations, boot.welcomes);
            past.bans = boot.bans;
            past.reader = writer.reader().ok();
            (writer, log)
        });
        // After the store: whoever has that has the folder.
        let admin = admin.map(|socket| admin::open(&socket)).transpose()?.flatten();
        let mut bound = Vec::new();
        let mut listening = Vec::new();
        let mut warnings = Vec::new();
        for listener in listeners {
            match listen::bind(listener) {
                Ok((socket, addr)) => {
                    tracing::info!(%addr, protocol = name(listener.dialect), "listening");
                    listening.push((addr, listener.dialect));
                    bound.push((socket, listener.dialect));
                }
                Err(error) if listener.optional => warnings.push(error),
                Err(error) => return Err(BindError::Port(error)),
            }
        }
        if bound.is_empty() {
            return Err(BindError::NoListener);
        }
        settings.irc_sts = settings.irc_sts.filter(|_| tls.is_some()).and_then(|sts| {
            let port = if sts.port == 0 { joining::irc_door(&listening, true)?.port() } else { sts.port };
            Some(Sts { port, ..sts })
        });
        hub.found_at(|| joining::web_url(&listening, tls.is_some(), own_address));
        hub.listens_on(listening.iter().map(|(addr, _)| *addr).collect());
        let count = reactors.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let parts = (0..count.clamp(1, REACTORS_MAX))
            .map(|_| poll_and_inbox(WAKER))
            .collect::<Result<Vec<_>, _>>()?;
        let (polls, inboxes): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let limits = within_open_files(limits);
        make_room_for_files(limits.connections_max);
        let (web, visits) = Web::new(limits.http_connections_max);
        let shared =
            Arc::new(Shared::new((hub, past), inboxes, settings, limits, listening, (web, reload), acceptor));
        shared.hub().load_presences(shared.clock.now(), presences);
        let mut door = Some(Door::new(bound));
        let reactors = polls
            .into_iter()
            .enumerate()
            .map(|(shard, poll)| Reactor::new(shard as u8, poll, shared.clone(), door.take()))
            .collect::<Result<Vec<_>, _>>()?;
        let web = WebService::new(visits, shared.clone(), admin)?;
        Ok(Self { shared, reactors, web, store, warnings })
    }

    /// Where the server listens, with the pinned protocol, in the order of the configuration. Port 0 has become
    /// a real one.
    #[must_use]
    pub fn local_addrs(&self) -> &[(SocketAddr, Option<Dialect>)] {
        &self.shared.listening
    }

    /// The optional ports that could not be had.
    #[must_use]
    pub fn warnings(&self) -> &[PortError] {
        &self.warnings
    }

    /// To look at the server and to stop it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }

    /// Serves until [`Handle::shutdown`] is called and everybody has been told goodbye.
    ///
    /// # Errors
    /// If a thread can't be started or its poll fails; the others are stopped then.
    pub fn run(self) -> std::io::Result<()> {
        let Self { shared, reactors, web, store, .. } = self;
        let shared = &shared;
        thread::scope(|scope| {
            let handle = Handle { shared: shared.clone() };
            // They end when everybody else has: what these leave behind is kept too.
            let _keeping = EndJournal(shared);
            if let Some((writer, log)) = store {
                for number in 0..journal::READERS {
                    let reader = writer.reader().map_err(std::io::Error::other)?;
                    let builder = thread::Builder::new().name(format!("reader-{number}"));
                    builder.spawn_scoped(scope, move || journal::run_reader(shared, reader, number))?;
                }
                let checkpointer = writer.checkpointer().map_err(std::io::Error::other)?;
                let builder = thread::Builder::new().name("checkpoint".to_owned());
                builder.spawn_scoped(scope, || journal::run_checkpoints(shared, checkpointer))?;
                if let Some(reader) = writer.unchecked().map_err(std::io::Error::other)? {
                    let builder = thread::Builder::new().name("check".to_owned());
                    builder.spawn_scoped(scope, || journal::check(shared, reader))?;
                }
                let builder = thread::Builder::new().name("journal".to_owned());
                builder.spawn_scoped(scope, || keeper::run(shared, writer, log))?;
            }
            let mut threads = Vec::new();
            threads.push(thread::Builder::new().name("web".to_owned()).spawn_scoped(scope, || web.run())?);
            let verify = || {
                verify::run(shared);
                Ok(())
            };
            threads.push(thread::Builder::new().name("verify".to_owned()).spawn_scoped(scope, verify)?);
            for (index, reactor) in reactors.into_iter().enumerate() {
                let stop = StopAll(handle.clone());
                let builder = thread::Builder::new().name(format!("reactor-{index}"));
                let spawned = builder.spawn_scoped(scope, move || {
                    // If this thread ends early, by an error or a fault, the others are not left half a server.
                    let _stop = stop;
                    reactor.run()
                });
                threads.push(spawned.inspect_err(|_| handle.shutdown())?);
            }
            join(threads, shared)
        })
    }
}

fn join(
    threads: Vec<thread::ScopedJoinHandle<'_, std::io::Result<()>>>,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut result = Ok(());
    // The web service is first; it ends as soon as the server is asked to, or has to.
    for thread in threads.into_iter().rev() {
        let ended = thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")));
        result = result.and(ended);
        shared.stop();
    }
    result
}

/// Ends the threads that keep and look up, when dropped.
struct EndJournal<'s>(&'s Shared);

impl Drop for EndJournal<'_> {
    fn drop(&mut self) {
        self.0.journal.end();
    }
}

/// Stops the whole server when dropped.
struct StopAll(Handle);

impl Drop for StopAll {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

impl Handle {
    /// Says goodbye to everybody, each in its protocol's way, and ends the server.
    pub fn shutdown(&self) {
        self.shared.stop();
    }

    /// Takes over who can become a server operator, as it was read anew.
    pub fn set_operators(&self, operators: hub::Operators) {
        self.shared.hub().set_operators(operators);
    }

    /// Reads certificate and key again, for connections that come from now on. Those that are there go on.
    ///
    /// # Errors
    /// If they can't be used: then those that were used stay.
    pub fn reload_tls(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.shared.tls.load(files)
    }

    /// What bridge clients have registered.
    #[must_use]
    pub fn registrations(&self) -> Vec<Registration> {
        self.shared.hub().registrations().collect()
    }

    /// Everything that was counted, as Prometheus reads it.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.shared.metrics_text()
    }
}

/// The configured limits, or what the process's limit of open files allows.
fn within_open_files(mut limits: Limits) -> Limits {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let allowed = files.map_or(u64::MAX, |files| files.saturating_sub(FILES_RESERVED).max(files / 2));
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    if limits.connections_max > allowed {
        tracing::info!(
            connections_max = allowed,
            wanted = limits.connections_max,
            "the limit of open files (ulimit -n) allows fewer connections than configured"
        );
        limits.connections_max = allowed;
    }
    limits
}

/// Has the kernel make room for so many connections in its table of the process's files. It doubles that when it is full,
/// and in a process with threads whoever opens the file then waits for many milliseconds: a reactor that takes in a
/// newcomer, and with it everybody who is served there.
fn make_room_for_files(connections: usize) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = (connections as u64).saturating_add(FILES_RESERVED).min(limit).min(FILES_AT_ONCE_MAX);
    let last = i32::try_from(wanted.saturating_sub(1)).unwrap_or_default();
    // Without it all goes well, but not as smoothly.
    if let Ok(file) = File::open("/dev/null") {
        let _ = rustix::io::fcntl_dupfd_cloexec(&file, last);
    }
}

fn name(dialect: Option<Dialect>) -> &'static str {
    dialect.map_or("all", Dialect::as_str)
}
