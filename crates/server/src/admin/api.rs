//! Which function answers what.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Uri};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::reply::{Answer, Problem};
use super::{accounts, bans, control, invitations, past, people};
use crate::shared::Shared;

/// How much a request's body may have.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a function answers.
pub(super) type Answered = Result<Answer, Problem>;

/// Answers a request.
pub(super) async fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = route(request, shared).await;
    if method != Method::GET {
        let refused = answered.as_ref().err().map(tracing::field::debug);
        tracing::info!(%method, path, refused, "an order");
    }
    answered.unwrap_or_else(Into::into)
}

async fn route(request: Request<Incoming>, shared: &Arc<Shared>) -> Answered {
    let (parts, body) = request.into_parts();
    let path: Vec<String> =
        parts.uri.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect::<Result<_, _>>()?;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let query = Query::read(&parts.uri)?;
    match (path.as_slice(), parts.method.as_str()) {
        (["status"], "GET") => control::status(shared),
        (["status"], _) => Err(Problem::method("GET")),
        (["sessions"], "GET") => people::sessions(shared),
        (["sessions"], _) => Err(Problem::method("GET")),
        (["sessions", name], "DELETE") => people::end(shared, name, query.only(&["reason"])?),
        (["sessions", _], _) => Err(Problem::method("DELETE")),
        (["rooms"], "GET") => people::rooms(shared),
        (["rooms"], _) => Err(Problem::method("GET")),
        (["rooms", name], "GET") => people::room(shared, name),
        (["rooms", name], "DELETE") => people::close_room(shared, name, query.only(&["reason"])?),
        (["rooms", _], _) => Err(Problem::method("GET, DELETE")),
        (["rooms", name, "history"], "GET") => {
            past::page(shared, name, query.only(&["after", "before", "limit"])?).await
        }
        (["rooms", _, "history"], _) => Err(Problem::method("GET")),
        (["history", "search"], "GET") => {
            past::search(shared, query.only(&["room", "text", "from", "after", "before", "limit"])?).await
        }
        (["history", "search"], _) => Err(Problem::method("GET")),
        (["bans"], "GET") => bans::list(shared),
        (["bans"], "POST") => bans::set(shared, read(body).await?).await,
        (["bans"], _) => Err(Problem::method("GET, POST")),
        (["bans", net], "DELETE") => bans::lift(shared, net).await,
        (["bans", address, length], "DELETE") => bans::lift(shared, &format!("{address}/{length}")).await,
        (["bans", _] | ["bans", _, _], _) => Err(Problem::method("DELETE")),
        (["accounts"], "GET") => accounts::list(shared),
        (["accounts"], "POST") => accounts::add(shared, read(body).await?).await,
        (["accounts"], _) => Err(Problem::method("GET, POST")),
        (["accounts", name], "DELETE") => accounts::remove(shared, name).await,
        (["accounts", _], _) => Err(Problem::method("DELETE")),
        (["accounts", name, "password"], "PUT") => {
            accounts::set_password(shared, name, read(body).await?).await
        }
        (["accounts", _, "password"], _) => Err(Problem::method("PUT")),
        (["accounts", name, "messages"], "GET") => accounts::export(shared, name),
        (["accounts", name, "messages"], "DELETE") => accounts::erase(shared, name).await,
        (["accounts", _, "messages"], _) => Err(Problem::method("GET, DELETE")),
        (["invitations"], "GET") => invitations::list(shared),
        (["invitations"], "POST") => invitations::create(shared, read(body).await?).await,
        (["invitations"], _) => Err(Problem::method("GET, POST")),
        (["invitations", which], "DELETE") => invitations::revoke(shared, which).await,
        (["invitations", _], _) => Err(Problem::method("DELETE")),
        (["broadcast"], "POST") => control::broadcast(shared, &read(body).await?),
        (["broadcast"], _) => Err(Problem::method("POST")),
        (["drain"], "POST") => control::drain(shared, read(body).await?),
        (["drain"], "DELETE") => control::cancel_drain(shared),
        (["drain"], _) => Err(Problem::method("POST, DELETE")),
        _ => Err(Problem::not_found(
            format!("there is nothing at {}", parts.uri.path()),
            "try /status, /sessions, /rooms, /accounts, /invitations, /bans, /history/search, /broadcast or /drain",
        )),
    }
}

fn decoded(part: &str) -> Result<String, Problem> {
    let text = percent_decode_str(part).decode_utf8().map(Cow::into_owned);
    text.map_err(|_| Problem::malformed("the address is not UTF-8", "write other bytes as %XX"))
}

/// Reads what is to be done. An empty body asks for what is usual.
async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Problem> {
    let bytes = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Problem::too_large(BODY_BYTES_MAX)),
        Err(error) => {
            return Err(Problem::malformed(format!("the request broke off: {error}"), "send all of it"));
        }
    };
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::malformed(format!("the body can't be read: {error}"), "it has to be a JSON object")
    })
}

/// What stands behind the `?`.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    fn read(uri: &Uri) -> Result<Self, Problem> {
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(&value.replace('+', " "))?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// Refuses what nobody understands: a misspelled bound would else be none.
    fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some(name) => {
                let hint = format!("there are {}", known.join(", "));
                Err(Problem::malformed(format!("{name:?} means nothing here"), hint))
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
