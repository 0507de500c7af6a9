//! NickServ: accounts by messages, for clients without the words.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::chanserv::CHANSERV;
use crate::{
    Audience, Card, Effect, FormerFace, Hub, Kind, Now, Proof, Refusal, Reply, Scope, Secret, SessionId,
    Style, Text,
};

/// The name that services go by. Nobody else can have it.
pub(crate) const NICKSERV: &str = "NickServ";

const HELP: &str = "REGISTER password [invitation]: makes your name an account of yours\n\
    IDENTIFY [account] password: logs in\n\
    LOGOUT: logs out\n\
    PASSWORD password: sets another password\n\
    CERT ADD | LIST | DEL fingerprint: certificates that are as good as the password\n\
    APP ADD label | LIST | DEL label: passwords for single programs; rooms, tmp and muca take NAME:PASSWORD as name\n\
    ALWAYSON ON | OFF: whether you stay here when your last client goes\n\
    INVITE #room [times]: a link for somebody to come into a room of yours, and to make an account\n\
    INFO [account]: what is known of an account\n\
    DROP account: ends your account and frees its name";

impl Hub {
    /// Whether a name is a service's.
    pub(crate) fn is_service(name: &str) -> bool {
        name.eq_ignore_ascii_case(NICKSERV) || name.eq_ignore_ascii_case(CHANSERV)
    }

    /// What somebody has written to a service.
    pub(crate) fn serve(
        &mut self,
        now: Now,
        from: SessionId,
        (service, text): (&str, &str),
        fx: &mut Vec<Effect>,
    ) {
        match service.eq_ignore_ascii_case(CHANSERV) {
            true => self.serve_rooms(now, from, text, fx),
            false => self.serve_accounts(now, from, text, fx),
        }
    }

    /// What somebody has written to NickServ. The text is answered and forgotten: passwords are in it.
    fn serve_accounts(&mut self, now: Now, from: SessionId, text: &str, fx: &mut Vec<Effect>) {
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let words: Vec<&str> = words.collect();
        let answer = match (verb.as_str(), words.as_slice()) {
            ("REGISTER", [password, rest @ ..]) => {
                // People are used to give an address for mail.
                let invitation = rest.first().copied().filter(|word| !word.contains('@'));
                let done = self.make_account(now, from, ("*", Secret::new(password)), invitation, true, fx);
                done.map(|()| String::new())
            }
            ("IDENTIFY" | "LOGIN", [password]) => {
                let own = self.speaker(from).map(|card| card.name().to_string()).unwrap_or_default();
                self.identify(now, from, &own, password, fx)
            }
            ("IDENTIFY" | "LOGIN", [account, password]) => self.identify(now, from, account, password, fx),
            ("LOGOUT", []) => self.log_out(now, from, fx).map(|_| "You are logged out.".to_owned()),
            ("PASSWORD" | "PASSWD", [password]) => {
                self.change_password(from, Secret::new(password), fx).map(|()| String::new())
            }
            ("CERT", words) => self.serve_certificates(from, words, fx),
            ("APP", words) => self.serve_app_passwords(now, from, words, fx),
            ("ALWAYSON", [on]) if on.eq_ignore_ascii_case("on") || on.eq_ignore_ascii_case("off") => {
                let on = on.eq_ignore_ascii_case("on");
                self.set_always_on(now, from, on, fx).map(|()| match on {
                    true => "You stay here when your last client goes, and what you miss is kept for each."
                        .to_owned(),
                    false => "You go with your last client.".to_owned(),
                })
            }
            ("INVITE", [room]) => self.serve_invitation(now, from, (room, None), fx),
            ("INVITE", [room, uses]) => self.serve_invitation(now, from, (room, Some(uses)), fx),
            ("INFO", words) => self.serve_info(from, words.first().copied()),
            ("DROP", [account]) => self.serve_drop(now, from, account, fx),
            _ => Ok(HELP.to_owned()),
        };
        let text = match answer {
            Ok(text) if text.is_empty() => return,
            Ok(text) => text,
            Err(refusal) => refusal.to_string(),
        };
        self.service_says(now, from, NICKSERV, &text, fx);
    }

    fn identify(
        &mut self,
        now: Now,
        from: SessionId,
        account: &str,
        password: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        let proof = Proof::Password { account: account.to_owned(), password: Secret::new(password) };
        Ok(match self.log_in(now, from, proof, true, fx)? {
            Some(reply) => words(&reply),
            None => String::new(),
        })
    }

    fn serve_certificates(
        &mut self,
        from: SessionId,
        words: &[&str],
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        match words {
            ["ADD" | "add"] => {
                let own =
                    self.sessions.get(&from).and_then(|session| session.fingerprint.as_deref().copied());
                let value = String::new();
                let rule =
                    "this connection has shown no certificate; give its SHA-256 as 64 hexadecimal digits";
                let print = own.ok_or(Refusal::SettingMalformed { value, rule })?;
                self.add_certificate(from, print, fx)
            }
            ["ADD" | "add", print] => {
                let print = fingerprint(print)?;
                self.add_certificate(from, print, fx)
            }
            ["DEL" | "del", print] => {
                let print = fingerprint(print)?;
                let change = |account: &mut crate::Account| match account.certificates.remove(&print) {
                    true => Ok(()),
                    false => Err(Refusal::KeyNotSet { key: hex(&print) }),
                };
                self.change_own_account(from, change, fx)?;
                Ok("The certificate is forgotten.".to_owned())
            }
            _ => {
                let account = self.own_account(from)?;
                let prints: Vec<_> = account.certificates.iter().map(|print| hex(print)).collect();
                Ok(if prints.is_empty() {
                    "There are no certificates.".to_owned()
                } else {
                    prints.join("\n")
                })
            }
        }
    }

