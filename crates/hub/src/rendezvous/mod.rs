//! The bridge dialect's waiting line: who registered which contact, who waits, and who was paired with whom.
//!
//! A bridge client has no connection while it waits. It is a user all the same: what is said to it is held while
//! the server rings it, and handed over when it answers.

mod policy;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use crate::names::Key;
use crate::say::Reach;
use crate::{
    Audience, CallId, Card, Effect, Hub, Name, Now, Origin, Refusal, Reply, RoomName, SessionId, Shared,
    UserId, Verdict,
};

pub use policy::AddressPolicy;

/// A bridge client's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeRequest {
    /// REGISTER: takes down a contact.
    Register {
        /// The client's name, as it spelled it.
        id: String,
        /// Where it says that it listens.
        contact: Contact,
    },
    /// BRIDGE: asks for a partner, or waits for one.
    Bridge {
        /// The client's name.
        id: String,
    },
    /// QUIT and UNREGISTER: forgets the client.
    Forget {
        /// The client's name.
        id: String,
    },
    /// CHAT spoken to the server: makes this session the client's conversation.
    Attach {
        /// The client's name.
        id: String,
    },
}

/// Where a client says that it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The address, as declared: not necessarily one.
    pub ip: String,
    /// TCP port.
    pub port: u16,
}

/// A partner, as it is handed out.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its name.
    pub card: Arc<Card>,
    /// Its contact, judged by the [`AddressPolicy`].
    pub address: SocketAddrV4,
}

/// The answer to a [`BridgeRequest`].
#[derive(Debug, Clone)]
pub enum BridgeReply {
    /// Taken down.
    Registered,
    /// The partner; `None`: the client waits for one now.
    Peer(Option<Peer>),
    /// The client is forgotten, if it was known.
    Forgotten,
    /// The session is the client's conversation now.
    Attached {
        /// The client.
        card: Arc<Card>,
        /// Whom it was paired with, if with anybody.
        partner: Option<Arc<Card>>,
    },
}

/// A registration, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The client's name.
    pub id: String,
    /// Where it says that it listens.
    pub declared: Contact,
    /// The address it was seen to come from.
    pub observed: IpAddr,
}

/// How many messages may wait while a client is being rung.
const HELD_MAX: usize = 100;

/// All that is known of bridge clients.
#[derive(Debug, Default)]
pub(crate) struct Rendezvous {
    clients: BTreeMap<Key, Client>,
    /// Who waits, longest first.
    line: VecDeque<Key>,
    users: BTreeMap<UserId, Key>,
    calls: BTreeMap<CallId, Key>,
    /// When each client is forgotten.
    expiries: BTreeSet<(Instant, Key)>,
}

#[derive(Debug)]
struct Client {
    name: Name,
    declared: Contact,
    origin: Origin,
    expires: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its contact is known, nothing else.
    Registered,
    /// It listens for a partner.
    Waiting { user: UserId },
    /// It is being rung, and this waits for it.
    Ringing { user: UserId, call: CallId, held: Vec<Shared> },
    /// It talks over a connection of ours.
    Talking { user: UserId, session: SessionId, partner: Option<Key> },
    /// It was given a partner, or was given to one, and talks without us.
    Paired { user: UserId, partner: Key },
}

impl State {
    fn user(&self) -> Option<UserId> {
        match self {
            Self::Registered => None,
            Self::Waiting { user }
            | Self::Ringing { user, .. }
            | Self::Talking { user, .. }
            | Self::Paired { user, .. } => Some(*user),
        }
    }

    fn partner(&self) -> Option<&Key> {
        match self {
            Self::Talking { partner, .. } => partner.as_ref(),
            Self::Paired { partner, .. } => Some(partner),
            Self::Registered | Self::Waiting { .. } | Self::Ringing { .. } => None,
        }
    }
}

#[cfg(test)]
impl Rendezvous {
    /// Whether a user is a bridge client.
    pub(crate) fn knows(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// What must hold after every call.
    pub(crate) fn check(&self) {
        for key in &self.line {
            assert!(
                matches!(self.clients[key].state, State::Waiting { .. }),
                "somebody in line doesn't wait"
            );
        }
        for (key, client) in &self.clients {
            assert!(self.expiries.contains(&(client.expires, key.clone())));
            if let Some(user) = client.state.user() {
                assert_eq!(self.users.get(&user), Some(key));
            }
            if let State::Waiting { .. } = client.state {
                assert_eq!(self.line.iter().filter(|waiting| *waiting == key).count(), 1);
            }
            if let State::Ringing { call, .. } = &client.state {
                assert_eq!(self.calls.get(call), Some(key));
            }
            if let State::Paired { partner, .. } = &client.state {
                assert!(self.clients[partner].state.partner() == Some(key), "a pair of one");
            }
        }
        assert_eq!(self.expiries.len(), self.clients.len());
        let ringing =
            self.clients.values().filter(|client| matches!(client.state, State::Ringing { .. })).count();
        assert_eq!(self.calls.len(), ringing);
        let present = self.clients.values().filter(|client| client.state.user().is_some()).count();
        assert_eq!(self.users.len(), present);
    }
}

/// Whether two requests come from one host: all of loopback is one.
fn same_host(one: IpAddr, other: IpAddr) -> bool {
    let (one, other) = (one.to_canonical(), other.to_canonical());
    one == other || (one.is_loopback() && other.is_loopback())
}

impl Hub {
    /// Tells the hub which addresses the server listens on, so that no client's contact leads back to it.
    pub fn listens_on(&mut self, own: Vec<SocketAddr>) {
        self.config.addresses.own = own;
    }

