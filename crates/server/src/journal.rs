//! What is to be kept, on its way to the disk.
//!
//! Nobody is told of anything before it is kept, so what the hub asks to be done waits here for what it asked to be
//! kept before: a thread takes everything that waits, keeps it in one transaction, and only then posts it to the
//! reactors, in the hub's order. While it does so the next lot gathers. When nothing waits, what needs no keeping goes
//! straight to the reactors.
//!
//! A disk that can't be written to stops nobody: everything is posted all the same, but what looks like a promise is
//! taken out of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hub::{Effect, EventId, Kept, Outcome, Party, Recall, Recalled, Refusal, Reply, SessionId};
use store::{Checkpointer, Erased, Erasing, Interrupter, Reader, StoreError, Writer};
use tokio::sync::oneshot;

use crate::shared::Shared;

/// What may wait before the reactors stop reading.
const WAITING_MAX: usize = 8 * 1024;
/// Turns that are kept together at most: one that comes later waits for no more than these.
const GROUP_MAX: usize = 1024;
/// When nothing happens for so long, there is time to tidy up.
const IDLE: Duration = Duration::from_secs(1);
/// If there never is, some of it is done so often all the same.
const TIDIED_EVERY: Duration = Duration::from_millis(250);
/// Steps of entering words that a search waits for at most, and everybody with it.
const SEARCH_STEPS_MAX: usize = 10;
const WORDS_FAILED: &str = "words for searching can't be entered";
/// What is kept until the log is moved into the database's file.
const CHECKPOINT_EVERY: usize = 1_000;
/// Requests to look something up that may wait for each thread that does.
const RECALLS_MAX: usize = 2 * 1024;
/// How many threads look things up.
pub(crate) const READERS: usize = 2;

/// What waits to be kept, and to be looked up.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    queue: Mutex<Queue>,
    more: Condvar,
    /// Effects in the queue.
    waiting: AtomicUsize,
    lanes: [Lane; READERS],
    /// Whether the disk can't be written to.
    failing: AtomicBool,
    checkpoint: Mutex<Checkpoint>,
    more_checkpoint: Condvar,
    /// Ends the look for damage.
    checking: Mutex<Checking>,
}

/// Whether the log is to be moved.
#[derive(Debug, Default)]
struct Checkpoint {
    wanted: bool,
    ended: bool,
}

#[derive(Debug, Default)]
enum Checking {
    #[default]
    No,
    Yes(Interrupter),
    Ended,
}

#[derive(Debug, Default)]
struct Queue {
    turns: VecDeque<Turn>,
    /// The thread has taken some and not posted all of them.
    busy: bool,
    ended: bool,
}

/// What one call of the hub left, and whose reactor called it.
#[derive(Debug)]
struct Turn {
    shard: u8,
    effects: Vec<Effect>,
    after: Option<After>,
}

/// What is to be done when a turn is kept and posted.
#[derive(Debug)]
pub(crate) enum After {
    /// Say whether it could be kept.
    Tell(oneshot::Sender<bool>),
    /// Look something up.
    Recall(Box<Recall>, oneshot::Sender<Recalled>),
    /// Erase what somebody has said; nothing is answered if it fails.
    Erase(Party, oneshot::Sender<Erased>),
}

/// Who wants something looked up.
#[derive(Debug)]
enum Asker {
    Session(SessionId),
    /// Whoever runs the server.
    Outside(oneshot::Sender<Recalled>),
}

/// What one reader has to look up. All that a session asks for goes to the same one, so that it is answered in order.
#[derive(Debug, Default)]
struct Lane {
    recalls: Mutex<Recalls>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Recalls {
    waiting: VecDeque<(Asker, Box<Recall>)>,
    ended: bool,
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has to wait; whether it did. Called with the hub locked, so that nothing comes in between.
    pub(crate) fn take(&self, shard: u8, effects: &mut Vec<Effect>, after: Option<After>) -> bool {
        let mut queue = self.lock();
        let needed = queue.busy || !queue.turns.is_empty() || after.is_some() || effects.iter().any(waits);
        if needed && !(effects.is_empty() && after.is_none()) {
            self.waiting.fetch_add(effects.len(), Ordering::Relaxed);
            queue.turns.push_back(Turn { shard, effects: std::mem::take(effects), after });
            self.more.notify_one();
        }
        needed
    }

    /// Whether so much waits that nothing more should be read.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > WAITING_MAX
    }

