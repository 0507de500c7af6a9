//! What the server counts, and how it is told.
//!
//! A reactor counts for itself during a turn ([`Tally`]) and adds that up here at the turn's end, so that a
//! delivery touches no shared counter. The text is made from a snapshot each time it is asked for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hub::{Counts, Dialect};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

/// What a connection is, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has not said which protocol it speaks.
    Undecided,
    /// It speaks this one, or spoke it and is being closed.
    Dialect(Dialect),
    /// It speaks HTTP.
    Http,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Undecided,
        Self::Http,
        Self::Dialect(Dialect::Tmp),
        Self::Dialect(Dialect::Muca),
        Self::Dialect(Dialect::Rooms),
        Self::Dialect(Dialect::Bridge),
        Self::Dialect(Dialect::Messenger),
        Self::Dialect(Dialect::Irc),
    ];

    fn index(self) -> usize {
        match self {
            Self::Undecided => 0,
            Self::Http => 1,
            Self::Dialect(dialect) => 2 + dialect as usize,
        }
    }

    /// The word for it in metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Http => "http",
            Self::Dialect(dialect) => dialect.as_str(),
        }
    }
}

/// What a reactor did in one turn.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// How much longer, or shorter, the queues became.
    pub(crate) queued: i64,
}

/// What the server has counted since it began.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    connections: [AtomicI64; Kind::ALL.len()],
    sessions: [AtomicI64; Kind::ALL.len()],
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    queued: AtomicI64,
    accepted: AtomicU64,
    closes: Mutex<Reasons>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

/// How often connections of each kind were closed for each reason.
type Reasons = BTreeMap<(&'static str, &'static str), u64>;

/// What only others know, at the moment of asking.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) users: usize,
    pub(crate) rooms: usize,
    pub(crate) counts: Counts,
}

type Labels = Vec<(&'static str, &'static str)>;

impl Metrics {
    /// A connection was accepted.
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection came, went, or became of another kind.
    pub(crate) fn connection(&self, from: Option<Kind>, to: Option<Kind>) {
        if let Some(from) = from {
            self.connections[from.index()].fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(to) = to {
            self.connections[to.index()].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A session opened (1) or closed (-1).
    pub(crate) fn session(&self, dialect: Dialect, change: i64) {
        self.sessions[Kind::Dialect(dialect).index()].fetch_add(change, Ordering::Relaxed);
    }

    /// A connection was closed.
    pub(crate) fn closed(&self, kind: Kind, reason: &'static str) {
        let mut closes = self.closes.lock().unwrap_or_else(PoisonError::into_inner);
        *closes.entry((kind.as_str(), reason)).or_default() += 1;
    }

    /// A connection was not taken.
    pub(crate) fn refused(&self, reason: &'static str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// Adds what one turn did.
    pub(crate) fn add(&self, tally: &mut Tally) {
        let Tally { bytes_in, bytes_out, queued } = std::mem::take(tally);
        if bytes_in > 0 {
            self.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        }
        if bytes_out > 0 {
            self.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        }
        if queued != 0 {
            self.queued.fetch_add(queued, Ordering::Relaxed);
        }
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn text(&self, snapshot: &Snapshot) -> String {
        let mut registry = Registry::with_prefix("polylogue");
        let gauges = |values: &[AtomicI64], kinds: &mut dyn Iterator<Item = Kind>| {
            let family = Family::<Labels, Gauge>::default();
            for kind in kinds {
                let value = values[kind.index()].load(Ordering::Relaxed);
                family.get_or_create(&vec![("dialect", kind.as_str())]).set(value);
            }
            family
        };
        registry.register(
            "connections",
            "Open connections by what they speak",
            gauges(&self.connections, &mut Kind::ALL.into_iter()),
        );
        registry.register(
            "sessions",
            "Open sessions by dialect",
            gauges(&self.sessions, &mut Dialect::ALL.into_iter().map(Kind::Dialect)),
        );
        let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: i64| match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, ConstGauge::new(value)),
            None => registry.register(name, help, ConstGauge::new(value)),
        };
        gauge("users", "Users who are present", None, snapshot.users as i64);
        gauge("rooms", "Rooms, the lobby included", None, snapshot.rooms as i64);
        let queued = self.queued.load(Ordering::Relaxed);
        gauge("queued", "Bytes that wait to be written", Some(Unit::Bytes), queued);
        let mut counter = |name: &str, help: &str, value: u64| {
            registry.register(name, help, ConstCounter::new(value));
        };
        counter("accepted", "Connections accepted", self.accepted.load(Ordering::Relaxed));
        counter("messages", "Messages taken", snapshot.counts.messages);
        counter("deliveries", "Messages handed to sessions", snapshot.counts.deliveries);
        counter("bytes_in", "Bytes read", self.bytes_in.load(Ordering::Relaxed));
        counter("bytes_out", "Bytes written", self.bytes_out.load(Ordering::Relaxed));
        self.register_reasons(&mut registry, &snapshot.counts);
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }

    fn register_reasons(&self, registry: &mut Registry, counts: &Counts) {
        type Counters = Family<Labels, prometheus_client::metrics::counter::Counter>;
        let refusals = Counters::default();
        for ((dialect, reason), count) in &counts.refusals {
            refusals.get_or_create(&vec![("dialect", dialect.as_str()), ("reason", reason)]).inc_by(*count);
        }
        registry.register("refusals", "What the hub refused", refusals);
        let closes = Counters::default();
        for ((kind, reason), count) in self.closes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            closes.get_or_create(&vec![("dialect", kind), ("reason", reason)]).inc_by(*count);
        }
        registry.register("closes", "Connections closed", closes);
        let refused = Counters::default();
        for (reason, count) in self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            refused.get_or_create(&vec![("reason", reason)]).inc_by(*count);
        }
        registry.register("accepts_refused", "Connections not taken", refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_order_of_index() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index);
        }
    }

    #[test]
    fn the_text_has_what_was_counted() {
        let metrics = Metrics::default();
        metrics.connection(None, Some(Kind::Undecided));
        metrics.connection(Some(Kind::Undecided), Some(Kind::Dialect(Dialect::Rooms)));
        metrics.closed(Kind::Http, "idle");
        metrics.refused("per_address");
        metrics.add(&mut Tally { bytes_in: 5, bytes_out: 7, queued: 9 });
        let mut counts = Counts { messages: 3, ..Counts::default() };
        counts.refusals.insert((Dialect::Tmp, "name_taken"), 2);
        let text = metrics.text(&Snapshot { users: 1, rooms: 2, counts });
        for line in [
            "polylogue_connections{dialect=\"rooms\"} 1",
            "polylogue_connections{dialect=\"undecided\"} 0",
            "polylogue_sessions{dialect=\"muca\"} 0",
            "polylogue_users 1",
            "polylogue_rooms 2",
            "polylogue_queued_bytes 9",
            "polylogue_messages_total 3",
            "polylogue_bytes_in_total 5",
            "polylogue_bytes_out_total 7",
            "polylogue_refusals_total{dialect=\"tmp\",reason=\"name_taken\"} 2",
            "polylogue_closes_total{dialect=\"http\",reason=\"idle\"} 1",
            "polylogue_accepts_refused_total{reason=\"per_address\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
