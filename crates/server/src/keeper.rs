//! Keeping what waits in the journal, and posting it.
//!
//! What was said is kept when it is in the commit log. While the disk is quick, the reactor that has left something appends
//! it at once, at the end of its talk with the hub; what others leave meanwhile it takes along. When the disk is slow, or
//! waited for (durability "power"), a thread does it, and the reactors go on.
//!
//! That thread enters what is in the log in the database, many at a time, and whenever somebody wants to look something up.
//! What the log doesn't take is kept in the database at once. It also tidies up.
//!
//! A disk that can't be written to stops nobody: everything is posted all the same, but what looks like a promise is
//! taken out of it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::TryLockError;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use hub::{Effect, Kept, Party, Recall, Recalled, Reply, SessionId};
use smallvec::SmallVec;
use store::{CommitLog, Durability, Erased, Erasing, Sealed, StoreError, Writer};
use tokio::sync::oneshot;

use crate::journal::{self, After, Asker, Turn, Waited};
use crate::promises;
use crate::shared::Shared;

/// When nothing happens for so long, there is time to tidy up.
const IDLE: Duration = Duration::from_secs(1);
/// If there never is, some of it is done so often all the same, in so many steps.
const TIDIED_EVERY: Duration = Duration::from_millis(250);
const TIDIED_STEPS: usize = 5;
/// When more comes in that time, it is busy: words can't keep up anyway, and to enter what is in the log costs less for each
/// the more there is. Then there is one step so often, and what is enough is entered when it is.
const CALM_MAX: usize = 500;
const BUSY_EVERY: Duration = Duration::from_secs(1);
/// A disk that takes longer is left to a thread.
const QUICK: Duration = Duration::from_millis(50);
/// Messages in the log that are enough to enter them: the more at a time, the less each costs.
const ENTERED_AT: usize = 16 * 1024;
/// Memory that they take that is enough, in bytes.
const ENTERED_AT_SIZE: usize = 4 * 1024 * 1024;
/// When it is so many times as much, nothing more is appended before it is entered.
const LOGGED_MAX: usize = 4;
/// With less room on the disk everything is kept in the database at once: what the log has must have room there too.
const ROOM_MIN: u64 = 64 * 1024 * 1024;
/// Steps of entering words that a search waits for at most, and everybody with it.
const SEARCH_STEPS_MAX: usize = 200;
const WORDS_FAILED: &str = "words for searching can't be entered";
/// Messages that are entered until SQLite's log is moved into the database's file. That is done in one go, and who shares a
/// core with it waits for milliseconds: when it is busy, it is to be rare.
const MOVED_EVERY: usize = 10_000;
const BUSY_MOVED_EVERY: usize = 100_000;
/// The same in bytes that they took in memory.
const MOVED_EVERY_SIZE: usize = 16 * 1024 * 1024;

/// The thread's side.
#[derive(Debug)]
struct Keeper {
    writer: Writer,
    /// What is to be entered: in the log, and no longer appended to.
    sealed: Sealed,
    erasings: Erasings,
    /// Messages that were entered since SQLite's log was last moved, and what those in the log took in memory, in bytes.
    entered: usize,
    entered_size: usize,
    /// What was entered since this last tidied up.
    fresh: usize,
    /// Whether the disk has room enough to use the log.
    is_roomy: bool,
    /// When something was last kept.
    kept: Instant,
    tidied: Instant,
    /// When it last entered words and removed what is too old.
    stepped: Instant,
}

/// Keeps and posts until [`crate::journal::Journal::end`].
pub(crate) fn run(shared: &Shared, writer: Writer, log: CommitLog) {
    journal::step_back();
    let mut keeper = Keeper::new(writer);
    *shared.journal.log() = Some(log);
    keeper.learn(shared, true, None);
    let mut patience = IDLE;
    loop {
        let waited = shared.journal.wait(patience);
        if waited == Waited::End {
            return keeper.end(shared).unwrap_or_else(|error| {
                tracing::warn!(%error, "the store's logs are left for the next start to take in");
            });
        }
        keeper.keep_all(shared);
        patience = keeper.rest(shared);
    }
}

/// Keeps what waits, if that is for a reactor to do now; else the thread is told.
pub(crate) fn keep_at_once(shared: &Shared, shard: u8) {
    let journal = &shared.journal;
    // Who lets go of the log looks once more, so that nothing is left that came meanwhile.
    while journal.at_once.load(Ordering::Relaxed) && !journal.is_idle() {
        let mut held = match journal.log.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => break,
        };
        let Some(log) = held.as_mut().filter(|log| !is_much(log, LOGGED_MAX)) else { break };
        let turns = journal.take_lot(|turn| !turn.needs_database);
        if turns.is_empty() {
            break;
        }
        let begun = Instant::now();
        if let Err(error) = log.append(kept(&turns)) {
            tracing::debug!(%error, "the commit log can't be appended to");
            journal.at_once.store(false, Ordering::Relaxed);
            journal.put_back(turns);
            break;
        }
        // Only ever no: the thread may just have found that the database can't be written.
        if begun.elapsed() >= QUICK {
            journal.at_once.store(false, Ordering::Relaxed);
        }
        let count = turns.iter().map(|turn| turn.effects.len()).sum();
        let post = |Turn { shard: of, mut effects, .. }| {
            shared.post_kept(of, Some(shard), &mut effects);
            effects
        };
        let left: SmallVec<[_; 8]> = turns.into_iter().map(post).collect();
        journal.done(count, left);
        if is_much(log, 1) {
            journal.want_entering();
        }
    }
    if !journal.is_idle() {
        journal.notify();
    }
}

