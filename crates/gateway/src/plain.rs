//! What of an event can be shown in a protocol that has nothing but messages: the nearest plain words, and who says
//! them. What is missing here is left out on purpose (`docs/what-reaches-whom.md`).

use std::borrow::Cow;

use hub::{Actor, Card, Event, Kind, Namespace, RoomCard, Scope, Shared, Style, UserId};

/// An event in words.
pub(crate) struct Plain<'e> {
    /// Who says it, or whose doing it is.
    pub(crate) from: &'e Card,
    pub(crate) place: Place,
    pub(crate) text: Cow<'e, str>,
}

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Room,
    Private {
        /// To how many.
        named: usize,
    },
}

impl Place {
    fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Room(_) => Self::Room,
            // Not everybody in the room has it.
            Scope::Ranked { .. } => Self::Private { named: 2 },
            Scope::Private { named, .. } => Self::Private { named: *named },
        }
    }

    pub(crate) fn is_private(self) -> bool {
        self != Self::Room
    }
}

/// An event in words, with names as `space` writes them.
pub(crate) fn plain(event: &Event, space: Namespace) -> Option<Plain<'_>> {
    let name = |card: &Card| card.wire_name(space).to_owned();
    match &event.kind {
        Kind::Message { from, scope, text, style, tags: _, seams: _ } => {
            let text = match style {
                Style::Plain | Style::Bare | Style::Notice => Cow::Borrowed(text.as_str()),
                Style::Action => Cow::Owned(format!("* {} {}", name(from), text.as_str())),
                // Between programs.
                Style::Request { .. } => return None,
            };
            Some(Plain { from, place: Place::of(scope), text })
        }
        Kind::Tags { from, scope, reaction: Some(reaction), tags: _ } => {
            let to = reaction.to.as_ref().map(|to| format!(" to \"{to}\"")).unwrap_or_default();
            done(from, Place::of(scope), format!("* {} reacted {}{to}", name(from), reaction.with))
        }
        Kind::Topic { by: Actor::User(by), topic, room: _ } => {
            let what = match topic {
                Some(topic) => format!("set the topic: {topic}"),
                None => "took the topic away".to_owned(),
            };
            done(by, Place::Room, format!("* {} {what}", name(by)))
        }
        Kind::Kick { by: Actor::User(by), whom, reason, room: _ } => {
            let text = format!("* {} put {} out{}", name(by), name(whom), because(reason.as_deref()));
            done(by, Place::Room, text)
        }
        Kind::Rename { before, after } => {
            done(after, Place::Room, format!("* {} is now called {}", name(before), name(after)))
        }
        Kind::RoomRenamed { by: Actor::User(by), after, reason, before: _ } => {
            let (room, why) = (after.name().as_str(), because(reason.as_deref()));
            done(by, Place::Room, format!("* {} renamed the room to {room}{why}", name(by)))
        }
        Kind::Redact { by, scope, reason, message: _ } => {
            let text = format!("* {} took back a message{}", name(by), because(reason.as_deref()));
            done(by, Place::of(scope), text)
        }
        Kind::Announcement { from, text } => {
            Some(Plain { from, place: Place::Private { named: 1 }, text: Cow::Borrowed(text.as_str()) })
        }
        // Not to be shown to those whom it isn't for; see [`invited`].
        Kind::Invite { .. }
        // These have no author among the people.
        | Kind::Topic { by: Actor::Server, .. }
        | Kind::Kick { by: Actor::Server, .. }
        | Kind::RoomRenamed { by: Actor::Server, .. }
        // A line of text for every one of these would be noise.
        | Kind::Tags { reaction: None, .. }
        | Kind::Typing { .. }
        | Kind::Roster { .. }
        | Kind::Join { .. }
        | Kind::Part { .. }
        | Kind::Quit { .. }
        | Kind::Modes { .. }
        | Kind::Profile { .. }
        | Kind::Away { .. }
        | Kind::Watched { .. }
        | Kind::Marker { .. }
        | Kind::Metadata { .. }
        | Kind::Wallops { .. } => None,
    }
}

/// Who has put `me` out of a room, and the words for it.
pub(crate) fn kicked(event: &Event, me: UserId, space: Namespace) -> Option<(&RoomCard, String)> {
    let Kind::Kick { by, whom, room, reason } = &event.kind else { return None };
    if whom.user() != me {
        return None;
    }
    let by = match by {
        Actor::User(by) => by.wire_name(space),
        Actor::Server => "the server",
    };
    Some((room, format!("* {by} put you out of the room{}", because(reason.as_deref()))))
}

/// Who has asked `me` into a room, and the words for it.
pub(crate) fn invited<'e>(event: &'e Event, me: UserId, space: Namespace) -> Option<Plain<'e>> {
    let Kind::Invite { by, whom, room } = &event.kind else { return None };
    if whom.user() != me {
        return None;
    }
    let text = format!("* {} invites you to the room {}", by.wire_name(space), room.name().as_str());
    done(by, Place::Private { named: 1 }, text)
}

fn done(from: &Card, place: Place, text: String) -> Option<Plain<'_>> {
    Some(Plain { from, place, text: Cow::Owned(text) })
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

/// What a sender is told in place of its own message if that could not be kept: shown, it would look like a promise.
pub(crate) const NOT_KEPT: &str = "your message was handed out, but it is not kept";

/// Whether an event is somebody's own message that could not be kept, and what to say then.
pub(crate) fn not_kept(event: &Shared, me: UserId) -> Option<&'static str> {
    let Kind::Message { from, .. } = &event.kind else { return None };
    (from.user() == me && event.is_not_kept()).then_some(NOT_KEPT)
}
