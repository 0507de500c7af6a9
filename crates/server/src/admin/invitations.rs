//! Links that let somebody make an account, and come into a room.

use hub::{INVITATION_USES_MAX, Invitation, NewInvitation, Refusal, RoomName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Answered;
use super::bans::is_kept;
use super::reply::{Answer, Problem, time};
use crate::shared::Shared;

/// An invitation as it is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    room: Option<String>,
    /// How often it can be used; once if it isn't said.
    uses: Option<u32>,
    /// For how long; for ever if it isn't said.
    for_s: Option<u64>,
}

fn shown(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id(),
        "room": invitation.room.as_ref().map(RoomName::as_str),
        "uses": invitation.uses,
        "by": invitation.by.as_deref(),
        "since": time(invitation.made_ms),
        "until": invitation.until_ms.map(time),
    })
}

/// `GET /invitations`
pub(super) fn list(shared: &Shared) -> Answered {
    let invitations = shared.hub().invitations(shared.clock.now());
    let invitations: Vec<Value> = invitations.iter().map(shown).collect();
    Ok(Answer::ok(json!({ "invitations": invitations })))
}

/// `POST /invitations`
pub(super) async fn create(shared: &Shared, wanted: Wanted) -> Answered {
    let Wanted { room, uses, for_s } = wanted;
    let uses = uses.unwrap_or(1);
    if !(1..=INVITATION_USES_MAX).contains(&uses) {
        let what = format!("uses is {uses}");
        return Err(Problem::malformed(what, format!("it is a number from 1 to {INVITATION_USES_MAX}")));
    }
    if for_s == Some(0) {
        let hint = "leave for_s away for one that doesn't end";
        return Err(Problem::malformed("an invitation for no time is none", hint));
    }
    let room = room.map(|room| room_named(shared, &room)).transpose();
    let room = room.map_err(|refusal| Problem::refused(&refusal))?;
    let (made, kept) = shared.by_order(|hub, now, fx| {
        let until_ms = for_s.map(|for_s| now.unix_ms.saturating_add(for_s.saturating_mul(1000)));
        // The store has signed numbers.
        let until_ms = until_ms.filter(|until_ms| i64::try_from(*until_ms).is_ok());
        hub.add_invitation(now, NewInvitation { by: None, room, until_ms, uses }, fx)
    });
    let (token, invitation) = made.map_err(|refusal| Problem::refused(&refusal))?;
    let url = shared.hub().config().web_url.clone();
    let mut answer = shown(&invitation);
    answer["token"] = json!(token.reveal());
    answer["url"] = json!(format!("{url}/invite/{}", token.reveal()));
    answer["kept"] = json!(is_kept(kept).await);
    Ok(Answer::created(answer))
}

/// A room as people or as IRC write it, whether or not it is there now.
fn room_named(shared: &Shared, room: &str) -> Result<RoomName, Refusal> {
    let hub = shared.hub();
    match hub.room(room) {
        Ok((room, _)) => Ok(room.card.name().clone()),
        Err(_) => RoomName::new(room.strip_prefix('#').unwrap_or(room)),
    }
}

/// `DELETE /invitations/ID`
pub(super) async fn revoke(shared: &Shared, which: &str) -> Answered {
    let (revoked, kept) = shared.by_order(|hub, _, fx| hub.revoke_invitation(which, fx));
    let revoked = revoked.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::ok(json!({ "revoked": revoked.id(), "kept": is_kept(kept).await })))
}
