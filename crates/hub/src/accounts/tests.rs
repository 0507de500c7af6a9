//! Accounts at the web page and invitations, without a page.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::{Effect, HubConfig, Kept, RoomName};

struct Desk {
    hub: Hub,
    now: Now,
    fx: Vec<Effect>,
}

const HOME: &str = "192.0.2.7";

#[expect(clippy::disallowed_methods, reason = "a test begins at some moment")]
fn desk(admission: Admission) -> Desk {
    let now = Now { at: Instant::now(), unix_ms: 1_000_000 };
    let config = HubConfig { keeps: true, admission, host_key: [7; 32], ..HubConfig::default() };
    Desk { hub: Hub::new(config).unwrap(), now, fx: Vec::new() }
}

fn credentials(hash: &str) -> Credentials {
    let scram = ScramKeys { salt: [0; 16], iterations: 1, stored_key: [0; 32], server_key: [0; 32] };
    Credentials { hash: Secret::new(hash), scram }
}

impl Desk {
    fn ask(&mut self, from: &str, name: &str, token: Option<&str>) -> Result<Name, Refusal> {
        let (from, password): (IpAddr, _) = (from.parse().unwrap(), Secret::new("correct-horse"));
        self.hub.visitor_may_make_account(self.now, from, (name, &password), token)
    }

    fn make(&mut self, name: &str, token: Option<&str>) -> Result<Done, Refusal> {
        let name = Name::new(name).unwrap();
        self.hub.visitor_makes_account(self.now, name, credentials("hash"), token, &mut self.fx)
    }

    fn invite(&mut self, room: Option<&str>, uses: u32, until_ms: Option<u64>) -> String {
        let room = room.map(|room| RoomName::new(room).unwrap());
        let wanted = NewInvitation { by: None, room, until_ms, uses };
        self.hub.add_invitation(self.now, wanted, &mut self.fx).unwrap().0.reveal().to_owned()
    }

    fn is_welcome(&self, account: &str, room: &str) -> bool {
        let room = HistoryKey::of_room(&RoomName::new(room).unwrap());
        self.hub.accounts.welcomes.contains(&(room, Key::of(account)))
    }

    /// What is kept since this was last asked, in short.
    fn kept(&mut self) -> Vec<String> {
        let kept = self.fx.drain(..).filter_map(|effect| match effect {
            Effect::Keep(kept, _) => Some(kept),
            _ => None,
        });
        kept.map(|kept| match kept {
            Kept::Account { account, .. } => format!("account {}", account.name),
            Kept::AccountGone(name) => format!("no account {name}"),
            Kept::Invitation(invitation) => format!("invitation {}", invitation.uses),
            Kept::InvitationGone(_) => "no invitation".to_owned(),
            Kept::Welcome { account, room } => format!("{account} into {}", room.as_str()),
            Kept::WelcomeGone { account, room } => format!("{account} not into {}", room.as_str()),
            other => panic!("{other:?}"),
        })
        .collect()
    }
}

#[test]
fn who_can_make_an_account_is_one_setting() {
    let mut open = desk(Admission::Open);
    assert!(open.ask(HOME, "ana", None).is_ok());
    assert_eq!(open.ask(HOME, "ana", Some("nonsense")).unwrap_err(), Refusal::NoSuchInvitation);
    let mut invited = desk(Admission::Invited);
    assert_eq!(invited.ask(HOME, "ana", None).unwrap_err(), Refusal::InvitationNeeded);
    let token = invited.invite(None, 1, None);
    assert!(invited.ask(HOME, "ana", Some(&token)).is_ok());
    let mut closed = desk(Admission::Closed);
    let token = closed.invite(None, 1, None);
    assert_eq!(closed.ask(HOME, "ana", Some(&token)).unwrap_err(), Refusal::RegistrationClosed);
    assert_eq!(closed.make("ana", Some(&token)).unwrap_err(), Refusal::RegistrationClosed);
    // Whoever runs the server makes them all the same.
    let name = Name::new("ana").unwrap();
    closed.hub.add_account(closed.now, name, credentials("hash"), &mut closed.fx).unwrap();
}

