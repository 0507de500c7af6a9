//! Accounts at the web page, where there are no sessions: whoever serves the page asks whether something may be done,
//! hashes or checks the password, and then has it done.

use std::net::IpAddr;

use super::invitations::Used;
use super::registration::check_password;
use super::{Account, Credentials};
use crate::names::Key;
use crate::{Effect, HistoryKey, Hub, Name, Now, Refusal, RoomName, Secret};

/// What was done, so that it can be undone if it can't be kept.
#[derive(Debug)]
pub struct Done {
    /// The account.
    pub account: Name,
    change: AccountChange,
    /// The invitation that was used.
    used: Option<Box<Used>>,
}

/// What was done to an account.
#[derive(Debug)]
enum AccountChange {
    Made,
    /// It has another password: the account as it was.
    Changed(Box<Account>),
    None,
}

impl Done {
    /// The room that the account may come into since.
    #[must_use]
    pub fn room(&self) -> Option<&RoomName> {
        self.used.as_ref()?.before.room.as_ref()
    }
}

impl Hub {
    /// Whether somebody may make an account: its name as it would be. It counts as an attempt.
    ///
    /// # Errors
    /// Why not.
    pub fn visitor_may_make_account(
        &mut self,
        now: Now,
        address: IpAddr,
        (name, password): (&str, &Secret),
        invitation: Option<&str>,
    ) -> Result<Name, Refusal> {
        let address = address.to_canonical();
        self.may_make_account(now, invitation)?;
        let name = self.could_add_account(name, password)?;
        self.accounts.may_try(now, None, address)?;
        if !address.is_loopback() {
            self.accounts.count_attempt(now, None, address);
        }
        Ok(name)
    }

    /// Makes an account, and uses the invitation.
    ///
    /// # Errors
    /// If somebody else was faster.
    pub fn visitor_makes_account(
        &mut self,
        now: Now,
        name: Name,
        credentials: Credentials,
        invitation: Option<&str>,
        fx: &mut Vec<Effect>,
    ) -> Result<Done, Refusal> {
        self.may_make_account(now, invitation)?;
        self.add_account(now, name.clone(), credentials, fx)?;
        let used = invitation.map(|token| self.use_invitation(now, name.as_str(), token, fx)).transpose()?;
        Ok(Done { account: name, change: AccountChange::Made, used: used.map(Box::new) })
    }

    /// What an account's password has to fit; empty: there is no such account, and it must take as long to say no. It
    /// counts as an attempt, because many may be made side by side.
    ///
    /// # Errors
    /// [`Refusal::TooManyAttempts`], or if nothing is kept here.
    pub fn visitor_tries_password(
        &mut self,
        now: Now,
        address: IpAddr,
        name: &str,
    ) -> Result<Secret, Refusal> {
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        let address = address.to_canonical();
        // What can't be a name is nobody's, and not remembered.
        let key = Name::new(name).ok().map(|name| Key::of(name.as_str()));
        self.accounts.may_try(now, key.as_ref(), address)?;
        self.accounts.count_attempt(now, key, address);
        let account = self.accounts.get(name);
        Ok(account.map_or_else(|| Secret::new(""), |account| account.credentials.hash.clone()))
    }

    /// Whether a name's account could have a password, whether or not there is one.
    ///
    /// # Errors
    /// [`Refusal::PasswordUnfit`], or the name is none.
    pub fn visitor_may_have_password(&self, name: &str, password: &Secret) -> Result<(), Refusal> {
        check_password(&Name::new(name)?, password)
    }

    /// Gives an account another password, if it still has the one that was checked.
    ///
    /// # Errors
    /// [`Refusal::WrongPassword`].
    pub fn visitor_changes_password(
        &mut self,
        (name, checked): (&str, &Secret),
        credentials: Credentials,
        fx: &mut Vec<Effect>,
    ) -> Result<Done, Refusal> {
        let before = self.accounts.get(name).filter(|account| account.credentials.hash == *checked);
        let before = before.cloned().ok_or(Refusal::WrongPassword)?;
        self.keep_account(Account { credentials, ..before.clone() }, fx);
        Ok(Done {
            account: before.name.clone(),
            change: AccountChange::Changed(Box::new(before)),
            used: None,
        })
    }

    /// Somebody who has an account, and has shown it, uses an invitation.
    ///
    /// # Errors
    /// [`Refusal::NoSuchInvitation`], [`Refusal::WrongPassword`] if the account is gone meanwhile.
    pub fn visitor_uses_invitation(
        &mut self,
        now: Now,
        name: &str,
        invitation: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Done, Refusal> {
        let account = self.accounts.get(name).ok_or(Refusal::WrongPassword)?.name.clone();
        let room = self.invitation(now, invitation)?.room.as_ref().map(HistoryKey::of_room);
        if room.is_none_or(|room| self.accounts.welcomes.contains(&(room, Key::of(account.as_str())))) {
            // There is nothing to use it for.
            return Ok(Done { account, change: AccountChange::None, used: None });
        }
        let used = self.use_invitation(now, account.as_str(), invitation, fx)?;
        Ok(Done { account, change: AccountChange::None, used: Some(Box::new(used)) })
    }

    /// It could not be kept: it was not done.
    pub fn visitor_undo(&mut self, now: Now, done: Done, fx: &mut Vec<Effect>) {
        let Done { account, change, used } = done;
        if let Some(used) = used {
            self.unuse_invitation(account.as_str(), *used, fx);
        }
        match change {
            // It may be gone already.
            AccountChange::Made => drop(self.drop_account(now, account.as_str(), fx)),
            AccountChange::Changed(before) => self.keep_account(*before, fx),
            AccountChange::None => {}
        }
    }
}
