//! The numbers of people and places: in the database, and in what is on its way there.

use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use hub::{Card, HistoryKey, Whose};
use rustc_hash::{FxHashMap, FxHasher};

use crate::lot::{Somewhere, add_place};
use crate::record::{Face, Place, Record, Said};

/// Places for looks whose numbers are remembered: whoever finds another's look there gets a number anew.
const RECENT: usize = 1024;
/// A lot's number has so many bits, and the rest says in which store it is: on one card, several may put a number.
const LOT_BITS: u32 = 40;

/// Numbers for faces in the database. Each is given once, whoever gives it.
#[derive(Debug, Clone)]
pub(crate) struct FaceNumbers(Arc<Given>);

#[derive(Debug)]
struct Given {
    next: AtomicI64,
    /// Who has a smaller one may have been erased.
    oldest: AtomicI64,
    /// The last lot that was begun.
    lot: AtomicU64,
}

impl FaceNumbers {
    /// After the last that was given before.
    pub(crate) fn after(last: i64) -> Self {
        static STORES: AtomicU32 = AtomicU32::new(1);
        let store = STORES.fetch_add(1, Ordering::Relaxed);
        let lot = AtomicU64::new(u64::from(store) << LOT_BITS);
        Self(Arc::new(Given { next: AtomicI64::new(last + 1), oldest: AtomicI64::new(0), lot }))
    }

    /// One that nobody has.
    pub(crate) fn give(&self) -> i64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Those given so far may be those of faces that go: who has one and speaks again gets another.
    pub(crate) fn retire(&self) {
        self.0.oldest.store(self.0.next.load(Ordering::Relaxed), Ordering::Release);
    }

    /// Whether a number was given before the last [`FaceNumbers::retire`].
    pub(crate) fn is_retired(&self, number: i64) -> bool {
        number < self.oldest()
    }

    fn oldest(&self) -> i64 {
        self.0.oldest.load(Ordering::Acquire)
    }