    fn add_certificate(
        &mut self,
        from: SessionId,
        print: crate::Fingerprint,
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        let taken = self.accounts().any(|account| account.certificates.contains(&print));
        if taken {
            let (value, rule) = (hex(&print), "the certificate is an account's already");
            return Err(Refusal::SettingMalformed { value, rule });
        }
        let add = |account: &mut crate::Account| {
            account.certificates.insert(print);
            Ok(())
        };
        self.change_own_account(from, add, fx)?;
        Ok(format!("The certificate {} is as good as your password now (SASL EXTERNAL).", hex(&print)))
    }

    fn serve_app_passwords(
        &mut self,
        now: Now,
        from: SessionId,
        words: &[&str],
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        match words {
            ["ADD" | "add", label] => {
                let label: String = label.chars().take(32).collect();
                let name = self.own_account(from)?.name.to_string();
                let password = self.new_app_password(now, from, &label, fx)?;
                Ok(format!(
                    "The password for {label} is {password}, and it is told only now. \
                     Programs that speak rooms, tmp or muca take {name}:{password} as name."
                ))
            }
            ["DEL" | "del", label] => {
                let change = |account: &mut crate::Account| {
                    let before = account.app_passwords.len();
                    account.app_passwords.retain(|known| known.label != *label);
                    match account.app_passwords.len() < before {
                        true => Ok(()),
                        false => Err(Refusal::KeyNotSet { key: (*label).to_owned() }),
                    }
                };
                self.change_own_account(from, change, fx)?;
                Ok(format!("The password for {label} is forgotten."))
            }
            _ => {
                let account = self.own_account(from)?;
                let labels: Vec<_> = account.app_passwords.iter().map(|known| known.label.as_str()).collect();
                Ok(match labels.is_empty() {
                    true => "There are no passwords for single programs.".to_owned(),
                    false => format!("There are passwords for: {}", labels.join(", ")),
                })
            }
        }
    }

    fn serve_info(&self, from: SessionId, account: Option<&str>) -> Result<String, Refusal> {
        let account = match account {
            Some(name) => self.accounts.get(name).ok_or(Refusal::NoSuchUser { name: name.to_owned() })?,
            None => self.own_account(from)?,
        };
        let online = self.users.values().filter(|user| user.present);
        let online = online.filter(|user| user.card.account() == Some(account.name.as_str())).count();
        let mut text = format!("{} is an account.", account.name);
        let _ = match online {
            0 => write!(text, " Nobody is logged in to it."),
            _ => write!(text, " Somebody is logged in to it."),
        };
        Ok(text)
    }

    fn serve_drop(
        &mut self,
        now: Now,
        from: SessionId,
        account: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        let own = self.own_account(from)?.name.clone();
        let rule = "it is not the name of the account that you are logged in to";
        if !own.as_str().eq_ignore_ascii_case(account) {
            return Err(Refusal::SettingMalformed { value: account.to_owned(), rule });
        }
        self.drop_account(now, own.as_str(), fx)?;
        Ok(format!("The account {own} is gone."))
    }

    /// What has become of something that took a while.
    pub(crate) fn service_answer(
        &mut self,
        now: Now,
        to: SessionId,
        answer: Result<Reply, Refusal>,
        fx: &mut Vec<Effect>,
    ) {
        let text = match answer {
            Ok(reply) => words(&reply),
            Err(refusal) => refusal.to_string(),
        };
        self.service_says(now, to, NICKSERV, &text, fx);
    }

    /// Says something in a service's name to one session.
    pub(crate) fn service_says(
        &mut self,
        now: Now,
        to: SessionId,
        service: &str,
        text: &str,
        fx: &mut Vec<Effect>,
    ) {
        let Ok(whom) = self.speaker(to) else { return };
        let from = Arc::new(Card::former(FormerFace {
            name: service.to_owned(),
            nick: service.to_owned(),
            username: "services".to_owned(),
            host: self.config.server_name.replace(' ', "-"),
            account: None,
            dialect: whom.dialect(),
            bot: true,
        }));
        for line in text.lines() {
            let scope = Scope::Private { named: 1, to: Some(whom.clone()) };
            let (from, text, style) = (from.clone(), Text::kept(line), Style::Notice);
            let event = self.event(now, Kind::Message { from, scope, text, style, tags: None, seams: None });
            self.deliver_to(Audience::One(to), event, fx);
        }
    }
}

/// What an answer is to people.
fn words(reply: &Reply) -> String {
    match reply {
        Reply::LoggedIn { account } => format!("You are now logged in as {account}."),
        Reply::Registered { account } => {
            format!("The account {account} is yours, and nobody else can have its name. You are logged in.")
        }
        _ => "It is done.".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A fingerprint as people copy it: 64 hexadecimal digits, perhaps with colons.
fn fingerprint(text: &str) -> Result<crate::Fingerprint, Refusal> {
    let digits: Vec<u32> = text.chars().filter(|c| *c != ':').filter_map(|c| c.to_digit(16)).collect();
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8))
        .collect();
    let is_whole = digits.len() == 64 && text.chars().all(|c| c == ':' || c.is_ascii_hexdigit());
    let rule = "a fingerprint is SHA-256 and has 64 hexadecimal digits";
    bytes
        .try_into()
        .ok()
        .filter(|_| is_whole)
        .ok_or(Refusal::SettingMalformed { value: text.to_owned(), rule })
}
