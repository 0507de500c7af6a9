//! What the server is told to do.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gateway::Settings;
use hub::{Dialect, HubConfig};

use crate::tls::TlsFiles;

/// What the server is told to do.
#[derive(Debug, Clone, Default)]
pub struct ServerConfig {
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// What to prove the server's identity with: then every port takes TLS too.
    pub tls: Option<TlsFiles>,
    /// How many threads serve connections; `None`: one for each core.
    pub reactors: Option<usize>,
    /// Limits of connections.
    pub limits: Limits,
    /// Limits and choices of sessions.
    pub settings: Settings,
    /// Limits and choices of the hub.
    pub hub: HubConfig,
    /// What an operator's REHASH does.
    pub reload: Reload,
    /// Where to keep what is said; `None`: nothing is kept.
    pub store: Option<StoreConfig>,
    /// This machine's address as others see it; `None`: they don't.
    pub own_address: Option<IpAddr>,
    /// Where whoever runs the server gives it orders; `None`: nowhere.
    pub admin: Option<AdminSocket>,
}

/// The socket where whoever runs the server gives it orders. Nobody else can connect to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSocket {
    /// The socket's file.
    pub path: PathBuf,
    /// Whether the server can do without it if it can't be had.
    pub optional: bool,
}

/// Where and how what is said is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The folder, made if it isn't there.
    pub folder: PathBuf,
    /// What kept things survive.
    pub durability: store::Durability,
    /// How long they are kept.
    pub retention: store::Retention,
}

/// Called when an operator wants the configuration to be read again. It is called with the hub locked, so it only
/// passes the wish on.
#[derive(Clone)]
pub struct Reload(Arc<dyn Fn() + Send + Sync>);

impl Reload {
    /// Calls this.
    #[must_use]
    pub fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(crate) fn call(&self) {
        (self.0)();
    }
}

impl Default for Reload {
    /// Does nothing.
    fn default() -> Self {
        Self::new(|| {})
    }
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

/// A port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Address and port; port 0 takes any free one.
    pub addr: SocketAddr,
    /// The only protocol spoken there; `None`: whatever the first bytes say.
    pub dialect: Option<Dialect>,
    /// Whether the server can do without it if it can't be had.
    pub optional: bool,
}

/// Limits of connections. Each has a unit in its name or is a time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one address that isn't loopback.
    pub connections_per_address_max: usize,
    /// What may wait to be written to one connection. Over it the connection is closed.
    pub queue_bytes_max: usize,
    /// Web requests' connections at once.
    pub http_connections_max: usize,
    /// How long a connection is kept after its last answer, for the peer to read it and hang up.
    pub linger: Duration,
    /// How long shutting down may take.
    pub drain: Duration,
    /// How long a WebSocket peer may be silent before it is pinged, and then how long before it is given up.
    pub websocket_ping: Duration,
    /// How long a waiting bridge client may take to accept a connection.
    pub ring: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 64,
            queue_bytes_max: 1024 * 1024,
            http_connections_max: 256,
            linger: Duration::from_secs(5),
            drain: Duration::from_secs(5),
            websocket_ping: Duration::from_secs(20),
            ring: Duration::from_secs(5),
        }
    }
}