impl Keeper {
    fn new(writer: Writer) -> Self {
        let now = Instant::now();
        Self {
            writer,
            sealed: Sealed::default(),
            erasings: Erasings::default(),
            entered: 0,
            entered_size: 0,
            fresh: 0,
            is_roomy: true,
            kept: now,
            tidied: now,
            stepped: now,
        }
    }

    /// Keeps and posts all that waits.
    fn keep_all(&mut self, shared: &Shared) {
        loop {
            let mut held = shared.journal.log();
            let Some(log) = &mut *held else { return };
            let turns = shared.journal.take_lot(|_| true);
            if turns.is_empty() {
                return;
            }
            self.keep(shared, log, turns);
        }
    }

    fn keep(&mut self, shared: &Shared, log: &mut CommitLog, mut turns: Vec<Turn>) {
        let begun = Instant::now();
        let tried = self.try_to_keep(log, &turns);
        if turns.iter().any(Turn::searches) {
            // What is looked for may be the last that was said.
            let mut steps = 0..SEARCH_STEPS_MAX;
            while steps.next().is_some() && unless_failed(WORDS_FAILED, self.writer.index()) {}
        }
        let count = turns.iter().map(|turn| turn.effects.len()).sum();
        let failed = matches!(tried, Some(Err(_)));
        if failed {
            promises::take_back(shared, &mut turns);
        }
        // Before anybody hears how it went: who asks then is to find the same. Where nothing was to be kept, nothing is
        // learned of the disk.
        if let Some(tried) = tried {
            self.kept = Instant::now();
            let quick = tried.is_ok() && self.kept.duration_since(begun) < QUICK;
            self.learn(shared, quick, tried.err());
        }
        let left: Vec<_> = turns.into_iter().map(|turn| self.post(shared, turn, !failed)).collect();
        shared.journal.done(count, left);
    }

    /// In the log, if that is enough and can be done; else in the database, after all that is in the log. Nothing: there
    /// was nothing to be kept.
    fn try_to_keep(&mut self, log: &mut CommitLog, turns: &[Turn]) -> Option<Result<(), StoreError>> {
        let needs_database = turns.iter().any(|turn| turn.needs_database);
        let is_behind = !self.sealed.is_empty() || is_much(log, LOGGED_MAX);
        if self.is_roomy && !needs_database && !is_behind && log.append(kept(turns)).is_ok() {
            return Some(Ok(()));
        }
        log.seal(&mut self.sealed);
        if self.sealed.is_empty() && kept(turns).next().is_none() {
            return None;
        }
        let tried = self.writer.enter(self.sealed.lot(), kept(turns));
        if tried.is_ok() {
            self.count_entered(kept(turns).count());
            self.empty();
            self.release(log);
            if kept(turns).any(takes_back) {
                cut_off(log);
            }
        }
        Some(tried)
    }

    fn count_entered(&mut self, count: usize) {
        self.entered += count;
        self.fresh += count;
    }

    /// What was sealed is entered.
    fn empty(&mut self) {
        self.count_entered(self.sealed.len());
        self.entered_size += self.sealed.lot().size();
        if let Err(error) = self.sealed.empty() {
            tracing::warn!(%error, "the commit log can't be emptied");
        }
    }

    fn release(&mut self, log: &mut CommitLog) {
        if let Err(error) = log.release(&mut self.sealed) {
            tracing::warn!(%error, "the commit log can't be emptied");
        }
    }

    /// Enters what is in the log, while others append to it; whether there was anything.
    fn enter(&mut self, shared: &Shared) -> bool {
        if let Some(log) = &mut *shared.journal.log() {
            log.seal(&mut self.sealed);
        }
        if self.sealed.is_empty() {
            return false;
        }
        let tried = self.writer.enter(self.sealed.lot(), []);
        if tried.is_ok() {
            // Which takes its time: nobody else is to wait for it.
            self.empty();
            if let Some(log) = &mut *shared.journal.log() {
                self.release(log);
            }
        }
        let quick = tried.is_ok() && shared.journal.at_once.load(Ordering::Relaxed);
        self.learn(shared, quick, tried.err());
        true
    }

    /// Something was kept, or entered, or could not be.
    fn learn(&mut self, shared: &Shared, quick: bool, failed: Option<StoreError>) {
        self.is_roomy = shared.folder.as_deref().is_none_or(has_room);
        let at_once = quick && self.is_roomy && self.writer.durability() == Durability::Process;
        shared.journal.at_once.store(at_once, Ordering::Relaxed);
        tell_operators(shared, failed);
    }

