//! Accounts at the web page: making one, another password, and using an invitation. There is nothing to be logged in
//! to: each form brings the name and the password, and no cookie is ever set.

use std::net::IpAddr;
use std::sync::Arc;

use hub::{Credentials, Done, Hub, Now, Refusal, Secret};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, StatusCode, header};

use super::account_page::{Told, Visit, page};
use super::form::{self, Form, Trouble};
use crate::shared::Shared;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'r> {
    /// `/account`
    Account,
    /// `/account/password`
    Password,
    /// `/invite`
    Invite,
    /// `/invite/TOKEN`
    Invitation(&'r str),
}

impl<'r> Place<'r> {
    /// What a path means here, if anything.
    pub(super) fn of(path: &'r str) -> Option<Self> {
        match path {
            "/account" => Some(Self::Account),
            "/account/password" => Some(Self::Password),
            "/invite" => Some(Self::Invite),
            path => path.strip_prefix("/invite/").filter(|rest| !rest.contains('/')).map(Self::Invitation),
        }
    }

    /// The methods that it takes.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Account => "GET, HEAD, POST",
            Self::Password | Self::Invite => "POST",
            Self::Invitation(_) => "GET, HEAD",
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    /// When to try again, in seconds.
    pub(super) retry_s: Option<u64>,
    pub(super) html: String,
}

/// Whence a request came.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    pub(super) address: IpAddr,
    pub(super) secure: bool,
}

