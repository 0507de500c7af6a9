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

/// What is known of a connection before its first byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The room that its address names, in dialects that have rooms in their addresses.
    pub room: Option<String>,
    /// How its bytes are carried.
    pub carrier: Carrier,
}

/// How a connection's bytes are carried, for dialects that are spoken over more than one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Carrier {
    /// As a stream: the dialect itself tells where a message ends.
    #[default]
    Stream,
    /// As messages, each of which is one of the dialect's (IRCv3 WebSocket).
    Messages,
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
        Dialect::Irc => Box::new(IrcSession::open(settings.clone(), origin, now, opening.carrier)),
    }
}
