//! Accounts at the hands of whoever runs the server.

use super::registration::check_password;
use super::{Account, Credentials};
use crate::{Effect, Hub, Name, Now, Party, Refusal, Secret};

impl Hub {
    /// Whether an account of a name and a password could be made; the name as it would be.
    ///
    /// # Errors
    /// Why not.
    pub fn could_add_account(&self, name: &str, password: &Secret) -> Result<Name, Refusal> {
        let name = Name::new(name)?;
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        self.free_for(&name, None)?;
        check_password(&name, password)?;
        Ok(name)
    }

    /// Makes an account.
    ///
    /// # Errors
    /// If nothing is kept, or the name is somebody's by now.
    pub fn add_account(
        &mut self,
        now: Now,
        name: Name,
        credentials: Credentials,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        self.free_for(&name, None)?;
        let account = Account {
            name,
            since_ms: now.unix_ms,
            credentials,
            certificates: Default::default(),
            app_passwords: Vec::new(),
            always_on: false,
        };
        self.keep_account(account, fx);
        Ok(())
    }

    /// Whether an account could have a password; the account's name.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`], [`Refusal::PasswordUnfit`].
    pub fn could_have_password(&self, name: &str, password: &Secret) -> Result<Name, Refusal> {
        let account = self.accounts.get(name).ok_or(Refusal::NoAccount)?;
        check_password(&account.name, password)?;
        Ok(account.name.clone())
    }

    /// Gives an account another password. Certificates and passwords for single programs go: whoever has them may be
    /// whom it is to be kept from.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`].
    pub fn set_password(
        &mut self,
        name: &str,
        credentials: Credentials,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let mut account = self.accounts.get(name).cloned().ok_or(Refusal::NoAccount)?;
        account.credentials = credentials;
        account.certificates.clear();
        account.app_passwords.clear();
        self.keep_account(account, fx);
        Ok(())
    }

    /// Ends an account: its name is anybody's. Who is logged in to it stays, as nobody in particular.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`].
    pub fn remove_account(&mut self, now: Now, name: &str, fx: &mut Vec<Effect>) -> Result<(), Refusal> {
        self.drop_account(now, name, fx)
    }

    /// How many sessions are logged in to an account.
    #[must_use]
    pub fn sessions_of_account(&self, name: &str) -> usize {
        let of_it = |account: &str| Party::of_account(account) == Party::of_account(name);
        let identities = self.sessions.values().filter_map(|session| session.identity.as_ref());
        identities.filter(|identity| of_it(&identity.account)).count()
    }
}
