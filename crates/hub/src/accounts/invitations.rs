//! Invitations: links that let somebody make an account, and come into a room that not everybody may come into.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::names::Key;
use crate::room::Room;
use crate::{Card, Effect, HistoryKey, Hub, Kept, Now, Ranks, Refusal, RoomName, Secret, SessionId};

/// Invitations that there are at once.
const INVITATIONS_MAX: usize = 10_000;
/// Invitations that one account has made at once.
const INVITATIONS_OF_ACCOUNT_MAX: usize = 20;
/// How often an invitation can be used at most.
pub const INVITATION_USES_MAX: u32 = 10_000;
/// Bytes of chance in an invitation's token.
const TOKEN_BYTES: usize = 16;
/// How long an invitation lasts that somebody makes in a room.
const DAYS: u64 = 7;

/// What an invitation is known by: SHA-256 of its token, which nobody keeps.
pub type InvitationDigest = [u8; 32];

/// An invitation, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What it is known by.
    pub digest: InvitationDigest,
    /// The account that made it; `None`: whoever runs the server did.
    pub by: Option<Arc<str>>,
    /// The room that it opens.
    pub room: Option<RoomName>,
    /// When it was made: milliseconds since 1970.
    pub made_ms: u64,
    /// Until when it is good; `None`: it doesn't end.
    pub until_ms: Option<u64>,
    /// How often it can still be used.
    pub uses: u32,
}

impl Invitation {
    /// A short name that people can tell it by. It is of no use to whoever wants to be let in.
    #[must_use]
    pub fn id(&self) -> String {
        self.digest.iter().take(6).fold(String::new(), |mut id, byte| {
            // Writing to a string can't fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }

    fn is_good(&self, now: Now) -> bool {
        self.uses > 0 && self.until_ms.is_none_or(|until_ms| until_ms > now.unix_ms)
    }
}

/// An invitation that was used.
#[derive(Debug)]
pub(super) struct Used {
    /// As it was.
    pub(super) before: Invitation,
    /// The room that the account may come into since, and couldn't before.
    welcomed: Option<HistoryKey>,
}

/// An invitation as it is wanted.
#[derive(Debug, Clone, Default)]
pub struct NewInvitation {
    /// The account that makes it; `None`: whoever runs the server does.
    pub by: Option<Arc<str>>,
    /// The room that it is to open.
    pub room: Option<RoomName>,
    /// Until when it is to be good: milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// How often it is to be used.
    pub uses: u32,
}

/// Who can make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admission {
    /// Anybody.
    #[default]
    Open,
    /// Whoever has an invitation.
    Invited,
    /// Only whoever runs the server.
    Closed,
}

impl Admission {
    const NAMES: [(&str, Self); 3] =
        [("open", Self::Open), ("invited", Self::Invited), ("closed", Self::Closed)];

    /// The one of a name: `open`, `invited`, `closed`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, admission)| admission)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("open", |(name, _)| name)
    }
}

fn digest_of(token: &str) -> InvitationDigest {
    Sha256::digest(token.as_bytes()).into()
}

impl Hub {
    /// Tells the hub where browsers find the server's page, unless the configuration says it.
    pub fn found_at(&mut self, url: impl FnOnce() -> String) {
        if self.config.web_url.is_empty() {
            self.config.web_url = url();
        }
    }

    /// Takes over the invitations that were kept, and which accounts may come into which rooms.
    pub fn load_invitations(
        &mut self,
        invitations: impl IntoIterator<Item = Invitation>,
        welcomes: impl IntoIterator<Item = (String, HistoryKey)>,
    ) {
        let invitations = invitations.into_iter().map(|invitation| (invitation.digest, invitation));
        self.accounts.invitations.extend(invitations);
        let welcomes = welcomes.into_iter().map(|(account, room)| (room, Key::of(&account)));
        self.accounts.welcomes.extend(welcomes);
    }

