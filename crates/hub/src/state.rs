//! The hub itself: sessions, users and rooms, and the commands that change them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gcra::{GcraState, RateLimit};
use rustc_hash::FxHashMap;

use crate::login::Waiting;
use crate::names::{Directory, Key};
use crate::rendezvous::Rendezvous;
use crate::room::Room;
use crate::roster::Roster;
use crate::say::Receipts;
use crate::{
    Card, Command, Effect, Event, EventId, HubConfig, Kind, Leg, Name, Now, Origin, Refusal, RefusalCounts,
    Reply, RoomCard, RoomId, RoomName, SessionId, Shared, Token, UserId,
};

/// Everything that is shared between sessions. See the crate's page for how to drive it.
#[derive(Debug)]
pub struct Hub {
    pub(crate) config: HubConfig,
    rate: RateLimit,
    pub(crate) directory: Directory,
    pub(crate) sessions: FxHashMap<SessionId, Session>,
    /// Ordered by arrival, because ids grow.
    pub(crate) users: BTreeMap<UserId, User>,
    pub(crate) rooms: FxHashMap<RoomId, Room>,
    pub(crate) room_keys: BTreeMap<Key, RoomId>,
    pub(crate) lobby: RoomId,
    pub(crate) roster: Roster,
    pub(crate) receipts: Receipts,
    pub(crate) rendezvous: Rendezvous,
    /// Logins that wait for a taken name, in the order of their patience.
    pub(crate) waiting: VecDeque<Waiting>,
    last_id: u64,
    last_event: EventId,
    pub(crate) counts: Counts,
}

/// What the hub has done since it was made.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Messages taken.
    pub messages: u64,
    /// Messages handed out, one for each receiving session.
    pub deliveries: u64,
    /// Refusals by dialect and reason.
    pub refusals: RefusalCounts,
}

/// An open session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) origin: Origin,
    rate: GcraState,
    pub(crate) user: Option<UserId>,
    /// The room it is a member of.
    pub(crate) room: Option<RoomId>,
    pub(crate) leg: Leg,
    pub(crate) roster: bool,
    pub(crate) receipts: bool,
}

impl Session {
    /// Whether its user's messages come to it.
    pub(crate) fn hears(&self) -> bool {
        self.leg != Leg::Send
    }
}

/// A present user, or one that is still completing its login.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) card: Arc<Card>,
    pub(crate) sessions: Vec<SessionId>,
    /// Where its sessions come from; another leg is only taken from there.
    pub(crate) origin: Origin,
    /// The room that it goes to once complete.
    pub(crate) room: RoomName,
    pub(crate) present: bool,
}

impl Hub {
    /// An empty hub. The lobby's and the server's name are taken as they are; check them with
    /// [`RoomName::new`] and [`Name::new`] where they come from.
    ///
    /// # Errors
    /// If one of those two is no name, or a limit is zero.
    pub fn new(config: HubConfig) -> Result<Self, Refusal> {
        let lobby = RoomName::new(&config.lobby)?;
        Name::new(&config.server_name)?;
        let burst = config.messages_burst.max(1);
        let period =
            Duration::from_secs(1).mul_f64(f64::from(burst) / f64::from(config.messages_per_s.max(1)));
        let mut hub = Self {
            rate: RateLimit::new(burst, period),
            directory: Directory::default(),
            sessions: FxHashMap::default(),
            users: BTreeMap::new(),
            rooms: FxHashMap::default(),
            room_keys: BTreeMap::new(),
            lobby: RoomId(0),
            roster: Roster::default(),
            receipts: Receipts::default(),
            rendezvous: Rendezvous::default(),
            waiting: VecDeque::new(),
            last_id: 0,
            last_event: EventId::default(),
            counts: Counts::default(),
            config,
        };
        hub.lobby = hub.room_named(&lobby);
        Ok(hub)
    }

    /// The limits and choices in force.
    #[must_use]
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The users who are present, in order of arrival.
    pub fn present(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.users.values().filter(|user| user.present).map(|user| &user.card)
    }

    /// How many rooms there are, the lobby included.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// A session has opened.
    pub fn open(&mut self, session: SessionId, origin: Origin) {
        self.sessions.insert(
            session,
            Session {
                origin,
                rate: GcraState::default(),
                user: None,
                room: None,
                leg: Leg::Both,
                roster: false,
                receipts: false,
            },
        );
    }

