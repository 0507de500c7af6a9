//! What must hold after every call, whatever the sessions ask for.

mod steps;

use std::collections::BTreeSet;

use proptest::prelude::*;

use self::steps::{Step, address_of, name, room_name, service_words, step, step_of_accounts, wanted};
use super::*;
use crate::{
    BridgeRequest, CallId, Contact, Dialect, Entrance, Kept, Leg, Login, Proof, Say, Secret, Style, To, Token,
};

/// A hub under test, with what the outside would remember.
struct Run {
    hub: Hub,
    now: Now,
    open: BTreeSet<SessionId>,
    calls: Vec<CallId>,
    /// What the host was asked of passwords.
    passwords: Vec<Effect>,
    /// The last event that each session got, to see that order never turns.
    last: BTreeMap<SessionId, EventId>,
    /// Messages that each session has and could acknowledge.
    unacknowledged: BTreeMap<SessionId, Vec<EventId>>,
    /// Tokens whose outcome is still due, by session.
    due: BTreeSet<(SessionId, Token)>,
    next_token: u32,
    /// How often each slot was closed: no id is used twice.
    generations: [u32; 12],
}

fn credentials() -> crate::Credentials {
    let hash = Secret::new("hash");
    let scram =
        crate::ScramKeys { salt: [0; 16], iterations: 4096, stored_key: [0; 32], server_key: [0; 32] };
    crate::Credentials { hash, scram }
}

