//! Conversations that go through the server: a waiting client is rung, or a client talks over its own connection.

use std::sync::Arc;

use super::{BridgeReply, Client, State};
use crate::names::Key;
use crate::say::Reach;
use crate::{Audience, CallId, Card, Effect, Hub, Now, Refusal, Reply, SessionId, Shared, UserId, Verdict};

/// How many messages may wait while a client is being rung.
const HELD_MAX: usize = 100;

impl Hub {
    /// A client that was rung has taken the call: `session` is its conversation.
    pub fn answered(&mut self, now: Now, call: CallId, session: SessionId, fx: &mut Vec<Effect>) {
        let Some(key) = self.rendezvous.calls.remove(&call) else {
            fx.push(Effect::Reply { to: session, reply: Reply::Dismissed { reason: None } });
            return;
        };
        let Some(client) = self.rendezvous.clients.get_mut(&key) else { return };
        let State::Ringing { user, held, partner, .. } = &mut client.state else { return };
        let (user, held, partner) = (*user, std::mem::take(held), partner.take());
        client.state = State::Talking { user, session, partner, full: false };
        let Some(card) = self.attach(session, user) else { return self.step_back(now, &key, fx) };
        let reply = Reply::Welcome { session, card, room: None, census: self.census };
        fx.push(Effect::Reply { to: session, reply });
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

    /// Makes a session, which is nobody's yet, the conversation of a client.
    pub(super) fn attach_conversation(
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
            Some(State::Registered) | None => self.enter_client(now, key, fx)?,
        };
        self.rendezvous.line.retain(|waiting| waiting != key);
        self.set_state(key, State::Talking { user, session: from, partner: partner.clone(), full: false });
        let card = self.attach(from, user).ok_or(Refusal::NotLoggedIn)?;
        let partner = partner.and_then(|partner| self.client_card(&partner));
        Ok(BridgeReply::Attached { card, partner })
    }

    /// Makes a session the one that a client's user is reached by.
    fn attach(&mut self, session: SessionId, user: UserId) -> Option<Arc<Card>> {
        self.belongs(session, Some(user))?;
        let entry = self.users.get_mut(&user)?;
        entry.sessions.push(session);
        Some(entry.card.clone())
    }

    /// A client's conversation can hold no more for it, or can again.
    pub(crate) fn hold(&mut self, from: SessionId, wanted: bool) {
        let user = self.sessions.get(&from).and_then(|session| session.user);
        let Some(key) = user.and_then(|user| self.rendezvous.users.get(&user)) else { return };
        if let Some(Client { state: State::Talking { full, .. }, .. }) = self.rendezvous.clients.get_mut(key)
        {
            *full = wanted;
        }
    }

    /// How a user, who may be a bridge client, can be reached by `from`.
    pub(crate) fn reach(&self, from: UserId, user: UserId) -> Reach {
        let Some(key) = self.rendezvous.users.get(&user) else { return Reach::Session };
        let Some(client) = self.rendezvous.clients.get(key) else { return Reach::Session };
        match &client.state {
            State::Talking { full: true, .. } => Reach::Busy(Refusal::TooManyWaiting),
            State::Talking { full: false, .. } => Reach::Session,
            State::Ringing { held, .. } if held.len() >= HELD_MAX => Reach::Busy(Refusal::TooManyWaiting),
            State::Ringing { .. } => Reach::Ring,
            State::Waiting { .. } if self.judged(client).is_some() => Reach::Ring,
            // It waits for its partner's call, and the partner chose to talk by way of us.
            State::Paired { listens: true, partner, .. }
                if self.talks_as(partner, from) && self.judged(client).is_some() =>
            {
                Reach::Ring
            }
            State::Waiting { .. } | State::Paired { .. } | State::Registered => {
                Reach::Busy(Refusal::Busy { name: client.name.to_string() })
            }
        }
    }

    /// Whether a client talks over a connection of ours, as this user.
    fn talks_as(&self, key: &Key, wanted: UserId) -> bool {
        let client = self.rendezvous.clients.get(key);
        client.is_some_and(|client| matches!(client.state, State::Talking { user, .. } if user == wanted))
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
        let partner = self.rendezvous.clients.get(&key).and_then(|client| client.state.partner().cloned());
        self.set_state(&key, State::Ringing { user, call, held: vec![event], partner });
        self.touch(now, &key);
        fx.push(Effect::Ring { call, address });
    }
}
