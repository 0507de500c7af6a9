//! Logging in: AUTHENTICATE (IRCv3 sasl), PASS, and REGISTER (draft/account-registration).
#![expect(clippy::wildcard_enum_match_arm, reason = "few commands and refusals are about accounts")]

use hub::{Command, Proof, Refusal, ScramKeys, Secret};
use proto::irc::{Line, Numeric};
use proto::sasl::plain::Plain;
use proto::sasl::scram::{self, ClientFinalExpected, ClientFirst};
use proto::sasl::{Payload, SaslError, chunks, external};

use super::asked::Asked;
use super::caps::Caps;
use super::{Call, Close, IrcSession, State, wire};

/// An authentication that has begun.
pub(super) enum Sasl {
    Plain(Payload),
    External(Payload),
    /// SCRAM: the client speaks first.
    ScramFirst(Payload),
    /// The hub is asked for the account's keys.
    ScramKeys(ClientFirst),
    /// The client has to prove itself.
    ScramFinal(Payload, ClientFinalExpected, String),
    /// It has; it says when it has seen our proof.
    ScramEnd(Payload, String),
}

impl IrcSession {
    /// The mechanisms that this client can use.
    pub(super) fn mechanisms(&self) -> &'static str {
        match self.certificate {
            Some(_) => "PLAIN,SCRAM-SHA-256,EXTERNAL",
            None => "PLAIN,SCRAM-SHA-256",
        }
    }

    /// Commands about accounts, before registration and after; whether it was one.
    pub(super) fn on_accounts(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        match name {
            "AUTHENTICATE" if self.settings.keeps => self.on_authenticate(cx, line),
            "REGISTER" if self.settings.keeps => self.on_register(cx, line),
            // No account has to be looked at before it is anybody's.
            "VERIFY" if self.settings.keeps && self.caps.contains(Caps::ACCOUNT_REGISTRATION) => {
                let account = line.params.at(0).unwrap_or("*").to_owned();
                let text = "Accounts here need no verification";
                self.fail(cx, "VERIFY", "INVALID_CODE", &[&account], text);
            }
            _ => return false,
        }
        true
    }

    fn on_authenticate(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(word) = line.params.at(0).filter(|word| !word.is_empty()) else {
            return self.need_more(cx, "AUTHENTICATE");
        };
        let Some(sasl) = self.sasl.take() else { return self.begin_sasl(cx, word) };
        let (payload, mut sasl) = match *sasl {
            Sasl::Plain(mut payload) => (payload.push(word), Sasl::Plain(payload)),
            Sasl::External(mut payload) => (payload.push(word), Sasl::External(payload)),
            Sasl::ScramFirst(mut payload) => (payload.push(word), Sasl::ScramFirst(payload)),
            Sasl::ScramFinal(mut payload, expected, account) => {
                (payload.push(word), Sasl::ScramFinal(payload, expected, account))
            }
            Sasl::ScramEnd(mut payload, account) => (payload.push(word), Sasl::ScramEnd(payload, account)),
            waiting @ Sasl::ScramKeys(_) => (Ok(None), waiting),
        };
        let message = match payload {
            Ok(Some(message)) => message,
            Ok(None) => {
                self.sasl = Some(Box::new(sasl));
                return;
            }
            Err(error) => return self.sasl_failed(cx, error),
        };
        let done = match &mut sasl {
            Sasl::Plain(_) => Plain::parse(&message).map(|plain| {
                let password = Secret::new(plain.password.reveal());
                Some(Proof::Password { account: plain.authcid.to_owned(), password })
            }),
            Sasl::External(_) => external::parse(&message).map(|account| {
                let account = account.map(str::to_owned);
                self.certificate
                    .as_deref()
                    .map(|fingerprint| Proof::Certificate { account, fingerprint: *fingerprint })
            }),
            Sasl::ScramEnd(_, account) => Ok(Some(Proof::Scram { account: std::mem::take(account) })),
            Sasl::ScramFirst(_) | Sasl::ScramFinal(..) | Sasl::ScramKeys(_) => {
                return self.on_scram(cx, sasl, &message);
            }
        };
        match done {
            Ok(Some(proof)) => self.ask(cx, Asked::Sasl, Command::LogIn(proof)),
            Ok(None) => self.sasl_refused(cx),
            Err(error) => self.sasl_failed(cx, error),
        }
    }

    fn begin_sasl(&mut self, cx: &mut Call<'_>, mechanism: &str) {
        let begun = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => Sasl::Plain(Payload::default()),
            "SCRAM-SHA-256" => Sasl::ScramFirst(Payload::default()),
            "EXTERNAL" if self.certificate.is_some() => Sasl::External(Payload::default()),
            "*" => return self.sasl_failed(cx, SaslError::Aborted),
            _ => {
                let mechanisms = self.mechanisms();
                let line = self.numeric(cx, Numeric::RPL_SASLMECHS).param(mechanisms);
                line.trailing("are available SASL mechanisms");
                return self.sasl_refused(cx);
            }
        };
        self.sasl = Some(Box::new(begun));
        self.line(cx).command("AUTHENTICATE").param("+").end();
    }

    fn on_scram(&mut self, cx: &mut Call<'_>, sasl: Sasl, message: &[u8]) {
        match sasl {
            Sasl::ScramFirst(_) => match ClientFirst::parse(message) {
                Ok(first) => {
                    let account = first.name().to_owned();
                    self.sasl = Some(Box::new(Sasl::ScramKeys(first)));
                    self.ask(cx, Asked::ScramKeys, Command::ScramKeys { account });
                }
                Err(error) => self.sasl_failed(cx, error),
            },
            Sasl::ScramFinal(_, expected, account) => match expected.verify(message) {
                Ok(proof) => {
                    self.sasl = Some(Box::new(Sasl::ScramEnd(Payload::default(), account)));
                    self.authenticate(cx, &proof);
                }
                Err(error) => {
                    cx.out.command(Command::WrongProof { account });
                    self.sasl_failed(cx, error);
                }
            },
            Sasl::Plain(_) | Sasl::External(_) | Sasl::ScramKeys(_) | Sasl::ScramEnd(..) => {}
        }
    }

    /// What a SCRAM proof is checked with.
    pub(super) fn on_scram_keys(&mut self, cx: &mut Call<'_>, keys: &ScramKeys, nonce: &[u8; 18]) {
        let Some(Sasl::ScramKeys(first)) = self.sasl.take().map(|sasl| *sasl) else { return };
        let account = first.name().to_owned();
        let ScramKeys { salt, iterations, stored_key, server_key } = *keys;
        let keys = scram::ScramKeys { salt, iterations, stored_key, server_key };
        let (challenge, expected) = first.challenge(&scram::nonce(nonce), keys);
        self.sasl = Some(Box::new(Sasl::ScramFinal(Payload::default(), expected, account)));
        self.authenticate(cx, &challenge);
    }

    fn authenticate(&mut self, cx: &mut Call<'_>, message: &[u8]) {
        for chunk in chunks(message) {
            self.line(cx).command("AUTHENTICATE").param(&chunk).end();
        }
    }

    fn sasl_failed(&mut self, cx: &mut Call<'_>, error: SaslError) {
        match error {
            SaslError::Aborted => {
                self.numeric(cx, Numeric::ERR_SASLABORTED).trailing("SASL authentication aborted");
            }
            SaslError::TooLong { .. } => {
                self.numeric(cx, Numeric::ERR_SASLTOOLONG).trailing("SASL message too long");
            }
            _ => self.sasl_refused(cx),
        }
    }

    fn sasl_refused(&mut self, cx: &mut Call<'_>) {
        self.numeric(cx, Numeric::ERR_SASLFAIL).trailing("SASL authentication failed");
    }

    /// A negotiation ends while an authentication is under way.
    pub(super) fn abort_sasl(&mut self, cx: &mut Call<'_>) {
        if self.sasl.take().is_some() {
            self.sasl_failed(cx, SaslError::Aborted);
        }
    }

    /// Logged in.
    pub(super) fn on_logged_in(&mut self, cx: &mut Call<'_>, asked: &Asked, account: &str) {
        if let State::Registering(registering) = &mut self.state {
            registering.account = Some(account.into());
        }
        let hostmask = match &self.state {
            State::Active(active) => active.card.hostmask(),
            State::Registering(_) | State::Closed => format!("{}!*@*", self.target()),
        };
        let text = format!("You are now logged in as {account}");
        self.numeric(cx, Numeric::RPL_LOGGEDIN).param(&hostmask).param(account).trailing(&text);
        match asked {
            Asked::Sasl => {
                let text = "SASL authentication successful";
                self.numeric(cx, Numeric::RPL_SASLSUCCESS).trailing(text);
            }
            Asked::Pass { .. } => self.try_register(cx),
            _ => {}
        }
    }

    /// A login is refused, in the words of whatever asked for it. Whether it was that.
    pub(super) fn refuse_login(&mut self, cx: &mut Call<'_>, asked: &Asked, refusal: &Refusal) -> bool {
        match asked {
            Asked::Sasl | Asked::ScramKeys => {
                self.sasl = None;
                let text = match refusal {
                    Refusal::TooManyAttempts { .. } => format!("SASL authentication failed: {refusal}"),
                    _ => "SASL authentication failed".to_owned(),
                };
                self.numeric(cx, Numeric::ERR_SASLFAIL).trailing(&text);
            }
            Asked::Pass { strict: true } => {
                self.numeric(cx, Numeric::ERR_PASSWDMISMATCH).trailing("Password incorrect");
                self.end(cx, Close::Refused(refusal.clone()), "Bad password");
            }
            Asked::Pass { strict: false } => self.try_register(cx),
            Asked::Register { account } => {
                let code = match refusal {
                    Refusal::AccountExists { .. } => "USERNAME_EXISTS",
                    Refusal::NameMalformed { .. } => "BAD_ACCOUNT_NAME",
                    Refusal::PasswordUnfit { rule } if rule.contains("fewer") => "WEAK_PASSWORD",
                    Refusal::PasswordUnfit { .. } => "INVALID_PASSWORD",
                    Refusal::LoggedInAlready { .. } => "ALREADY_AUTHENTICATED",
                    Refusal::RegistrationClosed | Refusal::InvitationNeeded => "DISALLOWED",
                    _ => "TEMPORARILY_UNAVAILABLE",
                };
                self.fail(cx, "REGISTER", code, &[account], &refusal.to_string());
            }
            _ => return false,
        }
        true
    }

    /// REGISTER account email password.
    fn on_register(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let (Some(account), Some(_), Some(password)) =
            (line.params.at(0), line.params.at(1), line.params.at(2).filter(|password| !password.is_empty()))
        else {
            let text = "Missing parameters";
            return self.fail(cx, "REGISTER", "NEED_MORE_PARAMS", &[], text);
        };
        let nick = match &self.state {
            State::Active(active) => Some(wire::nick(&active.card).to_owned()),
            State::Registering(registering) => registering.nick.clone(),
            State::Closed => None,
        };
        // Names of accounts are nicknames: only the client's own can be had.
        let Some(nick) = nick else {
            return self.fail(cx, "REGISTER", "NEED_NICK", &[account], "Choose a nickname first");
        };
        if account != "*" && !account.eq_ignore_ascii_case(&nick) {
            let text = "The account must have your nickname's name";
            return self.fail(cx, "REGISTER", "ACCOUNT_NAME_MUST_BE_NICK", &[account], text);
        }
        let password = Secret::new(password);
        let asked = Asked::Register { account: nick.clone() };
        self.ask(cx, asked, Command::Register { account: nick, password });
    }

    /// The account is made.
    pub(super) fn on_registered(&mut self, cx: &mut Call<'_>, account: &str) {
        let line = self.server_line(cx).command("REGISTER").param("SUCCESS").param(account);
        line.trailing("The account is yours");
        self.on_logged_in(cx, &Asked::Register { account: account.to_owned() }, account);
    }

    /// PASS `account:password`, or the password of the account that is called like the nickname. Whether the hub is
    /// being asked.
    pub(super) fn log_in_by_pass(&mut self, cx: &mut Call<'_>) -> bool {
        let State::Registering(registering) = &mut self.state else { return false };
        let Some(pass) = registering.pass.take().filter(|_| registering.account.is_none()) else {
            return false;
        };
        let (account, password, strict) = match (pass.split_once(':'), &registering.nick) {
            (Some((account, password)), _) => (account.to_owned(), password, true),
            (None, Some(nick)) => (nick.clone(), pass.as_str(), false),
            (None, None) => return false,
        };
        let proof = Proof::Password { account, password: Secret::new(password) };
        self.ask(cx, Asked::Pass { strict }, Command::LogIn(proof));
        true
    }
}