impl Run {
    fn step(&mut self, step: Step) {
        let mut fx = Vec::new();
        match step {
            Step::Open(session, dialect) => {
                if self.open.insert(self.id(session)) {
                    let address = address_of(session).parse().unwrap();
                    self.hub.open(self.id(session), Origin { dialect, address, secure: false });
                }
            }
            Step::Close(session) => {
                if self.open.remove(&self.id(session)) {
                    self.hub.close(self.now, self.id(session), &mut fx);
                    self.last.remove(&self.id(session));
                    self.unacknowledged.remove(&self.id(session));
                    let id = self.id(session);
                    self.due.retain(|(from, _)| *from != id);
                    self.generations[usize::from(session)] += 1;
                }
            }
            Step::Login { session, name: wanted, leg, room } => {
                let receipts = leg == Leg::Receive;
                let entrance =
                    if room == 2 { Entrance::Nowhere } else { Entrance::Room(format!("room{room}")) };
                let login = Login {
                    name: name(wanted),
                    handle: None,
                    leg,
                    entrance,
                    profile: None,
                    replay: false,
                    roster: wanted == 0,
                    receipts,
                };
                self.apply(session, Command::Login(login), &mut fx);
            }
            Step::SayRoom(session) => {
                let user = self.hub.sessions.get(&self.id(session)).and_then(|session| session.user);
                if let Some(room) = user.and_then(|user| self.hub.users[&user].rooms.first().copied()) {
                    self.say(session, To::Room(room), &mut fx);
                }
            }
            Step::SayUser { session, name: to } => self.say(session, To::User(name(to).into()), &mut fx),
            Step::Receipt { session, verdict } => {
                let id = self.id(session);
                let event = self.unacknowledged.get_mut(&id).and_then(Vec::pop);
                if let Some(event) = event {
                    self.apply(session, Command::Receipt { event, verdict }, &mut fx);
                }
            }
            Step::Leave(session) => self.apply(session, Command::Leave { reason: None }, &mut fx),
            Step::Register { session, name: wanted } => {
                let contact = Contact { ip: "127.0.0.1".into(), port: 1000 + u16::from(wanted) };
                let request = BridgeRequest::Register { id: name(wanted), contact };
                self.apply(session, Command::Bridge(request), &mut fx);
            }
            Step::Bridge { session, name: wanted } => {
                self.apply(session, Command::Bridge(BridgeRequest::Bridge { id: name(wanted) }), &mut fx);
            }
            Step::Attach { session, name: wanted } => {
                self.apply(session, Command::Bridge(BridgeRequest::Attach { id: name(wanted) }), &mut fx);
            }
            Step::Forget { session, name: wanted } => {
                self.apply(session, Command::Bridge(BridgeRequest::Forget { id: name(wanted) }), &mut fx);
            }
            Step::Answer { session } => {
                if !self.open.contains(&self.id(session))
                    && let Some(call) = self.calls.pop()
                {
                    self.open.insert(self.id(session));
                    let origin = Origin {
                        dialect: Dialect::Bridge,
                        address: "127.0.0.1".parse().unwrap(),
                        secure: false,
                    };
                    self.hub.open(self.id(session), origin);
                    self.hub.answered(self.now, call, self.id(session), &mut fx);
                }
            }
            Step::Join { session, room } => {
                let join = Command::Join { room: room_name(room), key: None, members: true };
                self.apply(session, join, &mut fx);
            }
            Step::Part { session, room } => {
                self.apply(session, Command::Part { room: room_name(room), reason: None }, &mut fx);
            }
            Step::Kick { session, room, name: whom } => {
                let kick = Command::Kick { room: room_name(room), whom: name(whom), reason: None };
                self.apply(session, kick, &mut fx);
            }
            Step::Modes { session, room, change, name: whom } => {
                let wanted = vec![wanted(change, name(whom))];
                self.apply(session, Command::SetModes { room: room_name(room), wanted }, &mut fx);
            }
            Step::Rename { session, name: to } => {
                self.apply(session, Command::Rename { name: name(to) }, &mut fx);
            }
            Step::RenameRoom { session, room, to } => {
                let (room, name) = (room_name(room), room_name(to));
                self.apply(session, Command::RenameRoom { room, name, reason: None }, &mut fx);
            }
            Step::Watch { session, name: whom, off } => {
                let (add, remove) =
                    if off { (Vec::new(), vec![name(whom)]) } else { (vec![name(whom)], Vec::new()) };
                self.apply(session, Command::Watch { add, remove, clear: false }, &mut fx);
            }
            Step::Away(session) => {
                self.apply(session, Command::SetAway { message: Some("out".to_owned()) }, &mut fx);
            }
            Step::Broadcast => {
                let told = self.hub.broadcast(self.now, "hello", &mut fx).unwrap();
                assert!(told <= self.hub.users.len());
            }
            Step::EndNamed(whom) => {
                if let Ok(card) = self.hub.end_named(self.now, &name(whom), "", &mut fx) {
                    assert!(!self.hub.users.contains_key(&card.user()), "somebody who was ended is here");
                }
            }
            Step::EndFrom(address) => {
                let address: std::net::IpAddr = address_of(address).parse().unwrap();
                // One that waits for a name takes it when that becomes free, and goes when it is told.
                self.hub.waiting.clear();
                self.hub.end_from(self.now, |from| from == address, "", &mut fx);
                let is_left = |user: &User| {
                    let sessions = user.sessions.iter().map(|session| self.hub.sessions[session].origin);
                    user.origin.address == address && sessions.clone().all(|origin| origin.address == address)
                };
                assert_eq!(
                    self.hub.users.values().filter(|user| is_left(user)).count(),
                    0,
                    "somebody from there is here"
                );
            }
            Step::CloseRoom(room) => {
                if self.hub.close_room(self.now, &room_name(room), "", &mut fx).is_ok() {
                    assert!(self.hub.room(&room_name(room)).is_err(), "a closed room is there");
                }
            }
            Step::Service { session, words, about } => {
                let (service, text) = service_words(words, about);
                self.say_text(session, To::User(service.into()), &text, &mut fx);
            }
            Step::LogIn { session, name: account } => {
                let proof = Proof::Password { account: name(account), password: Secret::new("secret1") };
                self.apply(session, Command::LogIn(proof), &mut fx);
            }
            Step::LogOut(session) => self.apply(session, Command::LogOut, &mut fx),
            Step::Checked { right } => match self.passwords.pop() {
                Some(Effect::Verify { session, purpose, name, .. }) => {
                    self.hub.verified(self.now, session, (purpose, &name), right, &mut fx);
                }
                Some(Effect::Derive { session, .. }) => {
                    self.hub.derived(self.now, session, credentials(), &mut fx);
                }
                _ => {}
            },
            Step::RemoveAccount(account) => {
                if self.hub.remove_account(self.now, &name(account), &mut fx).is_ok() {
                    assert!(self.hub.accounts.get(&name(account)).is_none(), "a removed account is there");
                }
            }
            Step::Unanswered => {
                if let Some(call) = self.calls.pop() {
                    self.hub.unanswered(self.now, call, &mut fx);
                }
            }
            Step::Pass(seconds) => {
                self.now = self.now.plus(Duration::from_secs(seconds.into()));
                self.hub.on_timer(self.now, &mut fx);
            }
        }
        self.take(fx);
    }

