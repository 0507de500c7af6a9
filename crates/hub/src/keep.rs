//! What is to outlast the server's process, and what is asked of it: the hub says what, somebody else has the disk.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use smallvec::SmallVec;

use crate::names::Key;
use crate::{
    Account, Audience, Card, Effect, Event, EventId, Hub, Invitation, InvitationDigest, KeptRoom, Kind, Name,
    Presence, RoomCard, RoomName, Scope, ServerBan, Shared, Style, UserId,
};

/// Names a history: a room's, or that of a conversation. Whoever keeps it only compares.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HistoryKey(Arc<str>);

impl HistoryKey {
    /// A room's history goes by its name: it is the same room to people when it is made again.
    #[must_use]
    pub fn of_room(name: &RoomName) -> Self {
        Key::lend(name.as_str(), |key| Self(["#", key].concat().into()))
    }

    /// A conversation's, of everybody who takes part in it.
    #[must_use]
    pub fn of_people(parties: &[Party]) -> Self {
        let mut parties: SmallVec<[&str; 2]> = parties.iter().map(Party::as_str).collect();
        parties.sort_unstable();
        parties.dedup();
        // For each private message: without more allocations than need be.
        let mut key = String::with_capacity(1 + parties.iter().map(|party| party.len() + 1).sum::<usize>());
        key.push('@');
        for (index, party) in parties.into_iter().enumerate() {
            if index > 0 {
                key.push('\n');
            }
            key.push_str(party);
        }
        Self(key.into())
    }

    /// A key that was kept.
    #[must_use]
    pub fn kept(key: &str) -> Self {
        Self(key.into())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HistoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Somebody, as histories know it: its account, or else a name that somebody else may have next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Party(Arc<str>);

impl Party {
    /// Whoever is logged in to an account.
    #[must_use]
    pub fn of_account(name: &str) -> Self {
        Key::lend(name, |key| Self(["a:", key].concat().into()))
    }

    /// Whoever has a name without being logged in.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Key::lend(name, |key| Self(["n:", key].concat().into()))
    }

    /// A person.
    #[must_use]
    pub fn of(card: &Card) -> Self {
        let find = || match card.account() {
            Some(account) => Self::of_account(account),
            None => Self::of_name(card.name.as_str()),
        };
        card.notes.party(find).clone()
    }

    /// The party as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose history an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// A room's.
    Room(HistoryKey),
    /// That of the two whom the event itself names, see [`Event::pair`]: most private messages' is, and to say so takes
    /// no memory.
    Pair,
    /// Some people's, whoever said it among them.
    Group(Box<[Party]>),
}

impl Whose {
    /// The history of an event that belongs there.
    #[must_use]
    pub fn history(&self, event: &Event) -> HistoryKey {
        match self {
            Self::Room(history) => history.clone(),
            Self::Pair | Self::Group(_) => HistoryKey::of_people(&self.parties(event)),
        }
    }

