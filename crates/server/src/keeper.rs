//! Keeping what waits in the journal, and posting it.
//!
//! While the disk is quick, the reactor that has left something does it at once, at the end of its talk with the hub;
//! what others leave meanwhile it takes along. When the disk is slow, or waited for (durability "power"), a thread does
//! it, and the reactors go on. That thread also tidies up.
//!
//! A disk that can't be written to stops nobody: everything is posted all the same, but what looks like a promise is
//! taken out of it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

use hub::{Effect, EventId, Kept, Outcome, Party, Recall, Recalled, Refusal, Reply, SessionId};
use store::{Durability, Erased, Erasing, StoreError, Writer};
use tokio::sync::oneshot;

use crate::journal::{After, Asker, Turn, Waited};
use crate::shared::Shared;

/// When nothing happens for so long, there is time to tidy up.
const IDLE: Duration = Duration::from_secs(1);
/// If there never is, some of it is done so often all the same.
const TIDIED_EVERY: Duration = Duration::from_millis(250);
/// A disk that takes longer is left to a thread.
const QUICK: Duration = Duration::from_millis(5);
/// Steps of entering words that a search waits for at most, and everybody with it.
const SEARCH_STEPS_MAX: usize = 40;
const WORDS_FAILED: &str = "words for searching can't be entered";
/// What is kept until the log is moved into the database's file.
const CHECKPOINT_EVERY: usize = 1_000;

/// Who keeps.
#[derive(Debug)]
pub(crate) struct Keeper {
    writer: Writer,
    erasings: Erasings,
    /// What was kept since the log was last moved.
    in_log: usize,
    /// When something was last kept.
    kept: Instant,
    tidied: Instant,
}

/// Keeps and posts until [`crate::journal::Journal::end`].
pub(crate) fn run(shared: &Shared, writer: Writer) {
    let now = Instant::now();
    let at_once = writer.durability() == Durability::Process;
    let keeper = Keeper { writer, erasings: Erasings::default(), in_log: 0, kept: now, tidied: now };
    *shared.journal.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
    shared.journal.at_once.store(at_once, Ordering::Relaxed);
    let mut patience = IDLE;
    loop {
        let waited = shared.journal.wait(patience);
        let mut held = shared.journal.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if waited == Waited::End {
            let Some(Keeper { writer, .. }) = held.take() else { return };
            return writer.close().unwrap_or_else(|error| {
                tracing::warn!(%error, "the store's log is left for the next start to take in");
            });
        }
        let Some(keeper) = &mut *held else { return };
        keeper.keep_all(shared, None);
        patience = keeper.rest(shared);
    }
}

/// Keeps what waits, if that is for a reactor to do now; else the thread is told.
pub(crate) fn keep_at_once(shared: &Shared, shard: u8) {
    let journal = &shared.journal;
    // Who lets go of the keeper looks once more, so that nothing is left that came meanwhile.
    while journal.at_once.load(Ordering::Relaxed) && !journal.is_idle() {
        let mut held = match journal.keeper.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => break,
        };
        let Some(keeper) = &mut *held else { break };
        keeper.keep_all(shared, Some(shard));
    }
    if !journal.is_idle() {
        journal.notify();
    }
}

impl Keeper {
    /// Keeps and posts all that waits. `by` is the reactor that does it.
    fn keep_all(&mut self, shared: &Shared, by: Option<u8>) {
        loop {
            let turns = shared.journal.take_lot();
            if turns.is_empty() {
                return;
            }
            self.keep(shared, turns, by);
        }
    }

    fn keep(&mut self, shared: &Shared, mut turns: Vec<Turn>, by: Option<u8>) {
        let begun = Instant::now();
        let effects = || turns.iter().flat_map(|turn| &turn.effects);
        let kept = || effects().filter_map(as_kept);
        let tried = kept().next().map(|_| self.writer.keep(kept()));
        self.in_log += kept().count();
        if turns.iter().any(Turn::searches) {
            // What is looked for may be the last that was said.
            let mut steps = 0..SEARCH_STEPS_MAX;
            while steps.next().is_some() && unless_failed(WORDS_FAILED, self.writer.index()) {}
        }
        let count = effects().count();
        if self.in_log >= CHECKPOINT_EVERY {
            self.in_log = 0;
            shared.journal.want_checkpoint();
        }
        let failed = matches!(tried, Some(Err(_)));
        if failed {
            take_back_promises(shared, &mut turns);
        }
        turns.into_iter().for_each(|turn| self.post(shared, turn, by, !failed));
        // Where nothing was to be kept, nothing is learned of the disk.
        if let Some(tried) = tried {
            self.kept = Instant::now();
            let quick = tried.is_ok() && self.kept.duration_since(begun) < QUICK;
            let at_once = quick && self.writer.durability() == Durability::Process;
            shared.journal.at_once.store(at_once, Ordering::Relaxed);
            tell_operators(shared, tried.err());
        }
        shared.journal.done(count);
    }