/// Answers a request whose method is one of [`Place::methods`].
pub(super) async fn answer(
    request: Request<Incoming>,
    place: Place<'_>,
    from: From,
    shared: &Arc<Shared>,
) -> Page {
    let (parts, body) = request.into_parts();
    let host = text(&parts.headers, header::HOST.as_str()).unwrap_or_default().to_owned();
    let mut visit = Visit {
        host,
        secure: from.secure,
        is_local: from.address.to_canonical().is_loopback(),
        offers_tls: shared.tls.is_on(),
        keeps: shared.folder.is_some(),
        admission: shared.hub().config().admission,
        name: String::new(),
        invitation: String::new(),
        room: None,
    };
    if parts.method != Method::POST {
        let Place::Invitation(token) = place else { return shown(&visit, None) };
        visit.invitation = form::decoded(token).unwrap_or_default();
        return match looked_up(&mut visit, shared) {
            Ok(()) => shown(&visit, None),
            Err(refusal) => {
                visit.invitation.clear();
                shown(&visit, Some(refused(&refusal)))
            }
        };
    }
    let form = match form::read(&parts.headers, &visit.host, body).await {
        Ok(form) => form,
        Err(trouble) => return shown(&visit, Some(troubled(&trouble))),
    };
    form.field("name").trim().clone_into(&mut visit.name);
    // People paste what they were given, which is a link.
    let invitation = form.field("invitation").trim().rsplit('/').next().unwrap_or_default();
    invitation.clone_into(&mut visit.invitation);
    let done = match place {
        Place::Password => change_password(&visit, &form, from.address, shared).await,
        Place::Invite => use_invitation(&visit, &form, from.address, shared).await,
        Place::Account | Place::Invitation(_) => make(&visit, &form, from.address, shared).await,
    };
    match done {
        Ok(told) => {
            visit.invitation.clear();
            shown(&visit, Some(told))
        }
        Err(refusal) => {
            // So that the form still says what it is for. If it can't be used, that was said already.
            if !visit.invitation.is_empty() && looked_up(&mut visit, shared).is_err() {
                visit.invitation.clear();
            }
            shown(&visit, Some(refused(&refusal)))
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Finds out what an invitation is for.
fn looked_up(visit: &mut Visit, shared: &Shared) -> Result<(), Refusal> {
    let hub = shared.hub();
    let invitation = hub.invitation(shared.clock.now(), &visit.invitation)?;
    visit.room = invitation.room.as_ref().map(|room| room.as_str().to_owned());
    Ok(())
}

fn shown(visit: &Visit, told: Option<Told>) -> Page {
    let status = told.as_ref().map_or(StatusCode::OK, |told| told.status);
    let retry_s = told.as_ref().and_then(|told| told.retry_s);
    Page { status, retry_s, html: page(visit, told.as_ref()) }
}

/// Makes an account.
async fn make(visit: &Visit, form: &Form, address: IpAddr, shared: &Arc<Shared>) -> Result<Told, Refusal> {
    let password = form.secret("password");
    let token = Some(visit.invitation.as_str()).filter(|token| !token.is_empty());
    let name = {
        let now = shared.clock.now();
        shared.hub().visitor_may_make_account(now, address, (&visit.name, &password), token)?
    };
    let credentials = derived(password, shared).await?;
    let act = |hub: &mut Hub, now: Now, fx: &mut Vec<_>| {
        hub.visitor_makes_account(now, name, credentials, token, fx)
    };
    let done = do_and_keep(shared, act).await?;
    tracing::info!(account = done.account.as_str(), %address, "an account is made on the web page");
    let room = done.room().map(|room| format!(" It can come into the room {}.", room.as_str()));
    let text = format!(
        "The account {} is yours, and nobody else can have its name.{} Log in with it from any client.",
        done.account,
        room.unwrap_or_default()
    );
    Ok(Told::good(text))
}

/// Gives an account another password.
async fn change_password(
    visit: &Visit,
    form: &Form,
    address: IpAddr,
    shared: &Arc<Shared>,
) -> Result<Told, Refusal> {
    let new = form.secret("new");
    shared.hub().visitor_may_have_password(&visit.name, &new)?;
    let checked = log_in(visit, form, address, shared).await?;
    let credentials = derived(new, shared).await?;
    let name = visit.name.clone();
    let act = |hub: &mut Hub, _: Now, fx: &mut Vec<_>| {
        hub.visitor_changes_password((&name, &checked), credentials, fx)
    };
    let done = do_and_keep(shared, act).await?;
    tracing::info!(account = done.account.as_str(), %address, "another password is set on the web page");
    Ok(Told::good(format!("{} has the new password.", done.account)))
}

/// Lets somebody who has an account use an invitation.
async fn use_invitation(
    visit: &Visit,
    form: &Form,
    address: IpAddr,
    shared: &Arc<Shared>,
) -> Result<Told, Refusal> {
    let into = shared.hub().invitation(shared.clock.now(), &visit.invitation)?.room.clone();
    log_in(visit, form, address, shared).await?;
    let Some(into) = into else {
        return Ok(Told::good(
            "You have an account already, and the invitation is for nothing else.".to_owned(),
        ));
    };
    let act = |hub: &mut Hub, now: Now, fx: &mut Vec<_>| {
        hub.visitor_uses_invitation(now, &visit.name, &visit.invitation, fx)
    };
    let done = do_and_keep(shared, act).await?;
    Ok(Told::good(format!("{} can come into the room {} now.", done.account, into.as_str())))
}

/// Whether the password is the account's; what it was checked with.
async fn log_in(
    visit: &Visit,
    form: &Form,
    address: IpAddr,
    shared: &Arc<Shared>,
) -> Result<Secret, Refusal> {
    let now = shared.clock.now();
    let hash = shared.hub().visitor_tries_password(now, address, &visit.name)?;
    let right = shared.verifier.check(hash.clone(), form.secret("password")).ok_or_else(busy)?;
    if right.await.unwrap_or(false) { Ok(hash) } else { Err(Refusal::WrongPassword) }
}

async fn derived(password: Secret, shared: &Shared) -> Result<Credentials, Refusal> {
    let derived = shared.verifier.derive(password).ok_or_else(busy)?;
    derived.await.map_err(|_| Refusal::NotKept)
}

/// So many passwords are being hashed that nobody should wait for one more.
fn busy() -> Refusal {
    Refusal::ServerFull { what: "people at the web page" }
}

/// Does something, and waits until it is kept. If it can't be, it is undone.
async fn do_and_keep(
    shared: &Arc<Shared>,
    act: impl FnOnce(&mut Hub, Now, &mut Vec<hub::Effect>) -> Result<Done, Refusal>,
) -> Result<Done, Refusal> {
    let (done, kept) = shared.by_order(act);
    let done = done?;
    if kept.await.unwrap_or(false) {
        return Ok(done);
    }
    let _ = shared.by_order(|hub, now, fx| hub.visitor_undo(now, done, fx));
    Err(Refusal::NotKept)
}

/// What the hub has refused, in words for people.
fn refused(refusal: &Refusal) -> Told {
    let (status, text) = match refusal {
        Refusal::AccountExists { name } => {
            (StatusCode::CONFLICT, format!("The name {name} is taken: choose another one."))
        }
        Refusal::NameMalformed { name, rule } => {
            (StatusCode::BAD_REQUEST, format!("{name:?} can't be a name: {rule}."))
        }
        Refusal::PasswordUnfit { rule } => {
            (StatusCode::BAD_REQUEST, format!("This password won't do: {rule}."))
        }
        Refusal::TooManyAttempts { wait_s } => {
            let text = format!("Too many attempts. Try again in {wait_s} seconds.");
            return Told::bad(StatusCode::TOO_MANY_REQUESTS, text).again_in(*wait_s);
        }
        Refusal::WrongPassword => {
            (StatusCode::FORBIDDEN, "The name and the password don't belong together.".to_owned())
        }
        Refusal::RegistrationClosed => {
            (StatusCode::FORBIDDEN, "Only whoever runs this server makes accounts here.".to_owned())
        }
        Refusal::InvitationNeeded => {
            let text = "Accounts are made by invitation here: it needs a link that somebody gives you.";
            (StatusCode::FORBIDDEN, text.to_owned())
        }
        Refusal::NoSuchInvitation => {
            let text = "This invitation is not good: it was used up, taken back, has ended, or never was.";
            (StatusCode::NOT_FOUND, text.to_owned())
        }
        Refusal::NoHistory => {
            (StatusCode::NOT_FOUND, "This server keeps nothing, so there are no accounts.".to_owned())
        }
        Refusal::NotKept => {
            let text = "It can't be kept now, so it was not done. Try again later.";
            (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
        }
        Refusal::ServerFull { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Try again in a moment.".to_owned())
        }
        refusal => (StatusCode::BAD_REQUEST, format!("It was not done: {refusal}.")),
    };
    Told::bad(status, text)
}

/// What is wrong with a request itself.
fn troubled(trouble: &Trouble) -> Told {
    let (status, text) = match trouble {
        Trouble::CrossSite => (
            StatusCode::FORBIDDEN,
            "The form came from another site, so nothing was done. Fill it in here.".to_owned(),
        ),
        Trouble::NotAForm => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Only what a form sends is understood here: application/x-www-form-urlencoded.".to_owned(),
        ),
        Trouble::TooLong => {
            (StatusCode::PAYLOAD_TOO_LARGE, "That is more than the form can have in it.".to_owned())
        }
        Trouble::Malformed => (StatusCode::BAD_REQUEST, "The form can't be read.".to_owned()),
    };
    Told::bad(status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_places() {
        assert_eq!(Place::of("/account"), Some(Place::Account));
        assert_eq!(Place::of("/invite/abc"), Some(Place::Invitation("abc")));
        for no in ["/", "/accounts", "/account/", "/invite/a/b", "/account/password/x"] {
            assert_eq!(Place::of(no), None, "{no}");
        }
    }
}