    /// Posts what a turn has left, when all of it is kept, or can't be; the empty list.
    fn post(&mut self, shared: &Shared, mut turn: Turn, is_kept: bool) -> Vec<Effect> {
        let recalls = take_recalls(&mut turn.effects);
        shared.post_kept(turn.shard, None, &mut turn.effects);
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
        turn.effects
    }

    /// What is done when nothing waits, and now and then if something always does; how long it may wait then.
    fn rest(&mut self, shared: &Shared) -> Duration {
        if !self.erasings.0.is_empty() {
            shared.journal.log().as_mut().map(cut_off);
        }
        if self.erasings.go_on(&mut self.writer) {
            return Duration::ZERO;
        }
        let logged = shared.journal.log().as_ref().map_or(0, CommitLog::len);
        let is_busy = self.fresh + logged > CALM_MAX;
        let (is_due, every) =
            (self.tidied.elapsed() >= TIDIED_EVERY, if is_busy { BUSY_EVERY } else { TIDIED_EVERY });
        let may_step = is_due && self.stepped.elapsed() >= every;
        let most = if is_busy { BUSY_MOVED_EVERY } else { MOVED_EVERY };
        if is_due && (self.entered >= most || self.entered_size >= MOVED_EVERY_SIZE) {
            (self.entered, self.entered_size) = (0, 0);
            shared.journal.want_checkpoint();
        }
        if shared.journal.wants_entering() || may_step {
            if self.enter(shared) {
                self.kept = Instant::now();
            } else {
                shared.journal.log().as_mut().map(cut_off);
            }
        }
        if self.kept.elapsed() >= IDLE {
            tidy_up(shared, &mut self.writer, |_| shared.journal.is_quiet());
            let now = Instant::now();
            (self.tidied, self.stepped, self.fresh) = (now, now, 0);
            return IDLE;
        }
        if is_due {
            (self.tidied, self.fresh) = (Instant::now(), 0);
        }
        if may_step {
            let most = if is_busy { 1 } else { TIDIED_STEPS };
            tidy_up(shared, &mut self.writer, |steps| steps < most);
            self.stepped = Instant::now();
        }
        TIDIED_EVERY
    }

    /// Ends with everything in the database, and that in one file.
    fn end(mut self, shared: &Shared) -> Result<(), StoreError> {
        self.enter(shared);
        let log = shared.journal.log().take();
        log.map_or(Ok(()), CommitLog::close)?;
        self.writer.close()
    }
}

impl Turn {
    fn searches(&self) -> bool {
        let effect = |effect: &Effect| matches!(effect, Effect::Recall { recall, .. } if is_search(recall));
        let after = matches!(&self.after, Some(After::Recall(recall, _)) if is_search(recall));
        after || self.effects.iter().any(effect)
    }
}

/// What was entered is no longer in the log's files, not even where nobody reads.
fn cut_off(log: &mut CommitLog) {
    if let Err(error) = log.cut_off() {
        tracing::warn!(%error, "the commit log can't be cut off");
    }
}

/// Whether there is so many times as much in the log as is enough to enter it.
fn is_much(log: &CommitLog, times: usize) -> bool {
    log.len() >= times * ENTERED_AT || log.size() >= times * ENTERED_AT_SIZE
}

/// Whether something that was said is not to be anywhere any more.
fn takes_back(kept: &Kept) -> bool {
    matches!(kept, Kept::Event { .. }) && !CommitLog::takes(kept)
}

/// Whether a disk has room enough, as far as it says.
fn has_room(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= ROOM_MIN)
}

/// What turns ask to be kept.
fn kept(turns: &[Turn]) -> impl Iterator<Item = &Kept> {
    turns.iter().flat_map(|turn| &turn.effects).filter_map(as_kept)
}

/// What an effect asks to be kept.
fn as_kept(effect: &Effect) -> Option<&Kept> {
    match effect {
        Effect::Keep(kept, _) => Some(kept),
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
            Effect::Recall { to, recall } => recalls.push((to, recall)),
            effect => effects.push(effect),
        }
    }
    recalls
}

fn is_search(recall: &Recall) -> bool {
    matches!(recall, Recall::Search { .. } | Recall::SearchRooms { .. })
}

/// Enters words for searching, and removes what is not to be kept any longer, in short steps: for as long as it may go on
/// after so many.
fn tidy_up(shared: &Shared, writer: &mut Writer, may_go_on: impl Fn(usize) -> bool) {
    let go_on = |steps: &mut usize| {
        *steps += 1;
        // Who shares a core with this is let in between.
        thread::yield_now();
        may_go_on(*steps)
    };
    let mut steps = 0;
    while unless_failed(WORDS_FAILED, writer.index()) && go_on(&mut steps) {}
    let now_ms = shared.clock.now().unix_ms;
    let mut steps = 0;
    while unless_failed("what is too old can't be removed", writer.expire(now_ms)) && go_on(&mut steps) {}
}

/// Whether there is more to do. What can't be done now is tried again later.
fn unless_failed(what: &str, done: Result<bool, StoreError>) -> bool {
    done.unwrap_or_else(|error| {
        tracing::warn!(%error, "{what}");
        false
    })
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
