//! Accounts at the web page and invitations, without a page.

use std::net::IpAddr;
use std::time::{Duration, Instant};

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
            Effect::Keep(kept) => Some(kept),
            _ => None,
        });
        kept.map(|kept| match kept {
            Kept::Account(account) => format!("account {}", account.name),
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
fn whoever_may_come_in_already_does_not_use_an_invitation_up() {
    let mut desk = desk(Admission::Open);
    desk.make("ana", None).unwrap();
    let token = desk.invite(Some("den"), 2, None);
    for uses in [1, 1] {
        desk.hub.visitor_uses_invitation(desk.now, "ana", &token, &mut desk.fx).unwrap();
        assert_eq!(desk.hub.invitation(desk.now, &token).unwrap().uses, uses);
    }
}