#[test]
fn one_address_does_not_make_many_accounts() {
    let mut desk = desk(Admission::Open);
    let from = |desk: &mut Desk, address: &str| {
        (0..100).take_while(|number| desk.ask(address, &format!("n{number}"), None).is_ok()).count()
    };
    assert_eq!(from(&mut desk, HOME), 20);
    assert_eq!(desk.ask(HOME, "ana", None).unwrap_err(), Refusal::TooManyAttempts { wait_s: 5 });
    // The same address as IPv6 writes it; and this machine's own.
    assert!(desk.ask("::ffff:192.0.2.7", "ana", None).is_err());
    assert_eq!(from(&mut desk, "127.0.0.1"), 100);
    desk.now.at += Duration::from_secs(5);
    assert!(desk.ask(HOME, "ana", None).is_ok());
}

#[test]
fn passwords_that_are_tried_side_by_side_are_counted_too() {
    let mut desk = desk(Admission::Open);
    desk.make("ana", None).unwrap();
    let address: IpAddr = HOME.parse().unwrap();
    let (now, hub) = (desk.now, &mut desk.hub);
    let mut ask = |name: &str| hub.visitor_tries_password(now, address, name);
    assert_eq!(ask("Ana").unwrap().reveal(), "hash");
    for _ in 0..4 {
        ask("ana").unwrap();
    }
    assert_eq!(ask("ana").unwrap_err(), Refusal::TooManyAttempts { wait_s: 10 });
    // Nobody has this name, and nobody is told so.
    assert_eq!((0..10).take_while(|_| ask("bob").is_ok()).count(), 5);
}

#[test]
fn an_invitation_is_used_up() {
    let mut desk = desk(Admission::Invited);
    let token = desk.invite(Some("Den"), 2, None);
    assert_eq!(token.len(), 22);
    assert_eq!(desk.kept(), ["invitation 2"]);
    let done = desk.make("ana", Some(&token)).unwrap();
    assert_eq!(done.room().unwrap().as_str(), "Den");
    assert_eq!(desk.kept(), ["account ana", "invitation 1", "ana into #den"]);
    assert!(desk.is_welcome("ANA", "den"));
    // Both have asked before either was ready.
    assert!(desk.ask(HOME, "bob", Some(&token)).is_ok() && desk.ask(HOME, "cid", Some(&token)).is_ok());
    desk.make("bob", Some(&token)).unwrap();
    assert_eq!(desk.kept(), ["account bob", "no invitation", "bob into #den"]);
    assert_eq!(desk.make("cid", Some(&token)).unwrap_err(), Refusal::NoSuchInvitation);
    assert_eq!(desk.kept(), [""; 0]);
    // With the account goes what it could.
    desk.hub.remove_account(desk.now, "ana", &mut desk.fx).unwrap();
    assert!(!desk.is_welcome("ana", "den") && desk.is_welcome("bob", "den"));
}

#[test]
fn an_invitation_ends_with_its_time() {
    let mut desk = desk(Admission::Invited);
    let token = desk.invite(None, 5, Some(desk.now.unix_ms + 1_000));
    assert!(desk.ask(HOME, "ana", Some(&token)).is_ok());
    desk.now.unix_ms += 1_000;
    assert_eq!(desk.make("ana", Some(&token)).unwrap_err(), Refusal::NoSuchInvitation);
    assert!(desk.hub.invitations(desk.now).is_empty());
    desk.kept();
    // The next one that is made sweeps it away.
    desk.invite(None, 5, None);
    assert_eq!(desk.kept(), ["no invitation", "invitation 5"]);
}

#[test]
fn an_invitation_is_taken_back_by_id_or_by_token() {
    let mut desk = desk(Admission::Invited);
    let (one, two) = (desk.invite(None, 5, None), desk.invite(None, 5, None));
    let id = desk.hub.invitation(desk.now, &one).unwrap().id();
    desk.hub.revoke_invitation(&id, &mut desk.fx).unwrap();
    desk.hub.revoke_invitation(&two, &mut desk.fx).unwrap();
    assert_eq!(desk.hub.revoke_invitation(&id, &mut desk.fx).unwrap_err(), Refusal::NoSuchInvitation);
    assert!(desk.ask(HOME, "ana", Some(&one)).is_err() && desk.ask(HOME, "ana", Some(&two)).is_err());
}

