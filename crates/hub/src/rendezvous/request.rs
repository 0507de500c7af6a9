//! What bridge clients ask for on a connection to the server.

use super::{BridgeReply, BridgeRequest, Client, Contact, State, same_host};
use crate::names::Key;
use crate::{Effect, Hub, Name, Now, Origin, Refusal, SessionId};

impl Hub {
    /// Carries out a bridge client's request.
    pub(crate) fn bridge(
        &mut self,
        now: Now,
        from: SessionId,
        request: BridgeRequest,
        fx: &mut Vec<Effect>,
    ) -> Result<BridgeReply, Refusal> {
        // Whoever leaves is let go at any rate.
        if !matches!(request, BridgeRequest::Forget { .. }) {
            self.check_rate(now, from)?;
        }
        let origin = self.sessions.get(&from).ok_or(Refusal::NotLoggedIn)?.origin;
        match request {
            BridgeRequest::Register { id, contact } => self.register(now, origin, &id, contact, fx),
            BridgeRequest::Bridge { id } => {
                let Some(key) = self.registered(origin, &id) else {
                    // A name that nobody registered is answered as if there were no partner; one that somebody
                    // else has since registered would wait for ever.
                    return if self.is_registered(&id) {
                        Err(Refusal::NameTaken { name: id })
                    } else {
                        Ok(BridgeReply::Peer(None))
                    };
                };
                self.touch(now, &key);
                self.pair_or_wait(now, origin, &key, fx)
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
            BridgeRequest::List => Ok(BridgeReply::Registrations(self.registrations().collect())),
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
            None if self.host_is_full(origin) => {
                return Err(Refusal::ServerFull { what: "registrations from one host" });
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

    fn is_registered(&self, id: &str) -> bool {
        Name::new(id).is_ok_and(|name| self.rendezvous.clients.contains_key(&Key::of(name.as_str())))
    }

    /// Whether as many clients of one host are registered as may be. Requests have a rate, so that counting
    /// them is cheap enough.
    fn host_is_full(&self, origin: Origin) -> bool {
        let clients = self.rendezvous.clients.values();
        !origin.is_loopback()
            && clients.filter(|client| same_host(client.origin.address, origin.address)).count()
                >= self.config.registrations_per_host_max
    }

    /// The partner that a client has, else the one that has waited longest of those that it can reach; else it
    /// waits itself.
    fn pair_or_wait(
        &mut self,
        now: Now,
        origin: Origin,
        key: &Key,
        fx: &mut Vec<Effect>,
    ) -> Result<BridgeReply, Refusal> {
        let Some(client) = self.rendezvous.clients.get(key) else { return Ok(BridgeReply::Peer(None)) };
        match &client.state {
            State::Waiting { .. } => return Ok(BridgeReply::Peer(None)),
            State::Ringing { .. } | State::Talking { .. } | State::Paired { .. } => {
                let partner = client.state.partner().and_then(|partner| self.peer(partner));
                return Ok(BridgeReply::Peer(partner));
            }
            State::Registered => {}
        }
        let user = self.enter_client(now, key, fx)?;
        let partner = self.rendezvous.line.iter().find(|waiting| self.is_in_reach(waiting, origin)).cloned();
        let Some(partner) = partner else {
            self.rendezvous.line.push_back(key.clone());
            self.set_state(key, State::Waiting { user });
            return Ok(BridgeReply::Peer(None));
        };
        self.rendezvous.line.retain(|waiting| *waiting != partner);
        let peer = self.peer(&partner);
        if let Some(peer) = &peer {
            self.set_state(
                &partner,
                State::Paired { user: peer.card.user(), partner: key.clone(), listens: true },
            );
        }
        self.set_state(key, State::Paired { user, partner, listens: false });
        Ok(BridgeReply::Peer(peer))
    }

    /// Whether a client can be dialled by a client of that host: a loopback address means another machine there.
    fn is_in_reach(&self, key: &Key, origin: Origin) -> bool {
        let address = self.rendezvous.clients.get(key).and_then(|client| self.judged(client));
        address.is_some_and(|address| !address.ip().is_loopback() || origin.is_loopback())
    }
}