    /// What is registered, for the operator.
    pub fn registrations(&self) -> impl Iterator<Item = Registration> + '_ {
        self.rendezvous.clients.values().map(|client| Registration {
            id: client.name.to_string(),
            declared: client.declared.clone(),
            observed: client.origin.address,
        })
    }

    /// A client that was rung has taken the call: `session` is its conversation.
    pub fn answered(&mut self, now: Now, call: CallId, session: SessionId, fx: &mut Vec<Effect>) {
        let Some(key) = self.rendezvous.calls.remove(&call) else {
            fx.push(Effect::Reply { to: session, reply: Reply::Dismissed });
            return;
        };
        let Some(client) = self.rendezvous.clients.get_mut(&key) else { return };
        let State::Ringing { user, held, .. } = &mut client.state else { return };
        let (user, held) = (*user, std::mem::take(held));
        client.state = State::Talking { user, session, partner: None };
        let Some(card) = self.attach(session, user) else { return };
        fx.push(Effect::Reply { to: session, reply: Reply::Welcome { card, room: None } });
        for event in held {
            let id = event.id;
            fx.push(Effect::Deliver { to: Audience::One(session), event });
            self.receipt(session, id, Verdict::Received, fx);
        }
        self.touch(now, &key);
    }

    /// A client that was rung can't be reached: it is no longer present.
    pub fn unanswered(&mut self, now: Now, call: CallId, fx: &mut Vec<Effect>) {
        if let Some(key) = self.rendezvous.calls.get(&call).cloned() {
            self.step_back(now, &key, fx);
        }
    }

    /// Carries out a bridge client's request.
    pub(crate) fn bridge(
        &mut self,
        now: Now,
        from: SessionId,
        request: BridgeRequest,
        fx: &mut Vec<Effect>,
    ) -> Result<BridgeReply, Refusal> {
        let origin = self.sessions.get(&from).ok_or(Refusal::NotLoggedIn)?.origin;
        match request {
            BridgeRequest::Register { id, contact } => self.register(now, origin, &id, contact, fx),
            BridgeRequest::Bridge { id } => {
                let Some(key) = self.registered(origin, &id) else { return Ok(BridgeReply::Peer(None)) };
                self.touch(now, &key);
                self.pair_or_wait(now, &key)
            }
            BridgeRequest::Forget { id } => {
                if let Some(key) = self.registered(origin, &id) {
                    self.forget(now, &key, fx);
                }
                Ok(BridgeReply::Forgotten)
            }
            BridgeRequest::Attach { id } => {
                let key = self.registered(origin, &id).ok_or(Refusal::NoSuchUser { name: id })?;
                self.touch(now, &key);
                self.attach_conversation(now, from, &key, fx)
            }
        }
    }

    fn register(
        &mut self,
        now: Now,
        origin: Origin,
        id: &str,
        declared: Contact,
        fx: &mut Vec<Effect>,
    ) -> Result<BridgeReply, Refusal> {
        let name = Name::new(id)?;
        let key = Key::of(name.as_str());
        let taken = || Refusal::NameTaken { name: name.to_string() };
        match self.rendezvous.clients.get(&key) {
            // Registering again is how a client starts over; but only it may, while others may be talking to it.
            Some(client) if same_host(client.origin.address, origin.address) => self.step_back(now, &key, fx),
            Some(Client { state: State::Registered, .. }) => {}
            Some(_) => return Err(taken()),
            None if self.rendezvous.clients.len() >= self.config.registrations_max => {
                return Err(Refusal::ServerFull { what: "registrations" });
            }
            None => {}
        }
        if self.is_taken(&name, origin.dialect) {
            return Err(taken());
        }
        let client = Client { name, declared, origin, expires: now.at, state: State::Registered };
        if let Some(old) = self.rendezvous.clients.insert(key.clone(), client) {
            self.rendezvous.expiries.remove(&(old.expires, key.clone()));
        }
        self.touch(now, &key);
        Ok(BridgeReply::Registered)
    }

