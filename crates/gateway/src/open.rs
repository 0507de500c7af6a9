//! From a dialect to a session that speaks it.

use std::sync::Arc;

use hub::{Dialect, Now, Origin};

use crate::bridge::BridgeSession;
use crate::irc::IrcSession;
use crate::messenger::MessengerSession;
use crate::muca::MucaSession;
use crate::rooms::RoomsSession;
use crate::tmp::TmpSession;
use crate::{Session, Settings};

/// What a session should know of how its connection came about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// The room that the connection's address names, in dialects that have rooms in their addresses.
    pub room: Option<String>,
    /// What carries the session's messages.
    pub carrier: Carrier,
    /// The SHA-256 of the certificate that the client has shown, and has the key of. Nobody vouches for it.
    pub certificate: Option<[u8; 32]>,
}

/// What carries a session's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// A stream of bytes: it knows nothing of messages.
    #[default]
    Stream,
    /// WebSocket: each item in [`Outbox::wire`](crate::Outbox) is a text message, and has to be UTF-8.
    WebSocketText,
    /// WebSocket: each item in [`Outbox::wire`](crate::Outbox) is a binary message.
    WebSocketBinary,
}

/// Opens a session of the origin's dialect.
#[must_use]
pub fn open(settings: &Arc<Settings>, origin: Origin, now: Now, opening: Opening) -> Box<dyn Session> {
    match origin.dialect {
        Dialect::Tmp => Box::new(TmpSession::open(settings.clone(), now, opening.room)),
        Dialect::Muca => Box::new(MucaSession::open(settings.clone(), now)),
        Dialect::Rooms => Box::new(RoomsSession::open(settings.clone(), now)),
        Dialect::Bridge => Box::new(BridgeSession::open(settings.clone(), origin, now)),
        Dialect::Messenger => Box::new(MessengerSession::open(settings.clone(), now)),
        Dialect::Irc => {
            let Opening { carrier, certificate, .. } = opening;
            Box::new(IrcSession::open(settings.clone(), origin, now, carrier, certificate))
        }
    }
}
