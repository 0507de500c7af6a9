//! Who has which name, in every dialect's spelling.

use std::collections::HashMap;

use super::{Dialect, Key, Name, Namespace};
use crate::{Card, Refusal, UserId};

/// A user's names where they differ from the canonical one: for most users in muca's UIDs and nowhere else, so they
/// are in one piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct WireNames {
    text: Box<str>,
    /// Where the name in each namespace ends, by [`Namespace::index`]. One without text is the canonical name.
    ends: [u16; Namespace::ALL.len()],
}

impl WireNames {
    /// The names that `name` gives, one namespace after the other.
    pub(crate) fn new(mut name: impl FnMut(Namespace) -> Option<String>) -> Self {
        let mut text = String::new();
        let ends = Namespace::ALL.map(|space| {
            text.push_str(&name(space).unwrap_or_default());
            // Names have a few dozen characters.
            text.len() as u16
        });
        Self { text: text.into(), ends }
    }

    /// The name in one namespace, unless it is the canonical one.
    pub(crate) fn get(&self, space: Namespace) -> Option<&str> {
        let start = space.index().checked_sub(1).map_or(0, |before| self.ends[before]);
        let name = self.text.get(usize::from(start)..usize::from(self.ends[space.index()]))?;
        (!name.is_empty()).then_some(name)
    }
}

/// The names in use. A canonical name is legal in most namespaces; only where it isn't, or where somebody has it
/// already as a derived name, does its user get a wire name of its own.
///
/// Every private message looks somebody up here. Names are what clients choose, so they are hashed with a secret.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    canonical: HashMap<Key, UserId>,
    /// By [`Namespace::index`].
    wire: [HashMap<Key, UserId>; Namespace::ALL.len()],
}

impl Directory {
    /// Enters a user's names. `handle` is what the client claims in its dialect's second namespace.
    ///
    /// # Errors
    /// [`Refusal::NameTaken`] if the name or the handle is somebody's in the newcomer's own dialect.
    pub(crate) fn enter(
        &mut self,
        user: UserId,
        name: &Name,
        handle: Option<&str>,
        dialect: Dialect,
    ) -> Result<WireNames, Refusal> {
        let taken = |name: &str| Refusal::NameTaken { name: name.to_owned() };
        if self.is_taken(name, dialect) {
            return Err(taken(name.as_str()));
        }
        let key = Key::of(name.as_str());
        if let Some(handle) = handle {
            let uids = &mut self.wire[Namespace::MucaUid.index()];
            let key = Key::of(handle);
            if uids.contains_key(&key) {
                return Err(taken(handle));
            }
            uids.insert(key, user);
        }
        self.canonical.insert(key.clone(), user);
        Ok(WireNames::new(|space| match handle {
            Some(handle) if space == Namespace::MucaUid => Some(handle.to_owned()),
            _ => self.wire_name(user, name, &key, dialect, space),
        }))
    }

    /// Gives a user another name in place of the one it has.
    ///
    /// # Errors
    /// [`Refusal::NameTaken`], and everything stays as it was.
    pub(crate) fn rename(&mut self, card: &Card, name: &Name) -> Result<WireNames, Refusal> {
        let (user, dialect) = (card.user(), card.dialect());
        let key = Key::of(name.as_str());
        let others = |holder: Option<&UserId>| holder.is_some_and(|holder| *holder != user);
        if others(self.canonical.get(&key)) || others(self.spelled(dialect.namespace()).get(&key)) {
            return Err(Refusal::NameTaken { name: name.as_str().to_owned() });
        }
        self.leave(&card.name, &card.wire);
        self.enter(user, name, None, dialect)
    }

    /// Whether somebody has the name, be it only as the wire name that `dialect` shows.
    pub(crate) fn is_taken(&self, name: &Name, dialect: Dialect) -> bool {
        self.find(dialect.namespace(), name.as_str()).is_some()
    }

    /// The wire names of one namespace.
    fn spelled(&self, space: Namespace) -> &HashMap<Key, UserId> {
        &self.wire[space.index()]
    }

    /// Finds a user's name in one namespace and enters it if it isn't the canonical one.
    fn wire_name(
        &mut self,
        user: UserId,
        name: &Name,
        key: &Key,
        dialect: Dialect,
        space: Namespace,
    ) -> Option<String> {
        let wire = &mut self.wire[space.index()];
        if space.is_legal(name.as_str()) && !wire.contains_key(key) {
            return None;
        }
        let mut number = 1;
        loop {
            let derived = space.derive(name.as_str(), dialect, number);
            let key = Key::of(&derived);
            let free =
                !wire.contains_key(&key) && self.canonical.get(&key).is_none_or(|holder| *holder == user);
            if free {
                wire.insert(key, user);
                return Some(derived);
            }
            number += 1;
        }
    }

