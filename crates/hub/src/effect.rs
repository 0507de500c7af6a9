//! What the hub asks to be done.

use std::net::SocketAddrV4;
use std::sync::Arc;

use crate::{CallId, Kept, Recall, Reply, Secret, SessionId, Shared};

/// Something for the caller to do, in order. Effects of one call, and of calls one after the other, must reach
/// each session in the order in which they were asked for: that is what gives a room one order.
#[derive(Debug)]
pub enum Effect {
    /// Hand an event to sessions. Those that have gone meanwhile are passed over. Whoever is to be told what became of it
    /// ([`Shared::answer`]) is, between this and the next effect.
    Deliver {
        /// To whom.
        to: Audience,
        /// What.
        event: Shared,
    },
    /// Hand an answer to one session.
    Reply {
        /// To whom.
        to: SessionId,
        /// What.
        reply: Reply,
    },
    /// Connect to a waiting bridge client. When connected, open a session of the bridge's ringing kind for the
    /// call and tell [`crate::Hub::answered`]; when it fails, tell [`crate::Hub::unanswered`].
    Ring {
        /// Names the attempt.
        call: CallId,
        /// Checked by the hub's address policy.
        address: SocketAddrV4,
    },
    /// Check a password, wherever that disturbs nobody, and tell [`crate::Hub::verified`].
    Verify {
        /// Who waits for it.
        session: SessionId,
        /// What for.
        purpose: Purpose,
        /// The operator's or the account's name.
        name: String,
        /// What the password has to fit; empty: nothing fits, and that must take as long.
        hash: Secret,
        /// The password.
        password: Secret,
    },
    /// Make what is kept of a password, wherever that disturbs nobody, and tell [`crate::Hub::derived`].
    Derive {
        /// Who waits for it.
        session: SessionId,
        /// The password.
        password: Secret,
    },
    /// Keep something, before what comes after it in the effects of the same call is carried out: whoever is told of
    /// it may rely on it. If it can't be kept, see [`crate::Hub::not_kept`]. If it is a [`Kept::Event`], it may come with
    /// sessions: they are handed the event then, as by [`Effect::Deliver`], kept or not.
    Keep(Kept, Option<Audience>),
    /// Look something up, when everything that was to be kept before is, and answer with
    /// [`crate::Reply::Recalled`].
    Recall {
        /// Who asks.
        to: SessionId,
        /// What for.
        recall: Box<Recall>,
    },
    /// Read the configuration again.
    Reload,
}

/// What a password is checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To become a server operator.
    Operator,
    /// To log in to an account.
    LogIn,
}

/// The sessions that an event is for.
#[derive(Debug, Clone)]
pub enum Audience {
    /// One.
    One(SessionId),
    /// Several; shared with every other event for the same ones.
    Many(Arc<[SessionId]>),
}

impl Audience {
    /// The sessions, in no order that means anything.
    #[must_use]
    pub fn sessions(&self) -> &[SessionId] {
        match self {
            Self::One(session) => std::slice::from_ref(session),
            Self::Many(sessions) => sessions,
        }
    }
}