    fn id(&self, session: u8) -> SessionId {
        SessionId::new(0, self.generations[usize::from(session)], session.into())
    }

    fn apply(&mut self, session: u8, command: Command, fx: &mut Vec<Effect>) {
        if self.open.contains(&self.id(session)) {
            self.hub.apply(self.now, self.id(session), command, fx);
        }
    }

    fn say(&mut self, session: u8, to: To, fx: &mut Vec<Effect>) {
        self.say_text(session, to, "hello", fx);
    }

    fn say_text(&mut self, session: u8, to: To, text: &str, fx: &mut Vec<Effect>) {
        if self.open.contains(&self.id(session)) {
            self.next_token += 1;
            let token = Token(self.next_token);
            self.due.insert((self.id(session), token));
            let say = Say {
                to,
                text: text.into(),
                style: Style::Plain,
                tags: None,
                seams: Vec::new(),
                echo: session.is_multiple_of(3),
                token: Some(token),
                waits: !session.is_multiple_of(3),
            };
            self.hub.apply(self.now, self.id(session), Command::Say(say), fx);
        }
    }

    fn settle(&mut self, answered: (SessionId, Token)) {
        let due = self.due.remove(&answered);
        assert!(due || !self.open.contains(&answered.0), "an outcome that nobody asked for");
    }

    fn take(&mut self, fx: Vec<Effect>) {
        for fx in fx {
            match fx {
                Effect::Deliver { to, event } | Effect::Keep(Kept::Event { event, .. }, Some(to)) => {
                    for session in to.sessions() {
                        assert!(self.open.contains(session), "an event for a session that isn't open");
                        let last = self.last.insert(*session, event.id);
                        // What was held for a rung client may be older than what its new session saw: nothing.
                        assert!(last.is_none_or(|last| last < event.id), "an event out of order");
                        if matches!(event.kind, Kind::Message { .. }) {
                            self.unacknowledged.entry(*session).or_default().push(event.id);
                        }
                    }
                    if let Some((to, token, _)) = event.answer() {
                        self.settle((to, token));
                    }
                }
                Effect::Reply { to, reply } => match reply {
                    Reply::Outcome { token, .. } | Reply::Refused { token: Some(token), .. } => {
                        self.settle((to, token));
                    }
                    _ => {}
                },
                Effect::Ring { call, .. } => self.calls.push(call),
                Effect::Verify { .. } | Effect::Derive { .. } => self.passwords.push(fx),
                Effect::Reload | Effect::Keep(..) | Effect::Recall { .. } => {}
            }
        }
    }

