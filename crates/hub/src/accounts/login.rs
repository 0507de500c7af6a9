//! Logging in and out.

use std::sync::Arc;

use super::{Identity, Pending, SCRAM_ITERATIONS, ScramKeys, account_and_device, has_app_password};
use crate::names::Key;
use crate::{Card, Effect, Hub, Kind, Now, Proof, Purpose, Refusal, Reply, Secret, SessionId, UserId};

impl Hub {
    /// Logs a session in, now or as soon as its password is checked.
    pub(crate) fn log_in(
        &mut self,
        now: Now,
        from: SessionId,
        proof: Proof,
        by_service: bool,
        fx: &mut Vec<Effect>,
    ) -> Result<Option<Reply>, Refusal> {
        let address = self.sessions.get(&from).ok_or(Refusal::NotLoggedIn)?.origin.address.to_canonical();
        match proof {
            Proof::Password { account, password } => {
                let (name, device) = account_and_device(&account);
                let key = Key::of(name);
                self.accounts.may_try(now, Some(&key), address)?;
                if self.accounts.pending.contains_key(&from) {
                    return Err(Refusal::TooFast { per_s: 1 });
                }
                let known = self.accounts.by_key.get(&key);
                if let Some(account) = known.filter(|account| has_app_password(account, &password)) {
                    let name = account.name.to_string();
                    return self.logged_in(now, from, &name, device, fx).map(Some);
                }
                // No account: the host takes as long to say no.
                let hash = known.map_or_else(|| Secret::new(""), |account| account.credentials.hash.clone());
                let account: Arc<str> = known.map_or(name, |account| account.name.as_str()).into();
                let identity = Identity { account: account.clone(), device: device.into() };
                self.accounts.pending.insert(from, Pending::LogIn { key, identity, by_service });
                let name = account.to_string();
                fx.push(Effect::Verify { session: from, purpose: Purpose::LogIn, name, hash, password });
                Ok(None)
            }
            Proof::Certificate { account, fingerprint } => {
                self.accounts.may_try(now, None, address)?;
                let (wanted, device) = account.as_deref().map(account_and_device).unwrap_or_default();
                let found = self.accounts.certificates.get(&fingerprint).cloned();
                let found = found.filter(|key| wanted.is_empty() || Key::of(wanted) == *key);
                let Some(account) = found.and_then(|key| self.accounts.by_key.get(&key)) else {
                    self.accounts.count_attempt(now, None, address);
                    return Err(Refusal::WrongPassword);
                };
                let name = account.name.to_string();
                self.logged_in(now, from, &name, device, fx).map(Some)
            }
            Proof::Scram { account } => {
                let (name, device) = account_and_device(&account);
                let name = self.accounts.get(name).ok_or(Refusal::WrongPassword)?.name.to_string();
                self.logged_in(now, from, &name, device, fx).map(Some)
            }
        }
    }

    /// What a session checks a SCRAM proof with, and a nonce. Who asks for an account that isn't there is given keys
    /// that nothing fits, always the same.
    pub(crate) fn scram_keys(&mut self, now: Now, from: SessionId, account: &str) -> Result<Reply, Refusal> {
        let address = self.sessions.get(&from).ok_or(Refusal::NotLoggedIn)?.origin.address.to_canonical();
        let (name, _) = account_and_device(account);
        let key = Key::of(name);
        self.accounts.may_try(now, Some(&key), address)?;
        let id = self.next_id();
        let nonce = self.secret_bytes(&[b"nonce", &id.to_be_bytes(), &now.unix_ms.to_be_bytes()]);
        let keys = match self.accounts.by_key.get(&key) {
            Some(account) => account.credentials.scram,
            None => {
                let salt = self.secret_bytes(&[b"salt", key.as_str().as_bytes()]);
                let stored_key = self.secret_bytes(&[b"stored", key.as_str().as_bytes()]);
                let server_key = self.secret_bytes(&[b"server", key.as_str().as_bytes()]);
                let mut short = [0; 16];
                short.copy_from_slice(&salt[..16]);
                ScramKeys { salt: short, iterations: SCRAM_ITERATIONS, stored_key, server_key }
            }
        };
        let mut short = [0; 18];
        short.copy_from_slice(&nonce[..18]);
        Ok(Reply::ScramKeys { keys: Box::new(keys), nonce: short })
    }

    /// A proof that the session checked itself was wrong.
    pub(crate) fn scram_failed(&mut self, now: Now, from: SessionId, account: &str) {
        let Some(session) = self.sessions.get(&from) else { return };
        let address = session.origin.address.to_canonical();
        let (name, _) = account_and_device(account);
        self.accounts.count_attempt(now, Some(Key::of(name)), address);
    }