    /// Makes an invitation. Its token is told once, and not kept.
    ///
    /// # Errors
    /// If nothing is kept here, or there are too many.
    pub fn add_invitation(
        &mut self,
        now: Now,
        wanted: NewInvitation,
        fx: &mut Vec<Effect>,
    ) -> Result<(Secret, Invitation), Refusal> {
        if !self.config.keeps {
            return Err(Refusal::NoHistory);
        }
        self.forget_invitations(|invitation| !invitation.is_good(now), fx);
        let all = &self.accounts.invitations;
        if all.len() >= INVITATIONS_MAX {
            return Err(Refusal::ServerFull { what: "invitations" });
        }
        let own = all.values().filter(|invitation| invitation.by == wanted.by).count();
        if wanted.by.is_some() && own >= INVITATIONS_OF_ACCOUNT_MAX {
            return Err(Refusal::ServerFull { what: "invitations by one account" });
        }
        let id = self.next_id();
        let bytes = self.secret_bytes(&[b"invitation", &id.to_be_bytes(), &now.unix_ms.to_be_bytes()]);
        let token = BASE64_URL_SAFE_NO_PAD.encode(bytes.get(..TOKEN_BYTES).unwrap_or_default());
        let NewInvitation { by, room, until_ms, uses } = wanted;
        let uses = uses.clamp(1, INVITATION_USES_MAX);
        let made_ms = now.unix_ms;
        let invitation = Invitation { digest: digest_of(&token), by, room, made_ms, until_ms, uses };
        self.keep_invitation(invitation.clone(), fx);
        Ok((Secret::new(&token), invitation))
    }

    /// Ends an invitation, known by its id or its token.
    ///
    /// # Errors
    /// [`Refusal::NoSuchInvitation`].
    pub fn revoke_invitation(&mut self, which: &str, fx: &mut Vec<Effect>) -> Result<Invitation, Refusal> {
        let digest = digest_of(which);
        let is_meant = |invitation: &&Invitation| invitation.digest == digest || invitation.id() == which;
        let found = self.accounts.invitations.values().find(is_meant);
        let found = found.cloned().ok_or(Refusal::NoSuchInvitation)?;
        self.forget_invitations(|invitation| invitation.digest == found.digest, fx);
        Ok(found)
    }

    /// The invitations that are still good, by age.
    #[must_use]
    pub fn invitations(&self, now: Now) -> Vec<Invitation> {
        let good = self.accounts.invitations.values().filter(|invitation| invitation.is_good(now));
        let mut good: Vec<_> = good.cloned().collect();
        good.sort_by_key(|invitation| (invitation.made_ms, invitation.digest));
        good
    }

    /// The invitation of a token.
    ///
    /// # Errors
    /// [`Refusal::NoSuchInvitation`], also if it was used up or has ended.
    pub fn invitation(&self, now: Now, token: &str) -> Result<&Invitation, Refusal> {
        let found = self.accounts.invitations.get(&digest_of(token));
        found.filter(|invitation| invitation.is_good(now)).ok_or(Refusal::NoSuchInvitation)
    }

    /// Whether somebody without an account may make one, with this invitation or without.
    pub(super) fn may_make_account(&self, now: Now, invitation: Option<&str>) -> Result<(), Refusal> {
        match (self.config.admission, invitation) {
            (Admission::Closed, _) => Err(Refusal::RegistrationClosed),
            (Admission::Invited, None) => Err(Refusal::InvitationNeeded),
            (Admission::Open, None) => Ok(()),
            (Admission::Open | Admission::Invited, Some(token)) => self.invitation(now, token).map(drop),
        }
    }

