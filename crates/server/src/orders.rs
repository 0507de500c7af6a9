//! What orders ask of the parts that the reactors share: calls of the hub by nobody in particular, and the store.

use std::net::IpAddr;
use std::sync::PoisonError;

use hub::{Effect, Hub, Now, Party, Recall, Recalled};
use store::{Erased, Reader};
use tokio::sync::oneshot;

use crate::drain::TurnedAway;
use crate::journal::After;
use crate::shared::Shared;

impl Shared {
    /// Does what whoever runs the server wants done. What comes second is known when it is kept, or isn't; if
    /// nothing is kept here, it is an error.
    pub(crate) fn by_order<T>(
        &self,
        act: impl FnOnce(&mut Hub, Now, &mut Vec<Effect>) -> T,
    ) -> (T, oneshot::Receiver<bool>) {
        let (tell, kept) = oneshot::channel();
        let now = self.clock.now();
        let after = Some(After::Tell(tell));
        let done = self.with_hub_and_after(0, &mut Vec::new(), after, |hub, fx| act(hub, now, fx));
        self.inboxes[0].wake();
        (done, kept)
    }

    /// Has something looked up, when everything that was to be kept before is. It is an error if nothing is kept
    /// here, or too much is waiting.
    pub(crate) fn recall(&self, recall: Recall) -> oneshot::Receiver<Recalled> {
        let (answer, recalled) = oneshot::channel();
        let after = Some(After::Recall(Box::new(recall), answer));
        self.with_hub_and_after(0, &mut Vec::new(), after, |_, _| ());
        recalled
    }

    /// Has what somebody has said erased, by and by. It is an error if that fails, or nothing is kept here.
    pub(crate) fn erase(&self, party: Party) -> oneshot::Receiver<Erased> {
        let (answer, erased) = oneshot::channel();
        self.with_hub_and_after(0, &mut Vec::new(), Some(After::Erase(party, answer)), |_, _| ());
        erased
    }

    /// A reader for something that takes long, if anything is kept.
    pub(crate) fn reader(&self) -> Option<Reader> {
        self.spare_reader.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Such a reader is free again.
    pub(crate) fn give_back(&self, reader: Reader) {
        *self.spare_reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
    }

    /// Why a newcomer from there isn't taken now, if it isn't.
    pub(crate) fn turns_away(&self, address: IpAddr) -> Option<TurnedAway> {
        if let Some(reason) = self.bans.find(address, self.clock.now().unix_ms) {
            return Some(TurnedAway::Banned(reason));
        }
        if self.drain.is_on() {
            return Some(TurnedAway::Draining);
        }
        self.is_full().then_some(TurnedAway::Full)
    }
}
