//! What is to be kept, on its way to the disk.
//!
//! Nobody is told of anything before it is kept, so what the hub asks to be done waits here for what it asked to be
//! kept before: whoever keeps (`keeper.rs`) takes everything that waits, keeps it in one go, and only then posts it to
//! the reactors, in the hub's order. Meanwhile the next lot gathers. When nothing waits, what needs no keeping goes
//! straight to the reactors.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::{Effect, Party, Recall, Recalled, Reply, SessionId};
use store::{Checkpointer, CommitLog, Erased, Interrupter, Reader, StoreError};
use tokio::sync::oneshot;

use crate::shared::Shared;

/// What may wait before the reactors stop reading.
const WAITING_MAX: usize = 8 * 1024;
/// Turns that are kept together at most: one that comes later waits for no more than these.
const GROUP_MAX: usize = 1024;
/// Lists of effects that are kept to be used again, and how long they may be.
const SPARE_MAX: usize = 8;
const SPARE_EFFECTS_MAX: usize = 1024;
/// Requests to look something up that may wait for each thread that does.
const RECALLS_MAX: usize = 2 * 1024;
/// By how much the threads that work for the disk step back behind the reactors where they share a core (nice(2)): these
/// are woken for people who wait. A tenth of the core is left, and they need less than half of that.
const STEPS_BACK: i32 = 10;
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
    /// Where what was said is kept first, once there is somebody who keeps. Whoever has it posts what it has kept there
    /// before letting go of it.
    pub(crate) log: Mutex<Option<CommitLog>>,
    /// Whether the reactor that leaves something to be kept keeps it itself: while the disk is quick, that costs less
    /// than to wake another thread and to be woken by it.
    pub(crate) at_once: AtomicBool,
    /// Whether the disk can't be written to.
    pub(crate) failing: AtomicBool,
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
    /// Empty ones, for those that come.
    spare: Vec<Vec<Effect>>,
    /// Somebody has taken some and not posted all of them.
    busy: bool,
    /// There is much in the log.
    wants_entering: bool,
    ended: bool,
}

/// What came of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    Work,
    Nothing,
    End,
}

/// What one call of the hub left, and whose reactor called it.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) shard: u8,
    pub(crate) effects: Vec<Effect>,
    pub(crate) after: Option<After>,
    /// Whether something of it can't be kept in the log, or wants to be found in the database.
    pub(crate) needs_database: bool,
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
pub(crate) enum Asker {
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

    /// Takes what has to wait; whether it did. Called with the hub locked, so that nothing comes in between. Afterwards
    /// it has to be seen to: [`Journal::notify`] or `Shared::keep_at_once`.
    pub(crate) fn take(&self, shard: u8, effects: &mut Vec<Effect>, after: Option<After>) -> bool {
        let (mut waits, mut needs_database) = (after.is_some(), after.is_some());
        for effect in &*effects {
            match effect {
                Effect::Keep(kept, _) => {
                    (waits, needs_database) = (true, needs_database | !CommitLog::takes(kept))
                }
                Effect::Recall { .. } => (waits, needs_database) = (true, true),
                _ => {}
            }
        }
        let mut queue = self.lock();
        let needed = waits || queue.busy || !queue.turns.is_empty();
        if needed && !(effects.is_empty() && after.is_none()) {
            self.waiting.fetch_add(effects.len(), Ordering::Relaxed);
            let spare = queue.spare.pop().unwrap_or_default();
            let effects = std::mem::replace(effects, spare);
            queue.turns.push_back(Turn { shard, effects, after, needs_database });
        }
        needed
    }

    /// Has what is in the log entered in the database, soon.
    pub(crate) fn want_entering(&self) {
        let had = std::mem::replace(&mut self.lock().wants_entering, true);
        if !had {
            self.notify();
        }
    }

    /// Whether what is in the log is to be entered. Only for who does it.
    pub(crate) fn wants_entering(&self) -> bool {
        std::mem::take(&mut self.lock().wants_entering)
    }

    /// Waits for the log.
    pub(crate) fn log(&self) -> MutexGuard<'_, Option<CommitLog>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits, and nothing is to be entered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_idle() && self.log().as_ref().is_none_or(CommitLog::is_empty)
    }

    /// Wakes the thread that keeps.
    pub(crate) fn notify(&self) {
        self.more.notify_one();
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
    pub(crate) fn want_checkpoint(&self) {
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
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().turns.is_empty()
    }

    /// Waits until something is there to be kept; not if it is the end.
    pub(crate) fn wait(&self, patience: Duration) -> Waited {
        let nothing = |queue: &mut Queue| queue.turns.is_empty() && !queue.wants_entering && !queue.ended;
        let waited = self.more.wait_timeout_while(self.lock(), patience, nothing);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (queue.turns.is_empty() && !queue.wants_entering, queue.ended) {
            (false, _) => Waited::Work,
            (true, true) => Waited::End,
            (true, false) => Waited::Nothing,
        }
    }

    /// The next lot, up to the first that isn't meant; empty: nothing waits. Only for who holds the log, so that lots are
    /// kept in their order.
    pub(crate) fn take_lot(&self, is_meant: impl Fn(&Turn) -> bool) -> Vec<Turn> {
        let mut queue = self.lock();
        let count = queue.turns.iter().take(GROUP_MAX).take_while(|turn| is_meant(turn)).count();
        queue.busy = count > 0;
        queue.turns.drain(..count).collect()
    }

    /// A lot could not be kept in the log. Only for who still holds that.
    pub(crate) fn put_back(&self, turns: Vec<Turn>) {
        let mut queue = self.lock();
        for mut turn in turns.into_iter().rev() {
            turn.needs_database = true;
            queue.turns.push_front(turn);
        }
        queue.busy = false;
    }

    /// A lot is posted: what is left of it is room for other effects.
    pub(crate) fn done(&self, count: usize, left: impl IntoIterator<Item = Vec<Effect>>) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        let mut queue = self.lock();
        queue.busy = false;
        let room = SPARE_MAX.saturating_sub(queue.spare.len());
        queue
            .spare
            .extend(left.into_iter().filter(|effects| effects.capacity() <= SPARE_EFFECTS_MAX).take(room));
    }

    /// Puts something in line to be looked up; whether there was room.
    pub(crate) fn recall(&self, to: Asker, recall: Box<Recall>) -> bool {
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

/// Has this thread work for the disk when nobody else wants the core, for the most part.
pub(crate) fn step_back() {
    if let Err(error) = rustix::process::setpriority_process(None, STEPS_BACK) {
        tracing::debug!(%error, "a thread can't step back");
    }
}

/// Moves what is in the log until [`Journal::end`].
pub(crate) fn run_checkpoints(shared: &Shared, mut checkpointer: Checkpointer) {
    step_back();
    while shared.journal.next_checkpoint() {
        // If it can't be done, whoever writes will say so.
        if let Err(error) = checkpointer.run() {
            tracing::debug!(%error, "the store's log can't be moved");
        }
    }
}

/// Looks at all that is kept for damage, beside everything else.
pub(crate) fn check(shared: &Shared, reader: Reader) {
    step_back();
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