    /// The user whom `spelled` means when it is written in `space`.
    pub(crate) fn find(&self, space: Namespace, spelled: &str) -> Option<UserId> {
        Key::lend(spelled, |key| self.spelled(space).get(key).or_else(|| self.canonical.get(key)).copied())
    }

    /// Whether the canonical name is somebody's.
    pub(crate) fn holder(&self, name: &Name) -> Option<UserId> {
        Key::lend(name.as_str(), |key| self.canonical.get(key).copied())
    }

    /// Frees a user's names.
    pub(crate) fn leave(&mut self, name: &Name, names: &WireNames) {
        Key::lend(name.as_str(), |key| self.canonical.remove(key));
        for space in Namespace::ALL {
            if let Some(name) = names.get(space) {
                Key::lend(name, |key| self.wire[space.index()].remove(key));
            }
        }
    }
}

#[cfg(test)]
impl Directory {
    /// How many canonical names are in use.
    pub(crate) fn len(&self) -> usize {
        self.canonical.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(
        directory: &mut Directory,
        user: u64,
        name: &str,
        dialect: Dialect,
    ) -> Result<WireNames, Refusal> {
        directory.enter(UserId(user), &Name::new(name).unwrap(), None, dialect)
    }

    #[test]
    fn a_wire_name_reaches_its_user_and_stays_unique() {
        let mut directory = Directory::default();
        let ana = enter(&mut directory, 1, "Ana María", Dialect::Tmp).unwrap();
        assert_eq!(ana.get(Namespace::Alphanumeric), Some("AnaMaria"));
        assert_eq!(directory.find(Namespace::Alphanumeric, "anamaria"), Some(UserId(1)));
        assert_eq!(directory.find(Namespace::Rooms, "anamaria"), None);
        assert_eq!(directory.find(Namespace::Rooms, "ana maría"), Some(UserId(1)));

        // In messenger the name is Ana's now; elsewhere it is free, and then gets a number there.
        assert!(enter(&mut directory, 2, "AnaMaria", Dialect::Messenger).is_err());
        let other = enter(&mut directory, 2, "AnaMaria", Dialect::Rooms).unwrap();
        assert_eq!(other.get(Namespace::Alphanumeric), Some("AnaMaria2"));
        assert_eq!(directory.find(Namespace::Alphanumeric, "AnaMaria"), Some(UserId(1)));
        assert_eq!(directory.find(Namespace::Alphanumeric, "AnaMaria2"), Some(UserId(2)));
        assert_eq!(directory.find(Namespace::Rooms, "AnaMaria"), Some(UserId(2)));
    }

    #[test]
    fn leaving_frees_every_spelling() {
        let mut directory = Directory::default();
        let name = Name::new("Ana María").unwrap();
        let names = directory.enter(UserId(1), &name, None, Dialect::Tmp).unwrap();
        directory.leave(&name, &names);
        assert!(directory.canonical.is_empty() && directory.wire.iter().all(HashMap::is_empty));
    }

    #[test]
    fn a_handle_is_unique_and_can_be_somebodys_future_one() {
        let mut directory = Directory::default();
        let eve = Name::new("eve").unwrap();
        directory.enter(UserId(1), &eve, Some("bob@rooms"), Dialect::Muca).unwrap();
        let mal = Name::new("mal").unwrap();
        assert!(directory.enter(UserId(2), &mal, Some("BOB@rooms"), Dialect::Muca).is_err());
        assert_eq!(directory.holder(&mal), None);
        let bob = enter(&mut directory, 3, "bob", Dialect::Rooms).unwrap();
        assert_eq!(bob.get(Namespace::MucaUid), Some("bob2@rooms"));
    }

    #[test]
    fn a_derived_name_never_takes_a_canonical_one() {
        let mut directory = Directory::default();
        enter(&mut directory, 1, "AnaMaria", Dialect::Rooms).unwrap();
        let ana = enter(&mut directory, 2, "Ana María", Dialect::Tmp).unwrap();
        assert_eq!(ana.get(Namespace::Alphanumeric), Some("AnaMaria2"));
    }
}