    /// Whose conversation an event that belongs there is part of: nobody's if it is a room's.
    #[must_use]
    pub fn parties(&self, event: &Event) -> SmallVec<[Party; 2]> {
        match self {
            Self::Room(_) => SmallVec::new(),
            Self::Pair => event.pair().into_iter().flatten().map(|card| Party::of(card)).collect(),
            Self::Group(parties) => parties.iter().cloned().collect(),
        }
    }
}

/// Something to keep.
#[derive(Debug, Clone)]
pub enum Kept {
    /// What was said or done. A [`Kind::Redact`] takes away what it is about.
    Event {
        /// Where it belongs.
        whose: Whose,
        /// What.
        event: Shared,
    },
    /// A room has another name.
    HistoryRenamed {
        /// Before.
        before: HistoryKey,
        /// After.
        after: HistoryKey,
        /// The new name as people write it.
        name: RoomName,
    },
    /// A room is open to anybody, or no longer. Of one that isn't nothing is shown to whoever makes it anew.
    HistorySealed {
        /// Which.
        history: HistoryKey,
        /// The room's name as people write it.
        name: RoomName,
        /// Whether it is closed to some.
        sealed: bool,
    },
    /// An account, new or changed. If it can't be kept, see [`crate::Hub::account_not_kept`].
    Account {
        /// As it is now.
        account: Box<Account>,
        /// As it was; nothing if it is new.
        before: Option<Box<Account>>,
    },
    /// An account is no more.
    AccountGone(Name),
    /// What a device of an account's owner has been shown.
    Seen {
        /// The account.
        account: Arc<str>,
        /// The device.
        device: Arc<str>,
        /// Where.
        place: Arc<str>,
        /// The last event; [`EventId::LAST`]: it is being shown all that happens; `None`: it is of no interest.
        event: Option<EventId>,
    },
    /// Up to when an account's owner has read.
    Marker {
        /// The account.
        account: Arc<str>,
        /// Where.
        place: Arc<str>,
        /// Milliseconds since 1970.
        read_ms: u64,
    },
    /// Where a user is that stays without any device.
    Presence(Box<Presence>),
    /// A registered room, new or changed.
    Room(Box<KeptRoom>),
    /// A room is no longer registered.
    RoomGone(RoomName),
    /// A closed room is gone: who comes to one of this name later sees nothing of it.
    HistoryEnded {
        /// Which.
        history: HistoryKey,
        /// When.
        at: EventId,
    },
    /// Nobody from there may come any more. One for the same addresses is replaced.
    Banned(ServerBan),
    /// They may again.
    Unbanned(IpNet),
    /// An invitation, new or changed.
    Invitation(Box<Invitation>),
    /// An invitation is of no use any more.
    InvitationGone(InvitationDigest),
    /// An account may come into a room.
    Welcome {
        /// The account.
        account: Arc<str>,
        /// The room.
        room: HistoryKey,
    },
    /// It may no longer.
    WelcomeGone {
        /// The account.
        account: Arc<str>,
        /// The room.
        room: HistoryKey,
    },
    /// Nobody may any more.
    WelcomesGone(HistoryKey),
}

/// Something to look up in what was kept. Answered by [`crate::Reply::Recalled`].
#[derive(Debug, Clone)]
pub enum Recall {
    /// A part of one history.
    Page {
        /// Which; one person's conversation with another may have been kept under several.
        histories: SmallVec<[HistoryKey; 2]>,
        /// The room that it is, if it is one.
        room: Option<Arc<RoomCard>>,
        /// Nothing before this may be shown.
        floor: EventId,
        /// Which part.
        window: Window,
        /// At most so many events.
        limit: usize,
        /// Not only what was said: topics and reactions too.
        all_kinds: bool,
    },
    /// A part of several rooms and of all of somebody's conversations, taken together.
    Everything {
        /// Whose conversations.
        party: Party,
        /// Nothing of them before this may be shown.
        floor: EventId,
        /// And these rooms.
        rooms: Vec<(HistoryKey, Arc<RoomCard>)>,
        /// Which part.
        window: Window,
        /// At most so many events.
        limit: usize,
        /// Not only what was said: topics and reactions too.
        all_kinds: bool,
    },
    /// Where something was said between two moments: rooms and people, latest last.
    Targets {
        /// Whose conversations.
        party: Party,
        /// Nothing of them before this may be shown.
        floor: EventId,
        /// And these rooms.
        rooms: Vec<(HistoryKey, Arc<RoomCard>)>,
        /// After this.
        after: EventId,
        /// Before this.
        before: EventId,
        /// At most so many.
        limit: usize,
    },
    /// What a device has missed.
    Missed {
        /// In these rooms.
        rooms: Vec<(HistoryKey, Arc<RoomCard>)>,
        /// And in this one's conversations.
        party: Option<Party>,
        /// After this.
        after: EventId,
        /// Before this.
        before: EventId,
        /// At most so many, the latest of them.
        limit: usize,
    },
    /// What was said with certain words.
    Search {
        /// In these rooms.
        rooms: Vec<(HistoryKey, Arc<RoomCard>)>,
        /// And in this one's conversations.
        party: Option<Party>,
        /// Only in these conversations of it, if given.
        histories: Option<SmallVec<[HistoryKey; 2]>>,
        /// Nothing of conversations before this may be shown.
        floor: EventId,
        /// What for.
        wanted: Wanted,
        /// At most so many.
        limit: usize,
    },
    /// What was said with certain words in any room, also in those that are gone. Only for who runs the server.
    SearchRooms {
        /// What for.
        wanted: Wanted,
        /// At most so many.
        limit: usize,
    },
}

/// Which part of a history. Bounds aren't part of it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The latest, but only what is after this.
    Latest(EventId),
    /// The latest before this.
    Before(EventId),
    /// The first after this.
    After(EventId),
    /// Those between two, from the first on, whichever of the two is later.
    Between(EventId, EventId),
    /// Those around this, and this.
    Around(EventId),
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Words that all have to be there; none: any text.
    pub text: String,
    /// Only of whoever has, or had, this name.
    pub from: Option<String>,
    /// Only after this.
    pub after: Option<EventId>,
    /// Only before this.
    pub before: Option<EventId>,
}

