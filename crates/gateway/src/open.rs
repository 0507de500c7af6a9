//! From a dialect to a session that speaks it.

use std::sync::Arc;

use hub::{Dialect, Now, Origin};

use crate::bridge::BridgeSession;
use crate::messenger::MessengerSession;
use crate::muca::MucaSession;
use crate::rooms::RoomsSession;
use crate::tmp::TmpSession;
use crate::{Session, Settings};

/// Opens a session of the origin's dialect. `room` is the room that the connection's address names, in dialects
/// that have rooms in their addresses.
#[must_use]
pub fn open(settings: &Arc<Settings>, origin: Origin, now: Now, room: Option<String>) -> Box<dyn Session> {
    match origin.dialect {
        Dialect::Tmp => Box::new(TmpSession::open(settings.clone(), now, room)),
        Dialect::Muca => Box::new(MucaSession::open(settings.clone(), now)),
        Dialect::Rooms => Box::new(RoomsSession::open(settings.clone(), now)),
        Dialect::Bridge => Box::new(BridgeSession::open(settings.clone(), origin, now)),
        Dialect::Messenger => Box::new(MessengerSession::open(settings.clone(), now)),
    }
}