    /// Ends the threads, when everything that waits is kept.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.more.notify_all();
        for lane in &self.lanes {
            lane.lock().ended = true;
            lane.more.notify_all();
        }
        self.lock_checkpoint().ended = true;
        self.more_checkpoint.notify_all();
        if let Checking::Yes(check) = self.set_checking(Checking::Ended) {
            check.interrupt();
        }
    }

    fn lock_checkpoint(&self) -> MutexGuard<'_, Checkpoint> {
        self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the log moved, soon.
    fn want_checkpoint(&self) {
        self.lock_checkpoint().wanted = true;
        self.more_checkpoint.notify_one();
    }

    /// Waits until the log is to be moved; not if it is the end.
    fn next_checkpoint(&self) -> bool {
        let waiting = |checkpoint: &mut Checkpoint| !checkpoint.wanted && !checkpoint.ended;
        let mut checkpoint = self
            .more_checkpoint
            .wait_while(self.lock_checkpoint(), waiting)
            .unwrap_or_else(PoisonError::into_inner);
        checkpoint.wanted = false;
        !checkpoint.ended
    }

    /// What it was before. Nothing comes after the end.
    fn set_checking(&self, new: Checking) -> Checking {
        let mut checking = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*checking, Checking::Ended) {
            Checking::Ended
        } else {
            std::mem::replace(&mut checking, new)
        }
    }

    /// Whether nobody waits.
    fn is_idle(&self) -> bool {
        self.lock().turns.is_empty()
    }

    /// The next lot; `None`: nothing came for a while. Empty: that was all.
    fn next(&self, patience: Duration) -> Option<Vec<Turn>> {
        let waiting = |queue: &mut Queue| queue.turns.is_empty() && !queue.ended;
        let waited = self.more.wait_timeout_while(self.lock(), patience, waiting);
        let (mut queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && queue.turns.is_empty() && !queue.ended {
            return None;
        }
        let count = queue.turns.len().min(GROUP_MAX);
        queue.busy = count > 0;
        Some(queue.turns.drain(..count).collect())
    }

    /// A lot is posted.
    fn done(&self, effects: usize) {
        self.waiting.fetch_sub(effects, Ordering::Relaxed);
        self.lock().busy = false;
    }

    /// Puts something in line to be looked up; whether there was room.
    fn recall(&self, to: Asker, recall: Box<Recall>) -> bool {
        let slot = match &to {
            Asker::Session(session) => session.slot() as usize,
            Asker::Outside(_) => 0,
        };
        let Some(lane) = self.lanes.get(slot % READERS) else { return false };
        let mut recalls = lane.lock();
        let has_room = recalls.waiting.len() < RECALLS_MAX;
        if has_room {
            recalls.waiting.push_back((to, recall));
            lane.more.notify_one();
        }
        has_room
    }

    /// Whether the disk can't be written to.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Recalls> {
        self.recalls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(Asker, Box<Recall>)> {
        let waiting = |recalls: &mut Recalls| recalls.waiting.is_empty() && !recalls.ended;
        let mut recalls = self.more.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        recalls.waiting.pop_front()
    }
}

/// Whether an effect has to go through here.
fn waits(effect: &Effect) -> bool {
    matches!(effect, Effect::Keep(_) | Effect::Recall { .. })
}