/// What was found.
#[derive(Debug, Clone)]
pub enum Recalled {
    /// Events, oldest first.
    Events(Vec<Shared>),
    /// What a device has missed, oldest first. Nobody has asked for it.
    Missed(Vec<Shared>),
    /// Names of rooms and people as IRC writes them, and when something was last said there, oldest first:
    /// milliseconds since 1970.
    Targets(Vec<(String, u64)>),
    /// It can't be looked up now; the log says why.
    Failed,
}

impl Hub {
    /// Hands an event out, unless nobody is there to have it, and has it kept before if it is something that is. `parties`
    /// are those of what is said to several people, privately.
    pub(crate) fn keep_and_deliver(
        &self,
        to: Audience,
        event: Shared,
        parties: SmallVec<[Party; 2]>,
        fx: &mut Vec<Effect>,
    ) {
        match self.whose(&event, parties) {
            Some(whose) => {
                let to = Some(to).filter(|to| !to.sessions().is_empty());
                fx.push(Effect::Keep(Kept::Event { whose, event }, to));
            }
            None => self.deliver_to(to, event, fx),
        }
    }

    /// In which history an event is to be kept, if it is.
    fn whose(&self, event: &Event, parties: SmallVec<[Party; 2]>) -> Option<Whose> {
        if !self.config.keeps {
            return None;
        }
        let scope = match &event.kind {
            Kind::Message { style: Style::Request { .. }, .. } => return None,
            Kind::Message { scope, .. } | Kind::Redact { scope, .. } | Kind::Tags { scope, .. } => scope,
            Kind::Topic { room, .. } => return Some(Whose::Room(self.history_of_room(room))),
            _ => return None,
        };
        match scope {
            Scope::Private { to: Some(_), .. } => Some(Whose::Pair),
            Scope::Private { to: None, .. } => Some(Whose::Group(parties.into_vec().into())),
            Scope::Room(room) => Some(Whose::Room(self.history_of_room(room))),
            // What only some members heard isn't for all who read later.
            Scope::Ranked { .. } => None,
        }
    }

    pub(crate) fn history_of_room(&self, card: &RoomCard) -> HistoryKey {
        let room = self.rooms.get(&card.id);
        room.map_or_else(|| HistoryKey::of_room(&card.name), |room| room.history.clone())
    }

    /// The parties of what is said to several people, privately.
    pub(crate) fn parties(&self, from: &Card, to: &[UserId]) -> SmallVec<[Party; 2]> {
        if !self.config.keeps {
            return SmallVec::new();
        }
        let cards = to.iter().filter_map(|user| self.users.get(user)).map(|user| Party::of(&user.card));
        std::iter::once(Party::of(from)).chain(cards).collect()
    }
}
