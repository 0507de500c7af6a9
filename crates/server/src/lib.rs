//! Listeners, reactors, WebSocket and HTTP: the sockets around the sessions.
//!
//! A few threads, each with a poll and its share of the connections ([`reactor`]), drive the sessions of
//! `gateway` and carry out what the one `hub` asks. No task, channel or wake-up belongs to a single connection:
//! what a chat server does most is to deliver one message a thousand times, and then each of those would cost as
//! much as the delivery itself.
//!
//! The way of a message: [`intake`] reads it and calls the session, [`shared`] applies the session's command to
//! the hub and posts what follows to the [`inbox`] of each reactor concerned, the [`reactor`] hands it to the
//! recipients' sessions, whose bytes go to their [`queue`], which the [`reactor`] flushes at the end of its turn.
//!
//! ```no_run
//! use server::{Listener, Server, ServerConfig};
//!
//! let addr = "127.0.0.1:5050".parse()?;
//! let listeners = vec![Listener { addr, dialect: None, optional: false }];
//! let server = Server::bind(ServerConfig { listeners, ..ServerConfig::default() })?;
//! let handle = server.handle();
//! // Somewhere else, later: handle.shutdown();
//! server.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admin;
mod bans;
mod config;
mod conn;
mod drain;
mod handout;
mod http;
mod inbox;
mod intake;
mod joining;
mod journal;
mod keeper;
mod listen;
mod metrics;
mod orders;
mod outlet;
mod plain;
mod promises;
mod queue;
mod reactor;
mod receipts;
mod secure;
mod server;
mod shared;
mod timers;
mod tls;
mod turn;
mod verify;
mod ws;

pub use admin::AdminError;
pub use config::{AdminSocket, Limits, Listener, Reload, ServerConfig, StoreConfig};
pub use joining::{Hint, hints};
pub use listen::{BindError, PortError};
pub use server::{Handle, Server};
pub use store::{Durability, Retention, StoreError};
pub use tls::{TlsError, TlsFiles};