    fn check(&self) {
        let hub = &self.hub;
        let mut keys = BTreeSet::new();
        for (user, entry) in &hub.users {
            assert!(keys.insert(Key::of(entry.card.name.as_str())), "two users of one name");
            for space in crate::Namespace::ALL {
                let wire = entry.card.wire_name(space);
                assert_eq!(
                    hub.directory.find(space, wire),
                    Some(*user),
                    "{wire:?} leads astray in {space:?}"
                );
            }
            for session in &entry.sessions {
                assert_eq!(hub.sessions.get(session).and_then(|session| session.user), Some(*user));
            }
            for room in &entry.rooms {
                assert!(entry.present && hub.rooms[room].has(*user), "a room that doesn't know its member");
                let heard = hub.rooms[room].sessions_of(*user);
                let hears = |id: &&SessionId| hub.sessions[*id].hears();
                assert!(entry.sessions.iter().filter(hears).eq(heard), "a member that doesn't hear");
            }
            let bridge = hub.rendezvous.knows(*user);
            assert!(bridge || hub.stays(*user) || !entry.sessions.is_empty(), "a user without a session");
            let account = entry.card.account();
            assert!(account.is_none_or(|account| hub.accounts.get(account).is_some()), "of no account");
            for session in &entry.sessions {
                let identity = hub.identity(*session).map(|identity| &*identity.account);
                assert_eq!(identity, account, "a session that is somebody else's");
            }
        }
        assert_eq!(hub.directory.len(), hub.users.len());
        for (id, session) in &hub.sessions {
            assert!(self.open.contains(id));
            if let Some(user) = session.user {
                assert!(hub.users[&user].sessions.contains(id), "a session that its user doesn't know");
            }
        }
        for (id, room) in &hub.rooms {
            let is_kept = *id == hub.lobby || room.registration.is_some();
            assert!(room.len() > 0 || is_kept, "an empty room");
            let founder = room.registration.as_deref().map(|registration| &*registration.founder);
            assert!(founder.is_none_or(|founder| hub.accounts.get(founder).is_some()), "of no account");
            for (user, _) in room.members() {
                assert!(hub.users[&user].rooms.contains(id), "a member that doesn't know its room");
            }
            assert_eq!(hub.room_keys[&Key::of(room.card.name.as_str())], *id);
        }
        assert_eq!(hub.rooms.len(), hub.room_keys.len());
        assert!(hub.room_aliases.values().all(|id| hub.rooms.contains_key(id)), "a name of no room");
        assert_eq!(hub.census.users, hub.present().count());
        let unknown = hub.sessions.values().filter(|session| session.user.is_none()).count();
        let occupied = hub.rooms.values().filter(|room| room.len() > 0).count();
        assert_eq!((hub.census.unknown, hub.census.rooms), (unknown, occupied));
        hub.rendezvous.check();
        // A message whose outcome is due waits for somebody who can still acknowledge it.
        assert!(hub.receipts.is_settled() || !self.due.is_empty() || !hub.users.is_empty());
    }
}

/// Plays random calls, looks after each, and has everybody and everything go in the end.
fn play(steps: Vec<Step>, dialects: &[Dialect]) {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
    let now = Now { at: Instant::now(), unix_ms: 1_000_000 };
    let mut run = Run {
        hub: Hub::new(HubConfig { keeps: true, ..HubConfig::default() }).unwrap(),
        now,
        open: BTreeSet::new(),
        calls: Vec::new(),
        passwords: Vec::new(),
        last: BTreeMap::new(),
        unacknowledged: BTreeMap::new(),
        due: BTreeSet::new(),
        next_token: 0,
        generations: [0; 12],
    };
    for (session, dialect) in (0..8).zip(dialects.iter().cycle()) {
        run.step(Step::Open(session, *dialect));
    }
    for step in steps {
        run.step(step);
        run.check();
    }
    // Whoever was rung answers or doesn't; when everybody has gone and no account is left, nothing is but the lobby
    // and bridge clients that still wait.
    while !run.calls.is_empty() {
        run.step(Step::Unanswered);
    }
    for session in 0..12 {
        run.step(Step::Close(session));
    }
    for account in 0..6 {
        run.step(Step::RemoveAccount(account));
    }
    run.step(Step::Pass(4000));
    run.step(Step::Pass(4000));
    run.check();
    assert!(run.due.is_empty());
    assert!(run.hub.watches.is_empty() && run.hub.wants.is_empty());
    assert_eq!(run.hub.census.users, 0);
    assert!(run.hub.receipts.is_settled());
    assert_eq!((run.hub.users.len(), run.hub.rooms.len(), run.hub.sessions.len()), (0, 1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn hold_after_every_call(steps in prop::collection::vec(step(), 1..200)) {
        play(steps, &Dialect::ALL);
    }

    #[test]
    fn hold_among_accounts(steps in prop::collection::vec(step_of_accounts(), 1..200)) {
        play(steps, &[Dialect::Irc]);
    }
}
