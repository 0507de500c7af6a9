//! Orders of whoever runs the server: HTTP with JSON on a Unix socket, served by the web service's thread.
//!
//! It is never reachable over the network. The socket's file is its owner's alone, and whoever connects has to be the
//! user that the server runs as, or root: the kernel says who it is. What can be asked is in `docs/admin.md`; `api.rs`
//! says which function answers it.

mod accounts;
mod api;
mod bans;
mod control;
mod invitations;
mod past;
mod people;
mod reply;
mod socket;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;

use crate::shared::Shared;
use reply::Problem;
pub use socket::AdminError;
pub(crate) use socket::{Listener, open};

/// How long a request's head may take, and how long a connection may rest between requests.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// How long a connection may last altogether: it may take a while to give out or to erase what somebody has said.
const CONNECTION_TIME: Duration = Duration::from_secs(60 * 60);
/// How many connections there may be.
const OPEN_MAX: usize = 32;
/// How much a request's head may have.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Takes orders until the runtime ends.
pub(crate) async fn serve(listener: Listener, shared: Arc<Shared>) {
    let open = Arc::new(AtomicUsize::new(0));
    let listener = match listener.into_async() {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "no orders can be taken"),
    };
    loop {
        match listener.accept().await {
            Ok(stream) if open.load(Ordering::Relaxed) < OPEN_MAX => {
                open.fetch_add(1, Ordering::Relaxed);
                let (shared, open) = (shared.clone(), open.clone());
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(CONNECTION_TIME, receive(stream, shared)).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Ok(_) => tracing::warn!(open_max = OPEN_MAX, "too many connections to the socket for orders"),
            Err(error) => {
                tracing::warn!(%error, "the socket for orders");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection. Who is not the server's own user, nor root, is refused whatever it asks.
async fn receive(stream: UnixStream, shared: Arc<Shared>) {
    let peer = stream.peer_cred().ok().map(|peer| peer.uid());
    let own = rustix::process::geteuid().as_raw();
    let is_trusted = peer.is_some_and(|uid| uid == 0 || uid == own);
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move {
            let answer = if is_trusted {
                api::answer(request, &shared).await
            } else {
                tracing::warn!(uid = peer, "somebody else's order is refused");
                Problem::forbidden().into()
            };
            Ok::<_, Infallible>(reply::response(answer))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an order");
    }
}