    /// The registration of this name, if it came from the same host.
    fn registered(&self, origin: Origin, id: &str) -> Option<Key> {
        let key = Key::of(Name::new(id).ok()?.as_str());
        let client = self.rendezvous.clients.get(&key)?;
        same_host(client.origin.address, origin.address).then_some(key)
    }

    fn pair_or_wait(&mut self, now: Now, key: &Key) -> Result<BridgeReply, Refusal> {
        let Some(client) = self.rendezvous.clients.get(key) else { return Ok(BridgeReply::Peer(None)) };
        match &client.state {
            State::Waiting { .. } | State::Ringing { .. } => return Ok(BridgeReply::Peer(None)),
            State::Talking { .. } | State::Paired { .. } => {
                let partner = client.state.partner().and_then(|partner| self.peer(partner));
                return Ok(BridgeReply::Peer(partner));
            }
            State::Registered => {}
        }
        let user = self.enter_client(now, key)?;
        let partner = self.rendezvous.line.iter().find(|waiting| self.peer(waiting).is_some()).cloned();
        let Some(partner) = partner else {
            self.rendezvous.line.push_back(key.clone());
            self.set_state(key, State::Waiting { user });
            return Ok(BridgeReply::Peer(None));
        };
        self.rendezvous.line.retain(|waiting| *waiting != partner);
        let peer = self.peer(&partner);
        if let Some(peer) = &peer {
            self.set_state(&partner, State::Paired { user: peer.card.user(), partner: key.clone() });
        }
        self.set_state(key, State::Paired { user, partner });
        Ok(BridgeReply::Peer(peer))
    }

    fn attach_conversation(
        &mut self,
        now: Now,
        from: SessionId,
        key: &Key,
        fx: &mut Vec<Effect>,
    ) -> Result<BridgeReply, Refusal> {
        if let Some(user) = self.sessions.get(&from).and_then(|session| session.user) {
            let name = self.users.get(&user).map_or_else(String::new, |user| user.card.name().to_string());
            return Err(Refusal::LoggedInAlready { name });
        }
        let partner = self.rendezvous.clients.get(key).and_then(|client| client.state.partner().cloned());
        let state = self.rendezvous.clients.get(key).map(|client| &client.state);
        let user = match state {
            Some(State::Waiting { user } | State::Paired { user, .. }) => *user,
            Some(State::Ringing { .. } | State::Talking { .. }) => {
                return Err(Refusal::Busy { name: self.client_name(key) });
            }
            Some(State::Registered) | None => self.enter_client(now, key)?,
        };
        self.rendezvous.line.retain(|waiting| waiting != key);
        self.set_state(key, State::Talking { user, session: from, partner: partner.clone() });
        let card = self.attach(from, user).ok_or(Refusal::NotLoggedIn)?;
        let partner = partner.and_then(|partner| self.client_card(&partner));
        let _ = fx;
        Ok(BridgeReply::Attached { card, partner })
    }

    /// Makes a session the one that a client's user is reached by.
    fn attach(&mut self, session: SessionId, user: UserId) -> Option<Arc<Card>> {
        self.sessions.get_mut(&session)?.user = Some(user);
        let entry = self.users.get_mut(&user)?;
        entry.sessions.push(session);
        Some(entry.card.clone())
    }

    /// How a user can be reached who may be a bridge client.
    pub(crate) fn reach(&self, user: UserId) -> Reach {
        let Some(key) = self.rendezvous.users.get(&user) else { return Reach::Session };
        let Some(client) = self.rendezvous.clients.get(key) else { return Reach::Session };
        match &client.state {
            State::Talking { .. } => Reach::Session,
            State::Ringing { held, .. } if held.len() >= HELD_MAX => Reach::Busy(Refusal::TooManyWaiting),
            State::Ringing { .. } => Reach::Ring,
            State::Waiting { .. } if self.judged(client).is_some() => Reach::Ring,
            State::Waiting { .. } | State::Paired { .. } | State::Registered => {
                Reach::Busy(Refusal::Busy { name: client.name.to_string() })
            }
        }
    }

    /// Holds an event for a client that [`Hub::reach`] said to ring, and rings it if it isn't rung yet.
    pub(crate) fn ring(&mut self, now: Now, user: UserId, event: Shared, fx: &mut Vec<Effect>) {
        let Some(key) = self.rendezvous.users.get(&user).cloned() else { return };
        let Some(client) = self.rendezvous.clients.get_mut(&key) else { return };
        if let State::Ringing { held, .. } = &mut client.state {
            held.push(event);
            return;
        }
        let Some(address) = self.rendezvous.clients.get(&key).and_then(|client| self.judged(client)) else {
            return;
        };
        let call = CallId(self.next_id());
        self.rendezvous.line.retain(|waiting| *waiting != key);
        self.rendezvous.calls.insert(call, key.clone());
        self.set_state(&key, State::Ringing { user, call, held: vec![event] });
        self.touch(now, &key);
        fx.push(Effect::Ring { call, address });
    }

