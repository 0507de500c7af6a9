//! An order as the server's API has it.

use std::fmt::Write as _;
use std::io;

use serde_json::{Value, json};

use super::arguments::{AccountOrder, BanOrder, InvitationOrder, Order, RoomOrder, SessionOrder, Window};

/// A request.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Call {
    /// The request that an order is. `password` is asked if there has to be one.
    pub(super) fn of(order: &Order, password: impl FnOnce() -> io::Result<String>) -> io::Result<Self> {
        Ok(match order {
            Order::Accounts { order: None } => Self::get("/accounts"),
            Order::Accounts { order: Some(AccountOrder::Add { name }) } => {
                Self::post("/accounts", json!({ "name": name, "password": password()? }))
            }
            Order::Accounts { order: Some(AccountOrder::Password { name }) } => Self {
                method: "PUT",
                path: path(&["accounts", name, "password"]),
                body: Some(json!({ "password": password()? })),
            },
            Order::Accounts { order: Some(AccountOrder::Remove { name }) } => {
                Self::delete(&["accounts", name])
            }
            Order::Accounts { order: Some(AccountOrder::Export { name }) } => {
                Self::get(&path(&["accounts", name, "messages"]))
            }
            Order::Accounts { order: Some(AccountOrder::Erase { name }) } => {
                Self::delete(&["accounts", name, "messages"])
            }
            Order::Status => Self::get("/status"),
            Order::Sessions { order: None } => Self::get("/sessions"),
            Order::Sessions { order: Some(SessionOrder::End { name, reason }) } => {
                Self::delete(&["sessions", name]).with(&[("reason", Some(reason))])
            }
            Order::Rooms { order: None } => Self::get("/rooms"),
            Order::Rooms { order: Some(RoomOrder::Show { room }) } => Self::get(&path(&["rooms", room])),
            Order::Rooms { order: Some(RoomOrder::Close { room, reason }) } => {
                Self::delete(&["rooms", room]).with(&[("reason", Some(reason))])
            }
            Order::Rooms { order: Some(RoomOrder::History { room, window }) } => {
                Self::get(&path(&["rooms", room, "history"])).within(window)
            }
            Order::Invitations { order: None | Some(InvitationOrder::List) } => Self::get("/invitations"),
            Order::Invitations { order: Some(InvitationOrder::Create { room, uses, lasts }) } => {
                let for_s = lasts.map(|lasts| lasts.as_secs());
                Self::post("/invitations", json!({ "room": room, "uses": uses, "for_s": for_s }))
            }
            Order::Invitations { order: Some(InvitationOrder::Revoke { id }) } => {
                Self::delete(&["invitations", id.rsplit('/').next().unwrap_or_default()])
            }
            Order::Bans { order: None } => Self::get("/bans"),
            Order::Bans { order: Some(BanOrder::Add { net, reason, lasts }) } => {
                let for_s = lasts.map(|lasts| lasts.as_secs());
                Self::post("/bans", json!({ "net": net, "reason": reason, "for_s": for_s }))
            }
            Order::Bans { order: Some(BanOrder::Remove { net }) } => Self::delete(&["bans", net]),
            Order::Broadcast { text } => Self::post("/broadcast", json!({ "text": text.join(" ") })),
            Order::Drain { cancel: true, .. } => Self::delete(&["drain"]),
            Order::Drain { patience, text, cancel: false } => {
                let text = (!text.is_empty()).then(|| text.join(" "));
                Self::post("/drain", json!({ "seconds": patience.as_secs(), "text": text }))
            }
            Order::Search { text, room, from, window } => {
                let text = text.join(" ");
                let call = Self::get("/history/search").with(&[
                    ("text", Some(&text)),
                    ("room", room.as_ref()),
                    ("from", from.as_ref()),
                ]);
                call.within(window)
            }
        })
    }

    fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), body: None }
    }

    fn post(path: &str, body: Value) -> Self {
        Self { method: "POST", path: path.to_owned(), body: Some(body) }
    }

    fn delete(parts: &[&str]) -> Self {
        Self { method: "DELETE", path: path(parts), body: None }
    }

    /// With what stands behind the `?`.
    fn with(mut self, query: &[(&str, Option<&String>)]) -> Self {
        for (name, value) in query {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            let mark = if self.path.contains('?') { '&' } else { '?' };
            // Writing to a string can't fail.
            let _ = write!(self.path, "{mark}{name}={}", escaped(value));
        }
        self
    }

    fn within(self, window: &Window) -> Self {
        let limit = window.limit.map(|limit| limit.to_string());
        self.with(&[
            ("after", window.after.as_ref()),
            ("before", window.before.as_ref()),
            ("limit", limit.as_ref()),
        ])
    }
}

fn path(parts: &[&str]) -> String {
    parts.iter().flat_map(|part| ["/".to_owned(), escaped(part)]).collect()
}

/// Whatever could mean something else in an address, as `%XX`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_leave_their_place_in_the_address() {
        let order = RoomOrder::Close { room: "a/b?c=ä&d".to_owned(), reason: "1 & 2".to_owned() };
        let nobody_asks = || Err(io::ErrorKind::Other.into());
        let call = Call::of(&Order::Rooms { order: Some(order) }, nobody_asks).unwrap();
        assert_eq!(
            (call.method, call.path.as_str()),
            ("DELETE", "/rooms/a%2Fb%3Fc%3D%C3%A4%26d?reason=1%20%26%202")
        );
    }
}
