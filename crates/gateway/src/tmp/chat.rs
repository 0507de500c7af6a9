//! What a named client says, and what the server says to it alone.

use std::sync::Arc;

use hub::{Card, Command, Namespace, Outcome, RoomCard, RoomId, Say, Style, To, Token, Typing};
use proto::tmp::{Body, ServerFrame, server};

use super::wire;
use crate::plain::NOT_KEPT;
use crate::slash::{self, Slash};
use crate::{Outbox, Settings};

/// How many people `/who` names; the rest it counts.
const PEOPLE_MAX: usize = 200;

/// The body of a `CHAT_MSSG`.
pub(super) fn on_body(settings: &Settings, room: RoomId, body: &str, out: &mut Outbox) {
    let body = Body::read(body);
    // Some clients fail on a body that is blank, and it says nothing.
    if body.is_blank() {
        return;
    }
    let (text, bare) = match body {
        Body::Typing => return out.command(Command::Typing { to: To::Room(room), state: Typing::Active }),
        Body::Message(text) => (text, false),
        Body::Other(text) => (text, true),
    };
    match settings.commands.then(|| Slash::parse(text)).flatten() {
        None => {
            let style = if bare { Style::Bare } else { Style::Plain };
            let (text, to) = (text.into(), To::Room(room));
            out.command(Command::Say(Say {
                to,
                text,
                style,
                tags: None,
                seams: Vec::new(),
                echo: false,
                token: None,
                waits: true,
            }));
        }
        Some(Slash::Msg(text)) => out.command(crate::say(To::Leading, text, Some(Token(0)))),
        Some(Slash::Who) => out.command(Command::Who { room, token: None }),
        Some(Slash::History(count)) => out.command(slash::history(room, count)),
    }
}

/// Says something to this client alone, under the server's name.
pub(super) fn notice(settings: &Settings, text: &str, out: &mut Outbox) {
    let text = wire::private(text);
    let body = Body::Message(&text);
    out.send(server::message(&ServerFrame::ChatMssg { user: &settings.server_name, body }));
}

/// What became of a private message. A client shows its own message by itself, so good news are no news.
pub(super) fn outcome(settings: &Settings, outcome: Outcome, out: &mut Outbox) {
    match outcome {
        Outcome::Delivered => {}
        Outcome::Rejected => notice(settings, "not delivered: the other side refused it", out),
        Outcome::Undelivered => notice(settings, "not delivered: the other side left first", out),
        Outcome::NotKept => notice(settings, NOT_KEPT, out),
    }
}

/// Answers `/who`.
pub(super) fn members(settings: &Settings, room: &RoomCard, members: &[Arc<Card>], out: &mut Outbox) {
    let named: Vec<_> =
        members.iter().take(PEOPLE_MAX).map(|member| member.wire_name(Namespace::Tmp)).collect();
    let mut text = format!("in {}: {}", room.name().as_str(), named.join(", "));
    if let Some(more @ 1..) = members.len().checked_sub(PEOPLE_MAX) {
        text.push_str(&format!(" and {more} more"));
    }
    notice(settings, &text, out);
}