    /// A session has closed; if it was a client's conversation, that is over.
    pub(crate) fn rendezvous_closed(&mut self, now: Now, session: SessionId, fx: &mut Vec<Effect>) {
        if let Some(user) = self.sessions.get(&session).and_then(|session| session.user) {
            self.rendezvous_left(now, user, fx);
        }
    }

    /// A user wants to leave; whether it was a bridge client.
    pub(crate) fn rendezvous_left(&mut self, now: Now, user: UserId, fx: &mut Vec<Effect>) -> bool {
        let Some(key) = self.rendezvous.users.get(&user).cloned() else { return false };
        self.step_back(now, &key, fx);
        true
    }

    pub(crate) fn rendezvous_due(&self) -> Option<Instant> {
        self.rendezvous.expiries.first().map(|(at, _)| *at)
    }

    pub(crate) fn rendezvous_expire(&mut self, now: Now, fx: &mut Vec<Effect>) {
        while let Some((at, key)) = self.rendezvous.expiries.first().cloned() {
            if at > now.at {
                return;
            }
            let talks = matches!(
                self.rendezvous.clients.get(&key),
                Some(Client { state: State::Talking { .. } | State::Ringing { .. }, .. })
            );
            if talks {
                self.touch(now, &key);
            } else {
                self.forget(now, &key, fx);
            }
        }
    }

    /// Forgets a client altogether.
    fn forget(&mut self, now: Now, key: &Key, fx: &mut Vec<Effect>) {
        self.step_back(now, key, fx);
        if let Some(client) = self.rendezvous.clients.remove(key) {
            self.rendezvous.expiries.remove(&(client.expires, key.clone()));
        }
    }

    /// Takes a client, and whoever it was paired with, back to being registered and nothing more.
    fn step_back(&mut self, now: Now, key: &Key, fx: &mut Vec<Effect>) {
        let Some(client) = self.rendezvous.clients.get_mut(key) else { return };
        let state = std::mem::replace(&mut client.state, State::Registered);
        let Some(user) = state.user() else { return };
        self.rendezvous.line.retain(|waiting| waiting != key);
        self.rendezvous.users.remove(&user);
        match &state {
            State::Ringing { call, .. } => {
                self.rendezvous.calls.remove(call);
            }
            State::Talking { session, .. } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.user = None;
                }
                fx.push(Effect::Reply { to: *session, reply: Reply::Dismissed });
            }
            State::Registered | State::Waiting { .. } | State::Paired { .. } => {}
        }
        self.receipts_lost(user, fx);
        self.remove_user(now, user);
        if let Some(partner) = state.partner() {
            self.step_back(now, partner, fx);
        }
    }

    /// Makes the user of a client that is becoming present.
    fn enter_client(&mut self, now: Now, key: &Key) -> Result<UserId, Refusal> {
        let client = self.rendezvous.clients.get(key).ok_or(Refusal::NotLoggedIn)?;
        let (name, origin) = (client.name.clone(), client.origin);
        let room = RoomName::new(&self.config.lobby)?;
        let user = self.enter(&name, None, origin, room)?;
        self.rendezvous.users.insert(user, key.clone());
        self.set_present(now, user, true);
        Ok(user)
    }

    fn peer(&self, key: &Key) -> Option<Peer> {
        let address = self.judged(self.rendezvous.clients.get(key)?)?;
        Some(Peer { card: self.client_card(key)?, address })
    }

    fn client_card(&self, key: &Key) -> Option<Arc<Card>> {
        let user = self.rendezvous.clients.get(key)?.state.user()?;
        Some(self.users.get(&user)?.card.clone())
    }

    fn client_name(&self, key: &Key) -> String {
        self.rendezvous.clients.get(key).map_or_else(String::new, |client| client.name.to_string())
    }

    fn judged(&self, client: &Client) -> Option<SocketAddrV4> {
        self.config.addresses.judge(&client.declared, client.origin.address)
    }

    fn set_state(&mut self, key: &Key, state: State) {
        if let Some(client) = self.rendezvous.clients.get_mut(key) {
            client.state = state;
        }
    }

    /// Puts off the moment at which a client is forgotten.
    fn touch(&mut self, now: Now, key: &Key) {
        let expires = now.at + self.config.waiting_max;
        let Some(client) = self.rendezvous.clients.get_mut(key) else { return };
        self.rendezvous.expiries.remove(&(client.expires, key.clone()));
        client.expires = expires;
        self.rendezvous.expiries.insert((expires, key.clone()));
    }
}

#[cfg(test)]
mod tests;
