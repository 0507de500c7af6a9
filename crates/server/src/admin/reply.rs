//! What is answered: JSON, also when it is no.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hub::{Refusal, Shared as Event};
use hyper::body::{Body, Frame};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

/// What is answered.
pub(super) struct Answer {
    status: StatusCode,
    allow: Option<&'static str>,
    body: Content,
}

enum Content {
    Whole(Value),
    Lines(Receiver<io::Result<Bytes>>),
}

/// Lines of JSON that come by and by. An error breaks the answer off, so that nobody takes it for all.
struct Lines(Receiver<io::Result<Bytes>>);

impl Body for Lines {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|lines| lines.map(|lines| lines.map(Frame::data)))
    }
}

/// Why something can't be done, and what to do.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    allow: Option<&'static str>,
    what: String,
    hint: String,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, allow: None, body: Content::Whole(body) }
    }

    pub(super) fn lines(lines: Receiver<io::Result<Bytes>>) -> Self {
        Self { status: StatusCode::OK, allow: None, body: Content::Lines(lines) }
    }

    pub(super) fn created(body: Value) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }
}

impl Problem {
    fn new(status: StatusCode, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, allow: None, what: what.into(), hint: hint.into() }
    }

    pub(super) fn malformed(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what, hint)
    }

    pub(super) fn not_found(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what, hint)
    }

    pub(super) fn unavailable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, what, hint)
    }

    pub(super) fn conflict(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, what, hint)
    }

    pub(super) fn nothing_kept() -> Self {
        Self::conflict("this server keeps nothing", "start it without --ephemeral")
    }

    pub(super) fn too_large(bytes_max: usize) -> Self {
        let what = format!("the request has more than {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, what, "send less")
    }

    pub(super) fn method(allow: &'static str) -> Self {
        let what = "that can't be done with it".to_owned();
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, what, format!("try {allow}")) }
    }

    pub(super) fn forbidden() -> Self {
        let hint = "only the user that the server runs as, and root, may give it orders";
        Self::new(StatusCode::FORBIDDEN, "this is somebody else's server", hint)
    }

    /// What the hub has refused.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser { .. } => {
                Self::not_found(refusal.to_string(), "GET /sessions lists who is here")
            }
            Refusal::NoSuchRoom { .. } => Self::not_found(refusal.to_string(), "GET /rooms lists the rooms"),
            Refusal::NoAccount => {
                Self::not_found("there is no account of that name", "GET /accounts lists the accounts")
            }
            Refusal::AccountExists { .. } => Self::conflict(
                refusal.to_string(),
                "GET /accounts lists the accounts, GET /sessions who is here",
            ),
            Refusal::NoSuchInvitation => {
                Self::not_found("there is no such invitation", "GET /invitations lists the invitations")
            }
            Refusal::NoHistory => Self::nothing_kept(),
            refusal => Self::malformed(refusal.to_string(), "say it otherwise"),
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let Problem { status, allow, what, hint } = problem;
        Self { status, allow, body: Content::Whole(json!({ "error": { "what": what, "hint": hint } })) }
    }
}

/// The answer as HTTP has it. A line ends it, for those who read it on a terminal.
pub(super) fn response(answer: Answer) -> Response<BoxBody<Bytes, io::Error>> {
    let (kind, body) = match answer.body {
        Content::Whole(body) => {
            let body = Full::new(Bytes::from(format!("{body}\n")));
            ("application/json", body.map_err(|never| match never {}).boxed())
        }
        Content::Lines(lines) => ("application/x-ndjson", Lines(lines).boxed()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(allow) = answer.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// A moment as people and programs read it.
pub(super) fn time(unix_ms: u64) -> String {
    // The format has no year beyond this one.
    let unix_ms = unix_ms.min(253_402_300_799_999);
    let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(unix_ms);
    humantime::format_rfc3339_millis(at).to_string()
}

/// Something that was said in a room.
pub(super) fn event(event: &Event) -> Value {
    use hub::{Kind, Namespace, Scope, Style};
    let mut shown = json!({ "id": event.id.to_string(), "time": time(event.unix_ms) });
    if let Kind::Message { from, scope, text, style, .. } = &event.kind {
        let kind = match style {
            Style::Plain | Style::Bare | Style::Request { .. } => "message",
            Style::Notice => "notice",
            Style::Action => "action",
        };
        let room = match scope {
            Scope::Room(room) | Scope::Ranked { room, .. } => Some(room.name().as_str()),
            Scope::Private { .. } => None,
        };
        shown["room"] = json!(room);
        shown["from"] = json!(from.name().as_str());
        shown["nick"] = json!(from.wire_name(Namespace::Irc));
        shown["account"] = json!(from.account());
        shown["protocol"] = json!(from.dialect().as_str());
        shown["kind"] = json!(kind);
        shown["text"] = json!(text.as_str());
    }
    shown
}
