//! Who is present, told to the sessions that asked for it: changes are gathered for a short while, so that a
//! thousand arrivals cost one list and not a thousand.

use std::sync::Arc;
use std::time::Instant;

use crate::{Audience, Card, Effect, Hub, Kind, Now, SessionId, UserId};

/// What is to be told, to whom and when.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Sessions that want to know.
    subscribers: std::collections::BTreeSet<SessionId>,
    /// Subscribers that have had no list yet.
    unserved: bool,
    /// When a change that nobody was told of yet is due.
    due: Option<Instant>,
    /// Users up to this one are in the last list.
    listed: Option<UserId>,
}

impl Hub {
    /// Who is present has changed.
    pub(crate) fn roster_changed(&mut self, now: Now) {
        let due = now.at + self.config.roster_window;
        self.roster.due.get_or_insert(due);
    }

    pub(crate) fn roster_subscribe(&mut self, session: SessionId) {
        self.roster.subscribers.insert(session);
        self.roster.unserved = true;
    }

    pub(crate) fn roster_unsubscribe(&mut self, session: SessionId) {
        self.roster.subscribers.remove(&session);
    }

    pub(crate) fn roster_due(&self) -> Option<Instant> {
        self.roster.due
    }

    /// Tells the list early if a message from `sender` is about to reach somebody who has not seen the sender in
    /// one: for half of muca's clients that is fatal.
    pub(crate) fn roster_before_message(&mut self, now: Now, sender: UserId, fx: &mut Vec<Effect>) {
        let news = self.roster.unserved || self.roster.listed.is_none_or(|listed| sender > listed);
        if news && !self.roster.subscribers.is_empty() {
            self.roster_tell(now, fx);
        }
    }

    /// Tells the list to all who asked for it.
    pub(crate) fn roster_tell(&mut self, now: Now, fx: &mut Vec<Effect>) {
        self.roster_tell_with(now, None, fx);
    }

    /// Tells the list with somebody in it who isn't present: the server, when it has something to say.
    pub(crate) fn roster_tell_with(&mut self, now: Now, also: Option<Arc<Card>>, fx: &mut Vec<Effect>) {
        self.roster.due = None;
        self.roster.unserved = false;
        if self.roster.subscribers.is_empty() {
            return;
        }
        let mut present: Vec<_> = self.present().cloned().collect();
        self.roster.listed = present.last().map(|card| card.user());
        present.extend(also);
        let to: Arc<[SessionId]> = self.roster.subscribers.iter().copied().collect();
        let event = self.event(now, Kind::Roster { present });
        fx.push(Effect::Deliver { to: Audience::Many(to), event });
    }
}
