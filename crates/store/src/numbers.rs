//! The numbers of people and places: in the database, and in what is on its way there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hub::{Card, HistoryKey};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::lot::Lot;
use crate::record::{Face, Line, Place, Record, Said};

/// People whose numbers are remembered; beyond that they get others.
const REMEMBERED_MAX: usize = 16 * 1024;

/// How somebody looks, as one text: the columns of its row, each with an end.
pub(crate) type Look = Arc<str>;

/// Numbers for faces in the database. Each is given once, whoever gives it.
#[derive(Debug, Clone)]
pub(crate) struct FaceNumbers(Arc<Given>);

#[derive(Debug)]
struct Given {
    next: AtomicI64,
    /// Who has a smaller one may have been erased.
    oldest: AtomicI64,
}

impl FaceNumbers {
    /// After the last that was given before.
    pub(crate) fn after(last: i64) -> Self {
        Self(Arc::new(Given { next: AtomicI64::new(last + 1), oldest: AtomicI64::new(0) }))
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
}

/// The numbers of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    /// In its lot.
    pub(crate) place: u32,
    pub(crate) from: i64,
    pub(crate) whom: Option<i64>,
}

/// Numbers that are given to what a [`Lot`] takes.
#[derive(Debug)]
pub(crate) struct Numbers {
    given: FaceNumbers,
    oldest: i64,
    /// Whose number is whose, for longer than one lot.
    looks: FxHashMap<Look, i64>,
    /// For a look that is looked up.
    scratch: String,
    /// Who is in the lot.
    here: FxHashSet<i64>,
    /// What places are in the lot.
    places: FxHashMap<Box<str>, u32>,
    /// All that an event needs, by who says it and where: by where these two are in memory, which is theirs for as long as
    /// they are here.
    known: FxHashMap<(usize, usize), Numbered>,
    pins: Vec<Pin>,
}

/// What has to stay where it is.
#[derive(Debug)]
struct Pin {
    _cards: [Option<Arc<Card>>; 2],
    _room: Option<HistoryKey>,
}

impl Numbers {
    pub(crate) fn new(given: FaceNumbers) -> Self {
        Self {
            oldest: given.oldest(),
            given,
            looks: FxHashMap::default(),
            scratch: String::new(),
            here: FxHashSet::default(),
            places: FxHashMap::default(),
            known: FxHashMap::default(),
            pins: Vec::new(),
        }
    }

    /// The numbers of an event. What the lot doesn't have of that it gets, and it is told as lines.
    #[inline]
    pub(crate) fn of(&mut self, said: &Said<'_>, lot: &mut Lot, line: impl FnMut(&Line<'_>)) -> Numbered {
        let addresses = said.addresses();
        if let Some(known) = addresses.and_then(|addresses| self.known.get(&addresses)) {
            return *known;
        }
        self.learn(said, lot, line)
    }

    fn learn(&mut self, said: &Said<'_>, lot: &mut Lot, mut line: impl FnMut(&Line<'_>)) -> Numbered {
        let from = self.face(&said.from(), lot, &mut line);
        let whom = said.whom().map(|whom| self.face(&whom, lot, &mut line));
        let place = self.place(&said.whereabouts().place(), lot, &mut line);
        let known = Numbered { place, from, whom };
        if let Some(addresses) = said.addresses() {
            let (cards, room) = said.pins();
            self.known.insert(addresses, known);
            self.pins.push(Pin { _cards: cards, _room: room });
        }
        known
    }

    /// The numbers of an event that was read.
    pub(crate) fn of_record(&mut self, record: &Record<'_>, lot: &mut Lot) -> Numbered {
        let from = self.face(&record.from, lot, &mut |_| {});
        let whom = record.whom.as_ref().map(|whom| self.face(whom, lot, &mut |_| {}));
        let place = self.place(&record.place, lot, &mut |_| {});
        Numbered { place, from, whom }
    }

    fn face(&mut self, face: &Face<'_>, lot: &mut Lot, line: &mut impl FnMut(&Line<'_>)) -> i64 {
        let (number, look) = self.number(face);
        if self.here.insert(number) {
            lot.add_face(number, look);
            line(&Line::Face(number, *face));
        }
        number
    }

    fn place(&mut self, there: &Place<'_>, lot: &mut Lot, line: &mut impl FnMut(&Line<'_>)) -> u32 {
        if let Some(place) = self.places.get(there.history) {
            return *place;
        }
        let place = lot.add_place(there);
        self.places.insert(there.history.into(), place);
        line(&Line::Place(place, there.clone()));
        place
    }

    /// Somebody's number. Another may look the same from a while ago: that costs less than to look for it.
    fn number(&mut self, face: &Face<'_>) -> (i64, Look) {
        face.write_look(&mut self.scratch);
        if let Some((look, number)) = self.looks.get_key_value(self.scratch.as_str()) {
            return (*number, look.clone());
        }
        let (number, look) = (self.given.give(), Look::from(self.scratch.as_str()));
        self.looks.insert(look.clone(), number);
        (number, look)
    }

    /// What comes now is for another lot; or the lines that told something were lost.
    pub(crate) fn begin_lot(&mut self) {
        self.here.clear();
        self.places.clear();
        self.known.clear();
        self.pins.clear();
        let oldest = self.given.oldest();
        if std::mem::replace(&mut self.oldest, oldest) != oldest || self.looks.len() > REMEMBERED_MAX {
            self.looks.clear();
        }
    }
}