/// Keeps and posts until [`Journal::end`].
pub(crate) fn run(shared: &Shared, mut writer: Writer) {
    let mut erasings = Erasings::default();
    let (mut tidied, mut in_log) = (Instant::now(), 0);
    loop {
        let patience = if erasings.is_empty() { IDLE } else { Duration::ZERO };
        let Some(mut turns) = shared.journal.next(patience) else {
            if !erasings.go_on(&mut writer) {
                tidy_up(shared, &mut writer, || shared.journal.is_idle());
                tidied = Instant::now();
            }
            continue;
        };
        if turns.is_empty() {
            break;
        }
        let effects = || turns.iter().flat_map(|turn| &turn.effects);
        let mut kept = effects().filter_map(|effect| match effect {
            Effect::Keep(kept) => Some(kept),
            _ => None,
        });
        let tried = kept.next().map(|first| writer.keep(std::iter::once(first).chain(kept)));
        let searches = |effect: &Effect| matches!(effect, Effect::Recall { recall, .. } if is_search(recall));
        let search_after =
            |turn: &Turn| matches!(&turn.after, Some(After::Recall(recall, _)) if is_search(recall));
        if effects().any(searches) || turns.iter().any(search_after) {
            // What is looked for may be the last that was said.
            let mut steps = 0..SEARCH_STEPS_MAX;
            while steps.next().is_some() && unless_failed(WORDS_FAILED, writer.index()) {}
        }
        let count = effects().count();
        in_log += effects().filter(|effect| matches!(effect, Effect::Keep(_))).count();
        if in_log >= CHECKPOINT_EVERY {
            in_log = 0;
            shared.journal.want_checkpoint();
        }
        if let Some(Err(_)) = tried {
            take_back_promises(shared, &mut turns);
        }
        for mut turn in turns {
            let recalls = take_recalls(&mut turn.effects);
            shared.post_kept(turn.shard, &mut turn.effects);
            // Only now: what is found must not come before what it belongs to.
            for (to, recall) in recalls {
                if !shared.journal.recall(Asker::Session(to), recall) {
                    shared.reply(to, Reply::Recalled(Recalled::Failed));
                }
            }
            match turn.after {
                None => {}
                // Who asked may have gone.
                Some(After::Tell(tell)) => drop(tell.send(!matches!(tried, Some(Err(_))))),
                // If there is no room, the question is dropped, and that is an answer.
                Some(After::Recall(recall, to)) => drop(shared.journal.recall(Asker::Outside(to), recall)),
                Some(After::Erase(party, to)) => erasings.push(party, to),
            }
        }
        // Where nothing was to be kept, nothing is learned of the disk.
        if let Some(tried) = tried {
            tell_operators(shared, tried.err());
        }
        shared.journal.done(count);
        // However much is said, these are done some time.
        erasings.go_on(&mut writer);
        if tidied.elapsed() > TIDIED_EVERY {
            tidy_up(shared, &mut writer, || false);
            tidied = Instant::now();
        }
    }
    if let Err(error) = writer.close() {
        tracing::warn!(%error, "the store's log is left for the next start to take in");
    }
}

/// What is to be erased: a part at a time, so that nothing else waits long.
#[derive(Debug, Default)]
struct Erasings(VecDeque<(Erasing, oneshot::Sender<Erased>)>);

impl Erasings {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

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

/// Looks things up until [`Journal::end`].
pub(crate) fn run_reader(shared: &Shared, mut reader: Reader, number: usize) {
    let Some(lane) = shared.journal.lanes.get(number) else { return };
    while let Some((to, recall)) = lane.next() {
        let found = reader.recall(&recall).unwrap_or_else(|error| {
            tracing::error!(%error, "what was kept can't be looked up");
            Recalled::Failed
        });
        match to {
            Asker::Session(to) => shared.reply(to, Reply::Recalled(found)),
            // Who asked may have gone.
            Asker::Outside(to) => drop(to.send(found)),
        }
    }
}

/// Moves what is in the log until [`Journal::end`].
pub(crate) fn run_checkpoints(shared: &Shared, mut checkpointer: Checkpointer) {
    while shared.journal.next_checkpoint() {
        // If it can't be done, whoever writes will say so.
        if let Err(error) = checkpointer.run() {
            tracing::debug!(%error, "the store's log can't be moved");
        }
    }
}

/// Looks at all that is kept for damage, beside everything else.
pub(crate) fn check(shared: &Shared, reader: Reader) {
    if let Checking::Ended = shared.journal.set_checking(Checking::Yes(reader.interrupter())) {
        return;
    }
    match reader.check() {
        Ok(()) => tracing::info!("what is kept was looked at for damage, and has none"),
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::error!(%error, "the store is damaged; {}", error.hint());
            shared.alert_operators(&format!("The store is damaged: {error}. {}.", error.hint()));
        }
        // By the end of the server, mostly.
        Err(error) => tracing::debug!(%error, "the look for damage was given up"),
    }
    shared.journal.set_checking(Checking::No);
}
