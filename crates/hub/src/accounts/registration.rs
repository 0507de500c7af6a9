//! How accounts are made, changed and ended.

use std::collections::BTreeSet;

use super::{
    APP_PASSWORD_CHARS, Account, AppPassword, Credentials, EXTRAS_MAX, Identity, PASSWORD_BYTES_MAX,
    PASSWORD_CHARS_MIN, Pending, digest,
};
use crate::names::Key;
use crate::services::NICKSERV;
use crate::{Effect, Hub, Kept, Name, Now, Refusal, Reply, Secret, SessionId, UserId};

const NOT_KEPT: &str =
    "What you have just done with your account could not be kept, and is undone. Try again in a while.";

pub(super) fn check_password(name: &Name, password: &Secret) -> Result<(), Refusal> {
    let text = password.reveal();
    let rule = if text.chars().count() < PASSWORD_CHARS_MIN {
        "it has fewer than 6 characters"
    } else if text.len() > PASSWORD_BYTES_MAX {
        "it has more than 300 bytes"
    } else if Key::of(text) == Key::of(name.as_str()) {
        "it is the account's name"
    } else {
        return Ok(());
    };
    Err(Refusal::PasswordUnfit { rule })
}

impl Hub {
    /// Makes an account, as soon as the host has made its credentials. `*` is the session's own name.
    pub(crate) fn make_account(
        &mut self,
        now: Now,
        from: SessionId,
        (account, password): (&str, Secret),
        invitation: Option<&str>,
        by_service: bool,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        let session = self.sessions.get(&from).ok_or(Refusal::NotLoggedIn)?;
        let address = session.origin.address.to_canonical();
        let user = session.user.and_then(|user| self.users.get(&user));
        let own = user.map(|user| user.card.name.clone());
        let name = match (account, own) {
            ("*", Some(own)) => own,
            ("*", None) => return Err(Refusal::NotLoggedIn),
            (name, _) => Name::new(name)?,
        };
        if session.identity.is_some() {
            return Err(Refusal::LoggedInAlready { name: name.to_string() });
        }
        self.may_make_account(now, invitation)?;
        self.free_for(&name, session.user)?;
        self.may_change_account(from)?;
        check_password(&name, &password)?;
        self.accounts.may_try(now, None, address)?;
        if self.accounts.pending.contains_key(&from) {
            return Err(Refusal::TooFast { per_s: 1 });
        }
        // Not many accounts come from one place. This machine's own are its owner's.
        if !address.is_loopback() {
            self.accounts.count_attempt(now, None, address);
        }
        let invitation = invitation.map(str::to_owned);
        self.accounts.pending.insert(from, Pending::Register { name, invitation, by_service });
        fx.push(Effect::Derive { session: from, password });
        Ok(())
    }

    /// Whether nobody has a name, as an account or as a present user other than this one.
    pub(super) fn free_for(&self, name: &Name, user: Option<UserId>) -> Result<(), Refusal> {
        let holder = self.directory.holder(name);
        let taken = self.accounts.get(name.as_str()).is_some() || self.is_reserved(name);
        if taken || holder.is_some_and(|holder| Some(holder) != user) {
            return Err(Refusal::AccountExists { name: name.to_string() });
        }
        Ok(())
    }

    /// The host has made credentials of a password ([`Effect::Derive`]).
    pub fn derived(&mut self, now: Now, from: SessionId, credentials: Credentials, fx: &mut Vec<Effect>) {
        let pending = self.accounts.pending.remove(&from);
        let Some(session) = self.sessions.get(&from) else { return };
        let user = session.user;
        match pending {
            Some(Pending::Register { name, invitation, by_service }) => {
                let may = self.may_make_account(now, invitation.as_deref());
                let may = may.and_then(|()| self.free_for(&name, user));
                let answer = may.and_then(|()| self.may_change_account(from)).and_then(|()| {
                    let account = Account {
                        name: name.clone(),
                        since_ms: now.unix_ms,
                        credentials,
                        certificates: BTreeSet::new(),
                        app_passwords: Vec::new(),
                        always_on: false,
                    };
                    self.keep_account(account, fx);
                    if let Some(token) = invitation {
                        self.use_invitation(now, name.as_str(), &token, fx)?;
                    }
                    self.logged_in(now, from, name.as_str(), "", fx)?;
                    Ok(Reply::Registered { account: name.as_str().into() })
                });
                match by_service {
                    true => self.service_answer(now, from, answer, fx),
                    false => self.answer(from, None, answer, fx),
                }
            }
            Some(Pending::ChangePassword { key }) => {
                let account = self.accounts.by_key.get(&key).cloned().ok_or(Refusal::NoAccount);
                let answer = account.map(|mut account| {
                    account.credentials = credentials;
                    self.keep_account(account, fx);
                    Reply::Done
                });
                self.service_answer(now, from, answer, fx);
            }
            Some(Pending::LogIn { .. }) | None => {}
        }
    }

