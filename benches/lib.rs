//! What the benchmarks have in common: a hub full of people and a clock that stands still.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use hub::{
    Command, Dialect, Effect, Hub, HubConfig, Leg, Login, Now, Origin, Refusal, Reply, RoomId, SessionId,
};

/// The moment at which everything in a benchmark happens.
#[must_use]
pub fn now() -> Now {
    Now { at: Instant::now(), unix_ms: 1_700_000_000_000 }
}

/// A room with members, all of one dialect.
pub struct Crowd {
    /// The hub they are on.
    pub hub: Hub,
    /// The members' sessions.
    pub sessions: Vec<SessionId>,
    /// The room.
    pub room: RoomId,
    /// The moment.
    pub now: Now,
}

impl Crowd {
    /// A lobby of this many members.
    ///
    /// # Errors
    /// If the hub refuses somebody, which would be a mistake in the benchmark.
    pub fn gather(members: usize, dialect: Dialect) -> Result<Self, Refusal> {
        let mut hub = Hub::new(HubConfig::default())?;
        let now = now();
        let origin = Origin { dialect, address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false };
        let (mut sessions, mut room, mut fx) = (Vec::new(), None, Vec::new());
        for number in 0..members {
            let id = SessionId::new(0, 0, number as u32);
            hub.open(id, origin);
            let login = Login {
                name: format!("member{number}"),
                handle: None,
                leg: Leg::Both,
                entrance: hub::Entrance::Lobby,
                profile: None,
                replay: false,
                roster: false,
                receipts: false,
            };
            hub.apply(now, id, Command::Login(login), &mut fx);
            for effect in fx.drain(..) {
                match effect {
                    Effect::Reply { reply: Reply::Welcome { room: Some(card), .. }, .. } => {
                        room = Some(card.id())
                    }
                    Effect::Reply { reply: Reply::Refused { refusal, .. }, .. } => return Err(refusal),
                    _ => {}
                }
            }
            sessions.push(id);
        }
        Ok(Self { hub, sessions, room: room.ok_or(Refusal::NotInRoom)?, now })
    }
}