#[test]
fn what_can_not_be_kept_is_undone() {
    let mut desk = desk(Admission::Invited);
    let token = desk.invite(Some("den"), 1, None);
    let done = desk.make("ana", Some(&token)).unwrap();
    desk.kept();
    desk.hub.visitor_undo(desk.now, done, &mut desk.fx);
    assert_eq!(desk.kept(), ["ana not into #den", "invitation 1", "no account ana"]);
    assert!(!desk.is_welcome("ana", "den"));
    desk.make("ana", Some(&token)).unwrap();
    // The password that was is the password again.
    let hash = |desk: &Desk| desk.hub.accounts.get("ana").unwrap().credentials.hash.reveal().to_owned();
    let old = Secret::new("hash");
    let changed = desk.hub.visitor_changes_password(("Ana", &old), credentials("new"), &mut desk.fx).unwrap();
    assert_eq!(hash(&desk), "new");
    // Somebody else had the old one checked at the same time.
    let late = desk.hub.visitor_changes_password(("ana", &old), credentials("other"), &mut desk.fx);
    assert_eq!(late.unwrap_err(), Refusal::WrongPassword);
    desk.hub.visitor_undo(desk.now, changed, &mut desk.fx);
    assert_eq!(hash(&desk), "hash");
}

#[test]
fn an_account_that_can_not_be_kept_is_as_it_was() {
    let mut desk = desk(Admission::Open);
    desk.make("ana", None).unwrap();
    let hash = |desk: &Desk| desk.hub.accounts.get("ana").map(|ana| ana.credentials.hash.reveal().to_owned());
    let changes = |desk: &mut Desk| -> Vec<_> {
        let kept = desk.fx.drain(..).filter_map(|effect| match effect {
            Effect::Keep(Kept::Account { account, before }, _) => Some((account, before)),
            _ => None,
        });
        kept.collect()
    };
    let made = changes(&mut desk);
    for (old, new) in [("hash", "second"), ("second", "third")] {
        desk.hub
            .visitor_changes_password(("ana", &Secret::new(old)), credentials(new), &mut desk.fx)
            .unwrap();
    }
    let changed = changes(&mut desk);
    // What is there has been changed since.
    let undo = |desk: &mut Desk, (account, before): &(Box<Account>, Option<Box<Account>>)| {
        desk.hub.account_not_kept(desk.now, account, before.as_deref(), &mut desk.fx);
    };
    undo(&mut desk, &changed[0]);
    assert_eq!(hash(&desk).unwrap(), "third");
    changed.iter().rev().for_each(|change| undo(&mut desk, change));
    assert_eq!(hash(&desk).unwrap(), "hash");
    undo(&mut desk, &made[0]);
    assert_eq!(hash(&desk), None);
    desk.make("ana", None).unwrap();
}

#[test]
fn whoever_may_come_in_already_does_not_use_an_invitation_up() {
    let mut desk = desk(Admission::Open);
    desk.make("ana", None).unwrap();
    let token = desk.invite(Some("den"), 2, None);
    for uses in [1, 1] {
        desk.hub.visitor_uses_invitation(desk.now, "ana", &token, &mut desk.fx).unwrap();
        assert_eq!(desk.hub.invitation(desk.now, &token).unwrap().uses, uses);
    }
}

/// What somebody who keeps all that is to be kept has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shelf {
    accounts: BTreeMap<Key, String>,
    invitations: BTreeMap<InvitationDigest, Invitation>,
    welcomes: BTreeSet<(HistoryKey, Key)>,
}

impl Shelf {
    fn keep(&mut self, kept: Kept) {
        match kept {
            Kept::Account { account, .. } => {
                let hash = account.credentials.hash.reveal().to_owned();
                self.accounts.insert(Key::of(account.name.as_str()), hash);
            }
            Kept::AccountGone(name) => {
                let gone = Key::of(name.as_str());
                self.accounts.remove(&gone);
                self.welcomes.retain(|(_, account)| *account != gone);
            }
            Kept::Invitation(invitation) => drop(self.invitations.insert(invitation.digest, *invitation)),
            Kept::InvitationGone(digest) => drop(self.invitations.remove(&digest)),
            Kept::Welcome { account, room } => {
                let account = Key::of(&account);
                assert!(self.accounts.contains_key(&account), "a right of nobody");
                self.welcomes.insert((room, account));
            }
            Kept::WelcomeGone { account, room } => drop(self.welcomes.remove(&(room, Key::of(&account)))),
            Kept::WelcomesGone(room) => self.welcomes.retain(|(known, _)| *known != room),
            other => panic!("{other:?}"),
        }
    }

