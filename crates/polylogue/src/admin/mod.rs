//! `polylogue admin`: gives a running server orders, by the socket in its folder (`docs/admin.md`).

mod arguments;
mod call;
mod client;
mod show;
mod table;

use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::Value;

use arguments::{AccountOrder, Order};

pub(crate) use arguments::Admin;

use crate::config::Config;
use crate::failure::{Blame, Failure};
use crate::serve::load_config;
use call::Call;
use client::{Client, Trouble};

/// Gives the order, and shows what the server answers.
///
/// # Errors
/// Arguments that mean nothing, no server, or what the server says against it.
pub(crate) fn run(arguments: &Admin) -> Result<(), Failure> {
    let client = Client { socket: socket(arguments)? };
    let call = Call::of(&arguments.order, crate::operator::ask_password)?;
    if let Order::Accounts { order: Some(AccountOrder::Export { .. }) } = arguments.order {
        return client.copy(&call, &mut io::stdout().lock()).map_err(|trouble| failure(&client, trouble));
    }
    let answer = client.ask(&call).map_err(|trouble| failure(&client, trouble))?;
    let text = if arguments.json { format!("{answer}\n") } else { show::shown(&arguments.order, &answer) };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    match answer.get("kept") {
        Some(Value::Bool(false)) if !arguments.json => {
            let _ = writeln!(
                io::stderr(),
                "warning: it isn't kept: the next start of the server knows nothing of it"
            );
        }
        _ => {}
    }
    Ok(())
}

/// Where the server takes orders.
fn socket(arguments: &Admin) -> Result<PathBuf, Failure> {
    if let Some(socket) = &arguments.socket {
        return Ok(socket.clone());
    }
    let mut config: Config = load_config(arguments.config.as_deref())?;
    if let Some(folder) = &arguments.data {
        (config.keep, config.folder, config.admin_socket) = (true, Some(folder.clone()), None);
    }
    let hint = "--data DIR names the server's folder, --socket PATH its socket";
    let socket = config.admin().map_err(|what| Failure::usage(what, hint))?;
    let none = || Failure::usage("a server that keeps nothing has no folder, and so no socket there", hint);
    socket.map(|socket| socket.path).ok_or_else(none)
}

fn failure(client: &Client, trouble: Trouble) -> Failure {
    let path = client.socket.display();
    match trouble {
        Trouble::NoServer => Failure::run(
            format!("no server is running there: nobody listens at {path}"),
            "polylogue serve starts one; --data DIR or --socket PATH name another",
        ),
        Trouble::NotAllowed => Failure::run(
            format!("{path} is somebody else's server"),
            "run this as the user that the server runs as, or as root",
        ),
        Trouble::Io(error) => {
            Failure::run(format!("{path}: {error}"), "the server may have ended just now; its log says more")
        }
        Trouble::NotUnderstood => Failure::run(
            format!("{path} answers what is not understood"),
            "is it a polylogue server of this version?",
        ),
        Trouble::Refused { status, what, hint } => {
            let blame = if status == 400 { Blame::Usage } else { Blame::Run };
            Failure { what, hint: (!hint.is_empty()).then(|| for_people(&hint)), blame }
        }
    }
}

/// The server's hints name what it is asked for; here that has other names.
fn for_people(hint: &str) -> String {
    let names = [
        ("GET /sessions", "polylogue admin sessions"),
        ("GET /rooms", "polylogue admin rooms"),
        ("GET /accounts", "polylogue admin accounts"),
        ("GET /invitations", "polylogue admin invitations"),
        ("GET /bans", "polylogue admin bans"),
        ("POST /drain", "polylogue admin drain"),
        ("leave for_s away", "leave --for away"),
    ];
    names.iter().fold(hint.to_owned(), |hint, (theirs, ours)| hint.replace(theirs, ours))
}
