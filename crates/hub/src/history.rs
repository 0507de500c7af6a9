//! Who may see what of the past.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::{
    Card, Dialect, Effect, EventId, HistoryKey, Hub, Now, Party, Privileges, Recall, Refusal, RoomCard,
    RoomId, SessionId, To, UserId, Wanted, Window,
};

/// Histories, and the room that they are of if they are one's.
type Histories = (SmallVec<[HistoryKey; 2]>, Option<Arc<RoomCard>>);

/// What a session wants to see of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A part of a room's history, or of a conversation's.
    Page {
        /// Which: [`To::Room`], [`To::Channel`] or [`To::User`].
        of: To,
        /// Which part.
        window: Window,
        /// At most so many events.
        limit: usize,
        /// Not only what was said: topics and reactions too.
        all_kinds: bool,
    },
    /// A part of all that the user may see: of its rooms and its conversations together.
    Everything {
        /// Which part.
        window: Window,
        /// At most so many events.
        limit: usize,
        /// Not only what was said: topics and reactions too.
        all_kinds: bool,
    },
    /// Where something was said.
    Targets {
        /// After this.
        after: EventId,
        /// Before this.
        before: EventId,
        /// At most so many.
        limit: usize,
    },
    /// What was said with certain words.
    Search {
        /// Where; `None`: wherever the user may see.
        of: Option<To>,
        /// What for.
        wanted: Wanted,
        /// At most so many.
        limit: usize,
    },
}

impl Hub {
    /// Has something looked up. Answered when it is found.
    pub(crate) fn recall(
        &mut self,
        now: Now,
        from: SessionId,
        wish: Wish,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let card = self.speaker(from)?;
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        self.check_rate(now, from)?;
        let floor = self.floor(&card);
        let recall = match wish {
            Wish::Page { of, window, limit, all_kinds } => {
                let (histories, room) = self.histories(from, &card, of)?;
                let floor = if room.is_some() { EventId::default() } else { floor };
                Recall::Page { histories, room, floor, window, limit, all_kinds }
            }
            Wish::Everything { window, limit, all_kinds } => {
                let rooms = self.rooms_of(card.user());
                Recall::Everything { party: Party::of(&card), floor, rooms, window, limit, all_kinds }
            }
            Wish::Targets { after, before, limit } => {
                let rooms = self.rooms_of(card.user());
                Recall::Targets { party: Party::of(&card), floor, rooms, after, before, limit }
            }
            Wish::Search { of: None, wanted, limit } => {
                let rooms = self.rooms_of(card.user());
                let party = Some(Party::of(&card));
                Recall::Search { rooms, party, histories: None, floor, wanted, limit }
            }
            Wish::Search { of: Some(of), wanted, limit } => {
                let (histories, room) = self.histories(from, &card, of)?;
                match (room, histories.first()) {
                    (Some(room), Some(history)) => {
                        let rooms = vec![(history.clone(), room)];
                        Recall::Search { rooms, party: None, histories: None, floor, wanted, limit }
                    }
                    (_, _) => {
                        let party = Some(Party::of(&card));
                        let histories = Some(histories);
                        Recall::Search { rooms: Vec::new(), party, histories, floor, wanted, limit }
                    }
                }
            }
        };
        fx.push(Effect::Recall { to: from, recall: Box::new(recall) });
        Ok(())
    }

    /// From where on private messages are a user's own: as long as its account is there, or as it has its name.
    /// Somebody else may have had either before.
    fn floor(&self, card: &Card) -> EventId {
        match (card.account(), self.users.get(&card.user())) {
            (Some(account), _) => {
                let since_ms = self.accounts.get(account).map(|account| account.since_ms);
                since_ms.map_or(EventId::LAST, EventId::first_of)
            }
            (None, Some(user)) => user.named,
            (None, None) => EventId::LAST,
        }
    }

    fn rooms_of(&self, user: UserId) -> Vec<(HistoryKey, Arc<RoomCard>)> {
        let rooms = self.users.get(&user).map(|user| user.rooms.clone()).unwrap_or_default();
        let rooms = rooms.iter().filter_map(|id| self.rooms.get(id));
        rooms.map(|room| (room.history.clone(), room.card.clone())).collect()
    }

    /// The histories that somebody means, if it may see them.
    fn histories(&self, from: SessionId, card: &Card, of: To) -> Result<Histories, Refusal> {
        let room = |id: RoomId| {
            let room = self.rooms.get(&id).ok_or(Refusal::NotInRoom)?;
            if !room.has(card.user()) && !self.may(card.user(), Privileges::SEE) {
                return Err(Refusal::NotInRoom);
            }
            Ok((smallvec![room.history.clone()], Some(room.card.clone())))
        };
        match of {
            To::Room(id) => room(id),
            To::Channel(name) => {
                let id = self.room_spelled(&name).ok_or_else(|| crate::membership::no_room(&name))?;
                room(id)
            }
            To::User(name) => {
                let mine = Party::of(card);
                let mut others: SmallVec<[Party; 3]> = smallvec![];
                if let Some(user) = self.find(from, &name).and_then(|user| self.users.get(&user)) {
                    others.push(Party::of(&user.card));
                }
                let shown = match self.sessions.get(&from).map(|session| session.origin.dialect) {
                    // What the dialect adds to a name isn't part of it.
                    Some(Dialect::Muca) => name.split('@').next().unwrap_or_default(),
                    _ => &name,
                };
                for party in [Party::of_account(shown), Party::of_name(shown)] {
                    if !others.contains(&party) {
                        others.push(party);
                    }
                }
                let keys = others.into_iter().map(|other| HistoryKey::of_people(&[mine.clone(), other]));
                Ok((keys.collect(), None))
            }
            To::Ranked(..) | To::Group(_) | To::Leading => Err(Refusal::NotInRoom),
        }
    }

    /// What happened could not be kept: nobody may be told that it was.
    pub fn not_kept(&mut self, event: EventId) {
        if let Some(receipt) = self.receipts.open.get_mut(&event) {
            receipt.outcome = crate::Outcome::NotKept;
        }
    }

    /// Goes on after the last event that was kept, so that ids grow from one run of the server to the next.
    pub fn continue_after(&mut self, last: EventId) {
        self.last_event = self.last_event.max(last);
    }
}
