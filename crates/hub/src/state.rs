//! The hub itself: sessions, users and rooms, and the commands that change them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gcra::{GcraState, RateLimit};
use rustc_hash::FxHashMap;

use smallvec::SmallVec;

use crate::accounts::{Accounts, Identity};
use crate::chanserv::CHANSERV;
use crate::login::Waiting;
use crate::markers::Markers;
use crate::metadata::Wants;
use crate::names::{Directory, Key};
use crate::recent::Recent;
use crate::rendezvous::Rendezvous;
use crate::room::Room;
use crate::roster::Roster;
use crate::say::Receipts;
use crate::services::NICKSERV;
use crate::watch::Watches;
use crate::{
    Audience, Card, Census, Command, Effect, Event, EventId, Fingerprint, Former, HubConfig, Kind, Leg, Name,
    Now, Origin, Privileges, Refusal, RefusalCounts, Reply, RoomId, RoomName, SessionId, Shared, Token,
    UserFlags, UserId,
};

/// Everything that is shared between sessions. See the crate's page for how to drive it.
#[derive(Debug)]
pub struct Hub {
    pub(crate) config: HubConfig,
    rate: RateLimit,
    pub(crate) directory: Directory,
    /// Names that nobody can have.
    pub(crate) reserved: [Key; 3],
    /// In boxes, as the users: a map has room for more than is in it.
    pub(crate) sessions: FxHashMap<SessionId, Box<Session>>,
    pub(crate) users: FxHashMap<UserId, Box<User>>,
    pub(crate) rooms: FxHashMap<RoomId, Room>,
    pub(crate) room_keys: BTreeMap<Key, RoomId>,
    /// Names that IRC shows of rooms whose own it can't write.
    pub(crate) room_aliases: BTreeMap<Key, RoomId>,
    pub(crate) lobby: RoomId,
    pub(crate) roster: Roster,
    pub(crate) receipts: Receipts,
    pub(crate) rendezvous: Rendezvous,
    /// Logins that wait for a taken name, in the order of their patience.
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) watches: Watches,
    pub(crate) wants: Wants,
    pub(crate) recent: Recent,
    pub(crate) accounts: Accounts,
    /// Who was here, oldest first.
    pub(crate) former: VecDeque<Former>,
    pub(crate) census: Census,
    /// Rooms that have comings and goings to tell, and when.
    pub(crate) paced: std::collections::BTreeSet<RoomId>,
    pub(crate) pace_due: Option<Instant>,
    pub(crate) announcements: RateLimit,
    /// The session whose command is being carried out.
    pub(crate) cause: Option<SessionId>,
    last_id: u64,
    pub(crate) last_event: EventId,
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
    pub(crate) leg: Leg,
    pub(crate) identity: Option<Box<Identity>>,
    /// Whether it is to be shown what its device has missed.
    pub(crate) replay: bool,
    /// The certificate that it has shown.
    pub(crate) fingerprint: Option<Box<Fingerprint>>,
    pub(crate) roster: bool,
    pub(crate) receipts: bool,
    /// To whom it wrote last.
    pub(crate) addressee: Option<UserId>,
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
    pub(crate) sessions: SmallVec<[SessionId; 1]>,
    /// Where its sessions come from; another leg is only taken from there.
    pub(crate) origin: Origin,
    /// The room that it goes to once complete.
    pub(crate) room: Option<RoomName>,
    /// The rooms that it is in.
    pub(crate) rooms: SmallVec<[RoomId; 1]>,
    pub(crate) present: bool,
    pub(crate) away: Option<Arc<str>>,
    pub(crate) flags: UserFlags,
    pub(crate) metadata: Option<Box<crate::metadata::Metadata>>,
    /// What it may do as a server operator.
    pub(crate) privileges: Privileges,
    /// When it came: milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// What happened before is not about it: since then it has its name.
    pub(crate) named: EventId,
    /// Up to where it has read, if it has no account.
    pub(crate) markers: Option<Box<Markers>>,
    /// When it last said something.
    pub(crate) active_ms: u64,
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
            reserved: [&config.server_name, NICKSERV, CHANSERV].map(Key::of),
            sessions: FxHashMap::default(),
            users: FxHashMap::default(),
            rooms: FxHashMap::default(),
            room_keys: BTreeMap::new(),
            lobby: RoomId(0),
            roster: Roster::default(),
            receipts: Receipts::default(),
            rendezvous: Rendezvous::default(),
            waiting: VecDeque::new(),
            room_aliases: BTreeMap::new(),
            watches: Watches::default(),
            wants: Wants::default(),
            recent: Recent::default(),
            accounts: Accounts::default(),
            former: VecDeque::new(),
            census: Census::default(),
            paced: std::collections::BTreeSet::new(),
            pace_due: None,
            announcements: Self::announcements(config.announcements_per_s, config.announcements_burst),
            cause: None,
            last_id: 0,
            last_event: EventId::default(),
            counts: Counts::default(),
            config,
        };
        hub.lobby = hub.room_named(0, &lobby);
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
        self.users_by_arrival(|user| user.present).map(|(_, user)| &user.card)
    }

    /// How many users are present.
    #[must_use]
    pub fn present_count(&self) -> usize {
        self.users.values().filter(|user| user.present).count()
    }

    /// Some of the users, in order of arrival, which is that of their ids.
    pub(crate) fn users_by_arrival(
        &self,
        wanted: impl Fn(&User) -> bool,
    ) -> impl Iterator<Item = (UserId, &User)> {
        let wanted = self.users.iter().filter(|(_, user)| wanted(user));
        let mut found: Vec<(UserId, &User)> = wanted.map(|(id, user)| (*id, &**user)).collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        found.into_iter()
    }

    /// How many rooms there are, the lobby included.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// A session has opened.
    pub fn open(&mut self, session: SessionId, origin: Origin) {
        self.census.unknown += 1;
        self.sessions.insert(
            session,
            Box::new(Session {
                origin,
                rate: GcraState::default(),
                user: None,
                leg: Leg::Both,
                identity: None,
                replay: false,
                fingerprint: None,
                roster: false,
                receipts: false,
                addressee: None,
            }),
        );
    }

    /// Notes whose session it is now, if it is anybody's. `None` if there is no such session.
    pub(crate) fn belongs(&mut self, session: SessionId, user: Option<UserId>) -> Option<()> {
        let session = self.sessions.get_mut(&session)?;
        match (std::mem::replace(&mut session.user, user), user) {
            (None, Some(_)) => self.census.unknown -= 1,
            (Some(_), None) => self.census.unknown += 1,
            (None, None) | (Some(_), Some(_)) => {}
        }
        Some(())
    }

    /// A session has closed. Its user goes with its last session.
    pub fn close(&mut self, now: Now, session: SessionId, fx: &mut Vec<Effect>) {
        // It may watch its own user, and must not be told of that one's end.
        self.unwatch_all(session);
        self.unwant_all(session);
        self.rendezvous_closed(now, session, fx);
        self.accounts.forget_session(session);
        let Some(gone) = self.sessions.remove(&session) else { return };
        if gone.user.is_none() {
            self.census.unknown -= 1;
        }
        let rooms = gone.user.and_then(|user| self.users.get(&user)).map(|user| user.rooms.clone());
        self.end_device(gone.identity.clone(), &rooms.unwrap_or_default(), fx);
        self.detach(now, session, &gone, fx);
        self.retry_logins(now, fx);
    }

    /// When [`Hub::on_timer`] wants to be called, at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let login = self.waiting.front().map(|waiting| waiting.until);
        [self.roster_due(), self.rendezvous_due(), self.pace_due(), login].into_iter().flatten().min()
    }

    /// Does what has become due.
    pub fn on_timer(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if self.roster_due().is_some_and(|due| due <= now.at) {
            self.roster_tell(now, fx);
        }
        if self.pace_due().is_some_and(|due| due <= now.at) {
            self.pace_tell(now, fx);
        }
        self.rendezvous_expire(now, fx);
        self.retry_logins(now, fx);
    }

    /// Carries out a session's command.
    pub fn apply(&mut self, now: Now, from: SessionId, command: Command, fx: &mut Vec<Effect>) {
        self.cause = Some(from);
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
            Command::Typing { to, state } => self.typing(now, from, to, state, fx),
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
            Command::Leave { reason } => self.leave(now, from, reason.as_deref(), fx),
            Command::Oper { name, password } => {
                if let Err(refusal) = self.oper(now, from, (name, password), fx) {
                    self.refuse(from, None, refusal, fx);
                }
            }
            Command::LogIn(proof) => match self.log_in(now, from, proof, false, fx) {
                Ok(None) => {}
                Ok(Some(reply)) => self.answer(from, None, Ok(reply), fx),
                Err(refusal) => self.refuse(from, None, refusal, fx),
            },
            Command::Register { account, password } => {
                if let Err(refusal) = self.make_account(now, from, (&account, password), None, false, fx) {
                    self.refuse(from, None, refusal, fx);
                }
            }
            Command::Certificate(fingerprint) => {
                if let Some(session) = self.sessions.get_mut(&from) {
                    session.fingerprint = Some(Box::new(fingerprint));
                }
            }
            Command::WrongProof { account } => self.scram_failed(now, from, &account),
            Command::Recall(wish) => {
                if let Err(refusal) = self.recall(now, from, wish, fx) {
                    self.refuse(from, None, refusal, fx);
                }
            }
            Command::Ask(query) => {
                let answer = self.ask(now, from, query).map(Reply::Answer);
                self.answer(from, None, answer, fx);
            }
            command => {
                let answer = self.act(now, from, command, fx);
                self.answer(from, None, answer, fx);
            }
        }
        self.cause = None;
    }

    /// What a user does in rooms, to others and to itself, and is answered when it is done.
    fn act(
        &mut self,
        now: Now,
        from: SessionId,
        command: Command,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        match command {
            Command::Tags { to, tags, reaction, typing, echo } => {
                self.say_tags(now, from, (to, tags), (reaction, typing), echo, fx)
            }
            Command::Redact { to, message, reason, echo } => {
                self.redact(now, from, (to, message), reason.as_deref(), echo, fx)
            }
            Command::Join { room, key, members } => self.join(now, from, &room, key.as_deref(), members, fx),
            Command::Part { room, reason } => self.part(now, from, &room, reason.as_deref(), fx),
            Command::Kick { room, whom, reason } => {
                self.kick(now, from, (&room, &whom), reason.as_deref(), fx)
            }
            Command::Invite { room, whom } => self.invite(now, from, (&room, &whom), fx),
            Command::SetTopic { room, text } => self.set_topic(now, from, &room, &text, fx),
            Command::SetModes { room, wanted } => self.set_modes(now, from, &room, wanted, fx),
            Command::RenameRoom { room, name, reason } => {
                self.rename_room(now, from, (&room, &name), reason.as_deref(), fx)
            }
            Command::Rename { name } => self.rename(now, from, &name, fx),
            Command::SetAway { message } => self.set_away(now, from, message.as_deref(), fx),
            Command::SetRealName { text } => self.set_real_name(now, from, &text, fx),
            Command::SetFlags { on, off } => self.set_flags(now, from, (on, off), fx),
            Command::Watch { add, remove, clear } => self.watch(now, from, (add, remove), clear),
            Command::Metadata { target, action } => self.metadata(now, from, (&target, action), fx),
            Command::Kill { whom, reason } => self.kill(now, from, &whom, &reason, fx),
            Command::Wallops { text } => self.wallops(now, from, &text, fx),
            Command::Rehash => self.rehash(from, fx),
            Command::ScramKeys { account } => self.scram_keys(now, from, &account),
            Command::LogOut => self.log_out(now, from, fx),
            Command::MarkRead { target, read_ms } => self.mark_read(now, from, &target, read_ms, fx),
            Command::Login(_)
            | Command::Say(_)
            | Command::Typing { .. }
            | Command::Receipt { .. }
            | Command::ReceiptElsewhere { .. }
            | Command::Who { .. }
            | Command::Bridge(_)
            | Command::Hold { .. }
            | Command::Leave { .. }
            | Command::Oper { .. }
            | Command::Recall(_)
            | Command::LogIn(_)
            | Command::Register { .. }
            | Command::Certificate(_)
            | Command::WrongProof { .. }
            | Command::Ask(_) => Ok(Reply::Done),
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
        let user = self.speaker(from)?.user();
        let room = self.rooms.get(&room).filter(|room| room.has(user)).ok_or(Refusal::NotInRoom)?;
        let members = self.members_of(room, |_| true).into_iter().map(|member| member.card).collect();
        Ok(Reply::Members { token, room: room.card.clone(), members })
    }

    /// The present user of a session.
    pub(crate) fn speaker(&self, from: SessionId) -> Result<Arc<Card>, Refusal> {
        let user = self.sessions.get(&from).and_then(|session| session.user).ok_or(Refusal::NotLoggedIn)?;
        let entry = self.users.get(&user).filter(|user| user.present).ok_or(Refusal::NotLoggedIn)?;
        Ok(entry.card.clone())
    }

    /// The present user of a session that may do one more thing now.
    pub(crate) fn speaker_now(&mut self, now: Now, from: SessionId) -> Result<Arc<Card>, Refusal> {
        let card = self.speaker(from)?;
        self.check_rate(now, from)?;
        Ok(card)
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
        Shared::new(Event { id: self.last_event, unix_ms: now.unix_ms, by: self.cause, kind })
    }

    /// Hands an event out, unless nobody is there to have it.
    pub(crate) fn deliver_to(&self, to: Audience, event: Shared, fx: &mut Vec<Effect>) {
        if !to.sessions().is_empty() {
            fx.push(Effect::Deliver { to, event });
        }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod tests;
