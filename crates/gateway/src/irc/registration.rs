//! From a connection to a registered client: capabilities, NICK, USER; and what keeps the connection alive after.

use std::sync::Arc;
use std::time::Instant;

use hub::{Card, Census, ClientProfile, Command, Entrance, Leg, Login, Namespace, Now, SessionId, UserFlags};
use proto::irc::{Line, Numeric};

use super::asked::Asked;
use super::caps::{self, Caps};
use super::greeting::Greeting;
use super::metadata::EarlyMetadata;
use super::{Active, Call, IrcSession, State, nick_of};
use crate::{Close, Settings};

/// The longest user name, in characters, without its mark.
pub(super) const USERNAME_CHARS_MAX: usize = 10;

/// What a client is told when it is registered is mostly shorter: so it is written without moving it.
const WELCOME_BYTES: usize = 3 * 1024;

/// A client that isn't registered yet.
#[derive(Debug)]
pub(super) struct Registering {
    /// When it connected, or when its first bytes came.
    since: Instant,
    has_begun: bool,
    pub(super) nick: Option<String>,
    user: Option<(String, String)>,
    away: Option<String>,
    /// What PASS gave.
    pub(super) pass: Option<String>,
    /// The account that it is logged in to.
    pub(super) account: Option<Box<str>>,
    pub(super) metadata: EarlyMetadata,
    /// Capabilities are being negotiated: registration waits for CAP END.
    negotiating: bool,
    /// The hub is being asked for the name.
    asking: bool,
}

impl Registering {
    pub(super) fn new(now: Now) -> Self {
        Self {
            since: now.at,
            has_begun: false,
            nick: None,
            user: None,
            away: None,
            pass: None,
            account: None,
            metadata: EarlyMetadata::default(),
            negotiating: false,
            asking: false,
        }
    }

    /// Bytes have come.
    pub(super) fn begun(&mut self, now: Now) {
        if !self.has_begun {
            (self.has_begun, self.since) = (true, now.at);
        }
    }

    /// When it must be registered.
    pub(super) fn deadline(&self, settings: &Settings) -> Instant {
        self.since + if self.has_begun { settings.login } else { settings.silence }
    }
}

impl IrcSession {
    /// A command before registration is complete.
    pub(super) fn on_early(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) {
        if self.on_session(cx, name, line) {
            return self.try_register(cx);
        }
        match name {
            "NICK" => self.on_first_nick(cx, line),
            "USER" => self.on_user(cx, line),
            "PASS" => match line.params.at(0).filter(|pass| !pass.is_empty()) {
                Some(pass) => {
                    if let State::Registering(registering) = &mut self.state {
                        registering.pass = Some(pass.to_owned());
                    }
                }
                None => self.need_more(cx, "PASS"),
            },
            _ if self.on_accounts(cx, name, line) => {}
            "AWAY" if self.caps.contains(Caps::PRE_AWAY) => {
                let message = line.params.at(0).filter(|message| !message.is_empty());
                if let State::Registering(registering) = &mut self.state {
                    registering.away = message.map(str::to_owned);
                }
                self.say_away(cx, message.is_some());
            }
            "METADATA" if self.on_metadata(cx, name, line) => {}
            _ => {
                self.numeric(cx, Numeric::ERR_NOTREGISTERED).trailing("You have not registered");
            }
        }
        self.try_register(cx);
    }

    /// Commands that mean the same before and after registration; whether it was one.
    pub(super) fn on_session(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        match name {
            "CAP" => self.on_cap(cx, line),
            "PING" => match line.params.at(0).filter(|token| !token.is_empty()) {
                Some(token) => {
                    let server = self.settings.irc_name.clone();
                    self.server_line(cx).command("PONG").param(&server).trailing(token);
                }
                None if line.params.is_empty() => self.need_more(cx, "PING"),
                None => self.numeric(cx, Numeric::ERR_NOORIGIN).trailing("No origin specified"),
            },
            "PONG" => {}
            "QUIT" => {
                let reason = match line.params.at(0) {
                    Some(reason) if !reason.is_empty() => format!("Quit: {reason}"),
                    _ => "Quit".to_owned(),
                };
                self.end(cx, Close::ByPeer, &reason);
            }
            "ERROR" => {}
            _ => return false,
        }
        true
    }

