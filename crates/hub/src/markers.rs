//! Up to where somebody has read what was said where (IRCv3 read-marker). Accounts keep it; others have it while they
//! are here.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::names::Key;
use crate::{Audience, Effect, Hub, Kept, Kind, Now, Refusal, Reply, SessionId, UserId};

/// Places of one account, or user, that are remembered.
const MARKERS_MAX: usize = 1_000;

/// When somebody has read up to, by place: milliseconds since 1970.
pub(crate) type Markers = BTreeMap<Key, u64>;

/// A place as clients name it: a channel or a person.
fn place(target: &str) -> Key {
    Key::of(target)
}

impl Hub {
    fn markers(&self, user: UserId) -> Option<&Markers> {
        let user = self.users.get(&user)?;
        match user.card.account() {
            Some(account) => self.accounts.markers.get(&Key::of(account)),
            None => user.markers.as_deref(),
        }
    }

    /// Up to when a user has read what was said at a place, as IRC names it.
    pub(crate) fn read_ms(&self, user: UserId, target: &str) -> Option<u64> {
        self.markers(user)?.get(&place(target)).copied()
    }

    /// Notes up to when somebody has read, if given and later than before; tells what holds now, its other devices too.
    pub(crate) fn mark_read(
        &mut self,
        now: Now,
        from: SessionId,
        target: &str,
        read_ms: Option<u64>,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let card = self.speaker(from)?;
        let known = self.read_ms(card.user(), target);
        let Some(read_ms) = read_ms.filter(|read_ms| known.is_none_or(|known| *read_ms > known)) else {
            return Ok(Reply::Marker { target: target.to_owned(), read_ms: known });
        };
        let user = self.users.get_mut(&card.user()).ok_or(Refusal::NotLoggedIn)?;
        let markers = match card.account() {
            Some(account) => self.accounts.markers.entry(Key::of(account)).or_default(),
            None => &mut **user.markers.get_or_insert_default(),
        };
        if markers.len() >= MARKERS_MAX && !markers.contains_key(&place(target)) {
            // The one that was read longest ago is missed least.
            let oldest = markers.iter().min_by_key(|(_, read_ms)| **read_ms).map(|(key, _)| key.clone());
            oldest.map(|key| markers.remove(&key));
        }
        markers.insert(place(target), read_ms);
        let others: Arc<[SessionId]> =
            user.sessions.iter().copied().filter(|session| *session != from).collect();
        if let (Some(account), true) = (card.account(), self.config.keeps) {
            let (account, place) = (account.into(), place(target).as_str().into());
            fx.push(Effect::Keep(Kept::Marker { account, place, read_ms }, None));
        }
        let event = self.event(now, Kind::Marker { target: target.into(), read_ms });
        self.deliver_to(Audience::Many(others), event, fx);
        Ok(Reply::Marker { target: target.to_owned(), read_ms: Some(read_ms) })
    }

    /// Takes over what was kept: account, place, milliseconds since 1970.
    pub fn load_markers(&mut self, markers: impl IntoIterator<Item = (String, String, u64)>) {
        for (account, place, read_ms) in markers {
            let of_account = self.accounts.markers.entry(Key::of(&account)).or_default();
            of_account.insert(Key::kept(&place), read_ms);
        }
    }
}