    /// Has an account kept as it is now.
    pub(super) fn keep_account(&mut self, account: Account, fx: &mut Vec<Effect>) {
        let before = self.accounts.get(account.name.as_str()).cloned().map(Box::new);
        fx.push(Effect::Keep(Kept::Account { account: Box::new(account.clone()), before }, None));
        self.accounts.put(account);
    }

    /// An account could not be kept: it is as it was before, and those who are logged in to it are told. Of several
    /// changes the last is to be undone first.
    pub fn account_not_kept(
        &mut self,
        now: Now,
        account: &Account,
        before: Option<&Account>,
        fx: &mut Vec<Effect>,
    ) {
        // What was done since is kept by itself, or isn't.
        if self.accounts.get(account.name.as_str()) != Some(account) || before == Some(account) {
            return;
        }
        for session in self.sessions_of(account.name.as_str()) {
            self.service_says(now, session, NICKSERV, NOT_KEPT, fx);
        }
        match before {
            Some(before) => {
                self.accounts.put(before.clone());
                self.end_absent(now, before.name.as_str(), fx);
            }
            None => drop(self.drop_account(now, account.name.as_str(), fx)),
        }
    }

    /// The sessions that are logged in to an account.
    fn sessions_of(&self, account: &str) -> Vec<SessionId> {
        let key = Key::of(account);
        let is = |identity: &Identity| Key::of(&identity.account) == key;
        let sessions =
            self.sessions.iter().filter(|(_, session)| session.identity.as_deref().is_some_and(is));
        sessions.map(|(id, _)| *id).collect()
    }

    /// Gives the session's account another password.
    pub(crate) fn change_password(
        &mut self,
        from: SessionId,
        password: Secret,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let account = self.own_account(from)?;
        check_password(&account.name, &password)?;
        let key = Key::of(account.name.as_str());
        if self.accounts.pending.contains_key(&from) {
            return Err(Refusal::TooFast { per_s: 1 });
        }
        self.accounts.pending.insert(from, Pending::ChangePassword { key });
        fx.push(Effect::Derive { session: from, password });
        Ok(())
    }

    /// The account of a session.
    pub(crate) fn own_account(&self, from: SessionId) -> Result<&Account, Refusal> {
        let identity = self.identity(from).ok_or(Refusal::NoAccount)?;
        self.accounts.get(&identity.account).ok_or(Refusal::NoAccount)
    }

    /// Changes the account of a session.
    pub(crate) fn change_own_account(
        &mut self,
        from: SessionId,
        change: impl FnOnce(&mut Account) -> Result<(), Refusal>,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let mut account = self.own_account(from)?.clone();
        change(&mut account)?;
        let extras = account.certificates.len().max(account.app_passwords.len());
        if extras > EXTRAS_MAX {
            let value = extras.to_string();
            return Err(Refusal::SettingMalformed { value, rule: "an account has at most 20 of these" });
        }
        self.keep_account(account, fx);
        Ok(())
    }

    /// A new password for a single program: told once, and kept only as a digest.
    pub(crate) fn new_app_password(
        &mut self,
        now: Now,
        from: SessionId,
        label: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        let id = self.next_id();
        let bytes =
            self.secret_bytes(&[b"app", &id.to_be_bytes(), &now.unix_ms.to_be_bytes(), label.as_bytes()]);
        // Letters and digits that nobody mistakes for others.
        let alphabet = b"abcdefghjkmnpqrstuvwxyz23456789";
        let password: String = bytes
            .iter()
            .take(APP_PASSWORD_CHARS)
            .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
            .collect();
        let new = AppPassword { label: label.to_owned(), digest: digest(&password) };
        let change = |account: &mut Account| {
            account.app_passwords.retain(|known| known.label != new.label);
            account.app_passwords.push(new);
            Ok(())
        };
        self.change_own_account(from, change, fx)?;
        Ok(password)
    }

    /// Ends an account: its name is anybody's.
    pub(crate) fn drop_account(&mut self, now: Now, name: &str, fx: &mut Vec<Effect>) -> Result<(), Refusal> {
        let key = Key::of(name);
        let gone = self.accounts.remove(&key).ok_or(Refusal::NoAccount)?;
        self.release_rooms_of(name, fx);
        fx.push(Effect::Keep(Kept::AccountGone(gone.name.clone()), None));
        let its = |invitation: &super::Invitation| invitation.by.as_deref().map(Key::of) == Some(key.clone());
        self.forget_invitations(its, fx);
        for session in self.sessions_of(name) {
            self.lose_account(now, session, fx);
        }
        self.end_absent(now, name, fx);
        Ok(())
    }
}
