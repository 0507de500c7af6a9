//! Whom sessions watch: they are told when somebody of a name comes, goes or changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::names::Key;
use crate::{Audience, Card, Effect, Hub, Kind, Namespace, News, Now, Refusal, Reply, SessionId};

/// Who watches whom.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    by_name: BTreeMap<Key, BTreeSet<SessionId>>,
    /// The names as they were written, for showing them again.
    by_session: FxHashMap<SessionId, BTreeMap<Key, String>>,
}

impl Hub {
    /// Changes whom a session watches.
    pub(crate) fn watch(
        &mut self,
        now: Now,
        from: SessionId,
        (add, remove): (Vec<String>, Vec<String>),
        clear: bool,
    ) -> Result<Reply, Refusal> {
        self.speaker_now(now, from)?;
        if clear {
            self.unwatch_all(from);
        }
        for name in remove {
            self.unwatch(from, &Key::of(&name));
        }
        let (mut online, mut offline, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for name in add {
            let list = self.watches.by_session.entry(from).or_default();
            let key = Key::of(&name);
            if list.len() >= self.config.watched_max && !list.contains_key(&key) {
                refused.push(name);
                continue;
            }
            list.insert(key.clone(), name.clone());
            self.watches.by_name.entry(key).or_default().insert(from);
            match self.find(from, &name).and_then(|user| self.users.get(&user)) {
                Some(user) => online.push(user.card.clone()),
                None => offline.push(name),
            }
        }
        Ok(Reply::Watched { online, offline, refused })
    }

    fn unwatch(&mut self, session: SessionId, key: &Key) {
        if let Some(list) = self.watches.by_session.get_mut(&session) {
            list.remove(key);
            if list.is_empty() {
                self.watches.by_session.remove(&session);
            }
        }
        if let Some(watchers) = self.watches.by_name.get_mut(key) {
            watchers.remove(&session);
            if watchers.is_empty() {
                self.watches.by_name.remove(key);
            }
        }
    }

    /// A session has gone.
    pub(crate) fn unwatch_all(&mut self, session: SessionId) {
        let keys = self.watches.by_session.get(&session);
        for key in keys.map(|list| list.keys().cloned().collect::<Vec<_>>()).unwrap_or_default() {
            self.unwatch(session, &key);
        }
    }

    /// The names that a session watches.
    pub(crate) fn watching(&self, session: SessionId) -> Vec<String> {
        self.watches.by_session.get(&session).map(|list| list.values().cloned().collect()).unwrap_or_default()
    }

    /// Tells those who watch somebody. Changes that are told in rooms too are left out for those who share one.
    pub(crate) fn tell_watchers(&mut self, now: Now, who: &Arc<Card>, news: News, fx: &mut Vec<Effect>) {
        if self.watches.by_name.is_empty() {
            return;
        }
        let shown = Key::of(who.wire_name(Namespace::Irc));
        let Some(mut to) = self.watches.by_name.get(&shown).cloned() else { return };
        if matches!(news, News::Away(_) | News::Profile(_)) {
            for neighbour in self.neighbours(who.user()).sessions() {
                to.remove(neighbour);
            }
        }
        let event = self.event(now, Kind::Watched { who: who.clone(), news });
        self.deliver_to(Audience::Many(to.into_iter().collect()), event, fx);
    }
}

#[cfg(test)]
impl Watches {
    /// Whether nobody watches anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.by_session.is_empty()
    }
}