    /// The host has checked a password for [`Purpose::LogIn`].
    pub(crate) fn password_checked(&mut self, now: Now, from: SessionId, right: bool, fx: &mut Vec<Effect>) {
        let Some(Pending::LogIn { key, identity, by_service }) = self.accounts.pending.remove(&from) else {
            return;
        };
        let Some(session) = self.sessions.get(&from) else { return };
        let address = session.origin.address.to_canonical();
        let is_there = self.accounts.by_key.contains_key(&key);
        let answer = match right && is_there {
            true => self.logged_in(now, from, &identity.account, &identity.device, fx),
            false => {
                self.accounts.count_attempt(now, Some(key), address);
                Err(Refusal::WrongPassword)
            }
        };
        match by_service {
            true => self.service_answer(now, from, answer, fx),
            false => self.answer(from, None, answer, fx),
        }
    }

    /// A session has shown who it is.
    pub(super) fn logged_in(
        &mut self,
        now: Now,
        from: SessionId,
        account: &str,
        device: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let username = self.sessions.get(&from).and_then(|session| session.user);
        let username =
            username.and_then(|user| self.users.get(&user)).map(|user| user.card.profile.username.clone());
        let device = match (device, &username) {
            ("", Some(username)) => username.trim_start_matches('~'),
            (device, _) => device,
        };
        let device: String = device.chars().filter(|c| !c.is_control()).take(32).collect();
        let identity = Identity { account: account.into(), device: device.into() };
        let is_same = |other: &Identity| Key::of(&other.account) == Key::of(account);
        if !self.identity(from).is_some_and(is_same) {
            self.may_change_account(from)?;
        }
        let session = self.sessions.get_mut(&from).ok_or(Refusal::NotLoggedIn)?;
        session.identity = Some(Box::new(identity));
        if let Some(user) = session.user {
            self.set_account(now, user, Some(account.into()), fx);
            self.see_everything(from, user, fx);
        }
        Ok(Reply::LoggedIn { account: account.into() })
    }

    /// A session doesn't want to be its account's any more.
    pub(crate) fn log_out(
        &mut self,
        now: Now,
        from: SessionId,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        self.identity(from).ok_or(Refusal::NoAccount)?;
        self.may_change_account(from)?;
        self.lose_account(now, from, fx);
        Ok(Reply::Done)
    }

    /// A session is nobody's any more.
    pub(super) fn lose_account(&mut self, now: Now, session: SessionId, fx: &mut Vec<Effect>) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        session.identity = None;
        if let Some(user) = session.user {
            self.set_account(now, user, None, fx);
        }
    }

    /// Whether a session is its user's only one.
    pub(super) fn may_change_account(&self, session: SessionId) -> Result<(), Refusal> {
        let user = self.sessions.get(&session).and_then(|session| self.users.get(&session.user?));
        match user.is_some_and(|user| user.sessions.len() > 1) {
            true => Err(Refusal::NameShared),
            false => Ok(()),
        }
    }

    /// Shows everybody which account a user is logged in to.
    fn set_account(&mut self, now: Now, user: UserId, account: Option<Arc<str>>, fx: &mut Vec<Effect>) {
        let Some(entry) = self.users.get(&user) else { return };
        let before = entry.card.clone();
        if before.profile.account == account {
            return;
        }
        let rooms = entry.rooms.clone();
        // What it was by its account it isn't any more.
        for room in &rooms {
            let ranks = self.account_ranks(user, *room);
            ranks.iter().for_each(|rank| self.take_rank(now, user, *room, rank, fx));
        }
        let mut after = Card::clone(&before);
        after.profile.account = account;
        let after = Arc::new(after);
        self.set_card(now, &after);
        let to = self.neighbours(user);
        let event = self.event(now, Kind::Profile { before: before.clone(), after: after.clone() });
        self.deliver_to(to, event, fx);
        self.tell_watchers(now, &after, crate::News::Profile(before), fx);
        for room in rooms {
            self.rank_by_account(now, user, room, fx);
        }
    }

    /// `NAME:PASSWORD`, for protocols whose login has room for nothing but a name: the name, if the password is one
    /// of the account's for single programs.
    pub(crate) fn login_with_password(
        &mut self,
        now: Now,
        from: SessionId,
        wanted: &str,
    ) -> Result<Option<String>, Refusal> {
        let Some((name, password)) = wanted.rsplit_once(':') else { return Ok(None) };
        let key = Key::of(name);
        let Some(account) = self.accounts.by_key.get(&key) else { return Ok(None) };
        let session = self.sessions.get(&from).ok_or(Refusal::NotLoggedIn)?;
        let address = session.origin.address.to_canonical();
        self.accounts.may_try(now, Some(&key), address)?;
        if !has_app_password(account, &Secret::new(password)) {
            self.accounts.count_attempt(now, Some(key), address);
            return Err(Refusal::WrongPassword);
        }
        let account: Arc<str> = account.name.as_str().into();
        // Who is here already is who it is.
        if let Some(session) = self.sessions.get_mut(&from).filter(|session| session.user.is_none()) {
            let identity = Identity { account: account.clone(), device: "".into() };
            session.identity = Some(Box::new(identity));
        }
        Ok(Some(account.to_string()))
    }
}
