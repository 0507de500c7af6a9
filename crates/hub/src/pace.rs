//! How fast a room tells its members who comes and goes.
//!
//! Every arrival is told to every member: a thousand arrivals in a room of five thousand would be five million
//! messages. So a room has a budget ([`crate::HubConfig::announcements_per_s`]): within it everything is told at
//! once, beyond it later, in order, and in rooms above a size an arrival is only told when the newcomer does
//! something that the others see; if it goes before, nobody is told that either.
//!
//! A member whose arrival isn't told yet is a member like any other: it hears everything and is in every list.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gcra::{GcraState, RateLimit};

use crate::{Audience, Card, Effect, Hub, Kind, Now, RoomId, UserId};

/// A room's budget, and what waits for it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    spent: GcraState,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
enum Waiting {
    /// Has come; told if it is still there and nobody knows yet.
    Arrival(UserId),
    /// Has gone.
    Departure(Arc<Card>),
}

/// Departures that wait in one room; more are told at once, whatever it costs, because clients show who has left
/// until they are told.
const WAITING_MAX: usize = 16 * 1024;

/// How often rooms with something waiting are looked at.
const ROUND: Duration = Duration::from_millis(250);

/// What a departure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody has to be told.
    Nobody,
    /// The room has to be told now.
    Now,
    /// The room will be told.
    Later,
}

impl Hub {
    pub(crate) fn announcements(per_s: u32, burst: u32) -> RateLimit {
        let burst = burst.max(1);
        RateLimit::new(burst, Duration::from_secs(1).mul_f64(f64::from(burst) / f64::from(per_s.max(1))))
    }

    /// A member has come: tells the others now if the budget allows it. The newcomer itself is told by the caller.
    pub(crate) fn announce_arrival(&mut self, now: Now, user: UserId, room: RoomId, fx: &mut Vec<Effect>) {
        let (limit, members_max) = (self.announcements.clone(), self.config.announce_members_max);
        let Some(entry) = self.rooms.get_mut(&room) else { return };
        if entry.len() > members_max {
            return;
        }
        let spent = entry.pace.spent.check_and_modify_at(&limit, now.at, 1);
        if entry.pace.waiting.is_empty() && spent.is_ok() {
            self.tell_arrival(now, user, room, fx);
        } else {
            entry.pace.waiting.push_back(Waiting::Arrival(user));
            self.pace_round(now, room);
        }
    }

    /// Makes sure that the others know of a member before they see it do something.
    pub(crate) fn tell_arrival(&mut self, now: Now, user: UserId, room: RoomId, fx: &mut Vec<Effect>) {
        let Some(entry) = self.rooms.get_mut(&room) else { return };
        let Some(member) = entry.member_mut(user).filter(|member| !member.told) else { return };
        member.told = true;
        let own: Vec<_> = entry.sessions_of(user).to_vec();
        let others: Arc<[_]> =
            entry.audience().iter().copied().filter(|session| !own.contains(session)).collect();
        let card = entry.card.clone();
        let Some(newcomer) = self.users.get(&user) else { return };
        let kind = Kind::Join { who: newcomer.card.clone(), away: newcomer.away.clone(), room: card };
        let event = self.event(now, kind);
        self.deliver_to(Audience::Many(others), event, fx);
        self.tell_ranks(now, user, room, fx);
    }

    /// A member goes. `told` is whether its arrival was.
    pub(crate) fn departure(&mut self, now: Now, card: &Arc<Card>, room: RoomId, told: bool) -> Told {
        let (limit, members_max) = (self.announcements.clone(), self.config.announce_members_max);
        let Some(entry) = self.rooms.get_mut(&room) else { return Told::Nobody };
        // In a smaller room those who came meanwhile have seen it in the list of members.
        if !told && entry.len() > members_max {
            return Told::Nobody;
        }
        let spent = entry.pace.spent.check_and_modify_at(&limit, now.at, 1);
        if (entry.pace.waiting.is_empty() && spent.is_ok()) || entry.pace.waiting.len() >= WAITING_MAX {
            return Told::Now;
        }
        entry.pace.waiting.push_back(Waiting::Departure(card.clone()));
        self.pace_round(now, room);
        Told::Later
    }

    /// A name is taken by somebody new: whoever had it before must not be told gone after that.
    pub(crate) fn forget_departure(&mut self, room: RoomId, name: &str) {
        let Some(entry) = self.rooms.get_mut(&room) else { return };
        entry.pace.waiting.retain(|waiting| match waiting {
            Waiting::Departure(card) => card.name().as_str() != name,
            Waiting::Arrival(_) => true,
        });
    }

    fn pace_round(&mut self, now: Now, room: RoomId) {
        self.paced.insert(room);
        self.pace_due.get_or_insert(now.at + ROUND);
    }

    pub(crate) fn pace_due(&self) -> Option<Instant> {
        self.pace_due
    }

    /// Tells what waited, as far as the rooms' budgets go.
    pub(crate) fn pace_tell(&mut self, now: Now, fx: &mut Vec<Effect>) {
        self.pace_due = None;
        for room in std::mem::take(&mut self.paced) {
            self.pace_tell_room(now, room, fx);
            if self.rooms.get(&room).is_some_and(|entry| !entry.pace.waiting.is_empty()) {
                self.pace_round(now, room);
            }
        }
    }

    fn pace_tell_room(&mut self, now: Now, room: RoomId, fx: &mut Vec<Effect>) {
        let (limit, members_max) = (self.announcements.clone(), self.config.announce_members_max);
        loop {
            let Some(entry) = self.rooms.get_mut(&room) else { return };
            let Some(next) = entry.pace.waiting.front() else { return };
            // Arrivals that are told already, or that the room has grown too large for, cost nothing.
            let idle = match next {
                Waiting::Arrival(user) => {
                    entry.len() > members_max || entry.member(*user).is_none_or(|member| member.told)
                }
                Waiting::Departure(_) => false,
            };
            if !idle && entry.pace.spent.check_and_modify_at(&limit, now.at, 1).is_err() {
                return;
            }
            let next = entry.pace.waiting.pop_front();
            match next {
                Some(Waiting::Arrival(user)) if !idle => self.tell_arrival(now, user, room, fx),
                Some(Waiting::Departure(who)) => {
                    let (to, room) = (entry.audience(), entry.card.clone());
                    let event = self.event(now, Kind::Part { who, room, reason: None });
                    self.deliver_to(Audience::Many(to), event, fx);
                }
                Some(Waiting::Arrival(_)) | None => {}
            }
        }
    }
}