    /// Uses an invitation for an account, once.
    pub(super) fn use_invitation(
        &mut self,
        now: Now,
        account: &str,
        token: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Used, Refusal> {
        let before = self.invitation(now, token)?.clone();
        let uses = before.uses - 1;
        match uses {
            0 => self.forget_invitations(|invitation| invitation.digest == before.digest, fx),
            uses => self.keep_invitation(Invitation { uses, ..before.clone() }, fx),
        }
        let room = before.room.as_ref().map(HistoryKey::of_room);
        let welcomed = room.filter(|room| self.accounts.welcomes.insert((room.clone(), Key::of(account))));
        if let Some(room) = welcomed.clone() {
            fx.push(Effect::Keep(Kept::Welcome { account: account.into(), room }, None));
        }
        Ok(Used { before, welcomed })
    }

    /// Gives back what [`Hub::use_invitation`] has used.
    pub(super) fn unuse_invitation(&mut self, account: &str, used: Used, fx: &mut Vec<Effect>) {
        let Used { before, welcomed } = used;
        if let Some(room) = welcomed {
            self.accounts.welcomes.remove(&(room.clone(), Key::of(account)));
            fx.push(Effect::Keep(Kept::WelcomeGone { account: account.into(), room }, None));
        }
        // Somebody else may have used it meanwhile.
        let now = self.accounts.invitations.get(&before.digest).map_or(0, |invitation| invitation.uses);
        self.keep_invitation(Invitation { uses: now + 1, ..before }, fx);
    }

    pub(super) fn keep_invitation(&mut self, invitation: Invitation, fx: &mut Vec<Effect>) {
        fx.push(Effect::Keep(Kept::Invitation(Box::new(invitation.clone())), None));
        self.accounts.invitations.insert(invitation.digest, invitation);
    }

    pub(super) fn forget_invitations(
        &mut self,
        is_meant: impl Fn(&Invitation) -> bool,
        fx: &mut Vec<Effect>,
    ) {
        self.accounts.invitations.retain(|digest, invitation| {
            let goes = is_meant(invitation);
            if goes {
                fx.push(Effect::Keep(Kept::InvitationGone(*digest), None));
            }
            !goes
        });
    }

    /// Whether somebody may come into a room by an invitation that its account has used.
    pub(crate) fn is_welcome(&self, room: &Room, card: &Card) -> bool {
        let account = card.account().filter(|_| !self.accounts.welcomes.is_empty());
        account
            .is_some_and(|account| self.accounts.welcomes.contains(&(room.history.clone(), Key::of(account))))
    }

    /// Somebody makes a room anew, and decides who comes in: invitations into an earlier one of its name don't count.
    pub(crate) fn forget_welcomes(&mut self, room: &HistoryKey, fx: &mut Vec<Effect>) {
        let before = self.accounts.welcomes.len();
        self.accounts.welcomes.retain(|(known, _)| known != room);
        if self.accounts.welcomes.len() < before {
            fx.push(Effect::Keep(Kept::WelcomesGone(room.clone()), None));
        }
        let is_into = |invitation: &Invitation| {
            let into = invitation.room.as_ref().map(HistoryKey::of_room);
            invitation.by.is_some() && into.as_ref() == Some(room)
        };
        self.forget_invitations(is_into, fx);
    }

    /// A room has another name: so have the invitations into it.
    pub(crate) fn rename_welcomes(
        &mut self,
        (before, after): (&HistoryKey, &HistoryKey),
        name: &RoomName,
        fx: &mut Vec<Effect>,
    ) {
        let mut welcomes = std::mem::take(&mut self.accounts.welcomes);
        // Those into an earlier room of the new name are of no use any more.
        welcomes.retain(|(room, _)| room != after);
        let renamed =
            |(room, account)| if room == *before { (after.clone(), account) } else { (room, account) };
        self.accounts.welcomes = welcomes.into_iter().map(renamed).collect();
        let into = |invitation: &&Invitation| {
            invitation.room.as_ref().map(HistoryKey::of_room).as_ref() == Some(before)
        };
        let moved: Vec<_> = self.accounts.invitations.values().filter(into).cloned().collect();
        for invitation in moved {
            self.keep_invitation(Invitation { room: Some(name.clone()), ..invitation }, fx);
        }
    }

    /// NickServ's INVITE: somebody who keeps order in a room invites people into it.
    pub(crate) fn serve_invitation(
        &mut self,
        now: Now,
        from: SessionId,
        (room, uses): (&str, Option<&str>),
        fx: &mut Vec<Effect>,
    ) -> Result<String, Refusal> {
        let by: Arc<str> = self.own_account(from)?.name.as_str().into();
        let user = self.speaker(from)?.user();
        let bare = room.strip_prefix('#').filter(|_| self.room_spelled(room).is_none()).unwrap_or(room);
        let id = self.room_for_member(user, bare)?;
        if !self.power(user, id).reach(Ranks::OPERATOR) {
            return Err(Refusal::RankTooLow { least: Ranks::OPERATOR });
        }
        let rule = "it is not how often an invitation can be used: 1 to 100";
        let uses = match uses {
            None => 1,
            Some(text) => text
                .parse()
                .ok()
                .filter(|uses| (1..=100).contains(uses))
                .ok_or_else(|| Refusal::SettingMalformed { value: text.to_owned(), rule })?,
        };
        let card = self.rooms.get(&id).ok_or(Refusal::NotInRoom)?.card.clone();
        let until_ms = Some(now.unix_ms + DAYS * 24 * 60 * 60 * 1000);
        let wanted = NewInvitation { by: Some(by), room: Some(card.name.clone()), until_ms, uses };
        let (token, invitation) = self.add_invitation(now, wanted, fx)?;
        let people = if uses == 1 { "one person".to_owned() } else { format!("{uses} people") };
        Ok(format!(
            "{}/invite/{}\nThis link lets {people} come into {}, with an account that can be made there. It is told \
             only now, and good for {DAYS} days. Its id is {}.",
            self.config.web_url,
            token.reveal(),
            card.channel(),
            invitation.id(),
        ))
    }
}
