//! From a dialect to a session that speaks it.

use std::sync::Arc;

use hub::{Dialect, Now, Origin};

use crate::bridge::BridgeSession;
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
        Dialect::Messenger => Box::new(absent::Absent),
    }
}

/// Stands in for dialects whose sessions are still to come: it hangs up.
mod absent {
    use std::time::Instant;

    use hub::{Now, Reply, Shared};

    use crate::{Close, Outbox, Session};

    pub(super) struct Absent;

    impl Session for Absent {
        fn on_open(&mut self, _: Now, out: &mut Outbox) {
            out.close(Close::Dismissed);
        }
        fn on_bytes(&mut self, _: Now, _: &[u8], _: &mut Outbox) {}
        fn on_event(&mut self, _: Now, _: &Shared, _: &mut Outbox) {}
        fn on_reply(&mut self, _: Now, _: Reply, _: &mut Outbox) {}
        fn on_timer(&mut self, _: Now, _: &mut Outbox) {}
        fn on_shutdown(&mut self, _: Now, _: &mut Outbox) {}
        fn wake_at(&self) -> Option<Instant> {
            None
        }
        fn user_name(&self) -> Option<&str> {
            None
        }
    }
}
