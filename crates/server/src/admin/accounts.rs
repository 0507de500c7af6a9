//! Accounts, and what their owners have said.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use hub::{Credentials, Party, Secret};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};

use super::api::Answered;
use super::bans::is_kept;
use super::reply::{Answer, Problem, time};
use crate::shared::Shared;
use crate::verify;

/// How much of what is given out is handed over at once.
const PIECE_BYTES: usize = 64 * 1024;
/// How many such pieces wait for whoever asked.
const PIECES_MAX: usize = 4;

/// `GET /accounts`
pub(super) fn list(shared: &Shared) -> Answered {
    let hub = shared.hub();
    let accounts: Vec<Value> = hub
        .accounts()
        .map(|account| {
            let labels = account.app_passwords.iter().map(|app| app.label.as_str()).collect::<Vec<_>>();
            json!({
                "name": account.name.as_str(),
                "since": time(account.since_ms),
                "sessions": hub.sessions_of_account(account.name.as_str()),
                "certificates": account.certificates.len(),
                "app_passwords": labels,
            })
        })
        .collect();
    Ok(Answer::ok(json!({ "accounts": accounts })))
}

/// An account as it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    password: String,
}

/// `POST /accounts`
pub(super) async fn add(shared: &Shared, wanted: Wanted) -> Answered {
    let password = Secret::new(&wanted.password);
    let could = shared.hub().could_add_account(&wanted.name, &password);
    let name = could.map_err(|refusal| Problem::refused(&refusal))?;
    let credentials = credentials(password).await?;
    let (added, kept) = shared.by_order(|hub, now, fx| hub.add_account(now, name.clone(), credentials, fx));
    added.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::created(json!({ "name": name.as_str(), "kept": is_kept(kept).await })))
}

/// `DELETE /accounts/NAME`
pub(super) async fn remove(shared: &Shared, name: &str) -> Answered {
    let (removed, kept) = shared.by_order(|hub, now, fx| hub.remove_account(now, name, fx));
    removed.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::ok(json!({ "removed": name, "kept": is_kept(kept).await })))
}

/// Another password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: String,
}

/// `PUT /accounts/NAME/password`
pub(super) async fn set_password(shared: &Shared, name: &str, wanted: Password) -> Answered {
    let password = Secret::new(&wanted.password);
    let could = shared.hub().could_have_password(name, &password);
    let name = could.map_err(|refusal| Problem::refused(&refusal))?;
    let credentials = credentials(password).await?;
    let (set, kept) = shared.by_order(|hub, _, fx| hub.set_password(name.as_str(), credentials, fx));
    set.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::ok(json!({ "name": name.as_str(), "kept": is_kept(kept).await })))
}

/// What is kept of a password: made elsewhere, because it takes long on purpose.
async fn credentials(password: Secret) -> Result<Credentials, Problem> {
    let made = tokio::task::spawn_blocking(move || verify::credentials(&password)).await;
    made.ok().flatten().ok_or_else(|| {
        Problem::unavailable("the password can't be hashed", "the system gives no random bytes; try again")
    })
}

/// `GET /accounts/NAME/messages`
pub(super) fn export(shared: &Arc<Shared>, name: &str) -> Answered {
    if shared.folder.is_none() {
        return Err(Problem::nothing_kept());
    }
    let busy = || Problem::unavailable("something else is being given out just now", "try again in a while");
    let mut reader = shared.reader().ok_or_else(busy)?;
    let party = Party::of_account(name);
    let (pieces, lines) = channel(PIECES_MAX);
    let shared = shared.clone();
    let give_out = move || {
        // If what was said last can't be entered, the rest is given out all the same.
        let _ = shared.by_order(|_, _, _| ()).1.blocking_recv();
        let mut pipe = Pipe { pieces, buffer: Vec::new() };
        if let Err(error) = reader.export(&party, &mut pipe) {
            tracing::warn!(%error, "what somebody said can't be given out, or not all of it");
            // Who asked may have gone.
            let _ = pipe.pieces.blocking_send(Err(io::Error::other("not all")));
        }
        shared.give_back(reader);
    };
    let started = thread::Builder::new().name("export".to_owned()).spawn(give_out);
    started
        .map_err(|error| Problem::unavailable(format!("no thread can be started: {error}"), "try again"))?;
    Ok(Answer::lines(lines))
}

/// `DELETE /accounts/NAME/messages`
pub(super) async fn erase(shared: &Shared, name: &str) -> Answered {
    if shared.folder.is_none() {
        return Err(Problem::nothing_kept());
    }
    let failed = |_| {
        Problem::unavailable("it can't be erased, or not all of it", "the server's log says why; try again")
    };
    let erased = shared.erase(Party::of_account(name)).await.map_err(failed)?;
    Ok(Answer::ok(json!({ "messages": erased.messages, "conversations": erased.conversations })))
}

/// From a thread that writes to the connection that reads, a piece at a time.
struct Pipe {
    pieces: Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
