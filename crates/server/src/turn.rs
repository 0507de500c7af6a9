//! One turn of a reactor's loop, as its connections see it: the time, and what they leave to be done.

use std::sync::Arc;

use gateway::Outbox;
use hub::Now;

use crate::metrics::Tally;
use crate::queue::Spare;
use crate::receipts::Dues;
use crate::shared::{Ask, Shared};
use crate::timers::Timers;
use crate::tls::Scratch;

/// What a connection needs from its reactor, and what it leaves there.
pub(crate) struct Turn {
    pub(crate) shared: Arc<Shared>,
    /// The moment at which the turn began. All that happens in it happens then.
    pub(crate) now: Now,
    /// For the hub, in order.
    pub(crate) asks: Vec<Ask>,
    /// What is handed out just now is the last of this turn, and one thing for each: it needn't wait for the flush.
    pub(crate) at_once: bool,
    /// Slots of connections that have something to write, or are to be dropped.
    pub(crate) marked: Vec<usize>,
    /// Slots of connections that are to be heard with those who only acknowledge, or no longer.
    pub(crate) movers: Vec<usize>,
    pub(crate) dues: Dues,
    /// Slots of connections with more to read than one turn gives them.
    pub(crate) unread: Vec<usize>,
    pub(crate) timers: Timers,
    pub(crate) tally: Tally,
    pub(crate) spare: Spare,
    /// Storage for what is being encrypted.
    pub(crate) scratch: Scratch,
    /// Storage for what was decrypted.
    pub(crate) text: Vec<u8>,
    /// Storage for the next call to a session.
    pub(crate) out: Option<Box<Outbox>>,
}

impl Turn {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            now: shared.clock.now(),
            shared,
            asks: Vec::new(),
            at_once: false,
            marked: Vec::new(),
            movers: Vec::new(),
            dues: Dues::default(),
            unread: Vec::new(),
            timers: Timers::default(),
            tally: Tally::default(),
            spare: Spare::default(),
            scratch: Scratch::default(),
            text: Vec::new(),
            out: None,
        }
    }
}
