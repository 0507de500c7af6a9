//! The command line: what is offered, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::admin::Admin;
use crate::config::{Level, Listen};
use crate::load::arguments::Load;

/// One chat server, every client.
#[derive(Debug, Parser)]
#[command(name = "polylogue", version, after_help = "Exit codes: 0 fine, 1 failed, 2 wrong usage.")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    ///
    /// Run the server. With no --listen it listens on loopback at the usual ports: 5050 and 5000 for every
    /// protocol and the web page, 8888 for rooms, 40452 for muca, 5555 for bridge, 6667 for irc, and with a
    /// certificate 6697 for irc too; one that is taken is left out with a warning. With a certificate, every port
    /// takes TLS as well.
    ///
    /// On its standard input it takes /info (who is registered with bridge), /help and /quit. Ctrl-C or SIGTERM
    /// ends it after everybody has been told; a second Ctrl-C ends it at once. SIGHUP reads
    /// log.level, irc.operators, the certificate and its key again.
    Serve(Serve),
    /// As serve, on one port, spelled as the tcp_chat package spells it
    Server(Server),
    /// Give a running server orders: see and end sessions, rooms and bans, speak to everybody, search, end it
    Admin(Admin),
    /// Print the configuration file with all keys and their defaults
    Config,
    /// Copy what is kept into a new file, also while the server runs
    Backup(InFile),
    /// Put a backup in the place of what is kept; what was there is put aside. The server has to be stopped
    Restore(InFile),
    /// Look through what is kept for damage, also while the server runs
    Check(Data),
    /// Write what there is of an account, a JSON object a line: what it said, and its conversations
    Export(OfAccount),
    /// Erase what an account has said. The server has to be stopped
    Erase(Erase),
    /// Give a server work, ours or another, and measure what it costs and whether all of it is done right
    Load(Load),
    /// Make a server operator: asks for a password and prints the line for the configuration file
    Operator(NewOperator),
}

/// Where something is kept.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The folder that messages are kept in, as for serve
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file, as for serve
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `polylogue backup` and `polylogue restore`.
#[derive(Debug, Args)]
pub(crate) struct InFile {
    /// The backup
    pub(crate) file: PathBuf,
    /// Of what.
    #[command(flatten)]
    pub(crate) data: Data,
}

/// `polylogue export`.
#[derive(Debug, Args)]
pub(crate) struct OfAccount {
    /// The account's name
    pub(crate) account: String,
    /// Of what.
    #[command(flatten)]
    pub(crate) data: Data,
}

/// `polylogue erase`.
#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// Whose.
    #[command(flatten)]
    pub(crate) of: OfAccount,
    /// Do it: it can't be undone
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `polylogue operator`.
#[derive(Debug, Args)]
pub(crate) struct NewOperator {
    /// The name that OPER is given
    pub(crate) name: String,
    /// What the operator may do: all, or some of kill, wallops, rehash, rooms and see, apart by commas
    #[arg(long, value_name = "PRIVILEGES", default_value = "all")]
    pub(crate) may: String,
}

/// Not in the field's own comment, where rustdoc takes brackets for a link.
const LISTEN_HELP: &str = "\
Where to listen, instead of the usual ports; may be repeated

PORT, :PORT, HOST:PORT or [IPV6]:PORT. After it =PROTOCOL pins the port to one of tmp, muca, rooms, bridge, \
messenger and irc; without it, or with =detect, what each client says first decides. Port 0 takes a free one and prints it.";

/// `polylogue serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen, instead of the usual ports; may be repeated
    #[arg(long, value_name = "ADDR[=PROTOCOL]", long_help = LISTEN_HELP)]
    pub(crate) listen: Vec<Listen>,
    /// Open the ports on all interfaces (0.0.0.0) instead of loopback, where no host is given
    #[arg(long)]
    pub(crate) lan: bool,
    /// What both spellings take.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `polylogue server`.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The address to listen on
    #[arg(short = 'a', long = "address", alias = "adress", value_name = "IP", default_value = "localhost")]
    pub(crate) address: String,
    /// The port to listen on
    #[arg(short, long, default_value_t = 8888)]
    pub(crate) port: u16,
    /// What both spellings take.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What both spellings of the server take.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Configuration file; `polylogue config` prints one with the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder to keep messages in; else the user's data folder has one
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub(crate) data: Option<PathBuf>,
    /// Keep nothing: what was said is gone when the server ends
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// The socket that `polylogue admin` uses; else it is admin.sock in the data folder
    #[arg(long, value_name = "PATH")]
    pub(crate) admin_socket: Option<PathBuf>,
    /// The room that whoever names no room is in
    #[arg(long, value_name = "NAME")]
    pub(crate) lobby: Option<String>,
    /// Take TLS on every port: the file with the certificate and its chain, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The file with the certificate's private key, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How much to log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<Level>,
}

impl Server {
    /// The listener that this spelling means.
    pub(crate) fn listen(&self) -> Listen {
        Listen { host: Some(self.address.clone()), port: self.port, dialect: None }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_spelling_of_tcp_chat_means_one_listener() {
        let parse = |arguments: &[&str]| match Cli::try_parse_from(arguments).unwrap().command {
            Command::Server(server) => server.listen().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(parse(&["polylogue", "server", "-a", "192.0.2.1", "-p", "9000"]), "192.0.2.1:9000");
        assert_eq!(parse(&["polylogue", "server", "--adress", "::1"]), "[::1]:8888");
        assert_eq!(parse(&["polylogue", "server"]), "localhost:8888");
    }
}