    /// Posts what a turn has left, when all of it is kept, or can't be.
    fn post(&mut self, shared: &Shared, mut turn: Turn, by: Option<u8>, is_kept: bool) {
        let recalls = take_recalls(&mut turn.effects);
        shared.post_kept(turn.shard, by, &mut turn.effects);
        // Only now: what is found must not come before what it belongs to.
        for (to, recall) in recalls {
            if !shared.journal.recall(Asker::Session(to), recall) {
                shared.reply(to, Reply::Recalled(Recalled::Failed));
            }
        }
        match turn.after {
            None => {}
            // Who asked may have gone.
            Some(After::Tell(tell)) => drop(tell.send(is_kept)),
            // If there is no room, the question is dropped, and that is an answer.
            Some(After::Recall(recall, to)) => drop(shared.journal.recall(Asker::Outside(to), recall)),
            Some(After::Erase(party, to)) => self.erasings.push(party, to),
        }
    }

    /// What the thread does when nothing waits, and now and then if something always does; how long it may wait then.
    fn rest(&mut self, shared: &Shared) -> Duration {
        if self.erasings.go_on(&mut self.writer) {
            return Duration::ZERO;
        }
        if self.kept.elapsed() >= IDLE {
            tidy_up(shared, &mut self.writer, || shared.journal.is_idle());
            self.tidied = Instant::now();
            return IDLE;
        }
        if self.tidied.elapsed() >= TIDIED_EVERY {
            tidy_up(shared, &mut self.writer, || false);
            self.tidied = Instant::now();
        }
        TIDIED_EVERY
    }
}

impl Turn {
    fn searches(&self) -> bool {
        let effect = |effect: &Effect| matches!(effect, Effect::Recall { recall, .. } if is_search(recall));
        let after = matches!(&self.after, Some(After::Recall(recall, _)) if is_search(recall));
        after || self.effects.iter().any(effect)
    }
}

/// What an effect asks to be kept.
fn as_kept(effect: &Effect) -> Option<&Kept> {
    match effect {
        Effect::Keep(kept) => Some(kept),
        Effect::Deliver { .. }
        | Effect::Reply { .. }
        | Effect::Ring { .. }
        | Effect::Verify { .. }
        | Effect::Derive { .. }
        | Effect::Reload
        | Effect::Recall { .. } => None,
    }
}

/// What is to be erased: a part at a time, so that nothing else waits long.
#[derive(Debug, Default)]
struct Erasings(VecDeque<(Erasing, oneshot::Sender<Erased>)>);

impl Erasings {
    fn push(&mut self, party: Party, to: oneshot::Sender<Erased>) {
        self.0.push_back((Erasing::of(party), to));
    }

    /// Erases a part; whether there was something to erase.
    fn go_on(&mut self, writer: &mut Writer) -> bool {
        let Some((mut erasing, to)) = self.0.pop_front() else { return false };
        match writer.erase_some(&mut erasing) {
            Ok(true) => self.0.push_front((erasing, to)),
            // Who asked may have gone.
            Ok(false) => drop(to.send(erasing.erased())),
            Err(error) => tracing::error!(%error, "what somebody said can't be erased, or not all of it"),
        }
        true
    }
}

/// What is to be looked up; what is left is for the reactors.
fn take_recalls(effects: &mut Vec<Effect>) -> Vec<(SessionId, Box<Recall>)> {
    let mut recalls = Vec::new();
    for effect in std::mem::take(effects) {
        match effect {
            Effect::Keep(_) => {}
            Effect::Recall { to, recall } => recalls.push((to, recall)),
            effect => effects.push(effect),
        }
    }
    recalls
}

fn is_search(recall: &Recall) -> bool {
    matches!(recall, Recall::Search { .. } | Recall::SearchRooms { .. })
}

/// Enters words for searching, and removes what is not to be kept any longer: a step of each, and more for as long as
/// nobody waits.
fn tidy_up(shared: &Shared, writer: &mut Writer, has_time: impl Fn() -> bool) {
    while unless_failed(WORDS_FAILED, writer.index()) && has_time() {}
    let now_ms = shared.clock.now().unix_ms;
    while unless_failed("what is too old can't be removed", writer.expire(now_ms)) && has_time() {}
}

/// Whether there is more to do. What can't be done now is tried again later.
fn unless_failed(what: &str, done: Result<bool, StoreError>) -> bool {
    done.unwrap_or_else(|error| {
        tracing::warn!(%error, "{what}");
        false
    })
}

/// What was to be kept was not: nothing may look as if it had been.
fn take_back_promises(shared: &Shared, turns: &mut [Turn]) {
    let mut lost: Vec<EventId> = Vec::new();
    let mut accounts = Vec::new();
    for turn in turns {
        // Those whose next answer would be a promise.
        let mut owed: Vec<SessionId> = Vec::new();
        for effect in &mut turn.effects {
            match effect {
                Effect::Keep(Kept::Event { event, .. }) => {
                    event.set_not_kept();
                    lost.push(event.id);
                    owed.extend(event.by);
                }
                Effect::Keep(Kept::Account { account, before }) => {
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

/// Says when the disk can't be written to, and when it can again.
fn tell_operators(shared: &Shared, failed: Option<StoreError>) {
    let was_failing = shared.journal.failing.swap(failed.is_some(), Ordering::Relaxed);
    let text = match (failed, was_failing) {
        (Some(error), false) => {
            tracing::error!(%error, "the store can't be written: what is said is handed out, but not acknowledged");
            format!("The store can't be written: {error}. What is said is handed out, but not acknowledged.")
        }
        (None, true) => {
            tracing::info!("the store can be written again");
            "The store can be written again.".to_owned()
        }
        _ => return,
    };
    shared.alert_operators(&text);
}