    fn on_first_nick(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(nick) = line.params.at(0).filter(|nick| !nick.is_empty()) else {
            return self.numeric(cx, Numeric::ERR_NONICKNAMEGIVEN).trailing("No nickname given");
        };
        if !is_nick(nick) {
            return self.bad_nick(cx, nick);
        }
        if let State::Registering(registering) = &mut self.state {
            registering.nick = Some(nick.to_owned());
        }
    }

    pub(super) fn bad_nick(&mut self, cx: &mut Call<'_>, nick: &str) {
        let nick: String = nick.chars().take(hub::NAME_CHARS_MAX).collect();
        self.numeric(cx, Numeric::ERR_ERRONEUSNICKNAME).param(&nick).trailing("Erroneous nickname");
    }

    fn on_user(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let (Some(username), Some(real_name)) = (
            line.params.at(0).filter(|name| !name.is_empty()),
            line.params.at(3).filter(|name| !name.is_empty()),
        ) else {
            return self.need_more(cx, "USER");
        };
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "-_.[]{}|^`".contains(*c);
        let kept: String = username.chars().filter(allowed).take(USERNAME_CHARS_MAX).collect();
        let username = if kept.is_empty() { "user".to_owned() } else { kept };
        if let State::Registering(registering) = &mut self.state {
            registering.user = Some((username, real_name.to_owned()));
        }
    }

    /// Asks the hub for the name, once all is there.
    pub(super) fn try_register(&mut self, cx: &mut Call<'_>) {
        let State::Registering(registering) = &mut self.state else { return };
        let is_ready = registering.nick.is_some() && registering.user.is_some();
        // Whatever the hub is being asked, it has to be known first.
        if !is_ready || registering.negotiating || registering.asking || !self.flow.is_idle() {
            return;
        }
        if self.settings.keeps && self.log_in_by_pass(cx) {
            return;
        }
        // Who has znc.in/playback may ask or not, and is not shown anything twice.
        let replay = !self.caps.contains(Caps::CHATHISTORY);
        let State::Registering(registering) = &mut self.state else { return };
        let (Some(nick), Some((username, real_name))) = (&registering.nick, &registering.user) else {
            return;
        };
        registering.asking = true;
        let profile = ClientProfile {
            username: username.clone(),
            real_name: real_name.clone(),
            away: registering.away.clone(),
            flags: UserFlags::empty(),
            metadata: registering.metadata.values.clone(),
        };
        let login = Login {
            name: nick.clone(),
            handle: None,
            leg: Leg::Both,
            entrance: Entrance::Nowhere,
            profile: Some(Box::new(profile)),
            replay,
            roster: false,
            receipts: false,
        };
        self.ask(cx, Asked::Login, Command::Login(login));
    }

    /// The hub has refused the name.
    pub(super) fn not_registered(&mut self) -> Option<String> {
        let State::Registering(registering) = &mut self.state else { return None };
        registering.asking = false;
        registering.nick.take()
    }

    /// Tells a client that it is registered, and all that clients are told then.
    pub(super) fn on_welcome(
        &mut self,
        cx: &mut Call<'_>,
        session: SessionId,
        card: Arc<Card>,
        census: &Census,
    ) {
        let State::Registering(registering) = &mut self.state else { return };
        let metadata = std::mem::take(&mut registering.metadata);
        let hostmask = card.hostmask();
        self.state = State::Active(Active { card, session, rooms: Vec::new(), batch: None });
        self.playback_begins(cx.now);
        cx.lines.reserve(WELCOME_BYTES);
        let settings = self.settings.clone();
        let welcome = ["Welcome to the ", &settings.irc_network, " IRC Network ", &hostmask];
        self.numeric(cx, Numeric::RPL_WELCOME).trailing_parts(welcome);
        Greeting::write(&settings, nick_of(&self.state), self.flow.sink(cx.answering, &mut cx.lines));
        self.send_early_metadata(cx, metadata);
        self.send_lusers(cx, census);
        self.send_motd(cx);
    }

    /// When to look whether the client is there.
    pub(super) fn silence_at(&self) -> Instant {
        let pong = if self.pinged { self.settings.irc_pong } else { std::time::Duration::ZERO };
        self.heard_at + self.settings.irc_ping + pong
    }