    /// The number of a lot that begins: no other has it, in this store or another.
    fn begin_lot(&self) -> u64 {
        self.0.lot.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What a lot doesn't have yet and an event needs: to be told before it.
#[derive(Debug)]
pub(crate) enum News<'n, 'p> {
    /// Who has a number, as [`Face::append`] writes it.
    Face(i64, &'n [u8]),
    /// What place has a number.
    Place(u32, &'n Place<'p>),
}

/// The numbers of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    /// In its lot.
    pub(crate) place: u32,
    pub(crate) from: i64,
    pub(crate) whom: Option<i64>,
}

/// Numbers that are given to what a [`crate::Lot`] takes.
///
/// Whose number is whose stands on the card itself ([`hub::Label`]), with the last lot that has the face: nothing needs to
/// be looked up for people who speak again.
#[derive(Debug)]
pub(crate) struct Numbers {
    given: FaceNumbers,
    oldest: i64,
    lot: u64,
    /// Who looked how a while ago, each in a place that follows from its look: whoever comes back has the same number.
    recent: Vec<Recent>,
    /// A look that is looked up.
    look: Vec<u8>,
    /// What places are in the lot, by their keys.
    places: FxHashMap<Box<str>, u32>,
    /// The room in which something was said last: where its key is in memory, no other is for as long as it is here.
    room: Option<(HistoryKey, u32)>,
    /// Conversations of two among them.
    pairs: FxHashMap<(i64, i64), u32>,
}

#[derive(Debug, Clone, Default)]
struct Recent {
    /// 0: nobody's.
    number: i64,
    /// Most others differ in this already.
    hash: u64,
    look: Vec<u8>,
}

impl Numbers {
    pub(crate) fn new(given: FaceNumbers) -> Self {
        Self {
            oldest: given.oldest(),
            lot: given.begin_lot(),
            given,
            recent: Vec::new(),
            look: Vec::new(),
            places: FxHashMap::default(),
            room: None,
            pairs: FxHashMap::default(),
        }
    }

    /// The numbers of an event. What the lot doesn't have of that is told; where it is, is added to the lot's places.
    #[inline]
    pub(crate) fn of(
        &mut self,
        said: &Said<'_>,
        places: &mut Vec<Somewhere>,
        mut tell: impl FnMut(News<'_, '_>),
    ) -> Numbered {
        let from = self.card(said.from(), &mut tell);
        let whom = said.whom().map(|whom| self.card(whom, &mut tell));
        let known = match (said.whose(), whom) {
            (Whose::Room(history), _) => {
                let last = self.room.as_ref().filter(|(last, _)| address(last) == address(history));
                last.map(|(_, place)| *place)
            }
            (Whose::Pair, Some(whom)) => self.pairs.get(&(from, whom)).copied(),
            _ => None,
        };
        let place = known.unwrap_or_else(|| self.find_place(said, (from, whom), places, &mut tell));
        Numbered { place, from, whom }
    }

    fn find_place(
        &mut self,
        said: &Said<'_>,
        (from, whom): (i64, Option<i64>),
        places: &mut Vec<Somewhere>,
        tell: &mut impl FnMut(News<'_, '_>),
    ) -> u32 {
        let known = match said.whose() {
            Whose::Room(history) => self.places.get(history.as_str()).copied(),
            Whose::Pair | Whose::Group(_) => None,
        };
        let place = known.unwrap_or_else(|| self.place(&said.whereabouts().place(), places, tell));
        match (said.whose(), whom) {
            (Whose::Room(history), _) => self.room = Some((history.clone(), place)),
            (Whose::Pair, Some(whom)) => {
                self.pairs.insert((from, whom), place);
            }
            _ => {}
        }
        place
    }

    /// The numbers of an event that was read.
    pub(crate) fn of_record(
        &mut self,
        record: &Record<'_>,
        places: &mut Vec<Somewhere>,
        mut tell: impl FnMut(News<'_, '_>),
    ) -> Numbered {
        let mut face = |face: &Face<'_>| {
            self.look_at(face);
            let number = self.number();
            tell(News::Face(number, &self.look));
            number
        };
        let (from, whom) = (face(&record.from), record.whom.as_ref().map(face));
        let place = self.place(&record.place, places, &mut tell);
        Numbered { place, from, whom }
    }

    /// The number of whoever has a card.
    #[inline]
    fn card(&mut self, card: &Card, tell: &mut impl FnMut(News<'_, '_>)) -> i64 {
        let (lot, number) = card.label().get();
        if lot == self.lot { number } else { self.label(card, tell) }
    }

    /// Sees to it that the lot has a card's face.
    fn label(&mut self, card: &Card, tell: &mut impl FnMut(News<'_, '_>)) -> i64 {
        let (lot, number) = card.label().get();
        let is_of_here = lot >> LOT_BITS == self.lot >> LOT_BITS && number >= self.oldest;
        self.look_at(&Face::of(card));
        let number = if is_of_here { number } else { self.number() };
        card.label().set(self.lot, number);
        tell(News::Face(number, &self.look));
        number
    }

    fn look_at(&mut self, face: &Face<'_>) {
        self.look.clear();
        face.append(&mut self.look);
    }

    fn place(
        &mut self,
        there: &Place<'_>,
        places: &mut Vec<Somewhere>,
        tell: &mut impl FnMut(News<'_, '_>),
    ) -> u32 {
        if let Some(place) = self.places.get(there.history) {
            return *place;
        }
        let place = add_place(places, there);
        self.places.insert(there.history.into(), place);
        tell(News::Place(place, there));
        place
    }

    /// The number of whoever was looked at. Another may look the same from a while ago: that costs less than to look for it.
    fn number(&mut self) -> i64 {
        let mut hasher = FxHasher::default();
        hasher.write(&self.look);
        if self.recent.is_empty() {
            self.recent.resize(RECENT, Recent::default());
        }
        let hash = hasher.finish();
        let Some(recent) = self.recent.get_mut(hash as usize % RECENT) else { return self.given.give() };
        if recent.number < self.oldest.max(1) || recent.hash != hash || recent.look != self.look {
            (recent.number, recent.hash) = (self.given.give(), hash);
            recent.look.clone_from(&self.look);
        }
        recent.number
    }

    /// What comes now is for another lot; or the lines that told something were lost.
    pub(crate) fn begin_lot(&mut self) {
        self.lot = self.given.begin_lot();
        let oldest = self.given.oldest();
        if oldest != self.oldest {
            // Who was erased isn't remembered here either.
            self.oldest = oldest;
            self.recent = Vec::new();
        }
        self.places.clear();
        self.room = None;
        self.pairs.clear();
    }
}

/// Where a key is in memory.
fn address(history: &HistoryKey) -> usize {
    history.as_str().as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(numbers: &mut Numbers, name: &str) -> i64 {
        let dialect = "irc";
        let face = Face { name, nick: name, username: "", host: "", account: "", dialect, bot: false };
        numbers.look_at(&face);
        numbers.number()
    }

    #[test]
    fn who_comes_back_has_the_same_number_until_somebody_is_erased() {
        let given = FaceNumbers::after(7);
        let mut numbers = Numbers::new(given.clone());
        let (ann, bob) = (look(&mut numbers, "ann"), look(&mut numbers, "bob"));
        assert_ne!(ann, bob);
        numbers.begin_lot();
        assert_eq!(look(&mut numbers, "ann"), ann);
        given.retire();
        numbers.begin_lot();
        assert!(numbers.recent.is_empty(), "what was erased is remembered");
        let others = [look(&mut numbers, "ann"), look(&mut numbers, "bob")];
        assert!(others.iter().all(|number| *number > ann.max(bob)));
    }
}