    fn of(hub: &Hub) -> Self {
        let hash = |account: &Account| account.credentials.hash.reveal().to_owned();
        Self {
            accounts: hub.accounts.by_key.iter().map(|(key, account)| (key.clone(), hash(account))).collect(),
            invitations: hub.accounts.invitations.clone(),
            welcomes: hub.accounts.welcomes.clone(),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Invite {
        room: u8,
        uses: u32,
        by: u8,
        lasts: bool,
    },
    Make {
        name: u8,
        token: Option<u8>,
    },
    Use {
        name: u8,
        token: u8,
    },
    Change {
        name: u8,
    },
    Revoke(u8),
    Drop(u8),
    /// The last thing could not be kept.
    Undo,
    MakeRoom(u8),
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    let (name, token, room) = (|| 0u8..3, || 0u8..4, || 0u8..3);
    prop_oneof![
        (room(), 1u32..3, 0u8..4, any::<bool>()).prop_map(|(room, uses, by, lasts)| Step::Invite {
            room,
            uses,
            by,
            lasts
        }),
        (name(), prop::option::of(token())).prop_map(|(name, token)| Step::Make { name, token }),
        (name(), token()).prop_map(|(name, token)| Step::Use { name, token }),
        name().prop_map(|name| Step::Change { name }),
        token().prop_map(Step::Revoke),
        name().prop_map(Step::Drop),
        Just(Step::Undo),
        room().prop_map(Step::MakeRoom),
        Just(Step::Pass),
    ]
}

fn take_step(
    desk: &mut Desk,
    tokens: &mut Vec<String>,
    step: Step,
    last: Option<Done>,
) -> Result<Option<Done>, Refusal> {
    let name = |name: u8| ["ana", "Bob", "cid", "nobody"][usize::from(name)];
    let room = |room: u8| ["den", "Attic", ""][usize::from(room)];
    let token = |token: u8| tokens.iter().rev().nth(usize::from(token)).map_or("", String::as_str);
    let Desk { hub, now, fx } = desk;
    match step {
        Step::Invite { room: into, uses, by, lasts } => {
            let by = hub.accounts.get(name(by)).map(|account| account.name.as_str().into());
            let until_ms = (!lasts).then(|| now.unix_ms + 1_000);
            let wanted = NewInvitation { by, room: RoomName::new(room(into)).ok(), until_ms, uses };
            let made = hub.add_invitation(*now, wanted, fx)?.0.reveal().to_owned();
            tokens.push(made);
        }
        Step::Make { name: of, token: with } => {
            let (of, with) = (Name::new(name(of))?, with.map(token));
            return hub.visitor_makes_account(*now, of, credentials("hash"), with, fx).map(Some);
        }
        Step::Use { name: of, token: with } => {
            return hub.visitor_uses_invitation(*now, name(of), token(with), fx).map(Some);
        }
        Step::Change { name: of } => {
            let hash = hub.accounts.get(name(of)).map(|account| account.credentials.hash.clone());
            let checked = hash.unwrap_or_else(|| Secret::new(""));
            let new = credentials(&format!("{}+", checked.reveal()));
            return hub.visitor_changes_password((name(of), &checked), new, fx).map(Some);
        }
        Step::Revoke(which) => drop(hub.revoke_invitation(token(which), fx)?),
        Step::Drop(whose) => hub.remove_account(*now, name(whose), fx)?,
        Step::Undo => last.into_iter().for_each(|done| hub.visitor_undo(*now, done, fx)),
        Step::MakeRoom(which) => {
            let made = RoomName::new(room(which))?;
            hub.forget_welcomes(&HistoryKey::of_room(&made), fx);
        }
        Step::Pass => now.unix_ms += 600,
    }
    Ok(None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn what_is_kept_is_what_there_is(steps in prop::collection::vec(step(), 1..60)) {
        let mut desk = desk(Admission::Open);
        let (mut shelf, mut tokens) = (Shelf::default(), Vec::new());
        // What was done last, and what there was before it.
        let mut last: Option<(Done, Shelf)> = None;
        for step in steps {
            let undone = if matches!(step, Step::Undo) { last.take() } else { None };
            let (undone, earlier) = undone.map_or((None, None), |(done, earlier)| (Some(done), Some(earlier)));
            let before = Shelf::of(&desk.hub);
            let taken = take_step(&mut desk, &mut tokens, step, undone);
            for effect in desk.fx.drain(..) {
                if let Effect::Keep(kept, _) = effect {
                    shelf.keep(kept);
                }
            }
            let now = Shelf::of(&desk.hub);
            prop_assert_eq!(&now, &shelf);
            prop_assert!(taken.is_ok() || now == before, "what is refused is not done");
            prop_assert!(earlier.is_none_or(|earlier| now == earlier), "undone");
            last = taken.ok().flatten().map(|done| (done, before));
        }
    }
}
