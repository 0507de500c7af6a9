//! The bridge dialect's waiting line: who registered which contact, who waits, and who was paired with whom.
//!
//! A bridge client has no connection while it waits. It is a user all the same: what is said to it is held while
//! the server rings it, and handed over when it answers.

mod call;
mod policy;
mod request;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use crate::names::Key;
use crate::{CallId, Card, Effect, Hub, Name, Now, Origin, Refusal, Reply, SessionId, Shared, UserId};

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
    /// INFO: asks what is registered. Whether the asker may know is for the session to judge.
    List,
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
    /// What is registered.
    Registrations(Vec<Registration>),
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
    Ringing { user: UserId, call: CallId, held: Vec<Shared>, partner: Option<Key> },
    /// It talks over a connection of ours. `full`: its session can hold no more for it.
    Talking { user: UserId, session: SessionId, partner: Option<Key>, full: bool },
    /// It was given a partner, or was given to one (then it `listens`), and talks without us.
    Paired { user: UserId, partner: Key, listens: bool },
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
            Self::Talking { partner, .. } | Self::Ringing { partner, .. } => partner.as_ref(),
            Self::Paired { partner, .. } => Some(partner),
            Self::Registered | Self::Waiting { .. } => None,
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
                self.belongs(*session, None);
                fx.push(Effect::Reply { to: *session, reply: Reply::Dismissed { reason: None } });
            }
            State::Registered | State::Waiting { .. } | State::Paired { .. } => {}
        }
        self.receipts_lost(user, fx);
        self.remove_user(now, user, "Left", fx);
        if let Some(partner) = state.partner() {
            self.step_back(now, partner, fx);
        }
    }

    /// Makes the user of a client that is becoming present.
    fn enter_client(&mut self, now: Now, key: &Key, fx: &mut Vec<Effect>) -> Result<UserId, Refusal> {
        let client = self.rendezvous.clients.get(key).ok_or(Refusal::NotLoggedIn)?;
        let (name, origin) = (client.name.clone(), client.origin);
        if self.accounts.get(name.as_str()).is_some() {
            return Err(Refusal::NameRegistered { name: name.to_string() });
        }
        let user = self.enter(now, &name, None, (origin, None), None, None)?;
        self.rendezvous.users.insert(user, key.clone());
        self.set_present(now, user, true, fx);
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
