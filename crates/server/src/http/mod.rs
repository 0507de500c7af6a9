//! The web service: `/healthz`, `/metrics`, a page that says how to join, and one for accounts.
//!
//! A reactor reads the head of the first request; what isn't a WebSocket comes here with its socket, to one
//! background thread that is no reactor's business. Keep-alive works; how many connections there are and how
//! long each lasts is bounded.

mod account;
mod account_page;
mod form;
pub(crate) mod head;
mod page;
mod stream;

use std::convert::Infallible;
use std::io::{self, Cursor};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::admin;
use crate::metrics::Kind;
use crate::shared::Shared;
use crate::tls::Tls;
use account::{From, Page, Place};
use head::HEAD_BYTES_MAX;
use stream::TlsStream;

/// How long a request's head may take, and how long a connection may rest between requests.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// How long a connection may last altogether.
const CONNECTION_TIME: Duration = Duration::from_secs(120);

/// What isn't a page.
const TEXT: &str = "text/plain; charset=utf-8";

/// The way from the reactors to the web service.
#[derive(Debug)]
pub(crate) struct Web {
    visits: UnboundedSender<Visit>,
    open: AtomicUsize,
    open_max: usize,
}

/// Somebody for the web service, or `None`: the server stops.
pub(crate) type Visit = Option<Visitor>;

/// A connection with an HTTP request on it.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<Box<Tls>>,
    /// What was read of it.
    pub(crate) read: Vec<u8>,
}

impl Web {
    pub(crate) fn new(open_max: usize) -> (Self, UnboundedReceiver<Visit>) {
        let (visits, receiver) = unbounded_channel();
        (Self { visits, open: AtomicUsize::new(0), open_max }, receiver)
    }

    /// Whether it takes no more visitors now.
    pub(crate) fn is_full(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.open_max
    }

    /// Hands over a connection, which stays counted until the service lets go of it.
    pub(crate) fn visit(&self, visitor: Visitor) {
        self.open.fetch_add(1, Ordering::Relaxed);
        // Only fails when the service has ended, and then everything does.
        let _ = self.visits.send(Some(visitor));
    }

    /// Ends the service.
    pub(crate) fn stop(&self) {
        let _ = self.visits.send(None);
    }
}

/// The web service's thread.
pub(crate) struct WebService {
    visits: UnboundedReceiver<Visit>,
    shared: Arc<Shared>,
    /// Where orders come in.
    admin: Option<admin::Listener>,
    runtime: Runtime,
}

impl WebService {
    pub(crate) fn new(
        visits: UnboundedReceiver<Visit>,
        shared: Arc<Shared>,
        admin: Option<admin::Listener>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Self { visits, shared, admin, runtime })
    }

    /// Serves until the server stops.
    pub(crate) fn run(self) -> io::Result<()> {
        let Self { mut visits, shared, admin, runtime } = self;
        runtime.block_on(async {
            if let Some(admin) = admin {
                tokio::spawn(admin::serve(admin, shared.clone()));
            }
            while let Some(Some(visitor)) = visits.recv().await {
                tokio::spawn(receive(visitor, shared.clone()));
            }
        });
        Ok(())
    }
}

/// One connection, from its first request to its end.
async fn receive(visitor: Visitor, shared: Arc<Shared>) {
    let peer = visitor.peer;
    let served = tokio::time::timeout(CONNECTION_TIME, serve(visitor, shared.clone())).await;
    match served {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "web request"),
        Err(_) => tracing::debug!(%peer, "web connection lasted too long"),
    }
    shared.web.open.fetch_sub(1, Ordering::Relaxed);
    shared.metrics.connection(Some(Kind::Http), None);
    shared.release(peer.ip());
}

async fn serve(
    visitor: Visitor,
    shared: Arc<Shared>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let socket = tokio::net::TcpStream::from_std(visitor.socket)?;
    let address = visitor.peer.ip();
    let Some(tls) = visitor.tls else {
        let (reader, writer) = socket.into_split();
        let from = From { address, secure: false };
        return serve_on(tokio::io::join(Cursor::new(visitor.read).chain(reader), writer), shared, from)
            .await;
    };
    serve_on(TlsStream::new(socket, tls, visitor.read), shared, From { address, secure: true }).await
}

async fn serve_on(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: Arc<Shared>,
    from: From,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(request, &shared, from).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX + 4 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

async fn answer(request: Request<Incoming>, shared: &Arc<Shared>, from: From) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if let Some(place) = Place::of(&path) {
        if !place.methods().split(", ").any(|method| method == request.method().as_str()) {
            return wrong_method(place.methods());
        }
        let Page { status, retry_s, html } = account::answer(request, place, from, shared).await;
        let mut response = respond(status, "text/html; charset=utf-8", html);
        if let Some(retry_s) = retry_s {
            response.headers_mut().insert(header::RETRY_AFTER, retry_s.into());
        }
        return response;
    }
    let (kind, body) = match path.as_str() {
        "/healthz" if shared.drain.is_on() => {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        "/healthz" => (TEXT, "ok\n".to_owned()),
        "/metrics" => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (kind, shared.metrics_text())
        }
        "/" => {
            let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
            (
                "text/html; charset=utf-8",
                page::page(
                    host.unwrap_or_default(),
                    &shared.lobby,
                    &shared.listening,
                    (from.secure, shared.folder.is_some()),
                ),
            )
        }
        _ => return plain(StatusCode::NOT_FOUND, "There is nothing here. The page is at /.\n"),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return wrong_method("GET, HEAD");
    }
    respond(StatusCode::OK, kind, body)
}

fn wrong_method(allow: &'static str) -> Response<Full<Bytes>> {
    let mut refused = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, format!("Only {allow} work here.\n"));
    refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    refused
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, TEXT, text.to_owned())
}

fn respond(status: StatusCode, kind: &str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_str(kind).unwrap_or_else(|_| HeaderValue::from_static("text/plain"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, page::POLICY.clone());
    // An invitation's address is nobody else's business.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
