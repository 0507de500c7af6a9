//! Identifiers. Each is a number of its own type, so that one can't be taken for another.

use std::fmt;

/// One connection's session, named by whoever owns the connections. The hub only compares it, but its upper
/// bits tell the shard that the connection lives on, so that a delivery needs no look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

impl SessionId {
    /// A session on `shard`, in `slot` there; `generation` tells apart the sessions that used the slot.
    #[must_use]
    pub fn new(shard: u8, generation: u32, slot: u32) -> Self {
        Self((u64::from(shard) << 56) | (u64::from(generation & 0x00ff_ffff) << 32) | u64::from(slot))
    }

    /// The shard given to [`SessionId::new`].
    #[must_use]
    pub fn shard(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// The lower 24 bits of the generation given to [`SessionId::new`].
    #[must_use]
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32 & 0x00ff_ffff
    }

    /// The slot given to [`SessionId::new`].
    #[must_use]
    pub fn slot(self) -> u32 {
        self.0 as u32
    }
}

/// A user while present. Grows with every login, so that order by id is order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub(crate) u64);

/// A room while it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub(crate) u64);

/// A session's own number for a command that wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u32);

/// An attempt to reach a waiting bridge client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub(crate) u64);

/// An event's id: milliseconds since 1970 in the upper 44 bits, a counter in the lower 20. Strictly growing,
/// so that order by id is the order in which the hub took the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventId(u64);

impl EventId {
    const COUNTER_BITS: u32 = 20;
    /// Later than every event.
    pub const LAST: Self = Self(u64::MAX);

    /// The first id that is later than `self` and not before `unix_ms`.
    #[must_use]
    pub(crate) fn after(self, unix_ms: u64) -> Self {
        Self((unix_ms << Self::COUNTER_BITS).max(self.0 + 1))
    }

    /// An id as whoever keeps events writes it.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The id that [`EventId::bits`] gave.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The first id that an event of this millisecond could have.
    #[must_use]
    pub fn first_of(unix_ms: u64) -> Self {
        Self(unix_ms.min(u64::MAX >> Self::COUNTER_BITS) << Self::COUNTER_BITS)
    }

    /// The last id that an event of this millisecond could have.
    #[must_use]
    pub fn last_of(unix_ms: u64) -> Self {
        Self(Self::first_of(unix_ms).0 | ((1 << Self::COUNTER_BITS) - 1))
    }

    /// The id after this one.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The millisecond part.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.0 >> Self::COUNTER_BITS
    }
}

impl fmt::Display for EventId {
    /// 16 hexadecimal digits, so that order as text is order by time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Not an event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event's id has 16 hexadecimal digits")]
pub struct NoEventId;

impl std::str::FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(NoEventId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_give_back_their_parts() {
        let id = SessionId::new(3, 0x12_3456, 0xffff_fffe);
        assert_eq!((id.shard(), id.generation(), id.slot()), (3, 0x12_3456, 0xffff_fffe));
    }

    #[test]
    fn event_ids_grow_when_the_clock_stands_or_steps_back() {
        let first = EventId::default().after(1_000);
        let second = first.after(1_000);
        let third = second.after(10);
        assert!(first < second && second < third);
        assert_eq!(third.unix_ms(), 1_000);
        assert!(first.to_string() < third.to_string());
        assert_eq!(third.to_string().parse(), Ok(third));
        for bad in ["", "1", "000000000000000G", "00000000000000001", "+000000000000001"] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }
}
