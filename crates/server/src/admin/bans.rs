//! From where nobody may come.

use hub::ServerBan;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot::Receiver;

use super::api::Answered;
use super::reply::{Answer, Problem, time};
use crate::bans::{BANS_MAX, network};
use crate::shared::Shared;

/// How long a ban's reason may be, in bytes.
const REASON_BYTES_MAX: usize = 390;

/// A ban as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    net: String,
    #[serde(default)]
    reason: String,
    /// For how long; for ever if it isn't said.
    for_s: Option<u64>,
}

fn shown(ban: &ServerBan) -> Value {
    json!({
        "net": ban.net.to_string(),
        "reason": &*ban.reason,
        "since": time(ban.made_ms),
        "until": ban.until_ms.map(time),
    })
}

fn meant(text: &str) -> Result<IpNet, Problem> {
    let hint = "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32";
    network(text).ok_or_else(|| Problem::malformed(format!("{text:?} is no address and no network"), hint))
}

/// `GET /bans`
pub(super) fn list(shared: &Shared) -> Answered {
    let bans: Vec<Value> = shared.bans.list(shared.clock.now().unix_ms).iter().map(shown).collect();
    Ok(Answer::ok(json!({ "bans": bans })))
}

/// `POST /bans`
pub(super) async fn set(shared: &Shared, wanted: Wanted) -> Answered {
    let Wanted { net, reason, for_s } = wanted;
    let net = meant(&net)?;
    if reason.len() > REASON_BYTES_MAX || reason.contains(char::is_control) {
        let what = format!("a reason is one line of at most {REASON_BYTES_MAX} bytes");
        return Err(Problem::malformed(what, "say it in fewer words"));
    }
    if for_s == Some(0) {
        return Err(Problem::malformed(
            "a ban for no time is none",
            "leave for_s away for one that doesn't end",
        ));
    }
    let now = shared.clock.now();
    let until_ms = for_s.map(|for_s| now.unix_ms.saturating_add(for_s.saturating_mul(1000)));
    // The store has signed numbers.
    let until_ms = until_ms.filter(|until_ms| i64::try_from(*until_ms).is_ok());
    let ban = ServerBan { net, reason: reason.into(), made_ms: now.unix_ms, until_ms };
    let ended = shared.bans.take_ended(now.unix_ms);
    if !shared.bans.set(ban.clone()) {
        let what = format!("there are {BANS_MAX} bans already");
        return Err(Problem::conflict(what, "ban larger networks, and lift what is inside them"));
    }
    // First the ban, then those who are here: whoever comes in between finds it.
    let (sessions, kept) = shared.by_order(|hub, now, fx| {
        ended.into_iter().for_each(|net| hub.forget_ban(net, fx));
        hub.keep_ban(&ban, fx);
        let is_meant = |address: std::net::IpAddr| net.contains(&address.to_canonical());
        hub.end_from(now, is_meant, &ban.reason, fx)
    });
    let mut answer = shown(&ban);
    answer["sessions_ended"] = json!(sessions);
    answer["kept"] = json!(is_kept(kept).await);
    Ok(Answer::created(answer))
}

/// `DELETE /bans/NETWORK`
pub(super) async fn lift(shared: &Shared, net: &str) -> Answered {
    let net = meant(net)?;
    if shared.bans.lift(net).is_none() {
        return Err(Problem::not_found(format!("{net} is not banned"), "GET /bans lists the bans"));
    }
    let ((), kept) = shared.by_order(|hub, _, fx| hub.forget_ban(net, fx));
    Ok(Answer::ok(json!({ "lifted": net.to_string(), "kept": is_kept(kept).await })))
}

/// Whether it outlasts the server.
pub(super) async fn is_kept(kept: Receiver<bool>) -> bool {
    kept.await.unwrap_or(false)
}