    /// A session has closed. Its user goes with its last session.
    pub fn close(&mut self, now: Now, session: SessionId, fx: &mut Vec<Effect>) {
        self.rendezvous_closed(now, session, fx);
        let Some(gone) = self.sessions.remove(&session) else { return };
        self.detach(now, session, &gone, fx);
        self.retry_logins(now, fx);
    }

    /// When [`Hub::on_timer`] wants to be called, at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let login = self.waiting.front().map(|waiting| waiting.until);
        [self.roster_due(), self.rendezvous_due(), login].into_iter().flatten().min()
    }

    /// Does what has become due.
    pub fn on_timer(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if self.roster_due().is_some_and(|due| due <= now.at) {
            self.roster_tell(now, fx);
        }
        self.rendezvous_expire(now, fx);
        self.retry_logins(now, fx);
    }

    /// Carries out a session's command.
    pub fn apply(&mut self, now: Now, from: SessionId, command: Command, fx: &mut Vec<Effect>) {
        match command {
            Command::Login(login) => {
                let until = now.at + self.patience_for(from);
                self.try_login(now, Waiting { session: from, login, until }, fx);
            }
            Command::Say(say) => {
                let token = say.token;
                if let Err(refusal) = self.say(now, from, say, fx) {
                    self.refuse(from, token, refusal, fx);
                }
            }
            Command::Typing { room } => self.typing(now, from, room, fx),
            Command::Receipt { event, verdict } => self.receipt(from, event, verdict, fx),
            Command::ReceiptElsewhere { verdict, habits } => {
                self.receipt_elsewhere(from, verdict, habits, fx)
            }
            Command::Who { room, token } => {
                let answer = self.who(now, from, room, token);
                self.answer(from, token, answer, fx);
            }
            Command::Bridge(request) => {
                let answer = self.bridge(now, from, request, fx).map(Reply::Bridge);
                self.answer(from, None, answer, fx);
            }
            Command::Hold { full } => self.hold(from, full),
            Command::Leave => self.end_user_of(now, from, fx),
        }
    }

    pub(crate) fn answer(
        &mut self,
        to: SessionId,
        token: Option<Token>,
        answer: Result<Reply, Refusal>,
        fx: &mut Vec<Effect>,
    ) {
        match answer {
            Ok(reply) => fx.push(Effect::Reply { to, reply }),
            Err(refusal) => self.refuse(to, token, refusal, fx),
        }
    }

    fn refuse(&mut self, to: SessionId, token: Option<Token>, refusal: Refusal, fx: &mut Vec<Effect>) {
        if let Some(session) = self.sessions.get(&to) {
            *self.counts.refusals.entry((session.origin.dialect, refusal.reason())).or_default() += 1;
        }
        fx.push(Effect::Reply { to, reply: Reply::Refused { token, refusal } });
    }

    fn who(
        &mut self,
        now: Now,
        from: SessionId,
        room: RoomId,
        token: Option<Token>,
    ) -> Result<Reply, Refusal> {
        self.check_rate(now, from)?;
        let room = self.rooms.get(&room).filter(|room| room.has(from)).ok_or(Refusal::NotInRoom)?;
        let members = room
            .users()
            .iter()
            .filter_map(|user| self.users.get(user))
            .map(|user| user.card.clone())
            .collect();
        Ok(Reply::Members { token, room: room.card.clone(), members })
    }

    /// Whether a session may send another message now.
    pub(crate) fn check_rate(&mut self, now: Now, from: SessionId) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(&from).ok_or(Refusal::NotLoggedIn)?;
        if session.origin.is_loopback() {
            return Ok(());
        }
        let allowed = session.rate.check_and_modify_at(&self.rate, now.at, 1);
        allowed.map_err(|_| Refusal::TooFast { per_s: self.config.messages_per_s })
    }

    pub(crate) fn event(&mut self, now: Now, kind: Kind) -> Shared {
        self.last_event = self.last_event.after(now.unix_ms);
        Shared::new(Event { id: self.last_event, unix_ms: now.unix_ms, kind })
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn room_named(&mut self, name: &RoomName) -> RoomId {
        let key = Key::of(name.as_str());
        if let Some(id) = self.room_keys.get(&key) {
            return *id;
        }
        let id = RoomId(self.next_id());
        self.rooms.insert(id, Room::new(RoomCard { id, name: name.clone() }));
        self.room_keys.insert(key, id);
        id
    }
}

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod tests;