    /// Asks a silent client whether it is there, and ends one that doesn't answer or register.
    pub(super) fn on_silence(&mut self, cx: &mut Call<'_>) {
        match &self.state {
            State::Registering(registering) if registering.deadline(&self.settings) <= cx.now.at => {
                let close = if registering.has_begun { Close::LoginTimeout } else { Close::Idle };
                self.end(cx, close, "Registration timed out");
            }
            State::Active(_) if self.silence_at() <= cx.now.at => {
                if self.pinged {
                    let seconds = (self.settings.irc_ping + self.settings.irc_pong).as_secs();
                    return self.end(cx, Close::Idle, &format!("Ping timeout: {seconds} seconds"));
                }
                self.pinged = true;
                let name = self.settings.irc_name.clone();
                proto::irc::Writer::new(&mut cx.lines).source(&name).command("PING").trailing(&name);
            }
            State::Registering(_) | State::Active(_) | State::Closed => {}
        }
    }

    fn on_cap(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(verb) = line.params.at(0) else { return self.need_more(cx, "CAP") };
        match verb.to_ascii_uppercase().as_str() {
            "LS" => self.on_cap_ls(cx, line.params.at(1)),
            "LIST" => {
                let names = self.caps.names().map(str::to_owned).collect();
                let version_302 = self.caps.contains(Caps::CAP_NOTIFY);
                self.send_caps(cx, "LIST", names, version_302);
            }
            "REQ" => self.on_cap_req(cx, line.params.at(1).unwrap_or_default()),
            "END" => {
                if let State::Registering(registering) = &mut self.state {
                    registering.negotiating = false;
                }
                self.abort_sasl(cx);
            }
            _ => {
                let verb: String = verb.chars().take(32).collect();
                self.numeric(cx, Numeric::ERR_INVALIDCAPCMD).param(&verb).trailing("Invalid CAP command");
            }
        }
    }

    fn on_cap_ls(&mut self, cx: &mut Call<'_>, version: Option<&str>) {
        let version_302 = version.and_then(|version| version.parse::<u32>().ok()).is_some_and(|v| v >= 302);
        if version_302 {
            // A client that knows this version is told of changes too.
            self.caps |= Caps::CAP_NOTIFY;
        }
        if let State::Registering(registering) = &mut self.state {
            registering.negotiating = true;
        }
        let offered = caps::offered(&self.settings, version_302, self.origin.secure, self.mechanisms());
        self.send_caps(cx, "LS", offered, version_302);
    }

    /// A list of capabilities, in several lines if it is long and the client knows of that.
    fn send_caps(&mut self, cx: &mut Call<'_>, verb: &str, names: Vec<String>, several: bool) {
        let target = self.target();
        // ":server CAP target LS * :" and the end.
        let around = self.settings.irc_name.len() + target.len() + 20;
        let most = proto::irc::LINE_BYTES_MAX.saturating_sub(around);
        let mut lines = vec![String::new()];
        for name in names {
            let full = lines.last().is_some_and(|line| line.len() + name.len() >= most);
            if full && several {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(&name);
            }
        }
        let last = lines.len() - 1;
        for (index, names) in lines.iter().enumerate() {
            let line = self.server_line(cx).command("CAP").param(&target).param(verb);
            let line = if index < last { line.param("*") } else { line };
            line.trailing(names);
        }
    }

    /// All of what is asked for, or nothing.
    fn on_cap_req(&mut self, cx: &mut Call<'_>, asked: &str) {
        if let State::Registering(registering) = &mut self.state {
            registering.negotiating = true;
        }
        let mut wanted = Some(self.caps);
        for name in asked.split(' ').filter(|name| !name.is_empty()) {
            let (name, on) = match name.strip_prefix('-') {
                Some(name) => (name, false),
                None => (name, true),
            };
            let cap = Caps::named(name).filter(|cap| self.settings.keeps || !Caps::PAST.contains(*cap));
            wanted = match (wanted, cap) {
                (Some(mut caps), Some(cap)) => {
                    caps.set(cap, on);
                    Some(caps)
                }
                _ => None,
            };
        }
        let target = self.target();
        let verb = if wanted.is_some() { "ACK" } else { "NAK" };
        self.server_line(cx).command("CAP").param(&target).param(verb).trailing(asked);
        self.caps = wanted.unwrap_or(self.caps).with_implied();
    }
}

/// Whether a client may have this nickname; the hub has more to say about it.
pub(super) fn is_nick(nick: &str) -> bool {
    Namespace::Irc.is_legal(nick) && hub::Name::new(nick).is_ok_and(|name| name.as_str() == nick)
}

/// What runs here.
pub(super) fn version() -> String {
    concat!("polylogue-", env!("CARGO_PKG_VERSION")).to_owned()
}
