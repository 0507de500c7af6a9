//! What was promised and can't be held: what was to be kept and could not be.

use hub::{Effect, EventId, Kept, Outcome, Refusal, Reply, SessionId};

use crate::journal::Turn;
use crate::shared::Shared;

/// What was to be kept was not: nothing may look as if it had been.
pub(crate) fn take_back(shared: &Shared, turns: &mut [Turn]) {
    let mut lost: Vec<EventId> = Vec::new();
    let mut accounts = Vec::new();
    for turn in turns {
        // Those whose next answer would be a promise.
        let mut owed: Vec<SessionId> = Vec::new();
        for effect in &mut turn.effects {
            match effect {
                Effect::Keep(Kept::Event { event, .. }, _) => {
                    event.set_not_kept();
                    lost.push(event.id);
                    // What rides on the event itself promises nothing any more.
                    owed.extend(event.by.filter(|_| event.answer().is_none()));
                }
                Effect::Keep(Kept::Account { account, before }, _) => {
                    accounts.push((account.clone(), before.clone()));
                }
                Effect::Reply { reply: reply @ Reply::Registered { .. }, .. } => {
                    *reply = Reply::Refused { token: None, refusal: Refusal::NotKept };
                }
                Effect::Reply { to, reply } if owed.contains(to) => {
                    owed.retain(|session| session != to);
                    *reply = refused(std::mem::replace(reply, Reply::Done));
                }
                _ => {}
            }
        }
    }
    let mut hub = shared.hub();
    for event in lost {
        hub.not_kept(event);
    }
    drop(hub);
    for (account, before) in accounts.iter().rev() {
        let _ = shared.by_order(|hub, now, fx| hub.account_not_kept(now, account, before.as_deref(), fx));
    }
}

/// An answer that promises nothing.
fn refused(reply: Reply) -> Reply {
    match reply {
        Reply::Outcome { token, outcome: Outcome::Delivered, away } => {
            Reply::Outcome { token, outcome: Outcome::NotKept, away }
        }
        Reply::Done => Reply::Refused { token: None, refusal: Refusal::NotKept },
        reply => reply,
    }
}
