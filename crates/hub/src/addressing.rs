//! Whom a name means.

use smallvec::SmallVec;

use crate::{Dialect, Hub, Namespace, Refusal, SessionId, UserId};

impl Hub {
    /// The present user whom a name means in the dialect of the session that wrote it.
    pub(crate) fn find(&self, from: SessionId, spelled: &str) -> Option<UserId> {
        let dialect = self.sessions.get(&from)?.origin.dialect;
        let spaces: &[Namespace] = match dialect {
            Dialect::Muca => &[Namespace::MucaUid, Namespace::Muca],
            Dialect::Tmp | Dialect::Rooms | Dialect::Bridge | Dialect::Messenger | Dialect::Irc => {
                &[dialect.namespace()]
            }
        };
        spaces
            .iter()
            .filter_map(|space| self.directory.find(*space, spelled))
            .find(|user| self.users.get(user).is_some_and(|user| user.present))
    }

    /// As [`Hub::find`]. Mostly it is whoever the session wrote to last; a name is only one user's in each dialect but muca,
    /// so nobody else can be meant.
    pub(crate) fn find_again(&mut self, from: SessionId, spelled: &str) -> Option<UserId> {
        let session = self.sessions.get(&from)?;
        let (dialect, addressee) = (session.origin.dialect, session.addressee);
        let user = addressee.and_then(|user| self.users.get(&user)).filter(|user| user.present);
        if user.is_some_and(|user| user.card.wire_name(dialect.namespace()) == spelled)
            && dialect != Dialect::Muca
        {
            return addressee;
        }
        let found = self.find(from, spelled)?;
        self.sessions.get_mut(&from)?.addressee = Some(found);
        Some(found)
    }

    /// The user whose name a text begins with, and the rest of the text.
    pub(crate) fn find_leading<'t>(
        &self,
        from: SessionId,
        text: &'t str,
    ) -> Result<(UserId, &'t str), Refusal> {
        let text = text.trim_start();
        let ends = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(end, _)| end);
        // A name's words may be apart by more than one space here, but not by more than the name is long.
        let ends: SmallVec<[usize; 16]> =
            ends.take_while(|end| *end <= 4 * crate::NAME_CHARS_MAX).chain([text.len()]).collect();
        for end in ends.iter().rev() {
            let (name, rest) = text.split_at(*end);
            if let Some(user) =
                (name.chars().count() <= crate::NAME_CHARS_MAX).then(|| self.find(from, name)).flatten()
            {
                return Ok((user, rest.trim_start()));
            }
        }
        let name = text.split_whitespace().next().unwrap_or_default();
        Err(no_user(name))
    }
}

pub(crate) fn no_user(name: &str) -> Refusal {
    Refusal::NoSuchUser { name: name.to_owned() }
}
