//! `polylogue serve`: from what was asked for to a running server, and its end.

mod banner;
mod console;
mod doors;
mod logs;
mod plan;
mod signals;

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;

use server::{BindError, Handle, PortError, Server};

use crate::failure::{Blame, Failure};
use doors::Door;
pub(crate) use plan::{Plan, load_config};
use signals::{Reload, Signals};

/// Serves until it is told to end.
///
/// # Errors
/// A port that can't be had, or a fault of the server itself.
pub(crate) fn run(plan: Plan) -> Result<(), Failure> {
    let level = logs::start(&plan.config);
    // Before anything can be joined, so that no signal finds the default handlers.
    let signals = Signals::take()?;
    let server =
        Server::bind(plan.server().map_err(no_folder)?).map_err(|error| refused(&plan.doors, &error))?;
    for left_out in server.warnings() {
        tracing::warn!("{left_out}; going on without it");
    }
    let open = server.local_addrs();
    let has_tls = plan.config.tls.cert.is_some();
    let folder = plan.config.folder().map_err(no_folder)?;
    let page = banner::Page { lobby: &plan.config.hub.lobby, tls: has_tls, folder: folder.as_deref() };
    announce(&banner::render(open, &page, banner::own_address(), has_colour()));
    let ending = server.handle();
    let handle = server.handle();
    let reload = Reload { source: plan.source, config: plan.config, level, handle };
    signals.answer(move || ending.shutdown(), reload);
    // Neither of these threads is waited for: a console may wait for a line for ever.
    let console = Console(server.handle());
    thread::Builder::new().name("console".to_owned()).spawn(move || console::run(&console))?;
    server.run().map_err(|error| Failure::run(format!("the server failed: {error}"), "the log may say more"))
}

/// There is no place to keep anything.
fn no_folder(what: &'static str) -> Failure {
    Failure::usage(what, "--data takes a folder; with --ephemeral nothing is kept")
}

/// Whether people see colours on the standard output.
fn has_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Tells people what is going on. A server whose standard output is closed serves all the same.
fn announce(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// What to say when the server could not be made.
fn refused(doors: &[Door], error: &BindError) -> Failure {
    let wanted = |port: &PortError| doors.iter().find(|door| door.listener() == port.listener);
    match error {
        BindError::Port(port) if let Some(door) = wanted(port) => doors::refused(door, &port.error),
        BindError::NoListener => Failure::run(
            "none of the usual ports can be had",
            "another server may be running; --listen 0 takes any port that is free",
        ),
        BindError::Admin(admin) => Failure::run(error.to_string(), admin.hint()),
        BindError::Store(store) => Failure::run(error.to_string(), store.hint()),
        BindError::Tls(error) => Failure::usage(error.to_string(), error.hint()),
        BindError::Port(_) | BindError::Hub(_) | BindError::Kernel(_) => {
            Failure { what: error.to_string(), hint: None, blame: Blame::Run }
        }
    }
}

struct Console(Handle);

impl console::Server for Console {
    fn registrations(&self) -> Vec<String> {
        let registrations = self.0.registrations().into_iter();
        registrations.map(|it| format!("{} {}:{}", it.id, it.declared.ip, it.declared.port)).collect()
    }

    fn quit(&self) {
        self.0.shutdown();
    }
}
